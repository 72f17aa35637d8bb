"""Changes that break the rules of `rules.cost`."""

from ..rules import World
from .change import breaks, first, set_variable


@breaks("instances_are_of_named_sizes_and_few_on_demand", "a bare family")
def _(world: World) -> None:
    first(world, "aws_batch_compute_environment")["compute_resources"][0]["instance_type"].append("c5a")


@breaks("instances_are_of_named_sizes_and_few_on_demand", "as many on demand as on spot")
def _(world: World) -> None:
    for name, environment in world.plan.all("aws_batch_compute_environment"):
        if name.endswith("-ec2"):
            environment["compute_resources"][0]["max_vcpus"] = 128


@breaks("instances_are_of_named_sizes_and_few_on_demand", "the disk is as slow as it comes")
def _(world: World) -> None:
    world.plan["aws_launch_template.worker"]["block_device_mappings"][0]["ebs"][0]["throughput"] = 125


@breaks("openmp_starts_as_many_threads_as_the_job_has_processors", "left to the program")
def _(world: World) -> None:
    set_variable(world, "OMP_NUM_THREADS", None)
