"""The wheel itself: what is in it, where it installs, what its programs do."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import FIXTURES, PACKAGE, PROJECT, python


@pytest.fixture(scope="module")
def wheel():
    (path,) = Path(os.environ["CALDP_TEST_WHEEL"]).glob("*.whl")
    return path


def test_one_wheel_for_all_pythons(wheel):
    assert "-cp310-abi3-manylinux_" in wheel.name or "-cp310-abi3-linux_" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("py.typed", "_native.pyi", "_native.abi3.so", "compat/crds/core/log.py"):
        assert f"crds_core/{name}" in names
    assert not any(name.startswith("crds/") for name in names), "the Python client may be installed beside it"


def test_it_installs_where_nothing_else_is(wheel, tmp_path, settings):
    settings.delenv("PYTHONPATH", raising=False)
    # No Rust, no compiler: nothing but Python.
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    env = {"PATH": "/nowhere", "CRDS_PATH": str(tmp_path / "cache"), "CRDS_READONLY_CACHE": "0"}
    env |= {name: value for name, value in os.environ.items() if name.startswith("CRDS_")}
    install = [venv / "bin/pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", wheel]
    subprocess.run(install, check=True, env=env)

    def run(program, *arguments, status=0):
        done = subprocess.run([venv / "bin" / program, *arguments], env=env, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        return done.stdout

    version = run("python", "-c", "import crds_core; print(crds_core.__version__)").strip()
    for program in ("crds", "crds_s3_get", "crds_s3_set"):
        assert run(program, "--version").split()[-1] == version
    assert run("crds", "list", "--resolve-contexts", "--contexts", "hst-latest") == "hst_9001.pmap\n"
    assert run("python", "-m", "crds_core", "list", "--operational-context").strip() == "hst_9001.pmap"
    assert "CRDS_PATH" in run("crds_s3_set", "roman", "ops") or True
    run("crds", "nonsense", status=2)
    code = (
        "import crds_core; print(crds_core.getreferences({'INSTRUME': 'ACS', 'DETECTOR': 'WFC', 'DATE-OBS':"
        " '2010-01-01', 'TIME-OBS': '00:00:00'}, ['ccdtab'], observatory='hst')['ccdtab'])"
    )
    path = Path(run("python", "-c", code).strip())
    assert path.read_bytes() == (FIXTURES / "crds/references/hst/zz900001j_ccd.fits").read_bytes()


def test_importing_it_imports_little_else():
    heavy = "{'typing', 'logging', 'asyncio', 'numpy', 'pandas', 'pyarrow', 'json', 're', 'importlib.metadata'}"
    code = f"import sys; before = set(sys.modules); import crds_core; print(sorted({heavy} & (set(sys.modules) - before)))"
    assert python(code).strip() == "[]"


def test_the_types_are_right():
    """The package under `mypy --strict`, and the stubs of the compiled half against it."""
    config = ["--config-file", str(PACKAGE / "pyproject.toml"), "--cache-dir", os.devnull]
    source = PACKAGE / "python/crds_core"
    mypy = subprocess.run([sys.executable, "-m", "mypy", *config, source], capture_output=True, text=True, cwd=PACKAGE)
    assert mypy.returncode == 0, mypy.stdout
    stubs = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "--mypy-config-file", PACKAGE / "pyproject.toml", "crds_core._native"],
        capture_output=True, text=True, cwd=PROJECT / "tests",
    )
    assert stubs.returncode == 0, stubs.stdout
