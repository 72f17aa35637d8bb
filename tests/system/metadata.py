"""Whether the first commands of an instance keep its role from jobs: run for real, in a network of its own in which the
address of the instance's metadata answers."""

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
ip address add {ADDRESS}/32 dev lo
ip link set lo up
"$PYTHON" -m http.server --bind {ADDRESS} 80 >/dev/null 2>&1 &
trap "kill $!" EXIT
asks() {{ setpriv --reuid "$1" --regid "$1" --clear-groups curl --silent --output /dev/null --noproxy '*' --max-time 3 http://{ADDRESS}/ && echo yes || echo no; }}
for _ in 1 2 3 4 5 6 7 8 9 10; do [ "$(asks 0)" = yes ] && break; sleep 0.3; done
before=$(asks 1000)
sh "$1"
echo "before=$before job=$(asks 1000) agent=$(asks 0)"
"""


def check_metadata(progress: Progress, user_data: bytes) -> None:
    """Runs the commands that come before any container, and asks as a job and as the agent."""
    missing = [program for program in NEEDED if not shutil.which(program)]
    if os.getuid() != 0 or missing:
        progress.say(f"NOT RUN: the packet filter of instances (needs root and {' '.join(missing) or 'nothing else'})")
        return
    [hook] = [str(part.get_payload()) for part in email.message_from_bytes(user_data).walk() if part.get_content_type() == "text/cloud-boothook"]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "hook"
        script.write_text(hook)
        done = subprocess.run(["unshare", "--net", "sh", "-c", STORY, "story", script], env={**os.environ, "PYTHON": sys.executable},
                              capture_output=True, text=True, timeout=60)
        if done.stdout.strip() != "before=yes job=no agent=yes":
            raise Failed(f"who reaches the instance's metadata: {done.stdout.strip()} {done.stderr.strip()}")
        # Where the filter cannot be set, the agent must never start.
        stubs = {"iptables": "exit 1", "systemctl": f'echo "$@" >{folder}/told'}
        for name, line in stubs.items():
            stub = Path(folder) / name
            stub.write_text(f"#!/bin/sh\n{line}\n")
            stub.chmod(0o755)
        subprocess.run(["sh", script], env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}, check=True, timeout=60)
        if (Path(folder) / "told").read_text() != "mask ecs.service\n":
            raise Failed("an instance without its packet filter would run jobs")
    progress.say("instances: the metadata answers their agent and no job")
