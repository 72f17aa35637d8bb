"""Which events a pattern of EventBridge or a notification of S3 lets through. A form that is not known here is an
error, never a guess."""

from typing import Any

from .policy import matches


class UnknownPattern(Exception):
    """A form of pattern that is not known here."""


def event_matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """EventBridge: every field of the pattern has, in the event, one of the values it lists."""
    return all(_field_matches(wanted, event.get(name)) for name, wanted in pattern.items())


def _field_matches(wanted: Any, actual: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and event_matches(wanted, actual)
    actuals = actual if isinstance(actual, list) else [actual]
    return any(_value_matches(one, value) for one in wanted for value in actuals)


def _value_matches(wanted: Any, actual: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(wanted == actual)
    [(form, value)] = wanted.items()
    if not isinstance(actual, str):
        return False
    match form:
        case "wildcard":
            if "?" in value:
                raise UnknownPattern(f"{value}: a question mark means itself to EventBridge")
            return matches(value, actual)
        case "prefix":
            return actual.startswith(value)
        case "suffix":
            return actual.endswith(value)
    raise UnknownPattern(form)


def notified(configuration: dict[str, Any], key: str) -> bool:
    """S3: an object's creation under a key."""
    if not any(event.startswith("s3:ObjectCreated:") for event in configuration["events"]):
        return False
    return key.startswith(configuration.get("filter_prefix") or "") and key.endswith(configuration.get("filter_suffix") or "")


def overlapping(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether S3 refuses both together: for the same events, one's prefix begins the other's and likewise the suffixes."""
    first, second = ((c.get("filter_prefix") or "", c.get("filter_suffix") or "") for c in (one, other))
    prefixes = first[0].startswith(second[0]) or second[0].startswith(first[0])
    suffixes = first[1].endswith(second[1]) or second[1].endswith(first[1])
    return prefixes and suffixes


# How many places of its patterns EventBridge may have to keep in mind at once before it refuses a rule as too complex.
# AWS documents no number; four patterns like "*/datasync/*.tif" were refused, two of them and four like "*.tif" accepted.
MOST_PLACES = 10


def places(patterns: list[str]) -> int:
    """The most places that some text leads to in wildcard patterns at the same time: a place is a pattern and how much
    of it has been read; at a wildcard there are two, before it and in it."""
    tokens = [f'"{pattern}"' for pattern in patterns]
    alphabet = set("".join(tokens)) - {"*"} | {"\0"}

    def with_wildcards(reached: set[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        return frozenset(reached | {(of, at + 1) for of, at in reached if tokens[of][at : at + 1] == "*"})

    def read(reached: frozenset[tuple[int, int]], letter: str) -> frozenset[tuple[int, int]]:
        moved = {(of, at + 1) for of, at in reached if tokens[of][at : at + 1] == letter}
        return with_wildcards(moved | {(of, at) for of, at in reached if at and tokens[of][at - 1] == "*"})

    first = with_wildcards({(of, 0) for of in range(len(tokens))})
    seen, left = {first}, [first]
    while left:
        reached = left.pop()
        for letter in alphabet:
            following = read(reached, letter)
            if following not in seen:
                seen.add(following)
                left.append(following)
    return max(len(reached) for reached in seen)
