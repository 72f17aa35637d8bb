"""The directory of an instance in which its jobs share references, on the machine of the test's engine: what an
instance makes at its start is made here by a container, and each reference must have been read from S3 once."""

import re
from collections import Counter
from pathlib import Path
from types import TracebackType

from engine import Engine
from image import IMAGE
from progress import Failed, Progress


class SharedReferences:
    """The directory, as the job definitions mount it; removed at the end."""

    def __init__(self, progress: Progress, engine: Engine, directory: Path) -> None:
        self._progress, self._engine, self._directory = progress, engine, directory

    def __enter__(self) -> "SharedReferences":
        self._as_root("install", "--directory", "--mode=1777", "/parent/" + "/".join(self._directory.parts[-2:]))
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._as_root("rm", "-r", f"/parent/{self._directory.parts[-2]}")

    def check(self, log: Path) -> None:
        """Whether the jobs until now shared what they read, by the emulator's log of requests."""
        there = self._as_root("ls", "/parent/" + "/".join(self._directory.parts[-2:])).split()
        shared = {name for name in there if not name.endswith(".lock")}
        read = Counter(re.findall(r'GET /caldp-crds/references/hst/(\S+?)(?:\?\S*)? HTTP', log.read_text()))
        if not shared or shared != set(read):
            raise Failed(f"references that were read from S3 and are not shared: {sorted(set(read) - shared)}, of {len(read)}")
        if again := sorted(name for name, count in read.items() if count > 1):
            raise Failed(f"references that jobs of one machine read from S3 again: {again}")
        self._progress.say(f"references: {len(shared)}, each read from S3 once for all jobs of the machine")

    def _as_root(self, *command: str) -> str:
        parent = self._directory.parent.parent
        return self._engine.output("run", "--rm", "--network", "none", "--user", "0", "--volume", f"{parent}:/parent", IMAGE, *command)
