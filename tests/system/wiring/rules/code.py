"""What the code says: constants, variables and times."""

from collections.abc import Iterator

from .world import World, listed, resource, rule

# What AWS's own programs and OpenMP read in a job's environment, and what the test adds.
BY_OTHERS = {"AWS_REGION", "AWS_EC2_METADATA_DISABLED", "OMP_NUM_THREADS", "AWS_ENDPOINT_URL", "RUST_LOG"}


@rule
def definitions_are_what_the_programs_take_them_for(world: World) -> Iterator[str]:
    environment = world.plan.lambda_environment()
    containers = {name: (container, variables) for name, container, variables in world.plan.containers()}
    bins = zip(listed(environment, "JOBDEFINITIONS"), world.contract["memory_bins_usable_mib"], strict=True)
    for name, usable in bins:
        container, variables = containers[name]
        definition = world.plan[f'aws_batch_job_definition.bin["{name}"]']
        if int(resource(container, "MEMORY")) != usable:
            yield f"{name} has {resource(container, 'MEMORY')} MiB, the trigger counts on {usable}"
        if container["command"][0] != world.contract["job"]["command"][0]:
            yield f"{name} runs {container['command']}"
        if variables.get("CALDP_IMAGE") != container["image"]:
            yield f"{name} runs {container['image']} and records {variables.get('CALDP_IMAGE')}"
        if variables.get("CALDP_LAYOUT") != environment.get("CALDP_LAYOUT"):
            yield f"{name} has the layout {variables.get('CALDP_LAYOUT')}, the trigger {environment.get('CALDP_LAYOUT')}"
        if unknown := set(variables) - world.job_variables - BY_OTHERS - {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}:
            yield f"{name} sets variables that nothing reads: {sorted(unknown)}"
        seconds = definition["timeout"][0]["attempt_duration_seconds"]
        limits = world.contract["attempt_seconds"]
        if not limits["shortest"] <= seconds <= limits["longest"]:
            yield f"{name} ends a job after {seconds} s, the trigger gives {limits}"
        attempts = definition["retry_strategy"][0]["attempts"]
        if attempts != world.contract["trigger"]["infrastructure_retries"]:
            yield f"{name} is tried {attempts} times by hand, {world.contract['trigger']['infrastructure_retries']} times by the trigger"


@rule
def the_lambda_has_the_variables_it_reads(world: World) -> Iterator[str]:
    environment = world.plan.lambda_environment()
    known = world.contract["trigger"]["variables"]
    for name, default in known.items():
        if default is None and name not in environment:
            yield f"{name} is not set"
    if unknown := set(environment) - set(known) - BY_OTHERS:
        yield f"the trigger does not read {sorted(unknown)}"
    policies = list(world.plan.all("aws_batch_scheduling_policy"))
    if bool(policies) != (environment.get("CALDP_FAIR_SHARE") == "1"):
        yield f"the queues have {len(policies)} policies, the trigger thinks CALDP_FAIR_SHARE={environment.get('CALDP_FAIR_SHARE')}"
    queues = dict(world.plan.all("aws_batch_job_queue"))
    definitions = dict(world.plan.all("aws_batch_job_definition"))
    for variable, there in [("JOBQUEUES", queues), ("CALDP_ON_DEMAND_QUEUES", queues), ("JOBDEFINITIONS", definitions)]:
        names = listed(environment, variable)
        if names and len(names) != len(world.contract["memory_bins_usable_mib"]):
            yield f"{variable} names {len(names)}"
        if missing := [name for name in names if name not in there]:
            yield f"{variable} names what is not there: {missing}"


@rule
def times_fit_together(world: World) -> Iterator[str]:
    function = world.plan["aws_lambda_function.trigger"]
    queue = world.plan['aws_sqs_queue.all["events"]']
    redrive = world.plan["aws_sqs_queue_redrive_policy.events"]["redrive_policy"]
    mapping = world.plan["aws_lambda_event_source_mapping.events"]
    trigger = world.contract["trigger"]
    if function["timeout"] > 900:
        yield f"the Lambda's time limit is {function['timeout']} s, AWS allows 900"
    if not trigger["reserve_seconds"] < trigger["lease_seconds"] < function["timeout"]:
        yield f"a lease of {trigger['lease_seconds']} s outlives the Lambda's {function['timeout']} s"
    invisible = queue["visibility_timeout_seconds"]
    if not function["timeout"] + trigger["lease_seconds"] <= invisible <= 3600:
        yield f"an event comes back after {invisible} s, the Lambda has {function['timeout']} s"
    if not 3 <= redrive["maxReceiveCount"] <= 10 or redrive["maxReceiveCount"] * invisible >= queue["message_retention_seconds"]:
        yield f"an event is tried {redrive['maxReceiveCount']} times and kept {queue['message_retention_seconds']} s"
    if mapping["function_response_types"] != ["ReportBatchItemFailures"]:
        yield "one event that fails takes the others of its batch with it"
    if mapping["scaling_config"][0]["maximum_concurrency"] < 2:
        yield "AWS allows no concurrency below 2"
    for name, job_queue in world.plan.all("aws_batch_job_queue"):
        actions = {one["reason"]: one["max_time_seconds"] for one in job_queue["job_state_time_limit_action"]}
        if {reason.partition(":")[0] for reason in actions} != {"CAPACITY", "MISCONFIGURATION"}:
            yield f"{name} keeps jobs that can never start: {actions}"
        if not all(600 <= seconds <= 86_400 for seconds in actions.values()):
            yield f"{name} has limits that AWS refuses: {actions}"
