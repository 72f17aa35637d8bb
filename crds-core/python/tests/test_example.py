"""The example of the documentation, run as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from conftest import PACKAGE


def test_a_dataset_is_calibrated_as_the_example_says(raw, programs, cache):
    folder = raw("j8cb010b0")
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-B", PACKAGE / "examples/hst.py", "j8cb010b0_asn.fits"],
        cwd=folder, env=env, capture_output=True, text=True, errors="replace",
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "j8cb01u2q_flt.fits").exists() and (folder / "j8cb010b1_crj.fits").exists()
    assert "j8cb01u2q_raw.fits: darkfile zz900006j_drk.fits" in done.stdout
    assert any(cache.rglob("zz900006j_drk.fits"))


def test_the_page_on_pypi_says_what_holds(cache):
    text = (PACKAGE / "README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    done = subprocess.run([sys.executable, "-B", "-c", "".join(blocks)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any(cache.rglob("zz900097j_drk.fits"))
