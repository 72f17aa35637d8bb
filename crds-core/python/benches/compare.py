#!/usr/bin/env python3
"""Measures the Python package beside Python CRDS, in one run.

    compare.py --ours VENV/bin/python --theirs VENV/bin/python --data DIR [--quick]

Needs: an environment with the wheel of `make wheel` (a release build), one with `crds` and `astropy` from
PyPI, and DIR, the directory of real rules and records that CALDP_TEST_DATA names. Prints a Markdown
table: medians of five runs after one that is not counted, the two taking turns, each run a process of its
own that measures itself. --quick makes one run of each, for trying the script out.

References are fetched from a web server of this script on loopback, which waits before each answer as
servers far away do; Python CRDS fetches them one after another, as it is.
"""

import argparse
import base64
import gzip
import hashlib
import http.server
import json
import os
import pathlib
import random
import shutil
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time

CONTEXT = "hst_0729.pmap"
HEADERS = 10_000
REFERENCES, SIZE, DELAY = 40, 2_000_000, 0.05

COMMON = """
import json, sys, time
headers = [json.loads(line) for line in open(sys.argv[1])]
def seconds(act):
    start = time.perf_counter()
    act()
    return time.perf_counter() - start
"""

# One dataset: the first call of a process, its import done, and later ones.
SINGLE = COMMON + """
import {module} as crds
{quiet}
header = headers[0]
def ask():
    return crds.getrecommendations(header, context=sys.argv[2], observatory="hst")
cold = seconds(ask)
warm = sorted(seconds(ask) for _ in range(200))[100]
print(json.dumps([cold, warm]))
"""

IMPORT = """
import time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""

BULK_OURS = COMMON + """
import crds_core
rules = crds_core.Context(sys.argv[2])
if sys.argv[3] == "columns":
    keys = {{key: None for header in headers for key in header}}
    headers = {{key: [header.get(key) for header in headers] for key in keys}}
print(json.dumps(seconds(lambda: rules.bestrefs(headers))))
"""

BULK_THEIRS = COMMON + """
from crds.core import log, rmap, utils
log.set_verbose(-3)
context = rmap.load_mapping(sys.argv[2])
context.force_load()
headers = headers[: int(sys.argv[3])]
def ask():
    for header in headers:
        context.get_best_references(context.minimize_header(utils.condition_header(header)))
ask()
print(json.dumps(seconds(ask)))
"""

FETCH_OURS = """
import sys, time
import crds_core
start = time.perf_counter()
paths = crds_core.sync([], sys.argv[1:], observatory="hst")
print(time.perf_counter() - start)
assert len(paths) == len(sys.argv) - 1
"""

FETCH_THEIRS = """
import sys, time
from crds.client import api
from crds.core import log
log.set_verbose(-3)
start = time.perf_counter()
paths = api.dump_references("hst_0729.pmap", sys.argv[1:])
print(time.perf_counter() - start)
assert len(paths) == len(sys.argv) - 1
"""


def run(python, code, env, *arguments):
    done = subprocess.run([python, "-c", code, *map(str, arguments)], env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{python}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def in_turns(runs, *programs):
    """The median of each program's runs; the first round is not counted."""
    results = [[] for _ in programs]
    for turn in range(runs + 1):
        for place, program in enumerate(programs):
            found = program()
            if turn or runs == 1:
                results[place].append(found)
    first = results[0][0]
    if isinstance(first, list):
        return [[statistics.median(column) for column in zip(*of_one)] for of_one in results]
    return [statistics.median(of_one) for of_one in results]


def row(what, ours, theirs, unit=1000, name="ms"):
    print(f"| {what} | {ours * unit:,.2f} {name} | {theirs * unit:,.1f} {name} | {theirs / ours:,.0f} |", flush=True)


def write_headers(data, path):
    """Headers of real instruments, each different: those of the records, over and over with other dates."""
    with gzip.open(data / "oracle/hst_bestrefs_dev.jsonl.gz", "rt") as file:
        lines = [json.loads(line) for line in file]
    usual = [line["header"] for line in lines if line["path"] == "std" and "error" not in line]
    usual = [{key: value for key, value in header.items() if value is not None} for header in usual]
    number = random.Random(1)
    with path.open("w") as out:
        for index in range(HEADERS):
            header = dict(usual[index % len(usual)])
            header["TIME-OBS"] = f"{number.randrange(24):02}:{number.randrange(60):02}:{number.randrange(60):02}"
            out.write(json.dumps(header) + "\n")


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve(folder):
    """A CRDS server as far as both clients need one: what it says of itself, and its files."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self):
            time.sleep(DELAY)
            super().do_GET()

        def log_message(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def publish(folder):
    """References, and a configuration that knows them."""
    references, config = folder / "references", folder / "config"
    references.mkdir(parents=True)
    config.mkdir()
    entries = {}
    for number in range(REFERENCES):
        name = f"zz9{number:05}j_drk.fits"
        body = random.Random(number).randbytes(SIZE)
        (references / name).write_bytes(body)
        entries[name] = {"size": str(SIZE), "sha1sum": hashlib.sha1(body).hexdigest()}
    payload = base64.b64encode(gzip.compress(json.dumps(entries).encode())).decode()
    said = {
        "observatory": "hst", "operational_context": CONTEXT, "bad_files_list": [], "mappings": [],
        "download_metadata": {"crds_encoded": "1.0", "crds_payload": payload}, "last_synced": "now",
        "force_remote_mode": False, "crds_version": {"str": "14.0.3"},
    }  # fmt: skip
    (config / "server_config").write_text(repr(said))
    return sorted(entries)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True)
    parser.add_argument("--theirs", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    runs = 1 if args.quick else 5
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crds-python-compare-"))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("CRDS_", "PYTHON"))}
    cached = {
        **env, "CRDS_PATH": str(args.data / "crds-cache"), "CRDS_READONLY_CACHE": "1",
        "CRDS_OBSERVATORY": "hst", "CRDS_SERVER_URL": "https://hst-serverless.stsci.edu",
    }  # fmt: skip
    try:
        headers = folder / "headers.jsonl"
        write_headers(args.data, headers)
        print("| what | crds_core | Python CRDS | ratio |\n|---|---|---|---|")

        ours, theirs = in_turns(
            runs,
            lambda: run(args.ours, IMPORT.format(module="crds_core"), cached),
            lambda: run(args.theirs, IMPORT.format(module="crds"), cached),
        )
        row("import", ours, theirs)

        quiet = "from crds.core import log; log.set_verbose(-3)"
        single = [SINGLE.format(module="crds_core", quiet=""), SINGLE.format(module="crds", quiet=quiet)]
        ours, theirs = in_turns(
            runs,
            lambda: run(args.ours, single[0], cached, headers, CONTEXT),
            lambda: run(args.theirs, single[1], cached, headers, CONTEXT),
        )
        row("best references of one dataset, all types, the first call", ours[0], theirs[0])
        row("the same, later calls", ours[1], theirs[1])

        # A tenth of the headers does for the one that takes seconds.
        part = HEADERS // 10
        dicts, columns, theirs = in_turns(
            runs,
            lambda: run(args.ours, BULK_OURS.format(), cached, headers, CONTEXT, "dicts"),
            lambda: run(args.ours, BULK_OURS.format(), cached, headers, CONTEXT, "columns"),
            lambda: run(args.theirs, BULK_THEIRS, cached, headers, CONTEXT, part),
        )
        theirs *= HEADERS / part
        row(f"{HEADERS:,} headers, all types, a list of dicts", dicts, theirs)
        row(f"{HEADERS:,} headers, all types, a table", columns, theirs)

        names = publish(folder / "published")
        url = serve(folder / "published")
        cache = folder / "cache"
        fetching = {
            **env, "CRDS_PATH": str(cache), "CRDS_OBSERVATORY": "hst", "CRDS_SERVER_URL": cached["CRDS_SERVER_URL"],
            "CRDS_CONFIG_URI": f"{folder}/published/config", "CRDS_REFERENCE_URI": f"{url}/references",
        }  # fmt: skip

        def fetch(python, code):
            shutil.rmtree(cache, ignore_errors=True)
            cache.mkdir()
            return run(python, code, fetching, *names)

        ours, theirs = in_turns(
            runs, lambda: fetch(args.ours, FETCH_OURS), lambda: fetch(args.theirs, FETCH_THEIRS)
        )
        what = f"{REFERENCES} references of {SIZE / 1e6:.0f} MB, from a server {DELAY * 1000:.0f} ms away"
        row(what, ours, theirs)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
