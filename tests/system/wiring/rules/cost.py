"""What costs more than it should."""

from collections.abc import Iterator

from .world import World, resource, rule


@rule
def instances_are_of_named_sizes_and_few_on_demand(world: World) -> Iterator[str]:
    vcpus = {name: int(resource(container, "VCPU")) for name, container, _ in world.plan.containers()}
    most: dict[str, dict[str, int]] = {}
    for name, environment in world.plan.all("aws_batch_compute_environment"):
        memory_bin, _, purchase = name.rpartition("-")
        [resources] = environment["compute_resources"]
        most.setdefault(memory_bin, {})[purchase] = resources["max_vcpus"]
        if any("." not in kind for kind in resources["instance_type"]):
            yield f"{name} names families: {resources['instance_type']}"
        if resources["min_vcpus"]:
            yield f"{name} runs instances without jobs"
        if resources["max_vcpus"] < vcpus[memory_bin]:
            yield f"{name} holds no job: {resources['max_vcpus']} vCPUs"
    for memory_bin, counts in most.items():
        if "spot" in counts and counts["ec2"] * 4 > counts["spot"]:
            yield f"{memory_bin} buys {counts['ec2']} vCPUs on demand besides {counts['spot']} on spot"
    [disk] = world.plan["aws_launch_template.worker"]["block_device_mappings"][0]["ebs"]
    if disk["throughput"] <= 125 or disk["throughput"] * 4 > disk["iops"]:
        yield f"the disk has {disk['throughput']} MiB a second and {disk['iops']} operations"


@rule
def openmp_starts_as_many_threads_as_the_job_has_processors(world: World) -> Iterator[str]:
    for name, container, environment in world.plan.containers():
        if environment.get("OMP_NUM_THREADS") != resource(container, "VCPU"):
            yield f"{name} has {resource(container, 'VCPU')} vCPUs and OMP_NUM_THREADS={environment.get('OMP_NUM_THREADS')}"
