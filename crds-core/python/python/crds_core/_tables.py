"""Headers of many datasets, however they are kept, as lists of Python values.

No table library is imported unless an object has to be converted by it: what an object can do
tells what it is.
"""

from __future__ import annotations

from collections.abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from typing import Any, Union

    Headers = Union[Mapping[str, object], Iterable[Mapping[str, object]], "SupportsColumns"]
    SupportsColumns = Any

SCALARS = (str, int, float, bool, type(None))


class Table:
    """Columns of the same length."""

    __slots__ = ("columns", "names", "rows")

    def __init__(self, columns: dict[str, list[Any]], rows: int) -> None:
        for name, column in columns.items():
            if len(column) != rows:
                raise ValueError(f"the column {name!r} has {len(column)} values, others have {rows}")
        self.names = list(columns)
        self.columns = list(columns.values())
        self.rows = rows


def columns(headers: Any, needed: Container[str] | None) -> Table | None:
    """The columns of a table that are needed (upper case; None: all); None if it is not a table."""

    def wanted(names: Iterable[Any]) -> list[Any]:
        return [name for name in names if isinstance(name, str) and (needed is None or name.upper() in needed)]

    if isinstance(headers, Mapping):
        if not headers or any(isinstance(value, SCALARS) for value in headers.values()):
            return None
        rows = len(next(iter(headers.values())))
        return Table({name: _listed(headers[name]) for name in wanted(headers)}, rows)
    if isinstance(headers, (list, tuple)):
        return None
    # An astropy table has `iloc` as well.
    if hasattr(headers, "colnames"):
        return Table({name: headers[name].tolist() for name in wanted(headers.colnames)}, len(headers))
    if hasattr(headers, "iloc"):
        return Table({name: _of_pandas(headers[name]) for name in wanted(headers.columns)}, len(headers))
    if hasattr(headers, "get_columns"):
        chosen = wanted(headers.columns)
        return Table({name: headers[name].to_list() for name in chosen}, len(headers))
    if not hasattr(headers, "column_names") and hasattr(headers, "__arrow_c_stream__"):
        import pyarrow

        headers = pyarrow.table(headers)
    if hasattr(headers, "column_names"):
        chosen = wanted(headers.column_names)
        return Table({name: headers.column(name).to_pylist() for name in chosen}, headers.num_rows)
    return None


def rows(headers: Any) -> Iterable[Mapping[str, object]]:
    """One header, or many, as many."""
    return (headers,) if isinstance(headers, Mapping) else headers


def _listed(values: Any) -> list[Any]:
    if hasattr(values, "iloc"):
        return _of_pandas(values)
    if hasattr(values, "tolist"):
        return list(values.tolist())
    return list(values)


def _of_pandas(series: Any) -> list[Any]:
    values = series.astype(object)
    return list(values.where(values.notna(), None).tolist())
