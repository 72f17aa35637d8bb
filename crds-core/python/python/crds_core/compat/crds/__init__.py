"""What ``crds`` is for those who import it, once :func:`crds_core.compat.install` was called."""

from __future__ import annotations

from typing import NoReturn

from crds_core import (
    __version__ as _version,
    assign_bestrefs,
    exceptions,
    get_context_name,
    get_default_context,
    getrecommendations,
    getreferences,
    locate_file,
    locate_mapping,
)
from crds_core._api import OBSERVATORIES as ALL_OBSERVATORIES
from crds_core.exceptions import *  # noqa: F403

from . import core
from .core import config, crds_cache_locking, heavy_client, log

# What data products say of the software that chose their references.
__version__ = f"{_version}+crds-core"

__all__ = [
    "ALL_OBSERVATORIES",
    "assign_bestrefs",
    "config",
    "core",
    "crds_cache_locking",
    "exceptions",
    "get_context_name",
    "get_default_context",
    "getrecommendations",
    "getreferences",
    "heavy_client",
    "locate_file",
    "locate_mapping",
    "log",
    *exceptions.__all__,
]


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"crds.{name} is not among what crds_core.compat has in place of the Python client")
