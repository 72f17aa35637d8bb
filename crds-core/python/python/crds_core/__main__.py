"""``python -m crds_core`` is the program ``crds``."""

import sys

from ._command import run

sys.exit(run(["crds", *sys.argv[1:]]))
