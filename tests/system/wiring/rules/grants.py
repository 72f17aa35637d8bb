"""Who may do what: everything that is needed, and no more."""

from collections.abc import Iterator
from typing import Any

from .. import policy
from ..calls import DELIVERED
from .world import ACCOUNT, BATCH, BUCKET, EVENTS_QUEUE, REGION, SITE_QUEUE, World, rule

# What the Lambda service does in the trigger's name; no program of ours calls it.
BY_AWS = ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
          "sqs:SendMessage", "sqs:ChangeMessageVisibility"]
# Statements about encryption: KMS is asked by S3 and SQS in the name of whoever calls them.
OF_OTHERS = {"Key", "KeysOfInputs"}


@rule
def every_call_of_the_programs_is_allowed(world: World) -> Iterator[str]:
    for call in world.calls:
        done = policy.decide(world.plan.role(call.role), call.action, call.resource)
        if done != policy.ALLOWED:
            yield f"{call.action} on {call.resource} by the {call.role} is {done}"


@rule
def nothing_is_granted_that_no_call_needs(world: World) -> Iterator[str]:
    for role in ("job", "trigger"):
        calls = [call for call in world.calls if call.role == role]
        for statement in policy.statements(world.plan.role(role)):
            actions = [a for a in policy.as_list(statement["Action"]) if role != "trigger" or a not in BY_AWS]
            if statement["Effect"] == "Deny" or statement.get("Sid") in OF_OTHERS or not actions:
                continue
            for part, values in (("Action", actions), ("Resource", policy.as_list(statement["Resource"]))):
                for value in values:
                    narrowed = {**statement, "Action": actions, part: value}
                    if not any(policy.applies(narrowed, call.action, call.resource, {}) for call in calls) and not _is_chosen(value):
                        yield f"the {role} may {value} ({statement['Sid']}), which no test needs"


@rule
def each_role_is_taken_by_its_service_alone(world: World) -> Iterator[str]:
    services = {"job": "ecs-tasks.amazonaws.com", "trigger": "lambda.amazonaws.com", "instance": "ec2.amazonaws.com"}
    for name, role in world.plan.all("aws_iam_role"):
        for service in services.values():
            done = policy.decide([{**role["assume_role_policy"], "Statement": _about("*", role["assume_role_policy"])}],
                                 "sts:AssumeRole", "*", {"aws:SourceAccount": ACCOUNT}, service)
            if (done == policy.ALLOWED) != (service == services[name]):
                yield f"{service} taking the role {name} is {done}"


# What people do with each policy: allowed, and not.
PEOPLE: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]] = {
    "requests": (
        [("s3:PutObject", "batches/spring.ids"), ("s3:PutObject", "data/spring/messages/request-rescue/all"), ("s3:PutObject", "messages/cancel-all"),
         ("s3:GetObject", "blackboard/index.html"), ("s3:PutObject", "data/spring/messages/broadcast/kill"), ("lambda:InvokeFunction", "")],
        [("s3:PutObject", "data/spring/messages/dataset-error/j8cb010b0"), ("s3:DeleteObject", DELIVERED), ("batch:SubmitJob", ""),
         ("lambda:UpdateFunctionCode", "")],
    ),
    "sync": (
        [("s3:GetObject", DELIVERED), ("s3:PutObject", "data/spring/messages/dataset-synced/j8cb010b0"),
         ("s3:DeleteObject", "messages/processed-j8cb010b0.trigger"), ("s3:PutObject", "data/spring/messages/batch-done/spring.json")],
        [("s3:PutObject", "data/spring/messages/request-clean/all"), ("s3:PutObject", "batches/spring.ids"), ("s3:DeleteObject", DELIVERED),
         ("batch:SubmitJob", ""), ("lambda:InvokeFunction", ""), ("sqs:ReceiveMessage", EVENTS_QUEUE), ("sqs:SendMessage", SITE_QUEUE)],
    ),
    "look": (
        [("s3:GetObject", "control/j8cb010b0/attempts.json"), ("s3:PutObject", "data/spring/blackboard/index.html"), ("batch:DescribeJobs", "*")],
        [("s3:DeleteObject", DELIVERED), ("s3:PutObject", "batches/spring.ids"), ("batch:SubmitJob", ""), ("batch:TerminateJob", "")],
    ),
    "work": (
        [("s3:DeleteObject", DELIVERED), ("s3:PutObject", "control/j8cb010b0/attempts.json"), ("batch:SubmitJob", ""), ("batch:TerminateJob", "")],
        [("s3:PutBucketPolicy", DELIVERED), ("sqs:ReceiveMessage", "*"), ("iam:PassRole", "*")],
    ),
}


# What calls are about that are not about an object.
PLACES = {"batch:SubmitJob": f"{BATCH}job-queue/caldp-2g", "batch:TerminateJob": f"{BATCH}job/1",
          **{f"lambda:{name}": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:caldp-trigger" for name in ("InvokeFunction", "UpdateFunctionCode")}}


@rule
def who_brings_results_home_may_take_what_the_queue_tells(world: World) -> Iterator[str]:
    wanted = policy.ALLOWED if 'aws_sqs_queue.all["site"]' in world.plan.resources else policy.NOT_ALLOWED
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage"):
        done = policy.decide([world.plan.documents["sync"]], action, SITE_QUEUE)
        if done != wanted:
            yield f"with the policy sync, {action} is {done}"


@rule
def people_may_do_what_their_policy_is_for(world: World) -> Iterator[str]:
    for name, (allowed, refused) in PEOPLE.items():
        for wanted, calls in ((True, allowed), (False, refused)):
            for action, what in calls:
                resource = PLACES.get(action, f"{BUCKET}/{what}")
                done = policy.decide([world.plan.documents[name]], action, what if what == "*" or what.startswith("arn:") else resource)
                if (done == policy.ALLOWED) != wanted:
                    yield f"with the policy {name}, {action} on {what} is {done}"


def _is_chosen(resource: str) -> bool:
    """Whether it is one of many of its kind, of which the tests use one, or the operator's choice."""
    return "batch:" in resource and "/" in resource or "caldp-inputs" in resource or "/reprocessing/" in resource


def _about(resource: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    """A trust policy's statements, which have no resource, with one."""
    return [{"Resource": resource, **statement} for statement in policy.as_list(document["Statement"])]
