"""`stpipe` on this package beside `stpipe` on Python CRDS: the same answers, the same exceptions."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import python

import crds_core

ASK = Path(__file__).with_name("ask_stpipe.py")
# Types that are asked of each header at most, and headers of each observatory: Python takes 3 ms for one type.
HEADERS = {"jwst": 30, "roman": 30}


@pytest.fixture(scope="module")
def cache(tmp_path_factory, data):
    """The real rules, and an empty file for every reference they can give."""
    folder = tmp_path_factory.mktemp("cache")
    for part in ("config", "mappings"):
        (folder / part).symlink_to(data / "crds-cache" / part)
    settings = {"CRDS_PATH": str(data / "crds-cache"), "CRDS_READONLY_CACHE": "1"}
    for observatory in HEADERS:
        code = f"import crds_core; print(*crds_core.Context(None, {observatory!r}).references())"
        for name in ("CRDS_CONFIG_URI", "CRDS_MAPPING_URI", "CRDS_REFERENCE_URI", "CRDS_OBSERVATORY"):
            settings[name] = ""
        references = folder / "references" / observatory
        mode = (data / f"crds-cache/config/{observatory}/ref_cache_subdir_mode").read_text().strip()
        for name in python(code, **settings).split():
            parent = references if mode == "flat" else references / name.split("_")[1]
            parent.mkdir(parents=True, exist_ok=True)
            (parent / name).touch()
    return folder


def questions(data, observatory):
    """Headers as `stpipe` gives them, one question for each type and one for several at once."""
    context = {"jwst": "jwst_0541.pmap", "roman": "roman_0004.pmap"}[observatory]
    with gzip.open(data / f"oracle/{observatory}_bestrefs_dev.jsonl.gz", "rt") as file:
        lines = [json.loads(line) for line in file]
    lines = [line for line in lines if line["context"] == context and line["path"] == "std"]
    failing = [line for line in lines if "error" in line][:5]
    usual = [line for line in lines if "error" not in line]
    for line in usual[:: max(1, len(usual) // HEADERS[observatory])] + failing:
        header = {key.lower(): value for key, value in line["header"].items()}
        types = sorted(line.get("bestrefs", ["flat"]))
        for name in types:
            yield "get_reference_file", [header, name, observatory]
        found = [name for name, value in line.get("bestrefs", {}).items() if not str(value).startswith("NOT FOUND ")]
        yield "get_multiple_reference_paths", [header, found, observatory]


def odd_questions(header, observatory):
    """What goes wrong, and what is not a lookup."""
    for function in ("get_reference_file", "get_multiple_reference_paths"):
        many = function.startswith("get_multiple")
        for name in ("no-such-type", "pars-flatfieldstep", "FLAT"):
            yield function, [header, [name] if many else name, observatory]
        yield function, [[], ["flat"] if many else "flat", observatory]
        yield function, [header, ["flat"] if many else "flat", "keck"]
        yield function, [{}, ["flat"] if many else "flat", observatory]
        yield function, [{**header, "more": [1], "none": None}, ["flat"] if many else "flat", observatory]
    yield "get_multiple_reference_paths", [header, [], observatory]
    yield "get_override_name", ["a-b"]
    yield "get_override_name", ["flat"]
    yield "get_context_used", [observatory]
    for uri in ("crds://jwst_miri_flat_0177.fits", "jwst_miri_flat_0177.fits", "crds://x/y.fits"):
        yield "reference_uri_to_cache_path", [uri, observatory]
    yield "check_reference_open", ["N/A"]
    yield "check_reference_open", ["/no/such/file"]
    for context in (None, "latest", f"{observatory}-edit", f"{observatory}-operational", "nonsense"):
        yield "crds.get_context_name", [observatory, context]
    for context in ("what", f"{observatory}_9942.pmap"):
        for function in ("crds.getreferences", "crds.getrecommendations"):
            yield function, [header, ["flat"], context, False, observatory]
    yield "crds.getrecommendations", [header, "flat", None, False, observatory]
    yield "crds.getrecommendations", [header, [1], None, False, observatory]


@pytest.mark.parametrize("observatory", list(HEADERS))
def test_stpipe_gets_what_it_gets_from_python_crds(data, cache, tmp_path, observatory):
    asked = list(questions(data, observatory))
    asked += odd_questions(asked[0][1][0], observatory)
    # Python CRDS gives types that the rules omit a KeyError, like any that has no answer.
    path = tmp_path / "questions.json"
    path.write_text(json.dumps(asked))
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CRDS_")},
        "CRDS_PATH": str(cache),
        "CRDS_READONLY_CACHE": "1",
        # The references are stand-ins: empty files.
        "CRDS_DOWNLOAD_LENGTHS": "0",
    }
    runs = [
        subprocess.Popen([sys.executable, "-B", ASK, whose, path], env=env, stdout=subprocess.PIPE)
        for whose in ("ours", "theirs")
    ]
    said = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    ours, theirs = (json.loads(text) for text in said)
    assert len(ours) == len(theirs) == len(asked)
    differences = [item for item in zip(asked, ours, theirs) if item[1] != item[2]]
    assert not differences, (len(differences), [(q[0], q[1][1:], o, t) for q, o, t in differences[:8]])
    # Not all of the same kind, or nothing was compared.
    kinds = [next(iter(answer)) for answer in theirs]
    assert kinds.count("value") > 50 and kinds.count("error") > 50, kinds


def test_install_refuses_once_the_python_client_was_imported():
    code = """
import crds, crds.core.log
from crds_core import compat
assert not compat.is_installed()
try:
    compat.install()
except RuntimeError as error:
    print(error)
assert not compat.is_installed() and crds.__version__ == "14.0.3"
"""
    said = python(code, CRDS_PATH="/nowhere")
    assert "crds/__init__.py) was imported before crds_core.compat.install()" in said
    assert "call install() first" in said


def test_installed_modules_are_those_that_programs_import():
    code = """
from crds_core import compat
compat.install(); compat.install()
assert compat.is_installed()
import crds, crds_core
import crds.core.heavy_client
from crds import CrdsError, getreferences
from crds.core import config, crds_cache_locking, exceptions, heavy_client, log
from crds.core.exceptions import CrdsLookupError
assert exceptions is crds_core.exceptions and crds.CrdsError is crds_core.CrdsError
assert getreferences is crds_core.getreferences
with crds_cache_locking.get_cache_lock():
    pass
for missing in (lambda: crds.certify, lambda: config.get_uri, lambda: log.divider):
    try:
        missing()
    except AttributeError as error:
        print(error)
try:
    import crds.certify
except ModuleNotFoundError as error:
    print(error)
"""
    said = python(code)
    assert said.count("crds_core.compat") == 3 and "No module named 'crds.certify'" in said


def test_messages_go_where_the_python_client_puts_them(tmp_path):
    (tmp_path / "x.fits").write_text("nothing")
    code = f"""
import io, logging
from crds_core import compat
compat.install()
from crds.core import log
import crds
stream = io.StringIO()
log.remove_console_handler()
assert log.THE_LOGGER.console is None
handler = log.add_stream_handler(stream)
assert crds.assign_bestrefs([{str(tmp_path / 'x.fits')!r}], context="hst_9001.pmap") == 1
log.info("one", 2)
log.verbose("not this")
log.set_verbose(50)
log.verbose("this")
assert log.errors() == 1 and log.status() == (1, 0, 1), log.status()
log.set_log_time(True)
log.warning("late")
print(stream.getvalue())
"""
    lines = python(code).splitlines()
    assert lines[0].startswith("CRDS - ERROR -  ") and "x.fits" in lines[0]
    assert lines[1:3] == ["CRDS - INFO -  one 2", "CRDS - DEBUG -  this"]
    assert lines[3].endswith(" - CRDS - WARNING -  late") and lines[3][0] == "2"


def test_functions_have_the_signatures_of_the_python_client():
    code = """
import inspect, json, sys
if sys.argv[1:] or {ours}:
    from crds_core import compat
    compat.install()
import crds
from crds.core import config, heavy_client, log
functions = [crds.getreferences, crds.getrecommendations, crds.get_context_name, crds.get_default_context,
    crds.assign_bestrefs, crds.locate_mapping, heavy_client.get_processing_mode, config.pop_crds_uri]
said = {{}}
for function in functions:
    function = getattr(function, "uncached", function)
    parameters = inspect.signature(function).parameters.values()
    said[function.__name__] = [[p.name, repr(p.default)] for p in parameters]
print(json.dumps(said))
"""
    ours, theirs = (json.loads(python(code.format(ours=ours), CRDS_PATH="/nowhere")) for ours in (True, False))
    assert ours == theirs


def test_exceptions_are_those_of_the_python_client():
    code = """
import json
from {module} import exceptions
classes = {{name: value for name, value in vars(exceptions).items() if isinstance(value, type)}}
print(json.dumps({{name: [c.__name__ for c in value.__mro__] for name, value in classes.items()}}))
"""
    ours, theirs = (json.loads(python(code.format(module=module))) for module in ("crds_core", "crds.core"))
    assert ours == theirs
    assert repr(crds_core.CrdsError("a", 1)) == "CrdsError('a 1')"
