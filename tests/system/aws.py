"""The emulators of AWS, each a server of its own on a free local port."""

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from progress import HERE, ROOT, Failed, Progress, show_end, stop

PYTHON = ROOT / ".venv/system/bin/python"
START_SECONDS = 60
CREDENTIALS = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")


class Emulator:
    """A running emulator, and the environment in which programs talk to it and to nothing else."""

    def __init__(self, progress: Progress, name: str, port: int, health: str, command: list[str | Path], env: dict[str, str]) -> None:
        self.log = progress.log(name.lower())
        self.endpoint = f"http://127.0.0.1:{port}"
        self.environment = aws_environment(self.endpoint)
        with self.log.open("w") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            self._wait(self.endpoint + health)
        except BaseException:
            self.stop()
            raise
        progress.say(f"{name} answers on {self.endpoint}")

    def _wait(self, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(url, timeout=2).close()
                return
            except (OSError, urllib.error.URLError):
                if time.monotonic() > deadline or self._process.poll() is not None:
                    show_end(self.log, 20)
                    raise Failed(f"no server answers on {url}") from None
            time.sleep(0.5)

    def script(self, name: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a script of this folder against the emulator."""
        command = [str(PYTHON), "-B", str(HERE / name), *arguments]
        done: subprocess.CompletedProcess[str] = subprocess.run(command, cwd=ROOT, env=self.environment, text=True, **options)
        return done

    def stop(self) -> None:
        stop(self._process)

    def __enter__(self) -> "Emulator":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_moto(progress: Progress, docker_environment: dict[str, str], lambda_image: str) -> Emulator:
    """moto, which runs jobs and functions in containers of the engine."""
    port = free_port()
    env = {**docker_environment, "MOTO_HOST": "http://127.0.0.1", "MOTO_PORT": str(port), "MOTO_DOCKER_NETWORK_MODE": "host",
           "MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "MOTO_DOCKER_LAMBDA_IMAGE": lambda_image,
           "MOTO_ENABLE_RECORDING": "true", "MOTO_RECORDER_FILEPATH": str(recording(progress))}
    command: list[str | Path] = [PYTHON.with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    return Emulator(progress, "moto", port, "/moto-api/", command, env)


def recording(progress: Progress) -> Path:
    """Where moto writes down every request."""
    return progress.scratch / "requests"


def start_localstack(progress: Progress) -> Emulator:
    volume = progress.scratch / "volume"
    volume.mkdir(exist_ok=True)
    port = free_port()
    env = {**os.environ, "DISABLE_EVENTS": "1", "SKIP_SSL_CERT_DOWNLOAD": "1", "GATEWAY_LISTEN": f"127.0.0.1:{port}",
           "LOCALSTACK_VOLUME_DIR": str(volume), "TMPDIR": str(progress.scratch)}
    env.pop("AWS_CA_BUNDLE", None)
    command: list[str | Path] = [ROOT / ".venv/localstack/bin/python", "-m", "localstack.runtime.main"]
    return Emulator(progress, "LocalStack", port, "/_localstack/health", command, env)


def start_fakecloud(progress: Progress) -> Emulator:
    """An emulator that asks of every call whether its signature is right and its role's policies allow it. Of the keys
    in use here those that begin with `test` are the account's own, to which everything is allowed."""
    port = free_port()
    command: list[str | Path] = [ROOT / ".venv/fakecloud/bin/fakecloud", "--addr", f"127.0.0.1:{port}", "--iam", "strict", "--verify-sigv4"]
    return Emulator(progress, "fakecloud", port, "/_fakecloud/health", command, dict(os.environ))


def aws_environment(endpoint: str) -> dict[str, str]:
    env = {**os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
           "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"):
        env.pop(name, None)
    return env


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def find_python_313() -> str | None:
    """The newest LocalStack runs on 3.13 alone."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for candidate in ["python3.13", *map(str, sorted(pyenv.glob("versions/3.13.*/bin/python")))]:
        check = "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))"
        python = shutil.which(candidate)
        if python and subprocess.run([python, "-c", check], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None
