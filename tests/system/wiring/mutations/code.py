"""Changes that break the rules of `rules.code`."""

from ..rules import World
from .change import breaks, container, first, set_variable


@breaks("definitions_are_what_the_programs_take_them_for", "another memory")
def _(world: World) -> None:
    container(world)["resourceRequirements"][0]["value"] = "2048"


@breaks("definitions_are_what_the_programs_take_them_for", "another program")
def _(world: World) -> None:
    container(world)["command"][0] = "caldp-process"


@breaks("definitions_are_what_the_programs_take_them_for", "another image is recorded")
def _(world: World) -> None:
    set_variable(world, "CALDP_IMAGE", "caldp:other")


@breaks("definitions_are_what_the_programs_take_them_for", "another layout")
def _(world: World) -> None:
    set_variable(world, "CALDP_LAYOUT", "forest")


@breaks("definitions_are_what_the_programs_take_them_for", "a variable that nothing reads")
def _(world: World) -> None:
    set_variable(world, "CALDP_LAYOUTS", "tree")


@breaks("definitions_are_what_the_programs_take_them_for", "a time limit beyond the longest")
def _(world: World) -> None:
    first(world, "aws_batch_job_definition")["timeout"][0]["attempt_duration_seconds"] = 49 * 3600


@breaks("definitions_are_what_the_programs_take_them_for", "other retries")
def _(world: World) -> None:
    world.contract["trigger"]["infrastructure_retries"] = 9


@breaks("the_lambda_has_the_variables_it_reads", "one is not set")
def _(world: World) -> None:
    del world.plan.lambda_environment()["JOBQUEUES"]


@breaks("the_lambda_has_the_variables_it_reads", "the code calls one otherwise")
def _(world: World) -> None:
    world.contract["trigger"]["variables"].pop("CALDP_HOURLY_PRICES")


@breaks("the_lambda_has_the_variables_it_reads", "the code needs another")
def _(world: World) -> None:
    world.contract["trigger"]["variables"]["REGION"] = None


@breaks("the_lambda_has_the_variables_it_reads", "a queue that is not there")
def _(world: World) -> None:
    world.plan.lambda_environment()["JOBQUEUES"] = "caldp-2g,caldp-8g,caldp-16g,caldp-32g"


@breaks("the_lambda_has_the_variables_it_reads", "jobs have no share on queues that are shared")
def _(world: World) -> None:
    del world.plan.lambda_environment()["CALDP_FAIR_SHARE"]


@breaks("times_fit_together", "an event comes back while it is worked on")
def _(world: World) -> None:
    world.plan['aws_sqs_queue.all["events"]']["visibility_timeout_seconds"] = 900


@breaks("times_fit_together", "an event comes back after hours")
def _(world: World) -> None:
    world.plan['aws_sqs_queue.all["events"]']["visibility_timeout_seconds"] = 5400


@breaks("times_fit_together", "an event expires before it has been tried")
def _(world: World) -> None:
    world.plan['aws_sqs_queue.all["events"]']["message_retention_seconds"] = 3600


@breaks("times_fit_together", "a lease outlives the Lambda")
def _(world: World) -> None:
    world.contract["trigger"]["lease_seconds"] = 1000


@breaks("times_fit_together", "one failure fails all")
def _(world: World) -> None:
    world.plan["aws_lambda_event_source_mapping.events"]["function_response_types"] = []


@breaks("times_fit_together", "a job that can never start stays")
def _(world: World) -> None:
    first(world, "aws_batch_job_queue")["job_state_time_limit_action"].pop(0)
