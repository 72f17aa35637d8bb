"""Waiting: other threads go on meanwhile, and Ctrl-C ends it soon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from conftest import ACS

import crds_core

# A shell's background job ignores the signal, and so would this program of a test run in one.
FETCH = """
import crds_core, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
print("begun", flush=True)
try:
    crds_core.getreferences({header!r}, ["ccdtab"], observatory="hst")
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_a_download_within_a_second(trickle, settings, cache):
    settings.setenv("CRDS_REFERENCE_URI", trickle.url)
    code = FETCH.format(header=ACS)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert trickle.asked.wait(60)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            sent = time.monotonic()
            said, _ = process.communicate(timeout=30)
            took = time.monotonic() - sent
        finally:
            process.kill()
    assert said == "begun\ninterrupted\n"
    assert process.returncode == 0
    # The promise is a second; a machine that is busy with other tests may stop everything for longer.
    assert took < 5
    left = [path for path in (cache / "references").rglob("*") if path.is_file()]
    assert not left, left


def test_other_threads_go_on_during_a_download(trickle, settings):
    settings.setenv("CRDS_REFERENCE_URI", trickle.url)
    ended = threading.Event()

    def fetch():
        crds_core.getreferences(ACS, ["ccdtab"], observatory="hst")
        ended.set()

    threading.Thread(target=fetch, daemon=True).start()
    assert trickle.asked.wait(60)
    # A thread that never lets go of Python's lock would keep this one from counting.
    assert not ended.is_set()
    assert sum(range(100_000)) > 0
    assert not ended.is_set()


def test_the_program_ends_by_ctrl_c_as_programs_do(trickle, settings):
    settings.setenv("CRDS_REFERENCE_URI", trickle.url)
    command = [sys.executable, "-m", "crds_core", "sync", "--files", "zz900001j_ccd.fits"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        try:
            assert trickle.asked.wait(60)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130, said
