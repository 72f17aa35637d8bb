#!/usr/bin/env python3
"""The whole system as one: the image built, the infrastructure applied, a list dropped into the bucket,
the Lambda really invoked, the jobs really run in containers, their products looked at.

    run.py image        what is in the image, and how people run it
    run.py infra        the infrastructure validated, scanned, compared with the programs, applied, destroyed
    run.py system       all of it together, against moto
    run.py localstack   the worker and the Lambda against a second emulator
    run.py permissions  what each role may do, against an emulator that enforces it
    run.py page         the pages of a batch in a headless Chromium
    run.py all          these six, with one build, one image and one engine for all

CALDP_WORKER and CALDP_TRIGGER_ZIP name binaries that are built already. TF_PLUGIN_DIR holds a
Terraform provider where none can be downloaded. What cannot run here is left out loudly, and the last
line counts it as skipped, never as passed.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from functools import cached_property
from pathlib import Path

from aws import CREDENTIALS, find_python_313, start_fakecloud, start_localstack, start_moto
from engine import Engine, need_engine
from image import BUSYBOX, IMAGE, LAMBDA_IMAGE, MADE_HERE, Image, Programs
from infra import Terraform, empty_function, scan
from page import look_at_pages
from permissions import DATASET, OUTPUT, Permissions
from progress import Failed, LeftOut, Progress, logged, set_up, show_end
from sharing import SharedReferences
from use import use

PARTS = ["page", "image", "infra", "system", "localstack", "permissions"]
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class System:
    """The parts, and what they share: made when the first one needs it."""

    def __init__(self, progress: Progress, parts: list[str]) -> None:
        self.progress, self.parts = progress, parts

    @cached_property
    def engine(self) -> Engine:
        return need_engine(self.progress)

    @cached_property
    def programs(self) -> Programs:
        return Programs(self.progress)

    @cached_property
    def image(self) -> Image:
        return Image(self.progress, self.engine, self.programs)

    @cached_property
    def terraform(self) -> Terraform:
        return Terraform(self.progress)

    def test_page(self) -> None:
        look_at_pages(self.progress, self.programs.worker)

    def test_image(self) -> None:
        image = self.image
        self.progress.step("look into it")
        image.look_inside()
        self.progress.step("run it")
        use(self.progress, self.engine)
        self.progress.step("the image on another base")
        image.build_on_pipeline()

    def test_infra(self) -> None:
        terraform = self.terraform
        self.progress.step("validate and scan")
        terraform.validate()
        scan(self.progress)
        with start_moto(self.progress, dict(os.environ), LAMBDA_IMAGE) as moto:
            function = empty_function(self.progress)
            terraform.check_wiring(moto, IMAGE, function)
            # The system test applies and destroys it as well, with the real image and Lambda in it.
            if "system" not in self.parts:
                terraform.applied(moto, IMAGE, function).destroy()

    def test_system(self) -> None:
        terraform, image = self.terraform, self.image
        self.progress.step("start moto")
        image.build_for_lambda()
        with start_moto(self.progress, self.engine.environment, LAMBDA_IMAGE) as moto:
            applied = terraform.applied(moto, IMAGE, image.programs.zip)
            self.progress.step("a batch")
            with SharedReferences(self.progress, self.engine, applied.shared_references()) as shared:
                if moto.script("scenario.py", "run").returncode:
                    show_end(moto.log, 60, without='" 200 ')
                    raise Failed("the scenario")
                shared.check(moto.log)
                self.progress.step("other rules, and what they change processed again")
                operator = self.progress.scratch / "operator"
                operator.mkdir()
                if moto.script("reprocess.py", str(image.programs.worker), str(operator), applied.deployment()).returncode:
                    show_end(moto.log, 60, without='" 200 ')
                    raise Failed("what other rules change")
                applied.check_calls()
                # The test is worth something only if it fails with a worker that is broken.
                self.progress.step("a broken worker")
                image.break_worker()
                done = moto.script("scenario.py", "broken", stderr=subprocess.PIPE)
                if done.returncode == 0:
                    raise Failed("a broken worker went unnoticed")
                if "is not in the bucket" not in done.stderr:
                    raise Failed(f"the broken worker was noticed for another reason: {done.stderr}")
                self.progress.say(f"a broken worker is noticed: {done.stderr.splitlines()[-1]}")
                image.mend_worker()
            applied.destroy()

    def test_localstack(self) -> None:
        python = find_python_313()
        if python is None:
            raise LeftOut("LocalStack (needs Python 3.13, found neither on the PATH nor among pyenv's)")
        self.progress.step("install LocalStack")
        if not set_up("localstack", env={**os.environ, "CALDP_PYTHON": python}):
            raise Failed("LocalStack cannot be installed")
        image, scratch = self.image, self.progress.scratch
        self.progress.step("start LocalStack")
        with start_localstack(self.progress) as localstack:
            self.progress.step("a run of the worker, an event for the Lambda")
            localstack.script("smoke.py", "prepare", check=True)
            self.run_image(localstack.environment, "s3://caldp-system/data/smoke")
            bootstrap = scratch / "task/bootstrap"
            with zipfile.ZipFile(image.programs.zip) as file:
                file.extractall(bootstrap.parent)
            bootstrap.chmod(0o755)
            localstack.script("smoke.py", "check", str(bootstrap), check=True)

    def test_permissions(self) -> None:
        self.progress.step("install fakecloud")
        if not set_up("fakecloud"):
            raise LeftOut("fakecloud cannot be built here")
        terraform, image = self.terraform, self.image
        with start_moto(self.progress, dict(os.environ), LAMBDA_IMAGE) as moto:
            plan = terraform.plan("whose policies are enforced", moto, IMAGE, image.programs.zip)
            with_key = terraform.plan("with a key", moto, IMAGE, image.programs.zip, "-var", "everything=true")
        self.progress.step("start fakecloud")
        with start_fakecloud(self.progress) as fakecloud:
            permissions = Permissions(self.progress, fakecloud, plan)
            self.progress.step("a job, the Lambda and operators under their policies")
            permissions.check_job(lambda role: self.run_image(role, OUTPUT))
            permissions.check_people(image.programs.worker)
            permissions.check_news(image.programs.worker)
            permissions.check_trigger(image.programs.zip)
            permissions.check_invocation(image.programs.zip)
            permissions.check_keys(with_key)

    def run_image(self, credentials: dict[str, str], output: str) -> None:
        """One dataset, as a job of AWS Batch runs it, with the credentials of `credentials`."""
        shown = [f"CALDP_IMAGE={IMAGE}", "CRDSBUCKET=s3://caldp-crds", "CALDP_INPUT_URI=s3://caldp-inputs/raw",
                 *(name for name in CREDENTIALS if name in credentials)]
        variables = [word for variable in shown for word in ("--env", variable)]
        logged("a run of the image", self.progress.log("run"), self.engine.client, "run", "--rm", "--network", "host", *variables,
               IMAGE, "caldp-process-aws", output, DATASET, env={**credentials, **self.engine.own})

    def clean_up(self) -> bool:
        """Removes only what this test made; whether it left nothing behind."""
        engine = self.__dict__.get("engine")
        if engine is None:
            return True
        clean = True
        image = self.__dict__.get("image")
        for name in MADE_HERE:
            for container in engine.containers_of(name):
                self.progress.say(f"a container was left behind and is removed: {container}")
                engine.quietly("rm", "--force", container)
                clean = False
            if not engine.is_ours:
                engine.quietly("image", "rm", name)
        if image is not None and image.tagged_busybox and not engine.is_ours:
            engine.quietly("image", "rm", BUSYBOX)
        try:
            engine.stop()
        except Failed as problem:
            self.progress.say(str(problem))
            return False
        return clean


def main() -> int:
    what = sys.argv[1] if len(sys.argv) > 1 else "system"
    if what not in [*PARTS, "all"]:
        print(f"run.py: unknown test '{what}'", file=sys.stderr)
        return 2
    parts = PARTS if what == "all" else [what]
    for number in SIGNALS:
        signal.signal(number, lambda *_: sys.exit(130))
    scratch = Path(tempfile.mkdtemp(prefix="caldp-system."))
    progress = Progress(what, scratch)
    system = System(progress, parts)
    status, passed, to_run = 1, 0, list(parts)
    try:
        while to_run:
            progress.part = to_run.pop(0)
            try:
                getattr(system, f"test_{progress.part}")()
                passed += 1
            except LeftOut as problem:
                progress.leave_out(str(problem))
        status = 0
    except (Failed, subprocess.CalledProcessError) as problem:
        progress.say(f"FAILED: {problem}")
    except SystemExit as interrupted:
        status = int(str(interrupted.code))
    finally:
        progress.part = ""
        progress.step("clean up")
        if not system.clean_up():
            status = status or 1
        progress.step("")
        progress.tell_times()
        shutil.rmtree(scratch, ignore_errors=True)
        left_out = f"; SKIPPED: {', '.join(progress.left_out)}" if progress.left_out else ""
        if status == 0:
            progress.say(f"done in {progress.seconds()} s{left_out}")
        else:
            progress.say(f"failed after {progress.seconds()} s; not run: {' '.join(to_run) or 'nothing'}")
        print(f"{what}: {passed} passed, {int(status != 0)} failed, {len(progress.left_out)} skipped", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
