"""The programs ``crds``, ``crds_s3_get`` and ``crds_s3_set``: which of them is told by its name."""

from __future__ import annotations

import signal
import sys

from . import _native


def main() -> int:
    """Runs the program that this process was started as. Gives the exit status."""
    return run(sys.argv)


def run(arguments: list[str]) -> int:
    """Runs the program with these arguments, the first its name."""
    # The program ends by Ctrl-C on its own; Python's handler would add an exception to it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.run_command(arguments)
