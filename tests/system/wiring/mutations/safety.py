"""Changes that break the rules of `rules.safety`."""

import base64

from ..rules import World
from .change import breaks, container, first, set_variable, statement


@breaks("a_job_cannot_ask_for_anything", "nothing is denied")
def _(world: World) -> None:
    world.plan.role("job")[0]["Statement"].remove(statement(world, "job", "NoRequests"))


@breaks("a_job_cannot_ask_for_anything", "only at the bucket's root")
def _(world: World) -> None:
    denied = statement(world, "job", "NoRequests")
    denied["Resource"] = [r.replace("/*messages/", "/messages/") for r in denied["Resource"]]


@breaks("a_job_cannot_ask_for_anything", "only in the tree layout")
def _(world: World) -> None:
    denied = statement(world, "job", "NoRequests")
    denied["Resource"] = [r for r in denied["Resource"] if "request" in r or "broadcast" in r]


@breaks("a_job_cannot_ask_for_anything", "it may take back a request to stop")
def _(world: World) -> None:
    statement(world, "job", "NoRequests")["Action"] = "s3:PutObject"


@breaks("a_job_cannot_ask_for_anything", "it may put batch lists")
def _(world: World) -> None:
    statement(world, "job", "Results")["Resource"].append("arn:aws:s3:::caldp-system/*")


@breaks("a_job_starts_stops_and_configures_nothing", "it may write records")
def _(world: World) -> None:
    statement(world, "job", "Results")["Resource"].append("arn:aws:s3:::caldp-system/control/*")


@breaks("the_instances_role_is_out_of_a_jobs_reach", "no packet filter")
def _(world: World) -> None:
    template = world.plan["aws_launch_template.worker"]
    text = base64.b64decode(template["user_data"]).decode().replace("iptables", "true")
    template["user_data"] = base64.b64encode(text.encode()).decode()


@breaks("the_instances_role_is_out_of_a_jobs_reach", "set with the other commands, when containers may be running")
def _(world: World) -> None:
    template = world.plan["aws_launch_template.worker"]
    text = base64.b64decode(template["user_data"]).decode().replace("text/cloud-boothook", "text/x-shellscript")
    template["user_data"] = base64.b64encode(text.encode()).decode()


@breaks("the_instances_role_is_out_of_a_jobs_reach", "jobs run as root")
def _(world: World) -> None:
    container(world)["user"] = "root"


@breaks("the_instances_role_is_out_of_a_jobs_reach", "tokens are not required")
def _(world: World) -> None:
    world.plan["aws_launch_template.worker"]["metadata_options"][0]["http_tokens"] = "optional"


@breaks("the_instances_role_is_out_of_a_jobs_reach", "the region is not given")
def _(world: World) -> None:
    set_variable(world, "AWS_REGION", None)


@breaks("jobs_share_references_and_nothing_else_of_the_instance", "the engine's socket")
def _(world: World) -> None:
    container(world)["volumes"][0]["host"]["sourcePath"] = "/var/run/docker.sock"


@breaks("jobs_share_references_and_nothing_else_of_the_instance", "one more directory")
def _(world: World) -> None:
    container(world)["volumes"].append({"name": "all", "host": {"sourcePath": "/"}})
    container(world)["mountPoints"].append({"sourceVolume": "all", "containerPath": "/instance", "readOnly": True})


@breaks("jobs_share_references_and_nothing_else_of_the_instance", "mounted where the worker does not look")
def _(world: World) -> None:
    container(world)["mountPoints"][0]["containerPath"] = "/grp/crds/cache"


@breaks("jobs_share_references_and_nothing_else_of_the_instance", "mounted and not used")
def _(world: World) -> None:
    set_variable(world, "CALDP_SHARED_REFERENCES", None)


@breaks("jobs_share_references_and_nothing_else_of_the_instance", "read-only")
def _(world: World) -> None:
    container(world)["mountPoints"][0]["readOnly"] = True


@breaks("jobs_share_references_and_nothing_else_of_the_instance", "without a limit")
def _(world: World) -> None:
    set_variable(world, "CALDP_SHARED_REFERENCES_GIB", None)


@breaks("jobs_share_references_and_nothing_else_of_the_instance", "the directory is left to the engine to make")
def _(world: World) -> None:
    template = world.plan["aws_launch_template.worker"]
    text = base64.b64decode(template["user_data"]).decode().replace("install --directory", "true")
    template["user_data"] = base64.b64encode(text.encode()).decode()


@breaks("instances_get_a_new_system_image_when_asked_to", "the image is that of the compute environment's creation")
def _(world: World) -> None:
    world.plan.configuration["aws_batch_compute_environment.worker"]["compute_resources"][0]["ec2_configuration"][0]["image_id_override"] = {"references": []}


@breaks("instances_get_a_new_system_image_when_asked_to", "the epoch changes nothing")
def _(world: World) -> None:
    world.plan.configuration["terraform_data.ami"]["triggers_replace"] = {"references": []}


@breaks("instances_get_a_new_system_image_when_asked_to", "jobs have an hour when instances change")
def _(world: World) -> None:
    first(world, "aws_batch_compute_environment")["update_policy"][0]["job_execution_timeout_minutes"] = 60
