"""What ``crds.core`` is for those who import it."""

from crds_core import exceptions

from . import config, crds_cache_locking, heavy_client, log

__all__ = ["config", "crds_cache_locking", "exceptions", "heavy_client", "log"]
