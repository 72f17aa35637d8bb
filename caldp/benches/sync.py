#!/usr/bin/env python3
"""Measures caldp sync beside s5cmd and aws s3 sync; see caldp/BENCHMARKS.md.

usage: sync.py CALDP TRANSFER S5CMD AWS [small|large|try]...

CALDP is the program, TRANSFER the example `transfer` of lib/storage, whose `serve` is the tests' S3 server, S5CMD and
AWS are the other two. small: 10,000 objects of 20 kB in 400 datasets; large: 40 of 100 MB in 10; try: a
few of each, to see that it works. Everything is below TMPDIR. Needs nothing but Python's own library.
"""

import itertools, json, os, pathlib, random, shutil, statistics, subprocess, sys, tempfile, time

RUNS = int(os.environ.get("RUNS", "5"))
SETS = {"small": (400, 25, 20_000), "large": (10, 4, 100_000_000), "try": (8, 25, 20_000)}
MIB = 1 << 20


def sums_of(transfer, paths):
    """SHA-1 and CRC-64 of files, as the worker records them."""
    names = "".join(f"{path}\n" for path in paths)
    said = subprocess.run([transfer, "sums"], input=names, capture_output=True, text=True, check=True).stdout
    return [dict(zip(("sha1", "crc64"), line.split())) for line in said.splitlines()]


def fill(transfer, folder, datasets, files, size):
    """What the worker leaves of datasets, provenance.json being one of the small files and one more of the large."""
    random.seed(1)
    for number in range(datasets):
        name = f"j8c{number:06}"
        data = folder / "spring/data/acs" / name
        (data / "logs").mkdir(parents=True)
        outputs = []
        for n in range(files - (size < MIB)):
            product = data / f"j8c{number:05}{n:02}_flt.fits"
            if size < MIB or number + n == 0:
                product.write_bytes(random.randbytes(size))
            else:
                os.link(folder / "spring/data/acs/j8c000000/j8c0000000_flt.fits", product)
            outputs.append((product, size))
        # the large ones are all links to the first
        if size < MIB or number == 0:
            sums = sums_of(transfer, [product for product, _ in outputs] if size < MIB else [outputs[0][0]])
        records = [{"name": p.name, "size": s, **sum_of} for (p, s), sum_of in zip(outputs, itertools.cycle(sums))]
        record = {"dataset": name, "state": "processed", "notes": [], "outputs": records}
        if size < MIB:
            record["notes"].append("." * max(0, size - len(json.dumps(record))))
        (data / "logs/provenance.json").write_text(json.dumps(record))
        message = folder / "messages/dataset-processed" / name
        message.parent.mkdir(parents=True, exist_ok=True)
        message.touch()
    batch = folder / "messages/batch-new/spring.json"
    batch.parent.mkdir(parents=True)
    batch.write_text(json.dumps({"datasets": [f"j8c{n:06}" for n in range(datasets)]}))


def serve(transfer, folder):
    """The server, with what it stores in a folder: killed, it leaves it."""
    environment = dict(os.environ, TMPDIR=str(folder))
    server = subprocess.Popen([transfer, "serve"], stdout=subprocess.PIPE, text=True, env=environment)
    environment = dict(os.environ)
    while "AWS_EC2_METADATA_DISABLED" not in environment or "AWS_ENDPOINT_URL" not in environment:
        name, value = server.stdout.readline().removeprefix("export ").strip().split("=", 1)
        environment[name] = value
    # s5cmd has its own name for it
    environment["S3_ENDPOINT_URL"] = environment["AWS_ENDPOINT_URL"]
    return server, environment


def timed(command, environment):
    """Seconds of wall-clock and processor time, and peak memory in MiB."""
    start = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command}: {status}\n{said.decode(errors='replace')}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def check(target, source):
    """Whether everything came, whatever its place."""
    count = lambda folder: sorted((p.name, p.stat().st_size) for p in folder.rglob("*") if p.is_file() and "/data/" in str(p))
    if count(target) != count(source):
        sys.exit(f"{target} is not what is in {source}")


def main():
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    caldp, transfer, s5cmd, aws = sys.argv[1:5]
    print("| what | program | s, median | MiB/s | processor s | peak MiB | runs |\n|---|---|---|---|---|---|---|")
    for what in sys.argv[5:]:
        datasets, files, size = SETS[what]
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            # in a process of its own: Linux counts the memory of whoever starts a program to that program
            if (filling := os.fork()) == 0:
                fill(transfer, folder, datasets, files, size)
                os._exit(0)
            if os.waitpid(filling, 0)[1]:
                sys.exit("the files could not be made")
            server, environment = serve(transfer, folder)
            copy = lambda source, target: timed([s5cmd, "--log", "error", "cp", source, target], environment)
            try:
                copy(f"{folder}/spring/", "s3://bench/spring/")
                # the source is only compared from now on, by names and sizes
                took = {"caldp sync": [], "s5cmd cp": [], "aws s3 sync": []}
                for run in range(RUNS):
                    for program in took:
                        target = folder / "target"
                        if program == "caldp sync":
                            if run:
                                timed([s5cmd, "--log", "error", "rm", "s3://bench/spring/messages/*"], environment)
                            copy(f"{folder}/messages/", "s3://bench/spring/messages/")
                            command = [caldp, "sync", "s3://bench/spring", target]
                        elif program == "s5cmd cp":
                            command = [s5cmd, "--log", "error", "cp", "s3://bench/spring/data/*", f"{target}/data/"]
                        else:
                            command = [aws, "s3", "sync", "--only-show-errors", "s3://bench/spring/data", f"{target}/data"]
                        took[program].append(timed(command, environment))
                        check(target, folder / "spring")
                        shutil.rmtree(target)
                total = datasets * files * size / MIB
                for program, runs in took.items():
                    wall, processor, peak = (statistics.median(run[n] for run in runs) for n in range(3))
                    print(f"| {datasets * files} x {size / 1e3:.0f} kB | {program} | {wall:.2f} | {total / wall:.0f} | {processor:.2f} | "
                          f"{max(run[2] for run in runs):.0f} | {len(runs)} |", flush=True)
            finally:
                server.terminate()
                server.wait()


main()
