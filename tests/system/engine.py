"""A container engine for the tests: the one that runs, or else one of their own, started in a directory of
its own and stopped by its process id."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from progress import ROOT, Failed, LeftOut, Progress, output, run, set_up, show_end, stop

START_SECONDS = 30


def note(text: str) -> None:
    print(f"engine: {text}", file=sys.stderr, flush=True)


class Unavailable(Exception):
    """There is no engine, and why."""


class Engine:
    """A client and what it talks to."""

    def __init__(self) -> None:
        self.client = find_client()
        # What programs need to talk to the engine, besides what is set already.
        self.own: dict[str, str] = {}
        # Both only if the engine was started here.
        self.directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        if self.quietly("info"):
            note(f"using the one that runs ({os.environ.get('DOCKER_HOST', 'its usual socket')})")
        elif os.getuid() != 0:
            raise Unavailable("none runs, and starting one needs root")
        else:
            self._start()

    def _start(self) -> None:
        dockerd = shutil.which("dockerd") or shutil.which("/usr/sbin/dockerd")
        if dockerd is None:
            raise Unavailable("no dockerd")
        self.directory = folder = Path(tempfile.mkdtemp(prefix="caldp-engine."))
        host = f"unix://{folder}/docker.sock"
        self.own = {"DOCKER_HOST": host}
        # No bridge and no firewall rules: containers use the host's network, and nothing of the host changes.
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [dockerd, "--host", host, "--data-root", folder / "data", "--exec-root", folder / "exec",
                 "--pidfile", folder / "pid", "--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false",
                 "--storage-driver=overlay2", "--host-gateway-ip=127.0.0.1"],
                stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self.quietly("info"):
            if time.monotonic() > deadline or self._process.poll() is not None:
                show_end(folder / "log", 20)
                self.stop()
                raise Unavailable("it did not start")
            time.sleep(0.5)
        note(f"started one in {folder}")

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.own}

    @property
    def is_ours(self) -> bool:
        return self.directory is not None

    def socket(self) -> Path:
        host = self.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return Path(host.removeprefix("unix://"))

    def output(self, *arguments: str | Path, **options: Any) -> str:
        return output(self.client, *arguments, env=self.environment, **options)

    def quietly(self, *arguments: str | Path) -> bool:
        """Whether a command succeeds; what it says is nobody's business."""
        return run(self.client, *arguments, env=self.environment, capture_output=True).returncode == 0

    def inside(self, image: str, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command in an image, with nothing of this machine; its output is captured."""
        options = {"stdout": subprocess.PIPE, **options}
        return run(self.client, "run", "--rm", "--network", "none", image, *command, env=self.environment, **options)

    def build(self, tag: str, folder: Path, *options: str | Path) -> None:
        env = {**self.environment, "DOCKER_BUILDKIT": "1"}
        output(self.client, "build", "--quiet", *options, "--tag", tag, folder, env=env)

    def has_image(self, name: str) -> bool:
        return self.quietly("image", "inspect", name)

    def containers_of(self, image: str) -> list[str]:
        done = run(self.client, "ps", "--all", "--quiet", "--filter", f"ancestor={image}", env=self.environment, capture_output=True)
        return done.stdout.split()

    def base_image(self, name: str) -> None:
        """The base that the Dockerfile pins where it can be pulled; else one made from Debian's packages,
        for machines that reach no image registry."""
        if self.has_image(name):
            return
        dockerfile = (ROOT / "docker/Dockerfile").read_text()
        pinned = re.findall(r"^ARG DEBIAN_IMAGE=(.*)$", dockerfile, re.MULTILINE)[0]
        if run("timeout", "120", self.client, "pull", "--quiet", pinned, env=self.environment, capture_output=True).returncode == 0:
            self.output("tag", pinned, name)
            return
        archive = ROOT / "target/system/debian.tar"
        if not archive.is_file():
            make_debian(archive)
        self.output("import", archive, name)

    def stop(self) -> None:
        """Stops the engine if it was started here; it is an error that it leaves a process or a mount behind."""
        if self.directory is None or self._process is None:
            return
        stop(self._process)
        self._process = None
        # An engine that was killed does not unmount its own directory, nor does any engine take away the
        # name of the host's network that its containers used.
        for mount in ("data", "exec/netns/default"):
            run("umount", self.directory / mount, stderr=subprocess.DEVNULL)
        if left := processes_of(f"{self.directory}/"):
            raise Failed("\n".join(["the engine left these processes behind:", *left]))
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        if left := [mount for mount in mounts if mount.startswith(f"{self.directory}/")]:
            raise Failed("\n".join(["the engine left these mounts behind:", *left]))
        shutil.rmtree(self.directory)
        self.directory = None


def need_engine(progress: Progress) -> Engine:
    """An engine. Where this could have started one, its absence is a failure."""
    progress.step("start an engine")
    why = "tests/setup.sh engine failed"
    if set_up("engine"):
        try:
            return Engine()
        except Unavailable as problem:
            why = str(problem)
    note(why)
    if os.getuid() == 0:
        raise Failed("there is no container engine")
    raise LeftOut("no container engine runs, and only root can start one")


def find_client() -> str:
    """A client that can build with BuildKit: since version 23 that takes the buildx component."""
    for name in ("docker", "/usr/bin/docker"):
        client = shutil.which(name)
        if client is None:
            continue
        version = re.search(r"\d+", run(client, "--version", capture_output=True).stdout)
        old = version is not None and int(version[0]) < 23
        if old or run(client, "buildx", "version", capture_output=True).returncode == 0:
            return client
    raise Unavailable("no docker client that can build")


def make_debian(archive: Path) -> None:
    """An archive of Debian's smallest system, to be imported as an image."""
    if os.getuid() != 0:
        raise Failed("making a base image needs root")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="caldp-debian.") as folder:
        root, log = Path(folder) / "root", Path(folder) / "log"
        mirror = [os.environ["DEBIAN_MIRROR"]] if os.environ.get("DEBIAN_MIRROR") else []
        with log.open("w") as file:
            made = run("debootstrap", "--variant=minbase", "bookworm", root, *mirror, stdout=file, stderr=file)
        if made.returncode:
            show_end(log, 20)
            raise Failed("debootstrap makes no base image")
        root.chmod(0o755)
        part = archive.with_suffix(".tar.new")
        output("tar", "--directory", root, "--create", "--file", part, ".")
        part.rename(archive)


def processes_of(name: str) -> list[str]:
    """Those that have it in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended
        if name in command:
            found.append(f"{folder.name} {command}")
    return found
