"""The functions of the Python client: their arguments are checked here as it checks them, and the
compiled half does the work.
"""

from __future__ import annotations

import os

from . import _builds, _native

# `typing` takes longer to import than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeVar

    T = TypeVar("T")

OBSERVATORIES = ("hst", "jwst", "roman")
# Which rules are meant, where that is said by a word.
STATES = ("latest", "operational", "edit", "build")


def getreferences(
    parameters: Mapping[str, object],
    reftypes: Sequence[str] | None = None,
    context: str | None = None,
    ignore_cache: bool = False,
    observatory: str = "jwst",
    fast: bool = False,
) -> dict[str, str | tuple[str, ...]]:
    """The paths of the references for one dataset, by type, fetched into the cache if need be.

    ``parameters`` is the dataset's header: keywords or names of the data model to text, numbers or
    booleans; other values are left out. ``reftypes`` are the types to look up; without any, all
    that the dataset's calibration takes. ``context`` names the rules (``hst_0729.pmap``, ``latest``,
    ``hst-edit``, ``hst-2018-01-21``); else they are those of ``CRDS_CONTEXT``, else those in use.
    ``ignore_cache`` fetches rules and references again. ``fast`` leaves out the checks of the
    arguments and for withdrawn files.

    A type that does not apply is ``"NOT FOUND n/a"``. One that has no answer is a
    :class:`~crds_core.CrdsLookupError`. With ``CRDS_S3_RETURN_URI=1`` nothing is fetched, and the
    values are URIs. Ctrl-C gives up what is being fetched; nothing unfinished stays behind.
    """
    header, types, context = _question(parameters, reftypes, context, observatory, fast)
    return _native.getreferences(header, types, context, ignore_cache, observatory, fast)


def getrecommendations(
    parameters: Mapping[str, object],
    reftypes: Sequence[str] | None = None,
    context: str | None = None,
    ignore_cache: bool = False,
    observatory: str = "jwst",
    fast: bool = False,
) -> dict[str, str | tuple[str, ...]]:
    """The names of the references for one dataset, by type; nothing is fetched but rules.

    Arguments are those of :func:`getreferences`. A type without an answer has a text that begins with
    ``NOT FOUND`` and says why; several equally good answers are a tuple.
    """
    header, types, context = _question(parameters, reftypes, context, observatory, fast)
    return _native.getrecommendations(header, types, context, ignore_cache, observatory, fast)


def get_context_name(observatory: str, context: str | None = None) -> str:
    """The file name of the rules: of ``context``, else of ``CRDS_CONTEXT``, else of those in use."""
    return _native.context_name(observatory, _builds.resolved(observatory, context))


def get_default_context(observatory: str | None = None, state: str | None = None) -> str:
    """The rules in use for an observatory; without a server, as the cache knows them.

    ``state`` is ``latest``, ``edit`` or ``build``: the rules that go with the installed calibration
    software, which is what JWST has if ``state`` is not given.
    """
    _check(state in (None, *STATES), f"{state!r} is none of {', '.join(STATES)}")
    observatory = default_observatory() if observatory is None else observatory
    if state == "build" or (observatory == "jwst" and state not in ("edit", "latest")):
        found = _builds.build_context(observatory)
        if found is not None:
            return found
    name = "edit" if state == "edit" else "latest"
    return _native.context_name(observatory, f"{observatory}-{name}")


def assign_bestrefs(
    filepaths: Iterable[str | os.PathLike[str]],
    context: str | None = None,
    reftypes: Iterable[str] = (),
    sync_references: bool = False,
    verbosity: int = -1,
) -> int:
    """Writes the names of their references into the headers of HST files. Gives the number of errors.

    ``context`` and ``reftypes`` are as for :func:`getreferences`. ``sync_references`` also fetches the
    references. One path is one file. Errors are logged, by the logger ``CRDS``; one file's do not stop the others.
    ``verbosity`` is how much is logged: -3 nothing, -2 errors, -1 warnings, 0 what is usual, 50 details.
    """
    files = [os.fspath(path) for path in several(filepaths)]
    before = _native.set_verbosity(verbosity)
    try:
        return _native.assign_bestrefs(files, context or None, several(reftypes), bool(sync_references))
    finally:
        _native.set_verbosity(before)


def sync(
    contexts: Iterable[str] = (),
    files: Iterable[str] = (),
    *,
    fetch_references: bool = False,
    ignore_cache: bool = False,
    observatory: str | None = None,
) -> dict[str, str]:
    """Brings rules and references into the cache before they are needed. Gives their paths by name.

    All rules of ``contexts``; with ``fetch_references`` all references that those can give, which
    are many terabytes for a whole observatory; and ``files``, rules or references, by name.
    What the cache has is not fetched again, unless with ``ignore_cache``. For checking, sorting
    and emptying a cache there is the command ``crds sync``.
    """
    contexts, files = several(contexts), several(files)
    if observatory is None:
        observatory = _observatory_of(contexts + files) or default_observatory()
    contexts = [_builds.resolved(observatory, name) or "latest" for name in contexts]
    return _native.sync(contexts, files, fetch_references, ignore_cache, observatory)


def locate_file(filepath: str, observatory: str) -> str:
    """Where the cache has a file, or would have it; a name with a folder as it is."""
    if os.path.dirname(filepath):
        return filepath
    return _native.locate_file(filepath, observatory)


def locate_mapping(mappath: str, observatory: str | None = None) -> str:
    """Where the cache has a rules file, or would have it; a name with a folder as it is."""
    if os.path.dirname(mappath) or mappath == "N/A":
        return mappath
    return _native.locate_file(mappath, observatory or _observatory_of([mappath]) or default_observatory())


def default_observatory() -> str:
    """The observatory of the settings; as in the Python client JWST, if they name none."""
    return _native.default_observatory() or "jwst"


def several(values: Iterable[T]) -> list[T]:
    """Values as a list; a text or path by itself is one, not its letters."""
    if isinstance(values, (str, os.PathLike)):
        return [values]  # type: ignore[list-item]  # a text has texts
    return list(values)


def _observatory_of(names: Iterable[str]) -> str | None:
    """The observatory that the first name with one begins with."""
    for name in names:
        for observatory in OBSERVATORIES:
            if name.startswith((f"{observatory}_", f"{observatory}-", f"{observatory}.")):
                return observatory
    return None


def _question(
    parameters: Mapping[str, object],
    reftypes: Sequence[str] | None,
    context: str | None,
    observatory: str,
    fast: bool,
) -> tuple[dict[str, object], list[str] | None, str | None]:
    """The arguments as the compiled half takes them."""
    header = dict(parameters)
    if not fast:
        _check(observatory in OBSERVATORIES, f"{observatory!r} is none of {', '.join(OBSERVATORIES)}")
        for key in header:
            _check(isinstance(key, str), f"Non-string key {key!r} in parameters.")
        header = {key: value for key, value in header.items() if isinstance(value, (str, float, int, bool))}
        _check(
            reftypes is None or isinstance(reftypes, (list, tuple)),
            "reftypes must be a list or tuple of strings, or sub-class of those.",
        )
        for name in reftypes or ():
            _check(isinstance(name, str), "each reftype must be a string, such as biasfile.")
        _check(
            context is None or _builds.is_build(observatory, context) or _native.is_context_name(context),
            f"{context!r} does not name a context; hst_0729.pmap, latest, hst-edit or hst-2018-01-21 would",
        )
    if observatory == "roman":
        header = {_roman_key(key): value for key, value in header.items()}
    types = list(reftypes) if reftypes else None
    return header, types, _builds.resolved(observatory, context)


def _roman_key(key: str) -> str:
    """The archive's headers leave out what the rules begin with."""
    return f"ROMAN.{key}" if key.split(".", 1)[0].upper() == "META" else key


def _check(holds: bool, text: str) -> None:
    """As ``assert``, which the Python client uses, but also under ``python -O``."""
    if not holds:
        raise AssertionError(text)
