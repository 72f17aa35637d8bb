"""What ``crds.core.config`` is: names of files, and where the cache has them."""

from __future__ import annotations

import os
from typing import NoReturn

from crds_core import _native
from crds_core._api import locate_file, locate_mapping

__all__ = [
    "get_cache_readonly",
    "get_crds_cfgpath",
    "get_crds_env_context",
    "get_crds_mappath",
    "get_crds_picklepath",
    "get_crds_refpath",
    "is_context",
    "is_mapping",
    "locate_file",
    "locate_mapping",
    "locate_reference",
    "override_crds_paths",
    "pop_crds_uri",
    "set_cache_readonly",
]

locate_reference = locate_file


def pop_crds_uri(filepath: str) -> str:
    """The name in ``crds://name``; another text as it is."""
    if not filepath.startswith("crds://"):
        return filepath
    name = filepath[len("crds://") :]
    if os.path.dirname(name):
        raise AssertionError("crds:// must prefix a filename with no path.")
    return name


def is_mapping(mapping: object) -> bool:
    """Whether this is the name of a rules file."""
    return isinstance(mapping, str) and mapping.endswith((".pmap", ".imap", ".rmap"))


def is_context(mapping: object) -> bool:
    """Whether this is the name of a rules file that datasets are looked up with."""
    return isinstance(mapping, str) and mapping.endswith((".pmap", ".imap"))


def get_crds_mappath(observatory: str) -> str:
    """The folder of rules."""
    return _native.cache_paths(observatory)[0]


def get_crds_refpath(observatory: str) -> str:
    """The folder of references."""
    return _native.cache_paths(observatory)[1]


def get_crds_cfgpath(observatory: str) -> str:
    """The folder of what the server said last."""
    return _native.cache_paths(observatory)[2]


def get_crds_picklepath(observatory: str) -> str:
    """The folder of pickled contexts."""
    return _native.cache_paths(observatory)[3]


def get_crds_env_context() -> str | None:
    """What ``CRDS_CONTEXT`` says."""
    return os.environ.get("CRDS_CONTEXT") or None


def get_cache_readonly() -> bool:
    """Whether the cache must not be written to."""
    return os.environ.get("CRDS_READONLY_CACHE", "").lower() in ("1", "t", "true")


def set_cache_readonly(readonly: bool = True) -> None:
    """Says whether the cache must not be written to."""
    os.environ["CRDS_READONLY_CACHE"] = "1" if readonly else "0"


def override_crds_paths(crds_path: str) -> None:
    """Uses this cache, whatever the variables of its parts say."""
    for name in [name for name in os.environ if name.startswith("CRDS_") and "PATH" in name]:
        del os.environ[name]
    os.environ["CRDS_PATH"] = crds_path


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"crds.core.config.{name} is not among what crds_core.compat has")
