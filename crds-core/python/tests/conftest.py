"""What the tests share: the bundled cache, the data that is not part of the project, servers."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import socketserver
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
PROJECT = PACKAGE.parents[1]
FIXTURES = PROJECT / "tests/fixtures"
ACS = {
    "INSTRUME": "ACS",
    "DETECTOR": "WFC",
    "CCDAMP": "C",
    "CCDGAIN": 2.0,
    "DATE-OBS": "2017-01-15",
    "TIME-OBS": "00:00:00",
}


@pytest.fixture(autouse=True)
def settings(monkeypatch, tmp_path):
    """No test sees the settings of whoever runs it; the cache is an empty one that the bundled files fill."""
    for name in [name for name in os.environ if name.startswith("CRDS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "cache"))
    monkeypatch.setenv("CRDS_OBSERVATORY", "hst")
    for variable, folder in [("CONFIG", "config"), ("MAPPING", "mappings"), ("REFERENCE", "references")]:
        monkeypatch.setenv(f"CRDS_{variable}_URI", str(FIXTURES / "crds" / folder / "hst"))
    return monkeypatch


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def data():
    """The real rules and the recorded answers."""
    folder = os.environ.get("CALDP_TEST_DATA")
    if not folder:
        pytest.skip("needs CALDP_TEST_DATA, the directory of real rules and recorded answers")
    return Path(folder)


@pytest.fixture
def manifest():
    return json.loads((FIXTURES / "manifest.json").read_text())


@pytest.fixture
def raw(tmp_path):
    """Unpacks the raw files of a bundled dataset."""

    def unpack(dataset: str) -> Path:
        folder = tmp_path / "raw" / dataset
        folder.mkdir(parents=True)
        with tarfile.open(FIXTURES / f"raw/{dataset}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        return folder

    return unpack


def python(code: str, **env: str) -> str:
    """What a Python of its own prints."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], env={**os.environ, **env}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


@pytest.fixture
def trickle():
    """A web server that gives the bundled references byte by byte: a stand-in for a bad network."""
    asked = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = (FIXTURES / "crds/references/hst" / self.path.rsplit("/", 1)[-1]).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            asked.set()
            with contextlib.suppress(OSError):
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.02)

        def log_message(self, *_):
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.asked = asked
    server.url = f"http://127.0.0.1:{server.server_port}/"
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def programs(tmp_path):
    """A folder with `calacs.e`: the real one of CALDP_TEST_HSTCAL, else a stand-in that ends as it does."""
    folder = tmp_path / "programs"
    folder.mkdir()
    real = os.environ.get("CALDP_TEST_HSTCAL")
    if real:
        shutil.copy(Path(real) / "calacs.e", folder)
    else:
        stand_in = PROJECT / "tests/standins/hstcal.py"
        script = folder / "calacs.e"
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -B {stand_in} calacs.e "$@"\n')
        script.chmod(0o755)
    return folder
