"""Who may do what: everything that is needed, and no more."""

from collections.abc import Iterator
from typing import Any

from .. import policy
from .world import ACCOUNT, World, rule

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


def _is_chosen(resource: str) -> bool:
    """Whether it is one of many of its kind, of which the tests use one, or the operator's choice."""
    return "batch:" in resource and "/" in resource or "caldp-inputs" in resource or "/reprocessing/" in resource


def _about(resource: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    """A trust policy's statements, which have no resource, with one."""
    return [{"Resource": resource, **statement} for statement in policy.as_list(document["Statement"])]
