#!/usr/bin/env python3
"""Measures the crds program beside Python CRDS and, for downloads, beside curl and awscli.

    compare.py --crds target/release/crds --python venv/bin/python --data DIR [--aws venv/bin/aws] [--only PART]

Needs: a release build of crds; a virtual environment with `crds` and `astropy` from PyPI; DIR, the
directory of real rules and records (`crds-cache/`, `oracle/`); for downloads Debian's nginx and
curl, and awscli from PyPI. Everything is written to a temporary directory. Prints a Markdown table:
medians of five runs after one that is not counted, programs taking turns; the peak memory of a run
is the greatest that the kernel saw (VmHWM). PART is rules, files, bulk or downloads.
"""

import argparse, base64, gzip, hashlib, json, os, pathlib, random, shutil, signal, socket, statistics
import subprocess, sys, tarfile, tempfile, time

CONTEXT = "hst_0729.pmap"
RUNS = 5
LINES = 200_000

LOAD = """
import sys, time, os
from crds.core import rmap, log
log.set_verbose(-3)
def load():
    start = time.perf_counter()
    if sys.argv[2] == "pickle":
        import pickle
        with open(sys.argv[3], "rb") as file:
            context = pickle.loads(file.read())
    else:
        context = rmap.load_mapping(sys.argv[1])
        context.force_load()
    return time.perf_counter() - start, context
seconds, context = load()
if sys.argv[2] == "write":
    import pickle
    with open(sys.argv[3], "wb") as file:
        file.write(pickle.dumps(context))
print(seconds)
"""

BULK = """
import json, sys, time
from crds.core import rmap, utils, log
log.set_verbose(-3)
context = rmap.load_mapping(sys.argv[1])
context.force_load()
with open(sys.argv[2]) as file:
    headers = [json.loads(next(file))["header"] for _ in range(2000)]
def run():
    for header in headers:
        context.get_best_references(context.minimize_header(utils.condition_header(header)))
run()
start = time.perf_counter()
run()
print(len(headers) / (time.perf_counter() - start))
"""


class Run:
    """One process: how long it took, its peak memory, what it printed."""

    def __init__(self, arguments, env, output=None, **options):
        # GNU time starts the program from a small process: the kernel counts what a parent has.
        with tempfile.NamedTemporaryFile("r") as report, open(output or os.devnull, "wb") as file:
            before = time.perf_counter()
            done = subprocess.run(
                ["/usr/bin/time", "--format", "%M", "--output", report.name, *arguments],
                env=env, stdout=file if output else subprocess.PIPE, stderr=subprocess.PIPE, **options)
            self.seconds = time.perf_counter() - before
            self.out = done.stdout
            if done.returncode != 0:
                sys.exit(f"{arguments} ended with {done.returncode}:\n{done.stderr.decode()}")
            self.mib = int(report.read().split()[-1]) / 1024


def median(values):
    return statistics.median(values)


def in_turns(prepare, *programs):
    """Runs each program RUNS times, one after the other in every round; the first round is not counted."""
    runs = [[] for _ in programs]
    for turn in range(RUNS + 1):
        for place, program in enumerate(programs):
            prepare()
            done = program()
            if turn:
                runs[place].append(done)
    return runs


def row(what, ours, theirs, ratio, note=""):
    print(f"| {what} | {ours} | {theirs} | {ratio} | {note} |", flush=True)


def ms(runs):
    return median(run.seconds for run in runs) * 1000


def mib(runs):
    return max(run.mib for run in runs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--crds", required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--aws")
    parser.add_argument("--only", choices=["rules", "files", "bulk", "downloads"])
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crds-compare-"))
    try:
        print(f"| what | crds-core | Python CRDS {version(args)} | ratio | |\n|---|---|---|---|---|")
        for name, part in [("rules", rules), ("files", files), ("bulk", bulk), ("downloads", downloads)]:
            if args.only in (None, name):
                part(args, folder)
    finally:
        shutil.rmtree(folder)


def version(args):
    code = "import importlib.metadata as m; print(m.version('crds'))"
    return subprocess.run([args.python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def environment(args, **more):
    return {
        "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "CRDS_PATH": str(args.data / "crds-cache"),
        "CRDS_OBSERVATORY": "hst", "CRDS_SERVER_URL": "https://hst-serverless.stsci.edu",
        "CRDS_READONLY_CACHE": "1", **more,
    }


def headers(args, path, count):
    """Recorded headers with dates of their own, as the lines `crds bestrefs --headers` reads."""
    with gzip.open(args.data / "oracle/hst_bestrefs_dev.jsonl.gz", "rt") as records:
        lines = [json.loads(line) for line in records]
    usable = [l["header"] for l in lines if l["path"] == "std" and l["context"] == CONTEXT and "error" not in l]
    rng = random.Random(1)
    with open(path, "w") as out:
        for number in range(count):
            header = dict(usable[number % len(usable)])
            header["DATE-OBS"] = f"{rng.randint(1997, 2023)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
            header["TIME-OBS"] = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
            out.write(json.dumps({"id": number, "header": header}, separators=(",", ":")) + "\n")


def rules(args, folder):
    """A whole process that loads every rule of the context and looks one header up."""
    one, pickle = folder / "one.jsonl", folder / "pickles/hst" / f"{CONTEXT}.pkl"
    headers(args, one, 1)
    pickle.parent.mkdir(parents=True)
    env = environment(args)
    Run([args.python, "-c", LOAD, CONTEXT, "write", str(pickle)], env)
    for what, ours, theirs in [
        ("rules", {}, "rules"),
        ("its pickle", {"CRDS_PICKLEPATH": str(folder / "pickles"), "CRDS_USE_PICKLED_CONTEXTS": "1"}, "pickle"),
    ]:
        command = [args.crds, "bestrefs", "--headers", str(one), "--new-context", CONTEXT, "--json"]
        mine, python = in_turns(
            lambda: None,
            lambda: Run(command, environment(args, **ours)),
            lambda: Run([args.python, "-c", LOAD, CONTEXT, theirs, str(pickle)], env),
        )
        loaded = median(float(run.out) for run in python) * 1000
        row(f"load all of {CONTEXT} from {what}", f"{ms(mine):.1f} ms, {mib(mine):.0f} MiB",
            f"{loaded:.0f} ms, {mib(python):.0f} MiB", f"{loaded / ms(mine):.1f}",
            "ours: whole process with one lookup; theirs: the load alone, without 0.4 s of imports")


def files(args, folder):
    """crds bestrefs --update-bestrefs on one raw file."""
    fixture = pathlib.Path(__file__).parents[2] / "tests/fixtures/raw/j8cb02u4q.tar.gz"
    with tarfile.open(fixture) as archive:
        archive.extractall(folder, filter="data")
    original = next(folder.glob("**/*_raw.fits"))
    target = folder / "one" / original.name
    target.parent.mkdir()
    env = environment(args)
    tail = ["--files", str(target), "--update-bestrefs", "--new-context", CONTEXT]
    prepare = lambda: shutil.copy(original, target)
    mine, python = in_turns(
        prepare,
        lambda: Run([args.crds, "bestrefs", *tail], env),
        lambda: Run([args.python, "-m", "crds.bestrefs", *tail], env),
    )
    row("`crds bestrefs --update-bestrefs`, one ACS raw file", f"{ms(mine):.1f} ms, {mib(mine):.0f} MiB",
        f"{ms(python):.0f} ms, {mib(python):.0f} MiB", f"{ms(python) / ms(mine):.0f}", "whole processes")


def bulk(args, folder):
    """Many headers: all types of each."""
    many, one = folder / "many.jsonl", folder / "one.jsonl"
    headers(args, many, LINES)
    headers(args, one, 1)
    env = environment(args)
    command = [args.crds, "bestrefs", "--json", "--new-context", CONTEXT, "--headers"]
    mine, started, python = in_turns(
        lambda: None,
        lambda: Run([*command, str(many)], env, output=folder / "answers.jsonl"),
        lambda: Run([*command, str(one)], env, output=folder / "answer.jsonl"),
        lambda: Run([args.python, "-c", BULK, CONTEXT, str(many)], env),
    )
    rate = LINES / (ms(mine) - ms(started)) * 1000
    theirs = median(float(run.out) for run in python)
    row(f"{LINES:,} headers as JSON lines, every type of each", f"{rate:,.0f} headers/s, {mib(mine):.0f} MiB",
        f"{theirs:,.0f} headers/s, {mib(python):.0f} MiB", f"{rate / theirs:.0f}",
        "ours: reading and writing JSON included, start-up taken off; theirs: lookups alone, warm")


def downloads(args, folder):
    """References from an S3 server on this machine: nginx over a directory."""
    for what, count, size in [("40 files of 25 MB", 40, 25_000_000), ("1 file of 1 GB", 1, 1_000_000_000)]:
        root = folder / "s3"
        bucket = root / "bench/references/hst"
        bucket.mkdir(parents=True)
        names, entries = [], {}
        for number in range(count):
            name = f"zz9{number:05}j_drk.fits"
            body = random.Random(number).randbytes(1 << 20) * (size // (1 << 20))
            (bucket / name).write_bytes(body)
            entries[name] = {"size": str(len(body)), "sha1sum": hashlib.sha1(body).hexdigest()}
            names.append(name)
        total = sum(int(entry["size"]) for entry in entries.values())
        config = root / "bench/config/hst"
        config.mkdir(parents=True)
        payload = base64.b64encode(gzip.compress(json.dumps(entries).encode())).decode()
        (config / "server_config").write_text(repr({
            "observatory": "hst", "operational_context": CONTEXT,
            "download_metadata": {"crds_encoded": "1.0", "crds_payload": payload},
        }))
        with nginx(folder, root) as url:
            compare_downloads(args, folder, what, names, total, url)
        shutil.rmtree(root)


def compare_downloads(args, folder, what, names, total, url):
    target = folder / "target"
    def prepare():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
    env = environment(
        args, CRDS_PATH=str(target), CRDS_READONLY_CACHE="0", CRDS_CONFIG_URI="s3://bench/config/hst/",
        CRDS_REFERENCE_URI="s3://bench/references/hst/", AWS_ENDPOINT_URL=url, AWS_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_EC2_METADATA_DISABLED="true",
    )
    gets = "\n".join(f"{url}/bench/references/hst/{name}" for name in names)
    if len(names) > 1:
        plain = f"printf '%s\n' '{gets}' | xargs -P 8 -n 1 curl -sfO"
        summed = f"printf '%s\n' '{' '.join(names)}' | tr ' ' '\n' | xargs -P 8 -I NAME sh -c 'curl -sfO {url}/bench/references/hst/NAME && openssl sha1 NAME'"
    else:
        # The same file as eight ranges at once.
        piece = -(-total // 8)
        ranges = [f"{at}-{min(at + piece, total) - 1}" for at in range(0, total, piece)]
        plain = " & ".join(f"curl -sf -r {r} -o part{n} {gets}" for n, r in enumerate(ranges)) + " & wait"
        summed = f"{plain}; cat part* | openssl sha1"
    sync = [args.crds, "sync", "--files", *names]
    programs = [
        lambda: Run(sync, {**env, "CRDS_DOWNLOAD_CHECKSUMS": "0"}),
        lambda: Run(["sh", "-c", plain], env, cwd=target),
        lambda: Run(sync, env),
        lambda: Run(["sh", "-c", summed], env, cwd=target),
    ]
    if args.aws:
        # nginx cannot list, so files are named one by one.
        keys = "\n".join(f"s3://bench/references/hst/{name}" for name in names)
        copy = f"printf '%s\n' '{keys}' | xargs -P 8 -I KEY {args.aws} s3 cp --only-show-errors KEY {target}"
        programs.append(lambda: Run(["sh", "-c", copy], env))
    runs = in_turns(prepare, *programs)
    rate = [total / 1e6 / median(run.seconds for run in of_one) for of_one in runs]
    amazon = f"awscli: {rate[4]:.0f} MB/s, {mib(runs[4]):.0f} MiB" if args.aws else ""
    row(f"download {what}, no sums", f"{rate[0]:.0f} MB/s, {mib(runs[0]):.0f} MiB",
        f"parallel GETs (curl, 8 at once): {rate[1]:.0f} MB/s", f"{rate[0] / rate[1]:.2f}", amazon)
    row(f"download {what}, SHA-1 of every file", f"{rate[2]:.0f} MB/s, {mib(runs[2]):.0f} MiB",
        f"the same and openssl sha1: {rate[3]:.0f} MB/s", f"{rate[2] / rate[3]:.2f}",
        f"{rate[2] / rate[1]:.2f} of the GETs without sums")


class nginx:
    """nginx that serves a directory on a free port."""

    def __init__(self, folder, root):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.config = folder / "nginx.conf"
        state = folder / "nginx"
        state.mkdir(exist_ok=True)
        places = "".join(f"{kind}_temp_path {state};" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        user = "user root;" if os.geteuid() == 0 else ""
        self.config.write_text(
            f"{user} worker_processes 2; daemon off; pid {state}/pid; error_log {state}/error.log;"
            f"events {{}} http {{ access_log off; sendfile on; {places}"
            f"server {{ listen 127.0.0.1:{port}; root {root}; }} }}")

    def __enter__(self):
        self.process = subprocess.Popen(["nginx", "-c", str(self.config)], stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self.url
            except OSError:
                time.sleep(0.05)
        sys.exit("nginx does not answer")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


main()
