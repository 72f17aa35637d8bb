"""The rules, and that each of them can be broken."""

import copy
import json
import re
from pathlib import Path
from typing import Any

from . import calls
from .mutations import MUTATIONS
from .plan import Plan
from .rules import RULES, World

HERE = Path(__file__).parent.parent
ROOT = HERE.parent.parent
PAGES = ["worker/ENVIRONMENT.md", "crds-core/ENVIRONMENT.md"]


def world(plan: Plan) -> World:
    """A plan beside what the programs expect."""
    contract: dict[str, Any] = json.loads((HERE / "contract.json").read_text())
    variables = {name for page in PAGES for name in re.findall(r"^\| `([A-Z0-9_]+)`", (ROOT / page).read_text(), re.MULTILINE)}
    return World(plan, contract, calls.load(HERE / "calls.json"), variables)


def faults(of: World) -> list[str]:
    """What is wrong with a plan."""
    return [f"{of.plan.name}: {name}: {fault}" for name, rule in RULES.items() for fault in rule(of)]


def blind_spots(of: World) -> list[str]:
    """What rules do not notice: of a plan in which nothing is wrong."""
    missed = [f"nothing breaks {name}" for name in RULES if name not in {rule for rule, _, _ in MUTATIONS}]
    for rule, how, change in MUTATIONS:
        broken = copy.deepcopy(of)
        change(broken)
        if not list(RULES[rule](broken)):
            missed.append(f"{rule} does not notice: {how}")
    return missed
