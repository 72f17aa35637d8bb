"""What rules are about: a plan and what the programs expect. A rule tells what is wrong, one sentence a fault; nothing
told means that it holds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..calls import Call
from ..plan import Plan

ACCOUNT, REGION = "123456789012", "us-east-1"
BATCH = f"arn:aws:batch:{REGION}:{ACCOUNT}:"
EVENTS_QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:caldp-events"
SITE_QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:caldp-site"
BUCKET = "arn:aws:s3:::caldp-system"


@dataclass(frozen=True)
class World:
    """A plan, and what the programs expect."""

    plan: Plan
    contract: dict[str, Any]
    calls: list[Call]
    # Every variable that the worker and CRDS read, from their pages.
    job_variables: set[str]


Rule = Callable[[World], Iterator[str]]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Registers a rule under its name."""
    RULES[function.__name__] = function
    return function


def listed(environment: dict[str, str], *names: str) -> list[str]:
    """The items of variables that are lists."""
    return [item for name in names for item in environment.get(name, "").split(",") if item]


def resource(container: dict[str, Any], kind: str) -> str:
    """What a container asks for of a kind of resource."""
    return next(str(one["value"]) for one in container["resourceRequirements"] if one["type"] == kind)
