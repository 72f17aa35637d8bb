"""Decisions of which AWS's documentation tells the outcome, for `policy` and `patterns` themselves."""

from typing import Any

from .patterns import MOST_PLACES, event_matches, notified, overlapping, places
from .policy import ALLOWED, DENIED, NOT_ALLOWED, decide

READ = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"}
NO_REQUESTS = {"Effect": "Deny", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::b/*messages/request-*"}
WRITE = {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::b/*"}
TLS = {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
OWN = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceAccount": ["1", "2"]}}}
RULES = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:events:*:1:rule/x-*"}}}
SERVICE = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
NOT_IAM = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}

DECISIONS: list[tuple[list[dict[str, Any]], str, str, dict[str, str], str, str]] = [
    ([READ], "s3:GetObject", "arn:aws:s3:::b/a/c", {}, "", ALLOWED),
    ([READ], "S3:getobject", "arn:aws:s3:::b/a", {}, "", ALLOWED),
    ([READ], "s3:GetObject", "arn:aws:s3:::B/a", {}, "", NOT_ALLOWED),
    ([READ], "s3:GetObject", "arn:aws:s3:::b", {}, "", NOT_ALLOWED),
    ([READ], "s3:PutObject", "arn:aws:s3:::b/a", {}, "", NOT_ALLOWED),
    ([WRITE, NO_REQUESTS], "s3:PutObject", "arn:aws:s3:::b/messages/request-rescue/all", {}, "", DENIED),
    ([NO_REQUESTS, WRITE], "s3:PutObject", "arn:aws:s3:::b/data/x/messages/request-rescue/all", {}, "", DENIED),
    ([WRITE, NO_REQUESTS], "s3:PutObject", "arn:aws:s3:::b/messages/requests", {}, "", ALLOWED),
    ([WRITE, TLS], "s3:PutObject", "arn:aws:s3:::b/a", {"aws:SecureTransport": "false"}, "", DENIED),
    ([WRITE, TLS], "s3:PutObject", "arn:aws:s3:::b/a", {"aws:SecureTransport": "true"}, "", ALLOWED),
    ([WRITE, TLS], "s3:PutObject", "arn:aws:s3:::b/a", {}, "", ALLOWED),
    ([OWN], "s3:PutObject", "x", {"aws:SourceAccount": "2"}, "", ALLOWED),
    ([OWN], "s3:PutObject", "x", {"aws:SourceAccount": "3"}, "", NOT_ALLOWED),
    ([OWN], "s3:PutObject", "x", {}, "", NOT_ALLOWED),
    ([RULES], "sqs:SendMessage", "x", {"aws:SourceArn": "arn:aws:events:us-east-1:1:rule/x-y"}, "", ALLOWED),
    ([RULES], "sqs:SendMessage", "x", {"aws:SourceArn": "arn:aws:events:us-east-1:2:rule/x-y"}, "", NOT_ALLOWED),
    ([SERVICE], "sqs:SendMessage", "x", {}, "s3.amazonaws.com", ALLOWED),
    ([SERVICE], "sqs:SendMessage", "x", {}, "sns.amazonaws.com", NOT_ALLOWED),
    ([NOT_IAM], "s3:GetObject", "x", {}, "", ALLOWED),
    ([NOT_IAM], "iam:PassRole", "x", {}, "", NOT_ALLOWED),
]

OBJECT = {"source": "aws.s3", "detail": {"object": {"key": "data/b/messages/request-rescue/all"}}}
PATTERNS: list[tuple[dict[str, Any], bool]] = [
    ({"source": ["aws.s3"]}, True),
    ({"source": ["aws.batch", "aws.s3"]}, True),
    ({"source": ["aws.batch"]}, False),
    ({"detail": {"object": {"key": [{"wildcard": "data/*/messages/request-*"}]}}}, True),
    ({"detail": {"object": {"key": [{"wildcard": "data/*messages/request-*"}]}}}, True),
    ({"detail": {"object": {"key": [{"wildcard": "data/*/messages/broadcast*"}]}}}, False),
    ({"detail": {"object": {"key": [{"prefix": "data/b/"}]}}}, True),
    ({"detail": {"object": {"key": [{"suffix": "/one"}]}}}, False),
    ({"detail": {"bucket": {"name": ["b"]}}}, False),
]

# Rules that EventBridge was seen to accept, and to refuse as too complex.
COMPLEX = [
    (["*.bif", "*.tiff", "*.tif", "*.svs"], True),
    (["*/datasync/*.bif", "*/datasync/*.tif"], True),
    (["*/datasync/*.bif", "*/datasync/*.tif", "*/datasync/*.tiff", "*/datasync/*.svs"], False),
]


def wrong() -> list[str]:
    """The decisions that come out otherwise."""
    found = []
    for policies, action, resource, context, principal, wanted in DECISIONS:
        done = decide([{"Statement": policies}], action, resource, context, principal)
        if done != wanted:
            found.append(f"{action} on {resource} is {done} by {policies}")
    found += [f"{pattern} matches: {not wanted}" for pattern, wanted in PATTERNS if event_matches(pattern, OBJECT) != wanted]
    lists = {"events": ["s3:ObjectCreated:*"], "filter_prefix": "batches/"}
    if not notified(lists, "batches/a.ids") or notified(lists, "data/batches/a.ids") or notified({**lists, "filter_suffix": ".ids"}, "batches/a.txt"):
        found.append("notifications")
    if not overlapping(lists, {"filter_prefix": "batch"}) or overlapping(lists, {"filter_prefix": "messages/"}):
        found.append("overlapping notifications")
    for patterns, accepted in COMPLEX:
        if (places(patterns) <= MOST_PLACES) != accepted:
            found.append(f"{patterns} have {places(patterns)} places")
    return found
