"""The calls that the deployment made at moto, which writes every request down: each by the key it was signed with."""

import base64
import json
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from .calls import ACTIONS, Call

# The key ids that jobs have in tests/system/main.tf, and Lambda functions in moto.
ROLES = {"job": "job", "role-account-id": "trigger"}
# A longer body is not in one piece, and is a product.
MOST_BODY = 6000
BATCH = "arn:aws:batch:us-east-1:123456789012:"


# A request as moto writes it down. Several write at once: only the beginning of a long one is in one piece, which is all
# that is needed of it.
ENTRY = re.compile(rb'\{"headers": (\{[^{}]*\}), "method": "([A-Z]+)", "url": ("[^"]*"), "body": (?:"([A-Za-z0-9+/=]*)")?')


@dataclass(frozen=True)
class Request:
    """What is needed of a request."""

    headers: dict[str, str]
    method: str
    url: str
    body: str


def read(path: Path) -> set[Call]:
    """Calls of the roles; others' are left out."""
    calls = set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        for found in ENTRY.finditer(text):
            headers = {name.lower(): value for name, value in json.loads(found[1]).items()}
            signed = re.search(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/", headers.get("authorization", ""))
            if signed and signed[1] in ROLES:
                body = base64.b64decode(found[4] or b"").decode(errors="replace") if len(found[4] or b"") < MOST_BODY else ""
                request = Request(headers, found[2].decode(), json.loads(found[3]), body)
                made = {"s3": _s3, "batch": _batch}[signed[2]](request)
                calls |= {Call(ROLES[signed[1]], ACTIONS.get(action, action), resource) for action, resource in made}
    return calls


def _s3(request: Request) -> Iterator[tuple[str, str]]:
    url = urlsplit(request.url)
    bucket, _, key = unquote(url.path).lstrip("/").partition("/")
    query = parse_qs(url.query, keep_blank_values=True)
    name = f"arn:aws:s3:::{bucket}/{key}"
    match request.method:
        case "GET" if not key:
            yield "s3:ListObjectsV2", f"arn:aws:s3:::{bucket}"
        case "GET" | "HEAD":
            yield "s3:GetObject", name
        case "POST" if "delete" in query:
            for one in re.findall("<Key>(.*?)</Key>", request.body):
                yield "s3:DeleteObject", f"arn:aws:s3:::{bucket}/{one}"
        case "DELETE":
            yield "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject", name
        case "PUT" | "POST":
            yield "s3:PutObject", name
            if "x-amz-copy-source" in request.headers:
                yield "s3:GetObject", f"arn:aws:s3:::{unquote(request.headers['x-amz-copy-source']).lstrip('/')}"


def _batch(request: Request) -> Iterator[tuple[str, str]]:
    operation = urlsplit(request.url).path.rsplit("/", 1)[-1]
    asked = json.loads(request.body or "{}")
    match operation:
        case "submitjob":
            yield "batch:SubmitJob", f"{BATCH}job-queue/{asked['jobQueue']}"
            yield "batch:SubmitJob", f"{BATCH}job-definition/{asked['jobDefinition']}"
            if asked.get("tags"):
                yield "batch:TagResource", f"{BATCH}job/1"
        case "terminatejob":
            yield "batch:TerminateJob", f"{BATCH}job/{asked['jobId']}"
        case _:
            yield f"batch:{operation}", "*"
