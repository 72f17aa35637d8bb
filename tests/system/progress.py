"""How a system test goes on: what it says, the time of each step, what failed and what was left out.

Everything a test starts runs through here as well, so that a failure shows the end of its log.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/system"
RULE = "*" * 72


class Failed(Exception):
    """Something is not as it must be; the tests end here."""


class LeftOut(Exception):
    """The part that is under way cannot run on this machine."""


class Progress:
    """The parts that run, their steps, and a scratch directory that goes with the test."""

    def __init__(self, name: str, scratch: Path) -> None:
        self.name = name
        self.scratch = scratch
        self.part = ""
        self.left_out: list[str] = []
        self._started = self._step_started = time.monotonic()
        self._step = ""
        self._times: list[str] = []

    def say(self, text: str) -> None:
        print(f"{self.part or self.name}: {text}", file=sys.stderr, flush=True)

    def step(self, name: str) -> None:
        """What takes time from here on; an empty name ends the last step."""
        now = time.monotonic()
        if self._step:
            self._times.append(f"{now - self._step_started:5.0f} s  {self._step}")
        self._step = f"{self.part}: {name}" if self.part and name else name
        self._step_started = now

    def leave_out(self, why: str) -> None:
        """Says loudly that the part under way does not run."""
        self.left_out.append(f"{self.part}: {why}")
        print(f"{RULE}\nSKIPPED: {self.part}: {why}\n{RULE}", file=sys.stderr, flush=True)

    def tell_times(self) -> None:
        if self._times:
            self.say("time by step:")
            print("\n".join(self._times), file=sys.stderr, flush=True)

    def seconds(self) -> int:
        return round(time.monotonic() - self._started)

    def log(self, name: str) -> Path:
        return self.scratch / f"{name}.log"


def run(*command: str | Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command from the project's root, with what it writes as text; its status is the caller's business."""
    done: subprocess.CompletedProcess[str] = subprocess.run([str(word) for word in command], cwd=cwd, env=env, text=True, **options)
    return done


def output(*command: str | Path, **options: Any) -> str:
    """What a command that must succeed writes, without the last line's end."""
    done = run(*command, stdout=subprocess.PIPE, **options)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: status {done.returncode}")
    return done.stdout.rstrip("\n")


def logged(failure: str, log: Path, *command: str | Path, lines: int = 40, **options: Any) -> None:
    """Runs a command that must succeed, writing all it says into `log`; else its last lines are shown."""
    with log.open("w") as file:
        done = run(*command, stdout=file, stderr=subprocess.STDOUT, **options)
    if done.returncode:
        show_end(log, lines)
        raise Failed(failure)


def show_end(log: Path, lines: int, without: str = "\0") -> None:
    """The last lines of a log, but for those with a certain text."""
    last = log.read_text(errors="replace").splitlines()[-lines:]
    print("\n".join(line for line in last if without not in line), file=sys.stderr, flush=True)


def set_up(*parts: str, env: Mapping[str, str] | None = None) -> bool:
    """Whether tests/setup.sh installs these parts, or finds them installed."""
    return run("tests/setup.sh", *parts, env=env).returncode == 0


def environment(**changes: str) -> dict[str, str]:
    """This process's environment with changes."""
    return {**os.environ, **changes}


def stop(process: subprocess.Popen[bytes] | None) -> None:
    """Ends a server that was started here."""
    if process is not None:
        process.terminate()
        process.wait()
