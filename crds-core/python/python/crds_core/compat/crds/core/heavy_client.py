"""What ``crds.core.heavy_client`` is: best references, and which rules they are from."""

from __future__ import annotations

from typing import NoReturn

from crds_core import get_context_name, getrecommendations, getreferences
from crds_core._native import VERSION

__all__ = [
    "get_context_name",
    "get_processing_mode",
    "getrecommendations",
    "getreferences",
    "version_info",
]


def get_processing_mode(observatory: str, context: str | None = None) -> tuple[str, str]:
    """Where references are looked up, which is here (``local``), and the rules."""
    return "local", get_context_name(observatory, context)


def version_info() -> str:
    """What this client is."""
    return f"crds-core {VERSION}"


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"crds.core.heavy_client.{name} is not among what crds_core.compat has")
