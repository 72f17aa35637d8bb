"""Each rule broken once: what is changed in a plan, and the rule that has to notice. A rule nobody can break proves
nothing."""

import base64
from collections.abc import Callable
from typing import Any

from .policy import statements
from .rules import World

Change = Callable[[World], None]
MUTATIONS: list[tuple[str, str, Change]] = []


def breaks(rule: str, how: str) -> Callable[[Change], Change]:
    """Registers a change that the rule must notice."""

    def register(change: Change) -> Change:
        MUTATIONS.append((rule, how, change))
        return change

    return register


def _statement(world: World, role: str, sid: str) -> dict[str, Any]:
    return next(s for s in statements(world.plan.role(role)) if s.get("Sid") == sid)


def _notifications(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.plan["aws_s3_bucket_notification.main"]["queue"]
    return found


def _pattern(world: World, name: str) -> dict[str, Any]:
    found: dict[str, Any] = world.plan[f'aws_cloudwatch_event_rule.all["{name}"]']["event_pattern"]["detail"]
    return found


def _first(world: World, kind: str) -> dict[str, Any]:
    return next(values for _, values in world.plan.all(kind))


def _container(world: World) -> dict[str, Any]:
    found: dict[str, Any] = _first(world, "aws_batch_job_definition")["container_properties"]
    return found


def _set_variable(world: World, name: str, value: str | None) -> None:
    pairs = [pair for pair in _container(world)["environment"] if pair["name"] != name]
    _container(world)["environment"] = pairs + ([{"name": name, "value": value}] if value is not None else [])


# --- What stops it working ---------------------------------------------------------------------------


@breaks("a_job_is_submitted_by_bare_name_and_by_revision", "only revisions of definitions may be submitted")
def _(world: World) -> None:
    granted = _statement(world, "trigger", "SubmitJobs")
    granted["Resource"] = [r for r in granted["Resource"] if "definition" not in r or r.endswith(":*")]


@breaks("a_job_is_submitted_by_bare_name_and_by_revision", "no revision of a definition may be submitted")
def _(world: World) -> None:
    granted = _statement(world, "trigger", "SubmitJobs")
    granted["Resource"] = [r for r in granted["Resource"] if not r.endswith(":*")]


@breaks("a_job_is_submitted_by_bare_name_and_by_revision", "a definition's name may go on")
def _(world: World) -> None:
    _statement(world, "trigger", "SubmitJobs")["Resource"].append("arn:aws:batch:us-east-1:123456789012:job-definition/caldp-2g*")


@breaks("the_trigger_is_told_once_of_every_key_it_acts_on", "broadcasts at the root are not noticed in the tree layout")
def _(world: World) -> None:
    next(n for n in _notifications(world) if "broadcast" in n["filter_prefix"])["filter_prefix"] = "messages/broadcast-"


@breaks("the_trigger_is_told_once_of_every_key_it_acts_on", "broadcasts inside batches are not noticed")
def _(world: World) -> None:
    keys = _pattern(world, "request")["object"]
    keys["key"] = [one for one in keys["key"] if "broadcast" not in one["wildcard"]]


@breaks("the_trigger_is_told_once_of_every_key_it_acts_on", "requests at the root are noticed twice")
def _(world: World) -> None:
    _pattern(world, "request")["object"]["key"].append({"wildcard": "*messages/request-*"})


@breaks("the_trigger_is_told_once_of_every_key_it_acts_on", "the bucket tells EventBridge nothing")
def _(world: World) -> None:
    world.plan["aws_s3_bucket_notification.main"]["eventbridge"] = False


@breaks("the_trigger_is_told_once_of_every_key_it_acts_on", "the rule has no target")
def _(world: World) -> None:
    world.plan['aws_cloudwatch_event_target.queue["request"]']["arn"] = "arn:aws:sqs:us-east-1:123456789012:foreign"


@breaks("the_trigger_is_not_told_of_other_keys", "every message is noticed")
def _(world: World) -> None:
    _notifications(world)[1]["filter_prefix"] = "messages/"


@breaks("the_trigger_is_not_told_of_other_keys", "every message of a batch is noticed")
def _(world: World) -> None:
    _pattern(world, "request")["object"]["key"] = [{"wildcard": "data/*/messages/*"}]


@breaks("s3_accepts_the_notifications", "one prefix begins another")
def _(world: World) -> None:
    _notifications(world)[0]["filter_prefix"] = "messages/"


@breaks("the_trigger_is_told_once_of_every_end_of_a_job", "a queue is forgotten")
def _(world: World) -> None:
    _pattern(world, "job-ended")["jobQueue"].pop()


@breaks("the_trigger_is_told_once_of_every_end_of_a_job", "jobs of other queues are told")
def _(world: World) -> None:
    del _pattern(world, "job-ended")["jobQueue"]


@breaks("the_trigger_is_told_once_of_every_end_of_a_job", "running jobs are told")
def _(world: World) -> None:
    _pattern(world, "job-ended")["status"].append("RUNNING")


@breaks("only_this_deployment_puts_events_into_the_queue", "any bucket may")
def _(world: World) -> None:
    policy = world.plan['aws_sqs_queue_policy.all["events"]']["policy"]
    del next(s for s in policy["Statement"] if s["Sid"] == "Objects")["Condition"]


@breaks("only_this_deployment_puts_events_into_the_queue", "EventBridge may not")
def _(world: World) -> None:
    policy = world.plan['aws_sqs_queue_policy.all["events"]']["policy"]
    policy["Statement"] = [s for s in policy["Statement"] if s["Sid"] != "Events"]


@breaks("only_this_deployment_puts_events_into_the_queue", "without TLS")
def _(world: World) -> None:
    policy = world.plan['aws_sqs_queue_policy.all["events"]']["policy"]
    policy["Statement"] = [s for s in policy["Statement"] if s["Sid"] != "OnlyTls"]


@breaks("a_key_of_ones_own_serves_those_who_need_it", "EventBridge is left out")
def _(world: World) -> None:
    next(s for s in world.plan.documents["key_policy"]["Statement"] if s["Sid"] == "Senders")["Principal"]["Service"].remove("events.amazonaws.com")


@breaks("a_key_of_ones_own_serves_those_who_need_it", "the logs are another deployment's")
def _(world: World) -> None:
    _first(world, "aws_cloudwatch_log_group")["name"] = "/foreign/jobs"


@breaks("a_key_of_ones_own_serves_those_who_need_it", "the trigger cannot read what is encrypted with it")
def _(world: World) -> None:
    for _, queue in world.plan.all("aws_sqs_queue"):
        queue["kms_master_key_id"] = "arn:aws:kms:us-east-1:123456789012:key/foreign"


# --- What is unsafe ----------------------------------------------------------------------------------


@breaks("a_job_cannot_ask_for_anything", "nothing is denied")
def _(world: World) -> None:
    world.plan.role("job")[0]["Statement"].remove(_statement(world, "job", "NoRequests"))


@breaks("a_job_cannot_ask_for_anything", "only at the bucket's root")
def _(world: World) -> None:
    denied = _statement(world, "job", "NoRequests")
    denied["Resource"] = [r.replace("/*messages/", "/messages/") for r in denied["Resource"]]


@breaks("a_job_cannot_ask_for_anything", "only in the tree layout")
def _(world: World) -> None:
    denied = _statement(world, "job", "NoRequests")
    denied["Resource"] = [r for r in denied["Resource"] if "request" in r or "broadcast" in r]


@breaks("a_job_cannot_ask_for_anything", "it may take back a request to stop")
def _(world: World) -> None:
    _statement(world, "job", "NoRequests")["Action"] = "s3:PutObject"


@breaks("a_job_cannot_ask_for_anything", "it may put batch lists")
def _(world: World) -> None:
    _statement(world, "job", "Results")["Resource"].append("arn:aws:s3:::caldp-system/*")


@breaks("a_job_starts_stops_and_configures_nothing", "it may write records")
def _(world: World) -> None:
    _statement(world, "job", "Results")["Resource"].append("arn:aws:s3:::caldp-system/control/*")


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
    _container(world)["user"] = "root"


@breaks("the_instances_role_is_out_of_a_jobs_reach", "tokens are not required")
def _(world: World) -> None:
    world.plan["aws_launch_template.worker"]["metadata_options"][0]["http_tokens"] = "optional"


@breaks("the_instances_role_is_out_of_a_jobs_reach", "the region is not given")
def _(world: World) -> None:
    _set_variable(world, "AWS_REGION", None)


@breaks("instances_get_a_new_system_image_when_asked_to", "the image is that of the compute environment's creation")
def _(world: World) -> None:
    world.plan.configuration["aws_batch_compute_environment.worker"]["compute_resources"][0]["ec2_configuration"][0]["image_id_override"] = {"references": []}


@breaks("instances_get_a_new_system_image_when_asked_to", "the epoch changes nothing")
def _(world: World) -> None:
    world.plan.configuration["terraform_data.ami"]["triggers_replace"] = {"references": []}


@breaks("instances_get_a_new_system_image_when_asked_to", "jobs have an hour when instances change")
def _(world: World) -> None:
    _first(world, "aws_batch_compute_environment")["update_policy"][0]["job_execution_timeout_minutes"] = 60


# --- What costs --------------------------------------------------------------------------------------


@breaks("instances_are_of_named_sizes_and_few_on_demand", "a bare family")
def _(world: World) -> None:
    _first(world, "aws_batch_compute_environment")["compute_resources"][0]["instance_type"].append("c5a")


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
    _set_variable(world, "OMP_NUM_THREADS", None)


# --- What the code says ------------------------------------------------------------------------------


@breaks("definitions_are_what_the_programs_take_them_for", "another memory")
def _(world: World) -> None:
    _container(world)["resourceRequirements"][0]["value"] = "2048"


@breaks("definitions_are_what_the_programs_take_them_for", "another program")
def _(world: World) -> None:
    _container(world)["command"][0] = "caldp-process"


@breaks("definitions_are_what_the_programs_take_them_for", "another image is recorded")
def _(world: World) -> None:
    _set_variable(world, "CALDP_IMAGE", "caldp:other")


@breaks("definitions_are_what_the_programs_take_them_for", "another layout")
def _(world: World) -> None:
    _set_variable(world, "CALDP_LAYOUT", "forest")


@breaks("definitions_are_what_the_programs_take_them_for", "a variable that nothing reads")
def _(world: World) -> None:
    _set_variable(world, "CALDP_LAYOUTS", "tree")


@breaks("definitions_are_what_the_programs_take_them_for", "a time limit beyond the longest")
def _(world: World) -> None:
    _first(world, "aws_batch_job_definition")["timeout"][0]["attempt_duration_seconds"] = 49 * 3600


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
    _first(world, "aws_batch_job_queue")["job_state_time_limit_action"].pop(0)


# --- Who may do what ---------------------------------------------------------------------------------


@breaks("every_call_of_the_programs_is_allowed", "the job may not give up an upload")
def _(world: World) -> None:
    _statement(world, "job", "Results")["Action"].remove("s3:AbortMultipartUpload")


@breaks("every_call_of_the_programs_is_allowed", "the trigger may not stop jobs")
def _(world: World) -> None:
    world.plan.role("trigger")[0]["Statement"].remove(_statement(world, "trigger", "StopJobs"))


@breaks("every_call_of_the_programs_is_allowed", "the job may not list what it reads")
def _(world: World) -> None:
    world.plan.role("job")[0]["Statement"].remove(_statement(world, "job", "ListResults"))


@breaks("nothing_is_granted_that_no_call_needs", "the trigger may change the bucket")
def _(world: World) -> None:
    _statement(world, "trigger", "Objects")["Action"].append("s3:PutBucketPolicy")


@breaks("nothing_is_granted_that_no_call_needs", "the job may read batch lists")
def _(world: World) -> None:
    _statement(world, "job", "Given")["Resource"].append("arn:aws:s3:::caldp-system/batches/*")


@breaks("each_role_is_taken_by_its_service_alone", "the Lambda service may take the job's")
def _(world: World) -> None:
    trust = world.plan['aws_iam_role.all["job"]']["assume_role_policy"]
    trust["Statement"][0]["Principal"]["Service"] = ["ecs-tasks.amazonaws.com", "lambda.amazonaws.com"]
