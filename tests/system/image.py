"""The image under test: its programs, how it is built, and what is in it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from engine import Engine
from progress import HERE, ROOT, Failed, Progress, logged, output, run

BASE = "caldp-test-base:bookworm"
IMAGE = "caldp:system"
BROKEN = "caldp:broken"
PIPELINE = "caldp-test-pipeline:stable"
ON_PIPELINE = "caldp:on-pipeline"
LAMBDA_IMAGE = "caldp-test-lambda:latest"
BUSYBOX = "busybox"
MADE_HERE = [IMAGE, BROKEN, LAMBDA_IMAGE, ON_PIPELINE, PIPELINE]

PROGRAMS = ["caldp", "caldp-process", "caldp-process-aws", "calcos", "calacs.e"]
NO_PLACE_FOR = ["cc", "gcc", "g++", "c++", "clang", "ld", "as", "make", "cmake", "cargo", "rustc", "gfortran", "pip", "pip3", "conda", "mamba",
                "micromamba", "git", "curl", "wget"]
SECRETS = r"(secret|password|token|api_?key|AKIA[0-9A-Z]{12}|BEGIN [A-Z ]*PRIVATE KEY)"
SECRET_FILES = r"""find / -xdev -type f \( -name "*.pem" -o -name "id_*" -o -name credentials -o -name ".netrc" -o -name "*.key" \) \
    -not -path "/etc/ssl/certs/*" -not -path "*/certifi/*" -not -path "/usr/share/*" """
PACKAGE_CACHES = "ls /var/lib/apt/lists/*Packages* /var/cache/apt/archives/*.deb ~root/.cache /home/developer/.cache 2>/dev/null"
SIZES = """du -xsm /opt/calibration /opt/programs /usr/local/bin/caldp /usr/lib /usr/share /usr/bin /var 2>/dev/null
    cd /opt/calibration/lib/python3*/site-packages && du -sm * | sort -rn | head -n 6"""


class Programs:
    """The static worker and the Lambda's zip, in one build of what both are made of, or as the environment names them."""

    def __init__(self, progress: Progress) -> None:
        host = output("rustc", "-vV").split("host: ")[1].split()[0]
        self.worker = Path(os.environ.get("CALDP_WORKER") or ROOT / f"target/{host}/release/caldp")
        self.zip = Path(os.environ.get("CALDP_TRIGGER_ZIP") or ROOT / "target/lambda/bootstrap.zip")
        if not os.environ.get("CALDP_WORKER") or not os.environ.get("CALDP_TRIGGER_ZIP"):
            progress.step("build the worker and the Lambda")
            if run("make", "--no-print-directory", "release", stdout=sys.stderr).returncode:
                raise Failed("make release")
        if not os.access(self.worker, os.X_OK):
            raise Failed(f"{self.worker} is not an executable file")
        if not self.zip.is_file() or not self.zip.stat().st_size:
            raise Failed(f"there is no {self.zip}")


class Image:
    """The image, from a local base, with the real calcos. Of HSTCAL and drizzlepac there are stand-ins: for WFC3
    those of the other tests, so that there are images to draw; the others only refuse."""

    def __init__(self, progress: Progress, engine: Engine, programs: Programs) -> None:
        self._progress, self._engine = progress, engine
        self.programs = programs
        self.tagged_busybox = False
        progress.step("a base image")
        engine.base_image(BASE)
        progress.step("build the image")
        stand_ins = progress.scratch / "stand-ins"
        stand_ins.mkdir()
        for name in ("calacs.e", "cs0.e"):
            executable(stand_ins / name, f'echo "{name} is not in this image" >&2\nexit 1')
        shutil.copytree(ROOT / "tests/standins", stand_ins / "python", ignore=shutil.ignore_patterns("__pycache__"))
        for name, script in (("calwf3.e", "hstcal.py"), ("runastrodriz", "drizzlepac.py")):
            executable(stand_ins / name, f'exec python3 -B /opt/programs/bin/python/{script} {name} "$@"')
        self._build(IMAGE, CALDP_TEST_PROGRAMS=str(stand_ins), CALDP_REQUIREMENTS="calcos", CAL_BASE_IMAGE="")
        self.id = engine.output("image", "inspect", "--format", "{{ .Id }}", IMAGE)
        progress.say("the image is built")

    def _build(self, name: str, **settings: str) -> None:
        """Builds as people do, but with the binary and the base of this test."""
        # What this machine trusts beyond Debian's authorities, the build has to trust as well.
        authorities = sorted(Path("/usr/local/share/ca-certificates").glob("*.crt"))
        extra = self._progress.scratch / "extra-ca.crt"
        extra.write_text("".join(path.read_text() for path in authorities))
        env = {**self._engine.environment, "CALDP_ENGINE": self._engine.client, "CALDP_DOCKER_IMAGE": name, "DEBIAN_IMAGE": BASE,
               "CSYS_VER": "", "CALDP_WORKER": str(self.programs.worker), "CALDP_EXTRA_CA": str(extra) if authorities else "", **settings}
        logged(f"the image {name} does not build", self._progress.log("build"),
               "docker/bin/caldp-image-build", "--network", "host", "--quiet", env=env)

    def build_on_pipeline(self) -> None:
        """Everything from a base image, which here is a stand-in for stsci/hst-pipeline: it has calcos where that
        has its programs, and neither a worker nor the user."""
        folder = dockerfile(
            self._progress, "pipeline", f"FROM {IMAGE}", "USER root",
            "RUN rm /usr/local/bin/caldp* && userdel developer && mkdir -p /opt/conda/envs && ln -s /opt/calibration /opt/conda/envs/linux")
        self._engine.build(PIPELINE, folder, "--network", "host")
        self._build(ON_PIPELINE, CALDP_TEST_PROGRAMS="", CAL_BASE_IMAGE=PIPELINE)
        question = 'command -v calcos; test -s "$SSL_CERT_FILE" && caldp --version >/dev/null && echo "$(id -un) $CSYS_VER"'
        told = self._engine.inside(ON_PIPELINE, "sh", "-c", question).stdout.split("\n")[:-1]
        if told != ["/opt/conda/envs/linux/bin/calcos", f"developer {PIPELINE}"]:
            raise Failed(f"the image on a base image says: {told}")
        self._progress.say("CAL_BASE_IMAGE gives an image with the base's programs")

    def break_worker(self) -> None:
        """Under the image's name one with a worker that does nothing and says it went well."""
        folder = dockerfile(self._progress, "broken", f"FROM {IMAGE}", "COPY --chmod=755 caldp /usr/local/bin/caldp")
        executable(folder / "caldp", "exit 0")
        self._engine.build(BROKEN, folder)
        self._engine.output("tag", BROKEN, IMAGE)

    def mend_worker(self) -> None:
        self._engine.output("tag", self.id, IMAGE)

    def build_for_lambda(self) -> None:
        """What moto runs Lambda functions in, and what it copies their code with."""
        self._engine.build(LAMBDA_IMAGE, HERE, "--build-arg", f"BASE={IMAGE}", "--file", HERE / "lambda.Dockerfile")
        if not self._engine.has_image(BUSYBOX):
            self._engine.output("tag", BASE, BUSYBOX)
            self.tagged_busybox = True

    def look_inside(self) -> None:
        self._check_secrets()
        self._check_programs()
        self._check_labels()
        listed = self._check_list_of_parts()
        self._progress.say(f"nothing is in the image that should not be; {listed} parts are listed")
        size = int(self._engine.output("image", "inspect", "--format", "{{ .Size }}", IMAGE))
        print(f"image: {size / 1e6:.0f} MB, of which")
        for line in self._engine.inside(IMAGE, "sh", "-c", SIZES).stdout.splitlines():
            megabytes, name = line.split(maxsplit=1)
            print(f"  {megabytes:>5} MB  {name}", flush=True)

    def _succeeds(self, script: str, **options: object) -> bool:
        return self._engine.inside(IMAGE, "sh", "-c", script, **options).returncode == 0

    def _check_secrets(self) -> None:
        history = self._engine.output("history", "--no-trunc", "--format", "{{ .CreatedBy }}", IMAGE)
        history += "\n" + self._engine.output("image", "inspect", IMAGE)
        if run("grep", "-E", "-i", SECRETS, input=history, stdout=sys.stderr).returncode == 0:
            raise Failed("the image's history has what looks like a secret")
        files = self._engine.inside(IMAGE, "sh", "-c", SECRET_FILES, stderr=subprocess.DEVNULL).stdout
        if files:
            raise Failed(f"the image has files named like secrets:\n{files}")
        if not self._succeeds(f"! {PACKAGE_CACHES}"):
            raise Failed("the image has package caches")
        if not self._succeeds('test -z "$(find / -xdev -type f -perm /6000)"', stderr=subprocess.DEVNULL):
            raise Failed("the image has programs that change the user")

    def _check_programs(self) -> None:
        for tool in NO_PLACE_FOR:
            if self._succeeds(f"command -v {tool}"):
                raise Failed(f"the image has {tool}")
        told = self._engine.inside(IMAGE, "sh", "-c", 'echo "$(id -un) $HOME $PWD"').stdout.strip()
        if told != "developer /home/developer /home/developer":
            raise Failed(f"user, home or directory: {told}")
        if not self._succeeds('test -s "$SSL_CERT_FILE"'):
            raise Failed("there are no certificate authorities")
        for name in PROGRAMS:
            if not self._succeeds(f"command -v {name}"):
                raise Failed(f"there is no {name} in the image")

    def _check_labels(self) -> None:
        labels = json.loads(self._engine.output("image", "inspect", "--format", "{{ json .Config.Labels }}", IMAGE))
        for label in ("title", "version", "revision", "created", "licenses"):
            if not labels.get(f"org.opencontainers.image.{label}"):
                raise Failed(f"the label {label} is missing")

    def _check_list_of_parts(self) -> int:
        env = {**self._engine.environment, "CALDP_ENGINE": self._engine.client, "CALDP_DOCKER_IMAGE": IMAGE}
        parts = output("docker/bin/caldp-image-sbom", env=env)
        for listed in ("pkg:deb/debian/python3", "pkg:pypi/calcos", "pkg:cargo/caldp-worker"):
            if f'"{listed}@' not in parts:
                raise Failed(f"the list of the image's parts lacks {listed}")
        return parts.count("bom-ref")


def executable(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def dockerfile(progress: Progress, name: str, *lines: str) -> Path:
    """A folder in the scratch directory with a Dockerfile of these lines."""
    folder = progress.scratch / name
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    return folder
