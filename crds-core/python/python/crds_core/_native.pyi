"""The compiled half. Not for use from outside this package."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from typing_extensions import Self, disjoint_base

__all__ = [
    "Context",
    "VERSION",
    "assign_bestrefs",
    "build_context",
    "cache_paths",
    "context_name",
    "default_observatory",
    "deliver_to",
    "getrecommendations",
    "getreferences",
    "is_context_name",
    "is_serverless",
    "locate_file",
    "run_command",
    "set_verbosity",
    "sync",
]

VERSION: str

_Names = dict[str, str | tuple[str, ...]]

def getrecommendations(
    parameters: Mapping[str, object],
    reftypes: list[str] | None,
    context: str | None,
    ignore_cache: bool,
    observatory: str,
    fast: bool,
) -> _Names: ...
def getreferences(
    parameters: Mapping[str, object],
    reftypes: list[str] | None,
    context: str | None,
    ignore_cache: bool,
    observatory: str,
    fast: bool,
) -> _Names: ...
def context_name(observatory: str, context: str | None) -> str: ...
def build_context(observatory: str, version: str) -> str | None: ...
def is_context_name(text: str) -> bool: ...
def assign_bestrefs(
    filepaths: list[str],
    context: str | None,
    reftypes: list[str],
    sync_references: bool,
) -> int: ...
def sync(
    contexts: list[str],
    files: list[str],
    fetch_references: bool,
    ignore_cache: bool,
    observatory: str,
) -> dict[str, str]: ...
def locate_file(name: str, observatory: str) -> str: ...
def cache_paths(observatory: str) -> list[str]: ...
def default_observatory() -> str | None: ...
def is_serverless() -> bool: ...
def set_verbosity(verbosity: int) -> int: ...
def deliver_to(sink: Callable[[int, str], object] | None) -> None: ...
def run_command(arguments: list[str]) -> int: ...

_Columns = tuple[dict[str, list[str | tuple[str, ...] | None]], dict[int, str], dict[int, list[str]]]

@disjoint_base
class Context:
    def __new__(cls, name: str | None, observatory: str) -> Self: ...
    @property
    def name(self) -> str:
        """The file name of the rules."""
    @property
    def observatory(self) -> str:
        """Whose rules these are: ``hst``, ``jwst`` or ``roman``."""
    @property
    def instruments(self) -> list[str]:
        """The instruments that have rules, in lower case."""
    def reference_types(self, instrument: str) -> list[str] | None:
        """The reference types of an instrument; None if it has no rules."""
    def needed_keys(self, instrument: str) -> list[str] | None:
        """The header keys that the rules of an instrument look at; None if it has no rules."""
    def all_needed_keys(self) -> set[str]: ...
    def mappings(self) -> list[str]:
        """The rules files that the context consists of."""
    def references(self) -> list[str]:
        """All references that the rules can give."""
    def bestrefs_of_rows(
        self, headers: Iterable[Mapping[str, object]], reftypes: list[str] | None, raw: bool
    ) -> _Columns: ...
    def bestrefs_of_columns(
        self,
        names: list[str],
        columns: list[list[Any]],
        rows: int,
        reftypes: list[str] | None,
        raw: bool,
    ) -> _Columns: ...
    def paths(self, names: list[str], ignore_cache: bool) -> list[str]: ...
