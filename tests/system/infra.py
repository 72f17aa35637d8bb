"""The infrastructure: validated, scanned, its plan compared with what the programs expect, applied to an emulator,
planned again and destroyed."""

import base64
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

from aws import PYTHON, Emulator, recording
from metadata import check_metadata
from progress import HERE, ROOT, Failed, LeftOut, Progress, logged, output, run, set_up
from wiring import check, examples, policy, recorded
from wiring.plan import Plan

EXAMPLE = "infra/example"


class Terraform:
    """A copy of the module in the scratch directory, with its provider."""

    def __init__(self, progress: Progress) -> None:
        if shutil.which("terraform") is None:
            raise LeftOut("Terraform is not installed")
        self._progress = progress
        self.folder = progress.scratch / "tf"
        progress.step("Terraform's provider")
        shutil.copytree(ROOT / "infra", self.folder / "infra")
        shutil.copy(HERE / "main.tf", self.folder)
        settings = progress.scratch / "terraformrc"
        settings.touch()
        self._own = {"TF_CLI_CONFIG_FILE": str(settings), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        providers = find_providers()
        plugins = [f"-plugin-dir={providers}"] if providers else []
        for folder in (self.folder, self.folder / EXAMPLE):
            begun = run("terraform", f"-chdir={folder}", "init", "-input=false", "-no-color", *plugins,
                        env={**os.environ, **self._own}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if begun.returncode:
                print(*begun.stdout.splitlines()[-5:], sep="\n")
                raise LeftOut("no AWS provider for Terraform (set TF_PLUGIN_DIR to a directory that holds one)")

    def validate(self) -> None:
        env = {**os.environ, **self._own}
        if run("terraform", f"-chdir={self.folder / EXAMPLE}", "validate", "-no-color", env=env, stdout=subprocess.DEVNULL).returncode:
            raise Failed("terraform validate")
        for folder in ("infra", EXAMPLE, str(HERE)):
            if run("terraform", "fmt", "-check", folder, env=env, stdout=subprocess.DEVNULL).returncode:
                raise Failed(f"terraform fmt: {folder}")
        self._progress.say("the example is valid")

    def check_wiring(self, emulator: Emulator, image: str, trigger_zip: Path) -> None:
        """Compares plans with what the programs expect: as it comes, and with everything chosen that can be."""
        progress = self._progress
        wrong = examples.wrong()
        for name, options in {"as it comes": [], "everything chosen": ["-var", "everything=true"]}.items():
            world = check.world(self.plan(name, emulator, image, trigger_zip, *options))
            wrong += check.faults(world)
            # The first plan has in it all that the changes change.
            if not options:
                wrong += check.blind_spots(world)
                check_metadata(progress, base64.b64decode(world.plan["aws_launch_template.worker"]["user_data"]))
        if wrong:
            print(*wrong, sep="\n")
            raise Failed("the infrastructure and the programs do not fit together")
        progress.say(f"wiring: {len(check.RULES)} rules hold in both plans, {len(check.MUTATIONS)} changes that break them are noticed")

    def plan(self, name: str, emulator: Emulator, image: str, trigger_zip: Path, *options: str) -> Plan:
        """What would be made, by what the emulator has already."""
        progress = self._progress
        progress.step(f"a plan, {name}")
        plan = progress.scratch / "wiring"
        variables = {"endpoint": emulator.endpoint, "image": image, "trigger_zip": str(trigger_zip), "service_role": ""}
        words = [word for pair in variables.items() for word in ("-var", "=".join(pair))]
        env = {**emulator.environment, **self._own}
        logged(f"the plan, {name}", progress.log("wiring"), "terraform", f"-chdir={self.folder}", "plan", "-input=false", "-no-color",
               "-out", plan, *words, *options, env=env)
        return Plan(name, json.loads(output("terraform", f"-chdir={self.folder}", "show", "-json", plan, env=env)))

    def applied(self, emulator: Emulator, image: str, trigger_zip: Path) -> "Applied":
        """Applies the module for a role that the scenario prepares, and looks at a second plan."""
        role = emulator.script("scenario.py", "prepare", stdout=subprocess.PIPE, check=True).stdout.strip()
        variables = {"endpoint": emulator.endpoint, "image": image, "trigger_zip": str(trigger_zip), "service_role": role}
        return Applied(self._progress, self.folder, {**emulator.environment, **self._own}, variables)


class Applied:
    """The infrastructure as it stands at an emulator."""

    def __init__(self, progress: Progress, folder: Path, env: dict[str, str], variables: dict[str, str]) -> None:
        self._progress, self._folder, self._env, self._variables = progress, folder, env, variables
        progress.step("apply, and plan again")
        log = self._do("terraform apply", "apply", "-auto-approve")
        progress.say(f"applied: {only(log, r'^Apply complete! (.*)')}")
        plan = progress.scratch / "plan"
        self._do("the second plan", "plan", "-out", str(plan))
        shown = output("terraform", f"-chdir={folder}", "show", "-json", plan, env=env)
        if run(PYTHON, "-B", HERE / "plan_differences.py", input=shown).returncode:
            raise Failed("a second plan changes what was just applied")
        self._plan = Plan("as applied", json.loads(shown))

    def check_calls(self) -> None:
        """Whether every call that jobs and the Lambda have made is one that their roles allow: the emulator allows all."""
        calls = recorded.read(recording(self._progress))
        roles = {call.role for call in calls}
        if roles != {"job", "trigger"}:
            raise Failed(f"calls were recorded of {sorted(roles)}")
        refused = [f"{call.action} on {call.resource} by the {call.role}" for call in calls
                   if policy.decide(self._plan.role(call.role), call.action, call.resource) != policy.ALLOWED]
        if refused:
            print(*sorted(refused), sep="\n")
            raise Failed("what AWS would have refused")
        self._progress.say(f"permissions: {len(calls)} different calls of jobs and the Lambda, all of them allowed")

    def deployment(self) -> str:
        """What operators' commands have to know of it: the Lambda's variables, as JSON."""
        return json.dumps(self._plan.lambda_environment())

    def shared_references(self) -> Path:
        """The directory of an instance that the job definitions mount."""
        [directory] = {volume["host"]["sourcePath"] for _, container, _ in self._plan.containers() for volume in container["volumes"]}
        return Path(directory)

    def destroy(self) -> None:
        self._progress.step("destroy")
        log = self._do("terraform destroy", "destroy", "-auto-approve")
        self._progress.say(f"destroyed: {only(log, r'^Destroy complete! (.*)')}")

    def _do(self, failure: str, command: str, *options: str) -> str:
        log = self._progress.log(command)
        variables = [word for name, value in self._variables.items() for word in ("-var", f"{name}={value}")]
        logged(failure, log, "terraform", f"-chdir={self._folder}", command, "-input=false", "-no-color", *variables, *options, env=self._env)
        return log.read_text()


def scan(progress: Progress) -> None:
    """Policies. checkov's guidelines are looked up on the network for links only; the checks are all in the package."""
    if not set_up("checkov"):
        raise Failed("checkov cannot be installed")
    python = Path(".venv/checkov/bin/python")
    done = run(python, python.with_name("checkov"), "--directory", "infra", "--framework", "terraform", "--compact", "--quiet", "--skip-download",
               capture_output=True)
    if done.returncode:
        print(done.stdout)
        raise Failed("the policy scan")
    progress.say(f"policy scan: {only(done.stdout, r'^(Passed checks.*)')}")


def empty_function(progress: Progress) -> Path:
    """A zip with a function that does nothing: to apply what nobody invokes."""
    path = progress.scratch / "empty.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("bootstrap", "#!/bin/sh\n")
    return path


def find_providers() -> str | None:
    """A directory of Terraform providers on this machine, in the layout of a mirror: not every machine
    reaches Terraform's registry."""
    if os.environ.get("TF_PLUGIN_DIR"):
        return os.environ["TF_PLUGIN_DIR"]
    places = [Path(place) for place in ("/opt", "/srv", "/usr/local", "/usr/share", Path.home() / ".terraform.d")]
    found = output("find", *(place for place in places if place.is_dir()), "-xdev", "-maxdepth", "9",
                   "-path", "*/registry.terraform.io/hashicorp/aws/*/terraform-provider-aws*", "-print", "-quit")
    return found.partition("/registry.terraform.io/")[0] or None


def only(text: str, pattern: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1] if found else ""
