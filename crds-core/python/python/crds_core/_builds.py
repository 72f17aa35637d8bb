"""The context that goes with the installed calibration software, which only a server can tell.

It is what JWST datasets get when nobody names a context.
"""

from __future__ import annotations

import os

from . import _native

# Which package calibrates the datasets of an observatory.
SOFTWARE = {"hst": "caldp", "jwst": "jwst", "roman": "romancal"}

# What a server said, so that it is asked once: by its URL, the observatory and the version.
_known: dict[tuple[str, str, str], str | None] = {}


def is_build(observatory: str, context: str) -> bool:
    """Whether the name stands for the context of a build."""
    return context in ("build", f"{observatory}-build")


def resolved(observatory: str, context: str | None) -> str | None:
    """The context's name, if that is of a build, or of JWST without a name, with the build found."""
    asked = context or os.environ.get("CRDS_CONTEXT") or ""
    if is_build(observatory, asked) or (observatory == "jwst" and not asked):
        return build_context(observatory) or f"{observatory}-latest"
    return context or None


def build_context(observatory: str) -> str | None:
    """The context of the installed software; None if that cannot be told."""
    if _native.is_serverless():
        return None
    version = _version(observatory)
    if version is None:
        return None
    if "dev" in version:
        return _native.context_name(observatory, f"{observatory}-edit")
    key = (os.environ.get("CRDS_SERVER_URL", ""), observatory, version)
    if key not in _known:
        _known[key] = _native.build_context(observatory, version)
    return _known[key]


def _version(observatory: str) -> str | None:
    """The version of the calibration software, its first three numbers."""
    # Takes as long to import as all the rest.
    from importlib import metadata

    try:
        version = metadata.version(SOFTWARE[observatory])
    except (KeyError, metadata.PackageNotFoundError):
        return None
    if "dev" in version:
        return version
    numbers = []
    for part in version.split(".")[:3]:
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(digits)
    return ".".join(numbers) or version
