#!/usr/bin/env python3
"""Measures what the worker costs beside the programs it runs; see worker/BENCHMARKS.md.

usage: measure.py BINARIES PROGRAMS PART...

BINARIES is the directory of the release builds of caldp, caldp-demo and (as examples/transfer) the
transfer example; PROGRAMS that of the real calcos, which is run once, so that stand-ins have products to
copy. The parts are overhead, packaging, memory, upload and download. Needs nothing but Python's own
library, curl for transfers and nginx for downloads.
"""

import array, json, os, pathlib, random, shutil, socket, statistics, subprocess, sys, tarfile, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/fixtures"
DATASETS = {"acs": "j8cb010b0", "wfc3": "ib8t01010", "stis": "octka6030", "cos": "lbgu17qnq"}
STAGES = {"acs": ["calacs.e", "runastrodriz"], "wfc3": ["calwf3.e", "runastrodriz"], "stis": ["cs0.e"], "cos": ["calcos"]}
RUNS = 5
MIB = 1 << 20


def median(values):
    return statistics.median(values)


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def noise(path, size):
    """Floats as detectors give them: what a calibrated image is made of."""
    random.seed(1)
    block = array.array("f", (random.gauss(100, 10) for _ in range(4 * MIB)))
    block.byteswap()
    with open(path, "wb") as file:
        for _ in range(size // (16 * MIB)):
            file.write(block.tobytes())


class Demo:
    """Runs of caldp-demo with programs that only copy what they are to leave."""

    def __init__(self, binaries, programs, folder):
        self.demo, self.folder = binaries / "caldp-demo", folder
        self.seconds, self.worker = folder / "seconds", folder / "worker"
        real = (binaries / "caldp").resolve()
        # the first of the demo's commands is the run; status and page follow
        script(self.worker, f'from=$(date +%s%N); "{real}" "$@"; code=$?; took=$(($(date +%s%N) - from))\n'
                            f'[ -e "{self.seconds}" ] || echo $took > "{self.seconds}"\nexit $code\n')
        self.run("lbgu17qnq", programs)
        self.products = folder / "products"
        shutil.copytree(folder / "home/batch-demo/data/cos/lbgu17qnq", self.products)

    def run(self, dataset, programs):
        command = [self.demo, "--worker", self.worker, "--programs", programs, "--directory", self.folder / "home", "--dataset", dataset]
        self.seconds.unlink(missing_ok=True)
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        [record] = (self.folder / "home/batch-demo").glob(f"data/*/{dataset}/logs/provenance.json")
        return int(self.seconds.read_text()) / 1e9, json.loads(record.read_text())

    def stand_ins(self, instrument, extra=""):
        """Programs that leave copies: calcos of its own products, the others of the raw file."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        manifest = json.loads((FIXTURES / "manifest.json").read_text())["datasets"][DATASETS[instrument]]
        made = manifest["products"] + manifest.get("stage2_products", [])
        lines = [f"[ -e {name} ] || cp $(ls *_raw.fits | head -1) {name}" for name in made]
        if instrument == "cos":
            lines = [f"cp {self.products}/*_[!r]*.fits {self.products}/*.tra ."]
        for name in STAGES[instrument]:
            script(folder / name, "\n".join(lines) + "\n" + extra)
        return folder


def overhead(demo):
    for instrument, dataset in DATASETS.items():
        programs = demo.stand_ins(instrument)
        for cache in ["empty", "cached"]:
            rest, peaks, whole = [], [], []
            for _ in range(RUNS):
                if cache == "empty":
                    shutil.rmtree(demo.folder / "home/home/crds_cache", ignore_errors=True)
                wall, record = demo.run(dataset, programs)
                steps = {step["step"]: step["seconds"] for step in record["steps"]}
                rest.append(wall - sum(p["seconds"] for p in record["programs"]) - steps["previews"])
                peaks.append(record["worker"]["peak_memory_kib"] / 1024)
                whole.append(steps["previews"])
            print(f"overhead {instrument} {cache}: {median(rest):.3f} s (previews {median(whole):.2f} s more), peak {max(peaks):.0f} MiB")


def local_run(binaries, demo, size, layout):
    """One dataset on disk, calibrated into products of about `size` bytes; its record."""
    big = demo.folder / f"big-{size}"
    if not big.exists():
        noise(big, size)
    programs = demo.stand_ins("cos", f"cp {big} lbgu17qnq_big.fits\n")
    work = pathlib.Path(tempfile.mkdtemp(dir=demo.folder))
    with tarfile.open(FIXTURES / "raw/lbgu17qnq.tar.gz") as archive:
        archive.extractall(work)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(work), "CRDS_PATH": str(FIXTURES / "crds")}
    command = [binaries / "caldp", "process", "lbgu17qnq", "file:.", "file:out", "--layout", layout, "--json"]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return work, json.loads(done.stdout)


def packaging(binaries, demo):
    ours, python = [], []
    for _ in range(RUNS):
        work, record = local_run(binaries, demo, 256 * MIB, "calcloud")
        seconds = next(step["seconds"] for step in record["steps"] if step["step"] == "delivery")
        members = [o for o in record["outputs"] if "archive" in o]
        size = sum(member["size"] for member in members)
        packed = next(o["size"] for o in record["outputs"] if "archive" not in o)
        ours.append(size / MIB / seconds)
        if len(python) < 1 or RUNS <= 3:
            unpacked = work / "unpacked"
            with tarfile.open(work / "out/outputs/lbgu17qnq/lbgu17qnq.tar.gz") as archive:
                archive.extractall(unpacked)
            start = time.monotonic()
            with tarfile.open(work / "python.tar.gz", "x:gz") as archive:
                archive.add(unpacked / "lbgu17qnq", "lbgu17qnq")
            python.append(size / MIB / (time.monotonic() - start))
            its = (work / "python.tar.gz").stat().st_size
        shutil.rmtree(work)
    print(f"packaging {size / MIB:.0f} MiB: {median(ours):.0f} MiB/s into {packed / MIB:.1f} MiB; tarfile x:gz {median(python):.1f} MiB/s into "
          f"{its / MIB:.1f} MiB: {median(ours) / median(python):.1f} times as fast, {100 * packed / its - 100:+.1f} % larger")


def memory(binaries, demo):
    for layout in ["tree", "calcloud"]:
        work, record = local_run(binaries, demo, 2048 * MIB, layout)
        print(f"memory, 2 GiB of products, {layout}, on disk: peak {record['worker']['peak_memory_kib'] / 1024:.0f} MiB")
        shutil.rmtree(work)
    (demo.folder / f"big-{2048 * MIB}").unlink()
    big = demo.folder / f"big-{256 * MIB}"
    noise(big, 256 * MIB)
    _, record = demo.run("lbgu17qnq", demo.stand_ins("cos", f"cp {big} lbgu17qnq_big.fits\n"))
    print(f"memory, 256 MiB of products, tree, on S3: peak {record['worker']['peak_memory_kib'] / 1024:.0f} MiB")


def rate(command, size, environment=None):
    rates = []
    for _ in range(RUNS):
        start = time.monotonic()
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        rates.append(size / MIB / (time.monotonic() - start))
    return median(rates)


def compare(what, ours, plain):
    print(f"{what}: {ours:.0f} MiB/s, plain parallel requests {plain:.0f} MiB/s: {100 * ours / plain:.0f} %")


def upload(binaries, folder):
    """256 MiB in one object, against eight curl processes that put 32 MiB each."""
    size, parts = 256 * MIB, 8
    noise(folder / "up", size)
    noise(folder / "part", size // parts)
    server = subprocess.Popen([binaries / "examples/transfer", "serve"], stdout=subprocess.PIPE, text=True)
    try:
        environment = dict(os.environ)
        while "AWS_SECRET_ACCESS_KEY" not in environment or "AWS_ENDPOINT_URL" not in environment:
            name, value = server.stdout.readline().removeprefix("export ").strip().split("=", 1)
            environment[name] = value
        while line := (server.stdout.readline() if len(environment) < len(os.environ) + 7 else ""):
            name, value = line.removeprefix("export ").strip().split("=", 1)
            environment[name] = value
        ours = rate([binaries / "examples/transfer", "put", folder / "up", "s3://bench/up"], size, environment)
        user = f"{environment['AWS_ACCESS_KEY_ID']}:{environment['AWS_SECRET_ACCESS_KEY']}"
        put = (f"for n in {' '.join(map(str, range(parts)))}; do curl -sf --aws-sigv4 aws:amz:us-east-1:s3 --user '{user}' "
               f"-H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -T {folder}/part {environment['AWS_ENDPOINT_URL']}/bench/part-$n & done; wait")
        plain = rate(["sh", "-c", put], size)
        compare("upload to the tests' S3 server", ours, plain)
    finally:
        server.terminate()


def download(binaries, folder):
    """512 MiB from nginx, against eight curl processes that get a range each."""
    size, parts = 512 * MIB, 8
    (folder / "root/bench").mkdir(parents=True)
    folder.chmod(0o755)
    noise(folder / "root/bench/down", size)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(
        f"worker_processes auto; daemon off; pid {folder}/pid; error_log stderr; user root; events {{}}\n"
        f"http {{ access_log off; sendfile on; etag on; client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;\n"
        f"uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t; server {{ listen 127.0.0.1:{port}; root {folder}/root; }} }}\n")
    server = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf"])
    try:
        time.sleep(1)
        url = f"http://127.0.0.1:{port}"
        environment = dict(os.environ, AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_REGION="us-east-1")
        ours = rate([binaries / "examples/transfer", "get", "s3://bench/down", folder / "got"], size, environment)
        step = size // parts
        ranges = " ".join(f"{n * step}-{(n + 1) * step - 1}" for n in range(parts))
        get = f"n=0; for r in {ranges}; do n=$((n+1)); curl -sf -r $r -o {folder}/got-$n {url}/bench/down & done; wait; sync -d {folder}/got-*"
        plain = rate(["sh", "-c", get], size)
        compare("download from nginx, synced", ours, plain)
    finally:
        server.terminate()


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    binaries, programs = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        demo = None
        for part in sys.argv[3:]:
            if part in ["overhead", "packaging", "memory"] and demo is None:
                demo = Demo(binaries, programs, folder)
            match part:
                case "overhead":
                    overhead(demo)
                case "packaging":
                    packaging(binaries, demo)
                case "memory":
                    memory(binaries, demo)
                case "upload":
                    upload(binaries, folder)
                case "download":
                    download(binaries, folder)
                case other:
                    sys.exit(f"there is no part {other}")


main()
