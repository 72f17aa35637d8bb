"""The rules of one context, for many datasets."""

from __future__ import annotations

import os

from . import _builds, _native, _tables
from ._api import _observatory_of, default_observatory, several

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._tables import Headers


class Answers(dict[str, "list[str | tuple[str, ...] | None]"]):
    """The references of many datasets: a column for each type, with a value for each dataset.

    A value is the name of a reference, a text that begins with ``NOT FOUND``, a tuple of several
    equally good names, or None where the type is not one of the dataset's instrument. It is a dict,
    which ``pandas.DataFrame``, ``pyarrow.table`` and ``astropy.table.Table`` take as it is.
    """

    #: Why a dataset has no answers at all, by its number from 0.
    errors: dict[int, str]
    #: The rules and references of a dataset that CRDS has withdrawn as scientifically wrong, by its number.
    withdrawn: dict[int, list[str]]

    def __init__(
        self,
        columns: dict[str, list[str | tuple[str, ...] | None]],
        errors: dict[int, str],
        withdrawn: dict[int, list[str]],
    ) -> None:
        super().__init__(columns)
        self.errors = errors
        self.withdrawn = withdrawn

    def row(self, number: int) -> dict[str, str | tuple[str, ...]]:
        """The answers for one dataset, as :func:`~crds_core.getrecommendations` gives them.

        A dataset that cannot be looked up at all is a KeyError that says why.
        """
        if number in self.errors:
            raise KeyError(self.errors[number])
        values = ((name, column[number]) for name, column in self.items())
        return {name: value for name, value in values if value is not None}


class Context(_native.Context):
    """The rules of one context, loaded once.

    ``name`` is as in :func:`~crds_core.get_context_name`; without one it is the context in use.
    ``observatory`` is needed only where neither the name nor the settings tell it. Objects
    may be used by several threads at once.

    >>> rules = Context("hst_0729.pmap")  # doctest: +SKIP
    >>> pandas.DataFrame(rules.bestrefs(frame, ["darkfile", "biasfile"]))  # doctest: +SKIP
    """

    def __new__(
        cls, name: str | os.PathLike[str] | None = None, observatory: str | None = None
    ) -> Context:
        name = None if name is None else os.fspath(name)
        if observatory is None:
            observatory = _observatory_of([name or ""]) or default_observatory()
        return super().__new__(cls, _builds.resolved(observatory, name), observatory)

    def __repr__(self) -> str:
        return f"Context({self.name!r})"

    def bestrefs(
        self, headers: Headers, reftypes: Iterable[str] | None = None, *, raw: bool = False
    ) -> Answers:
        """The references of datasets, in columns.

        ``headers`` is one header (a dict), an iterable of headers, or a table with a column for
        each keyword: a dict of lists or arrays, a pandas, polars, pyarrow or astropy table, or
        anything that Arrow can read. In a table a missing value (None, NaN, masked) is a keyword
        that the dataset does not have. ``reftypes`` are the types to look up, else all of the
        dataset's instrument. ``raw`` puts values to the rules as they are, without bringing
        them into the form that rules are written in.

        Withdrawn rules and references are no error here, as they are for :func:`~crds_core.getreferences`:
        they are in ``withdrawn`` of the answers, for the caller to decide.
        """
        types = None if reftypes is None else several(reftypes)
        needed = None if raw else self.all_needed_keys()
        table = _tables.columns(headers, needed)
        if table is None:
            found = self.bestrefs_of_rows(_tables.rows(headers), types, raw)
        else:
            found = self.bestrefs_of_columns(table.names, table.columns, table.rows, types, raw)
        return Answers(*found)

    def fetch(self, names: Iterable[str], ignore_cache: bool = False) -> dict[str, str]:
        """The paths of references by name, fetched many at once where the cache lacks them.

        Takes what :meth:`bestrefs` gives: a column, or several put together; values that are no
        names are left out.
        """
        plain = (name for name in several(names) if isinstance(name, str) and not name.startswith("NOT FOUND"))
        wanted = list(dict.fromkeys(plain))
        return dict(zip(wanted, self.paths(wanted, ignore_cache)))
