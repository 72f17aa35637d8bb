"""Programs that import ``crds`` use this package instead, unchanged.

>>> import crds_core.compat
>>> crds_core.compat.install()  # doctest: +SKIP
>>> from stpipe import crds_client  # doctest: +SKIP

It has to come before the first ``import crds``, of whatever imports it: :func:`install` puts modules in
place, and what was bound to the Python client's before would go on using that. There are the modules that
`stpipe`, `jwst` and `romancal` import: ``crds`` and, in ``crds.core``, ``config``, ``crds_cache_locking``,
``exceptions``, ``heavy_client`` and ``log``. What these lack raises an AttributeError that says so; other
modules of the Python client (``crds.certify``, ``crds.bestrefs``) cannot be imported.
"""

from __future__ import annotations

import sys
from importlib import import_module

_MODULES = {
    "crds": "crds_core.compat.crds",
    "crds.core": "crds_core.compat.crds.core",
    "crds.core.config": "crds_core.compat.crds.core.config",
    "crds.core.crds_cache_locking": "crds_core.compat.crds.core.crds_cache_locking",
    "crds.core.exceptions": "crds_core.exceptions",
    "crds.core.heavy_client": "crds_core.compat.crds.core.heavy_client",
    "crds.core.log": "crds_core.compat.crds.core.log",
}


def install() -> None:
    """Puts the modules in place. More than once is as good as once.

    Where the Python client was imported before, that is a RuntimeError, and nothing is changed.
    """
    if is_installed():
        return
    before = sorted(name for name in sys.modules if name == "crds" or name.startswith("crds."))
    if before:
        where = getattr(sys.modules.get("crds"), "__file__", None) or "unknown"
        raise RuntimeError(
            f"the Python client crds ({where}) was imported before crds_core.compat.install(), and what"
            " imported it would go on using it: call install() first, before anything imports crds"
        )
    sys.modules.update({name: import_module(ours) for name, ours in _MODULES.items()})


def is_installed() -> bool:
    """Whether ``import crds`` gives this package."""
    return getattr(sys.modules.get("crds"), "__name__", None) == _MODULES["crds"]
