#!/usr/bin/env python3
"""What the commands in docker/bin ask of the container engine.

The engine is a stand-in: a `docker` that writes its arguments down, one on each line, and succeeds.
The real engine is for tests/system/run.py image. Costs a few seconds.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BIN = Path(__file__).resolve().parents[1] / "docker/bin"
PIPELINE, CONTAINER = "caldp-docker-run-pipeline", "caldp-docker-run-container"
OFFSITE = "caldp-config-offsite"
STAND_IN = """#!/bin/sh
# A stand-in for a container engine: knows run, which images it has, and whether it is rootless.
case $1 in
    run) printf '%s\\n' "$@" >"$RECORD"; env >"$RECORD.env" ;;
    image)
        case "$*" in
            "image inspect caldp:latest") ;;
            *caldp.programs*) echo conda ;;
            *RepoDigests*) printf 'other/caldp@sha256:00\nregistry/caldp@sha256:11\n' ;;
            *) exit 1 ;;
        esac ;;
    push) echo "The push refers to repository" ;;
    build) printf '%s\n' "$@" >"$RECORD" ;;
    info) echo "[name=seccomp${ROOTLESS:+ name=rootless}]" ;;
    --version) echo 'Docker version 20.10.24' ;;
    *) exit 64 ;;
esac
"""


class Wrappers(unittest.TestCase):
    """A user with a home, who calls the wrappers in it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.home, self.outside, self.cache = (self.folder / name for name in ("home", "outside", "cache"))
        self.record = self.folder / "record"
        self.settings: dict[str, str] = {}
        for path in (self.home, self.outside, self.cache, self.folder / "bin"):
            path.mkdir()
        engine = self.folder / "bin/docker"
        engine.write_text(STAND_IN)
        engine.chmod(0o755)
        (self.folder / "bin/podman").symlink_to("docker")

    def call(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.record.unlink(missing_ok=True)
        env = {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "HOME": str(self.outside), "RECORD": str(self.record), "CALDP_ENGINE": "docker"}
        return subprocess.run([BIN / command, *arguments], cwd=self.home, env=env | self.settings, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)

    def runs(self, command: str, *arguments: str) -> None:
        """A call that succeeds and asks the engine for something."""
        done = self.call(command, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.said = done.stderr
        self.asked = self.record.read_text().splitlines()

    def ends(self, *words: str) -> None:
        """The last arguments that the engine got."""
        self.assertEqual(self.asked[-len(words):], list(words))

    def gets(self, *arguments: str) -> None:
        for argument in arguments:
            self.assertIn(argument, self.asked)

    def refuses(self, word: str | Path, command: str, *arguments: str) -> None:
        """Status 2, the word and a remedy on stderr, and nothing is run."""
        done = self.call(command, *arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(str(word), done.stderr)
        self.assertRegex(done.stderr, r"(?m)^caldp-docker-run-[a-z]*: (hint|usage): ")
        self.assertFalse(self.record.exists(), "the engine was called")

    def test_defaults_mounts_and_whose_files_they_will_be(self) -> None:
        self.runs(PIPELINE, "j8cb010b0")
        self.ends("caldp:latest", "caldp-process", "j8cb010b0", "file:.", "file:.", OFFSITE)
        self.gets(f"type=bind,source={self.home},target=/home/developer", f"type=bind,source={self.home}/crds_cache,target=/grp/crds/cache",
                  "CRDS_PATH=/grp/crds/cache", f"CALDP_CONFIG={OFFSITE}", f"{os.getuid()}:{os.getgid()}", "--rm", "--cap-drop", "no-new-privileges")

    def test_relative_paths_stay_and_absolute_ones_below_home_are_translated(self) -> None:
        home = self.home
        (self.folder / "link").symlink_to(home)
        link = self.folder / "link"
        for given, asked in [
            (["file:in", f"file:{home}/out", "caldp-config-aws"], ["file:in", "file:/home/developer/out", "caldp-config-aws"]),
            ([f"file://{link}/in put", f"file:{link}"], ["file:/home/developer/in put", "file:/home/developer", OFFSITE]),
            (["astroquery:", "s3://bucket/batch-22"], ["astroquery:", "s3://bucket/batch-22", OFFSITE]),
            ([f"astroquery:{home}/pollers", "file:out"], ["astroquery:/home/developer/pollers", "file:out", OFFSITE]),
            (["astroquery:s3://bucket/pollers", "stpubdata:"], ["astroquery:s3://bucket/pollers", "stpubdata:", OFFSITE]),
            (["file:in", "file:out", f"{home}/my.conf", "--json", "--layout=calcloud"],
             ["file:in", "file:out", "/home/developer/my.conf", "--json", "--layout=calcloud"]),
        ]:
            with self.subTest(given=given):
                self.runs(PIPELINE, "acs_8ph_01", *given)
                self.ends("caldp-process", "acs_8ph_01", *asked)

    def test_what_the_container_could_not_see_is_refused(self) -> None:
        outside, beside = self.outside, self.folder / "home2"
        self.refuses(outside, PIPELINE, "j8cb010b0", f"file:{outside}")
        self.refuses(beside, PIPELINE, "j8cb010b0", f"file:{beside}/in")
        self.refuses("..", PIPELINE, "j8cb010b0", "file:../outside")
        self.refuses("..", PIPELINE, "j8cb010b0", "file:in", "file:out/..")
        self.refuses(outside, PIPELINE, "acs_8ph_01", f"astroquery:{outside}")
        self.refuses(outside, PIPELINE, "j8cb010b0", "file:.", "file:.", f"{outside}/my.conf")
        (self.home / "away").symlink_to("../outside")
        self.refuses(outside, PIPELINE, "j8cb010b0", "file:away")

    def test_too_few_and_too_many_arguments_are_refused(self) -> None:
        self.refuses("one to four", PIPELINE)
        self.refuses("one to four", PIPELINE, "a", "b", "c", "d", "e")
        self.refuses("no command", CONTAINER)
        self.refuses("no command", CONTAINER, "--rm")

    def test_the_cache_is_elsewhere_read_only_or_absent(self) -> None:
        mount = f"type=bind,source={self.cache},target=/grp/crds/cache"
        self.settings = {"CRDS_PATH": str(self.cache)}
        self.runs(PIPELINE, "j8cb010b0")
        self.gets(mount)
        self.settings = {"CRDS_PATH": "../cache", "CRDS_READONLY_CACHE": "1"}
        self.runs(PIPELINE, "j8cb010b0")
        self.gets(f"{mount},readonly", "CRDS_READONLY_CACHE")
        self.settings = {"CRDS_PATH": f"{self.folder}/no-such"}
        self.refuses(self.folder / "no-such", CONTAINER, "true")

    def test_home_command_options_and_credentials_are_the_users(self) -> None:
        (self.folder / "elsewhere/.aws").mkdir(parents=True)
        secrets = {"AWS_SECRET_ACCESS_KEY": "s3cret", "MAST_API_TOKEN": "t0ken"}
        self.settings = {"CALDP_HOME": "../elsewhere", "CALDP_DOCKER_RUN_PARS": "--name=x", "AWS_ACCESS_KEY_ID": "AKIAX", **secrets}
        self.runs(CONTAINER, "/bin/bash", "-c", 'echo "two words"')
        self.ends("caldp:latest", "/bin/bash", "-c", 'echo "two words"')
        self.gets(f"type=bind,source={self.folder}/elsewhere,target=/home/developer", "--name=x")
        self.assertNotIn("--rm", self.asked, "CALDP_DOCKER_RUN_PARS does not replace --rm")
        # Credentials go by name only.
        self.gets(*secrets)
        environment = Path(f"{self.record}.env").read_text().splitlines()
        for name in secrets:
            self.assertTrue(any(line.startswith(f"{name}=") for line in environment), f"{name} does not reach the engine")
        for secret in ("s3cret", "t0ken", "AKIAX"):
            self.assertNotIn(secret, self.record.read_text(), "a secret is on the command line")

    def test_files_belong_to_the_caller(self) -> None:
        # Without root a container's root is the caller; podman can keep the caller's id.
        self.settings = {"ROOTLESS": "yes"}
        self.runs(CONTAINER, "true")
        self.gets("0:0")
        self.settings = {"CALDP_ENGINE": "podman"}
        self.runs(CONTAINER, "true")
        self.gets("keep-id", f"{os.getuid()}:{os.getgid()}")

    def test_a_missing_engine_or_image_is_named_with_what_to_do(self) -> None:
        self.settings = {"CALDP_ENGINE": "no-such"}
        done = self.call(CONTAINER, "true")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("'no-such'", done.stderr)
        self.assertRegex(done.stderr, "(?m)^hint: ")
        self.settings = {"CALDP_DOCKER_IMAGE": "caldp:typo"}
        self.runs(CONTAINER, "true")
        self.assertRegex(self.said, "image caldp:typo.*pull")
        self.settings = {}
        self.runs(CONTAINER, "true")
        self.assertEqual(self.said, "")

    def test_a_push_tells_the_digest_and_nothing_else(self) -> None:
        self.settings = {"CALDP_DOCKER_REPO": "registry/caldp"}
        done = self.call("caldp-image-push")
        self.assertEqual((done.returncode, done.stdout), (0, "registry/caldp@sha256:11\n"), done.stderr)
        self.settings = {"CALDP_DOCKER_REPO": "elsewhere/caldp"}
        done = self.call("caldp-image-push")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("does not say under which digest", done.stderr)

    def test_an_image_is_for_the_processors_of_its_worker(self) -> None:
        cargo = self.folder / "bin/cargo"
        cargo.write_text("#!/bin/sh\n")
        cargo.chmod(0o755)
        for machine, platform in ((b"\x3e", "linux/amd64"), (b"\xb7", "linux/arm64")):
            worker = self.folder / "worker"
            worker.write_bytes(b"\x7fELF".ljust(18, b"\0") + machine + b"\0")
            worker.chmod(0o755)
            self.settings = {"CALDP_WORKER": str(worker)}
            self.runs("caldp-image-build")
            self.assertEqual(self.asked[:3], ["build", "--platform", platform])
            self.settings["CALDP_PLATFORM"] = "linux/s390x"
            done = self.call("caldp-image-build")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"is for {platform}", done.stderr)
        worker.write_text("#!/bin/sh\necho a script, which is for no processor\n")
        self.assertIn("for neither", self.call("caldp-image-build").stderr)

    def test_help_needs_no_engine_and_says_how_it_is_called(self) -> None:
        for command in ("caldp-image-build", "caldp-image-push", "caldp-image-sbom", PIPELINE, CONTAINER):
            done = self.call(command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertTrue(done.stdout, command)
            self.assertFalse(self.record.exists(), command)
            if command in (PIPELINE, CONTAINER):
                self.assertRegex(done.stdout, f"(?m)^  *{command} <")
        for command in ("caldp-image-push", "caldp-image-sbom"):
            done = self.call(command, "now")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("takes no arguments", done.stderr)


if __name__ == "__main__":
    if not unittest.main(exit=False).result.wasSuccessful():
        sys.exit(1)
    print("tests/wrappers.py: the wrappers ask the engine for what they should")
