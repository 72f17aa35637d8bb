"""The image as people run it: with the wrappers of docker/bin, as somebody who is not root and has no name."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws import PYTHON, start_moto
from engine import Engine
from image import IMAGE, LAMBDA_IMAGE
from progress import HERE, ROOT, Failed, Progress, run, set_up, show_end

DATASET = "lbgu17qnq"
IMAGE_DATASET = "ib8t02a3q"
FIXTURES = ROOT / "tests/fixtures"
SPECTRUM = f"data/cos/{DATASET}/{DATASET}_x1d.fits"
# Nobody of this machine has it.
NAMELESS = 12345


class Caller:
    """Somebody who may use the engine, with a home and a cache of CRDS."""

    def __init__(self, progress: Progress, engine: Engine) -> None:
        self._progress, self._engine = progress, engine
        self.uid = NAMELESS if os.getuid() == 0 else os.getuid()
        # On a path the caller may enter, with nothing of this machine's in it.
        progress.scratch.chmod(0o755)
        if engine.directory:
            engine.directory.chmod(0o755)
        self.home = progress.scratch / "home"
        self.cache = progress.scratch / "cache"
        for folder in (self.home / "inputs", self.home / ".aws"):
            folder.mkdir(parents=True)
        (self.home / ".aws/config").write_text("[default]\nregion = us-east-1\n")
        shutil.copy(FIXTURES / f"raw/{DATASET}.tar.gz", self.home / "inputs")
        shutil.copytree(FIXTURES / "crds", self.cache)
        self.owns(self.home, self.cache)

    def owns(self, *paths: Path) -> None:
        if os.getuid() == 0:
            run("chown", "-R", f"{self.uid}:{self.uid}", *paths)

    def run(self, command: str, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, lacks: tuple[str, ...] = (),
            **settings: str) -> subprocess.CompletedProcess[str]:
        """Calls a wrapper in a directory. No server can be reached unless `env` says so: the cache is complete,
        and the context is named."""
        env = {**(env or os.environ), **self._engine.own, "CRDS_CONTEXT": "hst_9001.pmap",
               "CALDP_ENGINE": self._engine.client, "CALDP_DOCKER_IMAGE": IMAGE, "CALDP_DOCKER_RUN_PARS": "--rm --network host", **settings}
        for name in lacks:
            env.pop(name, None)
        options: dict[str, Any] = {}
        if os.getuid() == 0:
            socket = self._engine.socket()
            group = socket.stat().st_gid if socket.exists() else os.getgid()
            options = {"user": self.uid, "group": self.uid, "extra_groups": [group]}
            env["HOME"] = str(self._progress.scratch)
        return run(ROOT / "docker/bin" / command, *arguments, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                   **options)

    def pipeline(self, what: str, *arguments: str, cwd: Path, **settings: Any) -> None:
        """Calibrates a dataset, or fails as `what`."""
        done = self.run("caldp-docker-run-pipeline", *arguments, cwd=cwd, **settings)
        if done.returncode:
            log = self._progress.log("run")
            log.write_text(done.stdout)
            show_end(log, 40)
            raise Failed(what)


def use(progress: Progress, engine: Engine) -> None:
    """Everything a reader of the manual is told to type."""
    caller = Caller(progress, engine)
    with_each_kind_of_cache(progress, caller)
    with_other_paths(progress, caller)
    with_nothing_but_a_name(progress, caller)
    with_pictures(progress, caller)
    with_results_on_s3(progress, engine, caller)
    with_any_command(progress, engine, caller)


def with_each_kind_of_cache(progress: Progress, caller: Caller) -> None:
    results = caller.home / "results"
    for mode in ("1", "0"):
        shutil.rmtree(results, ignore_errors=True)
        caller.pipeline(f"a run with CRDS_READONLY_CACHE={mode}", DATASET, "file:inputs", "file:results", cwd=caller.home,
                        CRDS_PATH=str(caller.cache), CRDS_READONLY_CACHE=mode)
        expect_file(results / SPECTRUM, "there is no spectrum")
        if not (results / "messages/dataset-processed" / DATASET).exists():
            raise Failed("there is no message")
        foreign = [str(path) for top in (caller.home, caller.cache) for path in [top, *top.rglob("*")] if path.lstat().st_uid != caller.uid]
        if foreign:
            raise Failed(f"these files are not the caller's: {foreign[:5]}")
        progress.say(f"a dataset is calibrated with CRDS_READONLY_CACHE={mode}; every file is the caller's")


def with_other_paths(progress: Progress, caller: Caller) -> None:
    """Relative and absolute names of the directories; an absolute path below CALDP_HOME is translated."""
    home, results = caller.home, caller.home / "results"
    shutil.rmtree(results)
    caller.pipeline("a run with relative directories", DATASET, f"file:{home}/inputs", f"file:{results}", cwd=progress.scratch,
                    CALDP_HOME="home", CRDS_PATH="cache")
    expect_file(results / SPECTRUM, "an absolute path below CALDP_HOME is not translated")
    for path in ("/etc", "../inputs", "inputs/../.."):
        done = caller.run("caldp-docker-run-pipeline", DATASET, f"file:{path}", cwd=home, CRDS_PATH=str(caller.cache))
        if done.returncode == 0:
            raise Failed(f"file:{path} was accepted")
        if "hint: CALDP_HOME" not in done.stdout:
            raise Failed(f"file:{path} was refused without a hint: {done.stdout}")
    progress.say("relative paths are mapped, others refused")


def with_nothing_but_a_name(progress: Progress, caller: Caller) -> None:
    """Loose files in the current directory, the cache in crds_cache."""
    bare = progress.scratch / "bare"
    bare.mkdir()
    with tarfile.open(FIXTURES / f"raw/{DATASET}.tar.gz") as archive:
        archive.extractall(bare, filter="data")
    shutil.copytree(caller.cache, bare / "crds_cache")
    caller.owns(bare)
    caller.pipeline("a run with nothing but a name", DATASET, cwd=bare)
    expect_file(bare / SPECTRUM, "with nothing but a name there is no spectrum")
    progress.say("the name of a dataset is enough")


def with_pictures(progress: Progress, caller: Caller) -> None:
    """Previews of images and of a spectrum are pictures of something: nothing else looks at pixels in the image."""
    home, drawn = caller.home, caller.home / "drawn"
    image = home / f"inputs/{IMAGE_DATASET}.tar.gz"
    shutil.copy(FIXTURES / f"raw/{IMAGE_DATASET}.tar.gz", image)
    caller.owns(image)
    for dataset in (IMAGE_DATASET, DATASET):
        caller.pipeline(f"a run of {dataset} with pictures", dataset, "file:inputs", "file:drawn", cwd=home, CRDS_PATH=str(caller.cache))
    wanted = [drawn / f"data/wfc3/{IMAGE_DATASET}/previews/{IMAGE_DATASET}_{name}.jpg" for name in ("raw", "raw_thumb", "flt", "flt_thumb")]
    wanted += [drawn / f"data/cos/{DATASET}/previews/{DATASET}_{name}.png" for name in ("x1d", "x1d_thumb")]
    if not set_up("system") or run(PYTHON, "-B", HERE / "pictures.py", *wanted).returncode:
        raise Failed("the previews")
    progress.say(f"{len(wanted)} pictures show something")


def with_results_on_s3(progress: Progress, engine: Engine, caller: Caller) -> None:
    """The credentials of .aws in CALDP_HOME, references into an empty cache."""
    with start_moto(progress, engine.environment, LAMBDA_IMAGE) as moto:
        for step in ("prepare", "bucket"):
            moto.script("scenario.py", step, stdout=subprocess.DEVNULL, check=True)
        empty, credentials = progress.scratch / "empty", caller.home / ".aws/credentials"
        empty.mkdir()
        credentials.write_text("[default]\naws_access_key_id = testing\naws_secret_access_key = testing\n")
        caller.owns(empty, credentials)
        caller.pipeline("a run to S3", DATASET, "file:inputs", "s3://caldp-system/batch-22", "caldp-config-aws", cwd=caller.home,
                        env=moto.environment, lacks=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "CRDS_CONTEXT"),
                        CRDS_PATH=str(empty), CRDSBUCKET="s3://caldp-crds")
        if moto.script("scenario.py", "processed", "batch-22/", DATASET).returncode:
            raise Failed("the results on S3")
        if not any(path.stat().st_uid == caller.uid for path in empty.rglob("*.fits")):
            raise Failed("no reference is in the cache that may be written")
    progress.say("results go to S3 with the credentials of .aws; references stay in the cache that may be written")


def with_any_command(progress: Progress, engine: Engine, caller: Caller) -> None:
    """What people debug with."""
    container = "caldp-docker-run-container"
    told = caller.run(container, "sh", "-c", "cat ~/.aws/config; id -u; pwd", "sh", cwd=caller.home).stdout
    if told != f"[default]\nregion = us-east-1\n{caller.uid}\n/home/developer\n":
        raise Failed(f"{container}: {told}")
    written = caller.run(container, "touch", "/grp/crds/cache/x", cwd=caller.home, CRDS_PATH=str(caller.cache), CRDS_READONLY_CACHE="1")
    if written.returncode == 0:
        raise Failed("the read-only cache can be written")
    status = caller.run(container, "sh", "-c", "exit 23", cwd=caller.home).returncode
    if status != 23:
        raise Failed(f"the exit status of a command is lost: {status}")
    env = {**engine.environment, "CALDP_ENGINE": engine.client, "CALDP_DOCKER_IMAGE": IMAGE}
    if run("docker/bin/caldp-image-push", env=env, stderr=subprocess.DEVNULL).returncode == 0:
        raise Failed("a test image can be pushed")
    progress.say("any command runs with the caller's mounts")


def expect_file(path: Path, otherwise: str) -> None:
    if not path.is_file() or not path.stat().st_size:
        raise Failed(otherwise)
