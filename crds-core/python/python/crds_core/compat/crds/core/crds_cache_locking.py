"""What ``crds.core.crds_cache_locking`` is: nothing, because every file of the cache has its own lock."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["clear_cache_locks", "get_cache_lock"]


@contextmanager
def get_cache_lock() -> Iterator[None]:
    """Does nothing around what is done within it."""
    yield


def clear_cache_locks() -> None:
    """Does nothing: locks end with the process that has them."""
