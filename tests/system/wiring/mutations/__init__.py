"""Each rule broken once: what is changed in a plan, and the rule that has to notice. A rule nobody can break proves
nothing."""

from . import code, cost, grants, reach, safety, watch
from .change import MUTATIONS

__all__ = ["MUTATIONS", "code", "cost", "grants", "reach", "safety", "watch"]
