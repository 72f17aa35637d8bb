"""The second story of the system test: rules change, and only what they change is processed again.

    reprocess.py <caldp> <scratch directory> <the deployment's variables as JSON>

The batch of scenario.py was processed under one context. Another is published in the CRDS bucket: it has a new table of
extractions for each of COS's detectors, in one of which a row changed that its datasets use, in the other a row that they
do not use. An operator plans, submits the list, looks at what became of it, with the programs that operators have.
"""

import ast
import base64
import gzip
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys

from scenario import (BROKEN, BUCKET, CRDS, FIXTURES, GOOD, Unexpected, all_jobs, check, keys, known_jobs, new_jobs, read, s3, say, states, tell,
                      tick, wait)

OLD, NEW = "hst_9001.pmap", "hst_9100.pmap"
# Of the same length, so that a pickle with the one is one with the other.
RENAMED = {OLD: NEW, "hst_cos_9000.imap": "hst_cos_9100.imap", "hst_cos_xtractab_9000.rmap": "hst_cos_xtractab_9100.rmap",
           "zz900104l_1dx.fits": "zz900204l_1dx.fits", "zz900004l_1dx.fits": "zz900304l_1dx.fits"}
# The aperture whose rows change in each delivery: all exposures are taken through PSA.
DELIVERED = {"zz900104l_1dx.fits": b"PSA", "zz900004l_1dx.fits": b"BOA"}
CHANGED = "lcxv13040"
WHY = "XTRACTAB zz900104l_1dx.fits -> zz900204l_1dx.fits"
AGAIN = "data/again/"
CHANGES = 3  # what `caldp plan` answers
BLOCK, ROW = 2880, 72
APERTURE, B_SPEC = slice(16, 20), slice(28, 36)


def delivered(name, aperture):
    """A table delivered anew: of the rows of one aperture the spectrum is two pixels higher."""
    table = bytearray((FIXTURES / "crds/references/hst" / name).read_bytes().replace(name.encode(), RENAMED[name].encode()))
    first, changed = len(table) - BLOCK, 0
    for at in range(first, len(table) - ROW, ROW):
        row = table[at : at + ROW]
        if row[APERTURE].startswith(aperture):
            [position] = struct.unpack(">d", row[B_SPEC])
            row[B_SPEC] = struct.pack(">d", position + 2)
            table[at : at + ROW] = row
            changed += 1
    check(changed, f"{name} has no row of {aperture!r}")
    return bytes(table)


def publish():
    """A context in the CRDS bucket, as its owner puts it there: references, rules, and last what is in use."""
    sums = {}
    for name, aperture in DELIVERED.items():
        body = delivered(name, aperture)
        sums[RENAMED[name]] = {"size": str(len(body)), "sha1sum": hashlib.sha1(body).hexdigest()}
        s3.put_object(Bucket=CRDS, Key=f"references/hst/{RENAMED[name]}", Body=body)
    pickle = read(f"pickles/hst/{OLD}.pkl", CRDS)
    for old, new in RENAMED.items():
        check(old.encode() in pickle, f"the pickle of {OLD} does not name {old}")
        pickle = pickle.replace(old.encode(), new.encode())
    s3.put_object(Bucket=CRDS, Key=f"pickles/hst/{NEW}.pkl", Body=pickle)
    config = ast.literal_eval(read("config/hst/server_config", CRDS).decode())
    metadata = config["download_metadata"]
    files = json.loads(gzip.decompress(base64.b64decode(metadata["crds_payload"]))) | sums
    metadata["crds_payload"] = base64.b64encode(gzip.compress(json.dumps(files).encode())).decode()
    config |= {"operational_context": NEW, "edit_context": NEW, "latest_context": NEW}
    s3.put_object(Bucket=CRDS, Key="config/hst/server_config", Body=repr(config).encode())


class Operator:
    """The program on an operator's machine, which knows the deployment and where rules are, and has a cache of its own."""

    def __init__(self, caldp, scratch, deployment):
        self._caldp, self.scratch = caldp, scratch
        uris = {f"CRDS_{part.upper()}_URI": f"s3://{CRDS}/{part}{plural}/hst" for part, plural in (("config", ""), ("pickle", "s"), ("reference", "s"))}
        self._env = {**os.environ, **deployment, **uris, "CRDS_PATH": str(scratch / "crds")}

    def does(self, *words, status=0):
        done = subprocess.run([self._caldp, *words], env=self._env, cwd=self.scratch, capture_output=True, text=True)
        check(done.returncode == status, f"caldp {' '.join(words)}: status {done.returncode}, not {status}: {done.stdout[-800:]}{done.stderr[-800:]}")
        return done.stdout


def references(folder, dataset):
    record = json.loads(read(f"{folder}data/cos/{dataset}/logs/provenance.json"))
    return record["context"], {reference["name"] for reference in record["references"]}


def run(caldp, scratch, deployment):
    operator = Operator(caldp, pathlib.Path(scratch), json.loads(deployment))
    [first] = {key.partition("messages/")[0] for key in keys(BUCKET) if "/messages/batch-new/" in key}
    before = {key: size for key, size in keys(BUCKET, first).items() if f"/{CHANGED}/" in key}
    publish()
    say(f"{NEW} is published: of its two new tables one changes what a dataset uses")

    plan = ["plan", "--from", f"s3://{BUCKET}/{first.rstrip('/')}", "--new-context", NEW, "--fetch-tables"]
    lines = [json.loads(line) for line in operator.does(*plan, "--ids", "again.ids", "--json", status=CHANGES).splitlines()]
    summary = lines.pop()["summary"]
    check(summary["asked"] == len(GOOD) + 1 and summary["unknown"] == summary["errors"] == 0, f"the plan's summary is {summary}")
    affected = {line["dataset"] for line in lines if line["affected"]}
    check(affected == {CHANGED}, f"the plan says that {sorted(affected)} change")
    others = {line["dataset"] for line in lines if any("rows" in change.get("note", "") for change in line["changes"])}
    check(others == {*GOOD, BROKEN} - {CHANGED}, f"of {sorted(others)} the rows are said to be the same")
    for line in operator.does(*plan, status=CHANGES).splitlines():
        say(f"plan: {line}")

    known = known_jobs()
    operator.does("submit", "again.ids", "--output", f"s3://{BUCKET}/{AGAIN.rstrip('/')}", "--batch-name", "again")
    [job] = new_jobs(known, 1)
    check(job["container"]["command"][2] == CHANGED, f"the job is {job['container']['command']}")
    ended = wait({CHANGED: job["jobId"]})[CHANGED]
    check(ended["status"] == "SUCCEEDED", f"{CHANGED}: its job {ended['status']}, exit code {ended['container'].get('exitCode')}")
    tell(ended)
    tick()
    check(len(known_jobs()) == len(known) + 1, f"besides {CHANGED} others ran: {[job['jobName'] for job in all_jobs()]}")

    check(states(AGAIN, CHANGED) == ["dataset-processed"], f"{CHANGED}: its state is {states(AGAIN, CHANGED)}")
    for folder, context, there, gone in ((first, OLD, "zz900104l", "zz900204l"), (AGAIN, NEW, "zz900204l", "zz900104l")):
        used, names = references(folder, CHANGED)
        check(used == context and f"{there}_1dx.fits" in names and f"{gone}_1dx.fits" not in names, f"in {folder} {used} chose {sorted(names)}")
    now = {key: size for key, size in keys(BUCKET, first).items() if f"/{CHANGED}/" in key}
    check(now == before, "the first results are not as they were")

    told = {
        "status": operator.does("status", f"s3://{BUCKET}/{AGAIN}"),
        "explain": operator.does("explain", CHANGED, "--output", f"s3://{BUCKET}/{AGAIN}"),
        "the list": (operator.scratch / "again.ids").read_text(),
    }
    pages = [key for key in keys(BUCKET, "blackboard/") if key.endswith("index.html")]
    told |= {f"the page {key}": read(key).decode() for key in pages if "again" in key}
    check(any(name.startswith("the page") for name in told), f"there is no page of the batch: {pages}")
    for name, text in told.items():
        check(WHY in text.replace("\\u003e", ">"), f"{name} does not say why: {text[:1500]}")
    say(f"{CHANGED} alone was processed again, \"{WHY}\" say {', '.join(told)}")
    # With what is there now nothing is left to do.
    lines = operator.does("plan", "--from", f"s3://{BUCKET}/{AGAIN}", "--fetch-tables", status=0)
    check("0 affected" in lines, f"a second plan says: {lines}")


def main():
    try:
        run(*sys.argv[1:])
    except Unexpected as problem:
        print(f"reprocess: FAILED: {problem}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
