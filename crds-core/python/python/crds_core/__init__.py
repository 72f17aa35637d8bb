"""Calibration references from CRDS for Hubble, Webb and Roman.

The functions have the names, arguments and answers of the Python client `crds`:

>>> import crds_core
>>> header = {"INSTRUME": "ACS", "DETECTOR": "WFC", "DATE-OBS": "2010-01-01", "TIME-OBS": "00:00:00"}
>>> crds_core.getreferences(header, reftypes=["darkfile"], observatory="hst")  # doctest: +SKIP
{'darkfile': '/grp/crds/cache/references/hst/acs/zz900006j_drk.fits'}

:class:`Context` answers for many headers at once; :mod:`crds_core.compat` makes programs that
import ``crds`` use this package instead. Settings are the ``CRDS_`` environment variables, read from
``os.environ`` at every call.
"""

from __future__ import annotations

from ._api import (
    assign_bestrefs,
    get_context_name,
    get_default_context,
    getrecommendations,
    getreferences,
    locate_file,
    locate_mapping,
    sync,
)
from ._context import Answers, Context
from ._native import VERSION as __version__
from .exceptions import (
    CrdsBadReferenceError,
    CrdsBadRulesError,
    CrdsConfigError,
    CrdsDownloadError,
    CrdsError,
    CrdsLookupError,
    CrdsNetworkError,
    CrdsUnknownInstrumentError,
    CrdsUnknownReftypeError,
    ServiceError,
)

__all__ = [
    "Answers",
    "Context",
    "CrdsBadReferenceError",
    "CrdsBadRulesError",
    "CrdsConfigError",
    "CrdsDownloadError",
    "CrdsError",
    "CrdsLookupError",
    "CrdsNetworkError",
    "CrdsUnknownInstrumentError",
    "CrdsUnknownReftypeError",
    "ServiceError",
    "__version__",
    "assign_bestrefs",
    "get_context_name",
    "get_default_context",
    "getrecommendations",
    "getreferences",
    "locate_file",
    "locate_mapping",
    "sync",
]
