"""The calls that worker and trigger make, as recorded from their tests.

    python -m wiring.calls <directory> <file>    makes calls.json of what tests wrote with CALDP_RECORD_CALLS (tests/src/calls.rs)

Names in keys that differ from run to run are made the same, so that a line stands for a kind of call.
"""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

# Operations whose permission has another name.
ACTIONS = {
    "s3:HeadObject": "s3:GetObject", "s3:ListObjectsV2": "s3:ListBucket", "s3:DeleteObjects": "s3:DeleteObject", "s3:UploadPart": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject", "s3:CompleteMultipartUpload": "s3:PutObject",
    "batch:submitjob": "batch:SubmitJob", "batch:listjobs": "batch:ListJobs", "batch:describejobs": "batch:DescribeJobs",
    "batch:terminatejob": "batch:TerminateJob",
}
# Whose calls a test's are: of the crate, and of the test's module.
ROLES = {
    ("caldp-trigger", ""): "trigger", ("caldp-worker", ""): "job", ("caldp", "process"): "job", ("caldp", "process_aws"): "job", ("caldp", "whole"): "job",
}
# Runs at places that a deployment has not.
BY_HAND = "process_aws::locations::"
# What a deployment calls the tests' buckets.
BUCKETS = {"hst": "caldp-system", "hst-out": "caldp-system", "crds": "caldp-crds", "stpubdata": "stpubdata"}
# Made where the record does not see them, with the test that does.
UNRECORDED = [
    # lib/storage/tests/it/s3.rs: an upload that is given up
    ("job", "s3:AbortMultipartUpload", "arn:aws:s3:::caldp-system/data/spring/data/acs/j8cb010b0/j8cb010b0_x.fits"),
    ("job", "s3:AbortMultipartUpload", "arn:aws:s3:::caldp-system/outputs/j8cb010b0/j8cb010b0_x.gz"),
    # S3 says of a missing object that it is missing only to those who may list the bucket
    ("job", "s3:ListBucket", "arn:aws:s3:::caldp-crds"),
    # trigger/tests/it/function/moto.rs: the children of an array
    ("trigger", "batch:DescribeJobs", "*"),
]

DELIVERED = "data/acs/j8cb010b0/j8cb010b0_x.fits"
FOLDERS = r"batches|blackboard|control|crds_env_vars|inputs|messages|outputs|data/(?:acs|cos|stis|wfc3)/[^/]+(?=/)"
DATASET = r"(?<![a-z0-9])[ijlnouwxyz][a-z0-9]{8}(?![a-z0-9])|(?:acs|wfc3|stis|cos)_[a-z0-9]{3}_[a-z0-9]{2}|hst_[a-z0-9_]+(?=/)"


@dataclass(frozen=True, order=True)
class Call:
    """One kind of call: who makes it, which permission it needs on what."""

    role: str
    action: str
    resource: str


def load(path: Path) -> list[Call]:
    return [Call(*line) for line in json.loads(path.read_text())]


def of_lines(lines: list[str]) -> list[Call]:
    """The kinds of calls in what tests recorded."""
    calls = {Call(*line) for line in UNRECORDED}
    for line in lines:
        krate, test, service, operation, about = line.rstrip("\n").split("\t", 4)
        role = ROLES.get((krate, "")) or ROLES.get((krate, test.partition("::")[0]))
        if role is None or test.startswith(BY_HAND):
            continue
        for name in _resources(service, operation, about):
            calls.add(Call(role, ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}"), name))
    return sorted(calls)


def _resources(service: str, operation: str, about: str) -> list[str]:
    if service == "batch":
        asked = json.loads(about)
        if operation == "submitjob":
            prefix = "arn:aws:batch:us-east-1:123456789012:"
            tagged = [f"{prefix}job/1"] if asked.get("tags") else []
            return [f"{prefix}job-queue/caldp-2g", f"{prefix}job-definition/caldp-2g", *tagged]
        return ["arn:aws:batch:us-east-1:123456789012:job/1" if operation == "terminatejob" else "*"]
    path, _, source = about.partition("\t")
    named = [path, source.lstrip("/")] if operation == "CopyObject" else [path]
    if operation == "DeleteObjects":  # its keys are in its body, which is not recorded
        named = [f"{path}/{DELIVERED}"]
    found = []
    for bucket, _, key in (name.partition("/") for name in named):
        if bucket in BUCKETS:
            arn = f"arn:aws:s3:::{BUCKETS[bucket]}"
            kind = "" if operation == "ListObjectsV2" else _kind(key, anywhere=bucket not in ("hst", "hst-out"))
            if kind or operation == "ListObjectsV2":
                found.append(f"{arn}/{kind}" if kind else arn)
    return found


def _kind(key: str, anywhere: bool) -> str:
    """A key in which everything is otherwise that differs between runs and datasets; none for one that is no place of
    this system, in a bucket of which we know them."""
    placed = re.search(rf"(?:^|/)(?:{FOLDERS})", key)
    if placed is None and not anywhere:
        return ""
    root, rest = (key[: placed.start()], key[placed.start() :].lstrip("/")) if placed else ("", key)
    rest = re.sub(r"^data/[a-z0-9]+/[^/]+/", "data/acs/j8cb010b0/", rest)
    rest = re.sub(r"^control/batch/[^/]+/", "control/batch/spring/", re.sub(r"(?<=/)caldp-[^/]*(?=\.)", "array", rest))
    rest = re.sub(r"(?<=^batches/)[^/]*(?=\.)|(?<=/batch-new/)[^/]*(?=\.)", "spring", rest)
    rest = re.sub(r"^(messages/batch-[a-z]+)/.*", r"\1/spring.json", rest)
    rest = re.sub(DATASET, "j8cb010b0", rest)
    folder, _, name = rest.rpartition("/")
    if folder.startswith(("data/acs/j8cb010b0", "outputs/", "references/", "mappings/", "pickles/")) and "." in name:
        rest = f"{folder}/j8cb010b0_x.{name.rpartition('.')[2]}"
    rest = re.sub(r"(?<=request-cancel/)[0-9a-f-]{8,}(%3A1)?|(?<=messages/cancel-)[0-9a-f_]{8,}", "job", rest)
    rest = re.sub(r"(?<=broadcast[/-])[a-z]+-[0-9]+", "rescue-1", rest)
    return f"data/spring/{rest}" if root else rest


if __name__ == "__main__":
    recorded = [line for file in sorted(Path(sys.argv[1]).iterdir()) for line in file.read_text().splitlines()]
    found = [json.dumps([call.role, call.action, call.resource]) for call in of_lines(recorded)]
    Path(sys.argv[2]).write_text("[\n" + ",\n".join(found) + "\n]\n")
    print(f"{len(recorded)} calls of {len(found)} kinds")
