"""Whether the first commands of an instance keep its role from jobs: run for real, in a network of its own in which the
address of the instance's metadata answers; and whether jobs can write where they share references."""

import email
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from progress import Failed, Progress

NEEDED = ["unshare", "ip", "iptables", "setpriv", "curl"]
ADDRESS = "169.254.169.254"
# A job's user, and root as the ECS agent is.
STORY = f"""
set -eu
mount -t tmpfs tmpfs /var/cache
ip address add {ADDRESS}/32 dev lo
ip link set lo up
"$PYTHON" -m http.server --bind {ADDRESS} 80 >/dev/null 2>&1 &
trap "kill $!" EXIT
asks() {{ setpriv --reuid "$1" --regid "$1" --clear-groups curl --silent --output /dev/null --noproxy '*' --max-time 3 http://{ADDRESS}/ && echo yes || echo no; }}
tries=100
until [ "$(asks 0)" = yes ] || [ $tries = 0 ]; do tries=$((tries - 1)); sleep 0.2; done
before=$(asks 1000)
sh "$1"
echo "before=$before job=$(asks 1000) agent=$(asks 0)"
setpriv --reuid 1000 --regid 1000 --clear-groups touch /var/cache/caldp/references/of-a-job
"""


def check_metadata(progress: Progress, user_data: bytes) -> None:
    """Runs the commands that come before any container, and asks as a job and as the agent."""
    if reason := _cannot():
        progress.say(f"NOT RUN: the packet filter of instances: {reason}")
        return
    [hook] = [str(part.get_payload()) for part in email.message_from_bytes(user_data).walk() if part.get_content_type() == "text/cloud-boothook"]
    with tempfile.TemporaryDirectory() as folder:
        told, script = Path(folder) / "told", Path(folder) / "hook"
        script.write_text(hook)
        # Of this machine's services none is touched.
        env = {**os.environ, "PYTHON": sys.executable, "PATH": f"{folder}:{os.environ['PATH']}"}
        _stand_in(Path(folder) / "systemctl", f'echo "$@" >{told}')
        done = subprocess.run(["unshare", "--net", "--mount", "sh", "-c", STORY, "story", script], env=env, capture_output=True, text=True, timeout=120)
        if done.stdout.strip() != "before=yes job=no agent=yes" or told.exists():
            raise Failed(f"who reaches the instance's metadata: {done.stdout.strip()} {done.stderr.strip()}")
        if done.returncode:
            raise Failed(f"a job cannot write where references are shared: {done.stderr.strip()}")
        # Where the filter cannot be set, the agent must never start.
        _stand_in(Path(folder) / "iptables", "exit 1")
        alone = 'mount -t tmpfs tmpfs /var/cache && sh "$1"'
        subprocess.run(["unshare", "--mount", "sh", "-c", alone, "alone", script], env=env, check=True, timeout=60)
        if not told.exists() or told.read_text() != "mask ecs.service\n":
            raise Failed("an instance without its packet filter would run jobs")
    progress.say("instances: the metadata answers their agent and no job")


def _cannot() -> str:
    """Why this machine cannot run it; empty when it can."""
    if os.getuid() != 0:
        return "needs root"
    if missing := [program for program in NEEDED if not shutil.which(program)]:
        return f"needs {' '.join(missing)}"
    filtering = ["unshare", "--net", *"iptables --wait --insert OUTPUT --match owner ! --uid-owner 0 --jump REJECT".split()]
    done = subprocess.run(filtering, capture_output=True, text=True)
    return f"this kernel lends no network of one's own with a filter ({done.stderr.strip()})" if done.returncode else ""


def _stand_in(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
