"""Asks `stpipe.crds_client` the questions of a file, on Python CRDS or on this package; prints the answers.

    ask_stpipe.py ours|theirs QUESTIONS.json
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import warnings

warnings.simplefilter("ignore")
if sys.argv[1] == "ours":
    from crds_core import compat

    compat.install()

import crds  # noqa: E402
from stpipe import crds_client  # noqa: E402

logging.getLogger("CRDS").handlers.clear()


def answer(name, arguments):
    module = crds if name.startswith("crds.") else crds_client
    try:
        value = getattr(module, name.removeprefix("crds."))(*arguments)
    except BaseException as error:
        kind = type(error)
        known = {"error": kind.__name__, "is a CrdsError": isinstance(error, crds_client.CrdsError)}
        # Python CRDS ends the whole program where it cannot read its configuration, and stumbles over its own
        # answer where several rows match equally well: here both are errors of their own.
        if kind is SystemExit:
            known = {"error": "CrdsConfigError", "is a CrdsError": True}
        if kind is TypeError and "not tuple" in str(error):
            known = {"error": "CrdsLookupError", "is a CrdsError": True}
        return known
    return {"value": plain(value)}


def plain(value):
    """Answers without the texts of errors, which are free."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return ["several"]
    if isinstance(value, str) and value.startswith("NOT FOUND") and value not in ("NOT FOUND n/a", "NOT FOUND No match found."):
        return "NOT FOUND"
    return value


with open(sys.argv[2]) as file:
    questions = json.load(file)
with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
    answers = [answer(name, arguments) for name, arguments in questions]
json.dump(answers, sys.stdout)
