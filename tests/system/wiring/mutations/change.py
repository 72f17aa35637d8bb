"""How a plan is changed, and the list of changes."""

from collections.abc import Callable
from typing import Any

from ..policy import statements
from ..rules import World

Change = Callable[[World], None]
MUTATIONS: list[tuple[str, str, Change]] = []


def breaks(rule: str, how: str) -> Callable[[Change], Change]:
    """Registers a change that the rule must notice."""

    def register(change: Change) -> Change:
        MUTATIONS.append((rule, how, change))
        return change

    return register


def statement(world: World, role: str, sid: str) -> dict[str, Any]:
    return next(s for s in statements(world.plan.role(role)) if s.get("Sid") == sid)


def notifications(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.plan["aws_s3_bucket_notification.main"]["queue"]
    return found


def pattern(world: World, name: str) -> dict[str, Any]:
    found: dict[str, Any] = world.plan[f'aws_cloudwatch_event_rule.all["{name}"]']["event_pattern"]["detail"]
    return found


def first(world: World, kind: str) -> dict[str, Any]:
    return next(values for _, values in world.plan.all(kind))


def container(world: World) -> dict[str, Any]:
    found: dict[str, Any] = first(world, "aws_batch_job_definition")["container_properties"]
    return found


def set_variable(world: World, name: str, value: str | None) -> None:
    pairs = [pair for pair in container(world)["environment"] if pair["name"] != name]
    container(world)["environment"] = pairs + ([{"name": name, "value": value}] if value is not None else [])
