"""What is unsafe."""

import base64
import email
import re
from collections.abc import Iterator

from .. import policy
from .world import ACCOUNT, BATCH, BUCKET, EVENTS_QUEUE, REGION, World, rule


@rule
def a_job_cannot_ask_for_anything(world: World) -> Iterator[str]:
    job = world.plan.role("job")
    for key in world.contract["keys"]["acted_on"]:
        for action in ("s3:PutObject", "s3:DeleteObject"):
            done = policy.decide(job, action, f"{BUCKET}/{key}")
            if done == policy.ALLOWED or (done != policy.DENIED and "messages/" in key):
                yield f"{action} of {key} by a job is {done}"


@rule
def a_job_starts_stops_and_configures_nothing(world: World) -> Iterator[str]:
    for action, resource in [
        ("batch:SubmitJob", f"{BATCH}job-queue/caldp-2g"), ("batch:TerminateJob", f"{BATCH}job/1"), ("sqs:SendMessage", EVENTS_QUEUE),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:caldp-trigger"), ("s3:PutBucketPolicy", BUCKET),
        ("s3:PutObject", f"{BUCKET}/control/j8cb010b0/attempts.json"), ("s3:PutObject", f"{BUCKET}/inputs/j8cb010b0.tar.gz"),
        ("s3:PutObject", "arn:aws:s3:::caldp-crds/references/hst/x.fits"), ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/caldp-job"),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/caldp-trigger"),
    ]:
        if policy.decide(world.plan.role("job"), action, resource) == policy.ALLOWED:
            yield f"a job may {action} on {resource}"


@rule
def the_instances_role_is_out_of_a_jobs_reach(world: World) -> Iterator[str]:
    template = world.plan["aws_launch_template.worker"]
    [options] = template["metadata_options"]
    if (options["http_tokens"], options["http_put_response_hop_limit"], options["http_protocol_ipv6"]) != ("required", 1, "disabled"):
        yield f"the metadata's options are {options}"
    parts = list(email.message_from_bytes(base64.b64decode(template["user_data"])).walk())
    hooks = [str(part.get_payload()) for part in parts if part.get_content_type() == "text/cloud-boothook"]
    if not any(re.search(r"iptables .*OUTPUT .*169\.254\.169\.254 .*! --uid-owner 0 .*REJECT", hook) for hook in hooks):
        yield "no packet filter is set before containers start"
    if "ECS_DISABLE_PRIVILEGED=true" not in "".join(str(part.get_payload()) for part in parts):
        yield "containers may be privileged"
    for name, container, environment in world.plan.containers():
        if container["user"] in ("", "0", "root") or container["privileged"]:
            yield f"{name} runs as {container['user']}, privileged: {container['privileged']}"
        if environment.get("AWS_REGION") != REGION or environment.get("AWS_EC2_METADATA_DISABLED") != "true":
            yield f"{name} would ask the instance's metadata for its region"


@rule
def jobs_share_references_and_nothing_else_of_the_instance(world: World) -> Iterator[str]:
    user_data = base64.b64decode(world.plan["aws_launch_template.worker"]["user_data"])
    hooks = [str(part.get_payload()) for part in email.message_from_bytes(user_data).walk() if part.get_content_type() == "text/cloud-boothook"]
    for name, container, environment in world.plan.containers():
        volumes = {volume["name"]: volume.get("host", {}).get("sourcePath") for volume in container.get("volumes", [])}
        mounted = {mount["containerPath"]: volumes.get(mount["sourceVolume"]) for mount in container.get("mountPoints", [])}
        shared = environment.get("CALDP_SHARED_REFERENCES")
        if sorted(mounted) != ([shared] if shared else []):
            yield f"{name} shares references in {shared} and has {mounted}"
        if len(volumes) != len(mounted) or any(mount.get("readOnly") for mount in container.get("mountPoints", [])):
            yield f"{name} cannot use what it has of the instance: {volumes}"
        if shared and bool(shared) != bool(int(environment.get("CALDP_SHARED_REFERENCES_GIB", "0"))):
            yield f"{name} shares references without a limit"
        for path in mounted.values():
            # Elsewhere there are the engine's socket, the agent's data and other jobs' files.
            if not str(path).startswith("/var/cache/caldp/"):
                yield f"{name} has {path} of the instance"
            # What is missing the engine makes, for root alone.
            elif not any(f"install --directory --mode=1777 {path}\n" in hook for hook in hooks):
                yield f"{path} is not made before containers start, for all to write"


@rule
def instances_get_a_new_system_image_when_asked_to(world: World) -> Iterator[str]:
    image = ["compute_resources", "ec2_configuration", "image_id_override"]
    if "terraform_data.ami.output" not in world.plan.refers("aws_batch_compute_environment.worker", *image):
        yield "the compute environments keep the image they began with"
    if "var.ami_epoch" not in world.plan.refers("terraform_data.ami", "triggers_replace"):
        yield "the image does not change with ami_epoch"
    for name, environment in world.plan.all("aws_batch_compute_environment"):
        [update] = environment["update_policy"]
        # What Terraform's provider takes at most; AWS itself takes more.
        if update["terminate_jobs_on_update"] or update["job_execution_timeout_minutes"] != 360:
            yield f"an update ends the jobs of {name} early: {update}"
