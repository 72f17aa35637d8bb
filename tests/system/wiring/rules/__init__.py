"""What must hold between the infrastructure and the programs, by subject."""

from . import code, cost, grants, reach, safety, watch
from .world import RULES, World

__all__ = ["RULES", "World", "code", "cost", "grants", "reach", "safety", "watch"]
