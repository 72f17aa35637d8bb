"""What a policy allows, as IAM decides it: an explicit Deny wins, then an Allow, and nothing is allowed otherwise.

Actions and resources with their wildcards, their negations, and the conditions this project uses; a condition that is
not known here is an error, never a guess. Session policies, permission boundaries and organisations are left out.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

ALLOWED, DENIED, NOT_ALLOWED = "allowed", "denied", "not allowed"
Context = Mapping[str, str]


class UnknownCondition(Exception):
    """An operator that is not known here."""


def decide(policies: list[dict[str, Any]], action: str, resource: str, context: Context | None = None, principal: str = "") -> str:
    """What comes of an action on a resource. `principal` is asked for by policies of resources: a service or an ARN."""
    effects = {statement["Effect"] for statement in statements(policies) if applies(statement, action, resource, context or {}, principal)}
    if "Deny" in effects:
        return DENIED
    return ALLOWED if "Allow" in effects else NOT_ALLOWED


def statements(policies: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for policy in policies:
        yield from as_list(policy["Statement"])


def applies(statement: dict[str, Any], action: str, resource: str, context: Context, principal: str = "") -> bool:
    return (
        _named(statement, "Action", lambda pattern: matches(pattern.lower(), action.lower()))
        and _named(statement, "Resource", lambda pattern: matches(pattern, resource))
        and _is_principal(statement.get("Principal"), principal)
        and all(
            _holds(operator, [str(value) for value in as_list(values)], context.get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _named(statement: dict[str, Any], part: str, match: Callable[[str], bool]) -> bool:
    if f"Not{part}" in statement:
        return not any(match(pattern) for pattern in as_list(statement[f"Not{part}"]))
    return any(match(pattern) for pattern in as_list(statement[part]))


def _is_principal(allowed: Any, principal: str) -> bool:
    """Policies of roles name no principal: they are about their role."""
    if allowed is None or allowed == "*":
        return True
    return any(name in ("*", principal) for kind in allowed.values() for name in as_list(kind))


def _holds(operator: str, values: list[str], actual: str | None) -> bool:
    """Whether one condition holds. Of a key that the request does not have, only a negation holds."""
    match operator:
        case "StringEquals" | "ArnEquals" if not any("*" in value for value in values):
            return actual in values
        case "StringLike" | "ArnLike" | "ArnEquals":
            return actual is not None and any(matches(value, actual) for value in values)
        case "StringNotEquals":
            return actual not in values
        case "Bool":
            return actual is not None and actual.lower() in [value.lower() for value in values]
    raise UnknownCondition(operator)


def matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """`*` is any text, slashes and none included; `?` one character."""
    return re.compile("".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in pattern), re.DOTALL)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
