"""What stops the deployment from working: events and jobs that do not get where they must."""

import json
from collections.abc import Iterator
from typing import Any

from .. import policy
from ..patterns import MOST_PLACES, event_matches, notified, overlapping, places
from ..plan import Plan
from .world import ACCOUNT, BATCH, BUCKET, EVENTS_QUEUE, REGION, SITE_QUEUE, World, listed, rule


@rule
def a_job_is_submitted_by_bare_name_and_by_revision(world: World) -> Iterator[str]:
    environment = world.plan.lambda_environment()
    trigger = world.plan.role("trigger")
    queues = listed(environment, "JOBQUEUES", "CALDP_ON_DEMAND_QUEUES", "CALDP_ALLOWED_QUEUES")
    definitions = listed(environment, "JOBDEFINITIONS", "CALDP_ALLOWED_DEFINITIONS")
    resources = [f"job-queue/{queue}" for queue in queues]
    resources += [f"job-definition/{name}{revision}" for name in definitions for revision in ("", ":7")]
    for resource in resources:
        if policy.decide(trigger, "batch:SubmitJob", BATCH + resource) != policy.ALLOWED:
            yield f"the trigger may not submit with {resource}"
    for resource in ("job-queue/foreign", "job-definition/foreign", "job-definition/caldp-2gb"):
        if policy.decide(trigger, "batch:SubmitJob", BATCH + resource) == policy.ALLOWED:
            yield f"the trigger may submit with {resource}"


@rule
def the_trigger_is_told_once_of_every_key_it_acts_on(world: World) -> Iterator[str]:
    outputs = ["data", *listed(world.plan.lambda_environment(), "CALDP_ALLOWED_OUTPUTS")]
    for key in world.contract["keys"]["acted_on"]:
        root = key.partition("messages/")[0].strip("/")
        reached = not root or key.startswith("batches/") or any(f"{root}/".startswith(f"{folder}/") for folder in outputs)
        times = _times_told(world.plan, key)
        if times != int(reached):
            yield f"the trigger is told {times} times of {key}"


@rule
def the_trigger_is_not_told_of_other_keys(world: World) -> Iterator[str]:
    for key in world.contract["keys"]["left_alone"]:
        if _times_told(world.plan, key):
            yield f"the trigger is told of {key}"


@rule
def s3_accepts_the_notifications(world: World) -> Iterator[str]:
    configurations = world.plan["aws_s3_bucket_notification.main"]["queue"]
    for index, one in enumerate(configurations):
        for other in configurations[index + 1 :]:
            if overlapping(one, other):
                yield f"{one['filter_prefix']} and {other['filter_prefix']} overlap"
    ids = [one["id"] for one in configurations]
    if len(set(ids)) != len(ids):
        yield f"the notifications' ids are {ids}"


@rule
def eventbridge_accepts_the_rules(world: World) -> Iterator[str]:
    for name, pattern, _ in world.plan.rules():
        keys = pattern["detail"].get("object", {}).get("key", [])
        if wildcards := [one["wildcard"] for one in keys if isinstance(one, dict) and "wildcard" in one]:
            if places(wildcards) > MOST_PLACES:
                yield f"{name} is too complex: {wildcards}"
        if len(json.dumps(pattern)) > 4096:
            yield f"{name} is too long"
    names = [rule["name"] for _, rule in world.plan.all("aws_cloudwatch_event_rule")]
    if any(len(name) > 64 for name in names):
        yield f"AWS allows 64 characters in the name of a rule: {names}"


@rule
def the_trigger_is_told_once_of_every_end_of_a_job(world: World) -> Iterator[str]:
    queues = listed(world.plan.lambda_environment(), "JOBQUEUES", "CALDP_ON_DEMAND_QUEUES", "CALDP_ALLOWED_QUEUES")
    for queue in [*queues, "foreign"]:
        for status in ("SUBMITTED", "RUNNABLE", "RUNNING", "SUCCEEDED", "FAILED"):
            event = {"source": "aws.batch", "detail-type": "Batch Job State Change",
                     "detail": {"jobQueue": f"{BATCH}job-queue/{queue}", "status": status}}
            wanted = int(queue != "foreign" and status in ("SUCCEEDED", "FAILED"))
            times = _events_told(world.plan, event)
            if times != wanted:
                yield f"the trigger is told {times} times that a job on {queue} is {status}"


@rule
def the_queue_for_sync_is_told_once_of_every_processed_dataset(world: World) -> Iterator[str]:
    if 'aws_sqs_queue.all["site"]' not in world.plan.resources:
        return
    queue = [world.plan['aws_sqs_queue_policy.all["site"]']["policy"]]
    tls = {"aws:SecureTransport": "true", "aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/caldp-processed-0"}
    done = policy.decide(queue, "sqs:SendMessage", SITE_QUEUE, tls, "events.amazonaws.com")
    if done != policy.ALLOWED:
        yield f"the rule telling the queue is {done}"
    roots = ["", "data/spring/", *(f"{folder}/spring/" for folder in listed(world.plan.lambda_environment(), "CALDP_ALLOWED_OUTPUTS"))]
    for root in roots:
        for message, wanted in (("dataset-processed/j8cb010b0", 1), ("processed-j8cb010b0.trigger", 1), ("dataset-processing/j8cb010b0", 0),
                                ("dataset-error/j8cb010b0", 0), ("request-rescue/j8cb010b0", 0)):
            times = _events_told(world.plan, _created(f"{root}messages/{message}"), SITE_QUEUE)
            if times != wanted:
                yield f"the queue for sync is told {times} times of {root}messages/{message}"


@rule
def only_this_deployment_puts_events_into_the_queue(world: World) -> Iterator[str]:
    queue = [world.plan['aws_sqs_queue_policy.all["events"]']["policy"]]
    tls = {"aws:SecureTransport": "true", "aws:SourceAccount": ACCOUNT}
    rule_arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/"
    senders = [
        ("s3.amazonaws.com", BUCKET, True),
        ("s3.amazonaws.com", "arn:aws:s3:::foreign", False),
        ("events.amazonaws.com", f"{rule_arn}caldp-job-ended", True),
        ("events.amazonaws.com", f"{rule_arn}caldp-request-0-request", True),
        ("events.amazonaws.com", f"{rule_arn}foreign", False),
        (f"arn:aws:iam::{ACCOUNT}:role/foreign", "", False),
    ]
    for service, source, wanted in senders:
        done = policy.decide(queue, "sqs:SendMessage", EVENTS_QUEUE, {**tls, "aws:SourceArn": source}, service)
        if (done == policy.ALLOWED) != wanted:
            yield f"{service} of {source} putting events into the queue is {done}"
    plain = policy.decide(queue, "sqs:SendMessage", EVENTS_QUEUE,
                          {**tls, "aws:SecureTransport": "false", "aws:SourceArn": BUCKET}, "s3.amazonaws.com")
    if plain != policy.DENIED:
        yield f"without TLS it is {plain}"


@rule
def a_key_of_ones_own_serves_those_who_need_it(world: World) -> Iterator[str]:
    key = [world.plan.documents["key_policy"]]
    for service in ("s3.amazonaws.com", "events.amazonaws.com", "cloudwatch.amazonaws.com"):
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            if policy.decide(key, action, "*", {}, service) != policy.ALLOWED:
                yield f"{service} may not {action}"
    for name, group in world.plan.all("aws_cloudwatch_log_group"):
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group['name']}"
        context = {"kms:EncryptionContext:aws:logs:arn": arn}
        if policy.decide(key, "kms:GenerateDataKey", "*", context, f"logs.{REGION}.amazonaws.com") != policy.ALLOWED:
            yield f"the logs of {name} cannot be encrypted"
    for _, queue in world.plan.all("aws_sqs_queue"):
        if not queue["kms_master_key_id"]:
            continue
        for role in ("job", "trigger"):
            for action in ("kms:Decrypt", "kms:GenerateDataKey"):
                if policy.decide(world.plan.role(role), action, queue["kms_master_key_id"]) != policy.ALLOWED:
                    yield f"the {role} may not {action}"


def _times_told(plan: Plan, key: str) -> int:
    notification = plan["aws_s3_bucket_notification.main"]
    times = sum(notified(one, key) for one in notification["queue"] if one["queue_arn"] == EVENTS_QUEUE)
    return times + (_events_told(plan, _created(key)) if notification["eventbridge"] else 0)


def _created(key: str) -> dict[str, Any]:
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": {"name": "caldp-system"}, "object": {"key": key}}}


def _events_told(plan: Plan, event: dict[str, Any], queue: str = EVENTS_QUEUE) -> int:
    return sum(targets.count(queue) for _, pattern, targets in plan.rules() if event_matches(pattern, event))
