"""Changes that break the rules of `rules.reach`."""

from ..rules import World
from .change import breaks, first, notifications, pattern, statement


@breaks("a_job_is_submitted_by_bare_name_and_by_revision", "only revisions of definitions may be submitted")
def _(world: World) -> None:
    granted = statement(world, "trigger", "SubmitJobs")
    granted["Resource"] = [r for r in granted["Resource"] if "definition" not in r or r.endswith(":*")]


@breaks("a_job_is_submitted_by_bare_name_and_by_revision", "no revision of a definition may be submitted")
def _(world: World) -> None:
    granted = statement(world, "trigger", "SubmitJobs")
    granted["Resource"] = [r for r in granted["Resource"] if not r.endswith(":*")]


@breaks("a_job_is_submitted_by_bare_name_and_by_revision", "a definition's name may go on")
def _(world: World) -> None:
    statement(world, "trigger", "SubmitJobs")["Resource"].append("arn:aws:batch:us-east-1:123456789012:job-definition/caldp-2g*")


@breaks("the_trigger_is_told_once_of_every_key_it_acts_on", "broadcasts at the root are not noticed in the tree layout")
def _(world: World) -> None:
    next(n for n in notifications(world) if "broadcast" in n["filter_prefix"])["filter_prefix"] = "messages/broadcast-"


@breaks("the_trigger_is_told_once_of_every_key_it_acts_on", "broadcasts inside batches are not noticed")
def _(world: World) -> None:
    del world.plan.resources['aws_cloudwatch_event_rule.all["request-0-broadcast"]']


@breaks("the_trigger_is_told_once_of_every_key_it_acts_on", "requests at the root are noticed twice")
def _(world: World) -> None:
    pattern(world, "request-0-request")["object"]["key"] = [{"wildcard": "*messages/request-*"}]


@breaks("the_trigger_is_told_once_of_every_key_it_acts_on", "requests inside batches are noticed twice")
def _(world: World) -> None:
    pattern(world, "request-0-clean")["object"]["key"].append({"wildcard": "data/*messages/request-*"})


@breaks("the_trigger_is_told_once_of_every_key_it_acts_on", "the bucket tells EventBridge nothing")
def _(world: World) -> None:
    world.plan["aws_s3_bucket_notification.main"]["eventbridge"] = False


@breaks("the_trigger_is_told_once_of_every_key_it_acts_on", "a rule has no target")
def _(world: World) -> None:
    world.plan['aws_cloudwatch_event_target.queue["request-0-request"]']["arn"] = "arn:aws:sqs:us-east-1:123456789012:foreign"


@breaks("eventbridge_accepts_the_rules", "one rule for all words")
def _(world: World) -> None:
    words = ["request-", "rescue-", "cancel-", "clean-", "placed-", "broadcast"]
    pattern(world, "request-0-request")["object"]["key"] = [{"wildcard": f"data/*messages/{word}*"} for word in words]


@breaks("the_trigger_is_not_told_of_other_keys", "every message is noticed")
def _(world: World) -> None:
    notifications(world)[1]["filter_prefix"] = "messages/"


@breaks("the_trigger_is_not_told_of_other_keys", "every message of a batch is noticed")
def _(world: World) -> None:
    pattern(world, "request-0-request")["object"]["key"] = [{"wildcard": "data/*/messages/*"}]


@breaks("s3_accepts_the_notifications", "one prefix begins another")
def _(world: World) -> None:
    notifications(world)[0]["filter_prefix"] = "messages/"


@breaks("the_trigger_is_told_once_of_every_end_of_a_job", "a queue is forgotten")
def _(world: World) -> None:
    pattern(world, "job-ended")["jobQueue"].pop()


@breaks("the_trigger_is_told_once_of_every_end_of_a_job", "jobs of other queues are told")
def _(world: World) -> None:
    del pattern(world, "job-ended")["jobQueue"]


@breaks("the_trigger_is_told_once_of_every_end_of_a_job", "running jobs are told")
def _(world: World) -> None:
    pattern(world, "job-ended")["status"].append("RUNNING")


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
    first(world, "aws_cloudwatch_log_group")["name"] = "/foreign/jobs"


@breaks("a_key_of_ones_own_serves_those_who_need_it", "the trigger cannot read what is encrypted with it")
def _(world: World) -> None:
    for _, queue in world.plan.all("aws_sqs_queue"):
        queue["kms_master_key_id"] = "arn:aws:kms:us-east-1:123456789012:key/foreign"


@breaks("the_queue_for_sync_is_told_once_of_every_processed_dataset", "a layout is forgotten")
def _(world: World) -> None:
    for address, values in world.plan.resources.items():
        if address.startswith("aws_cloudwatch_event_rule.processed") and "dataset-processed" in str(values["event_pattern"]):
            values["event_pattern"]["detail"]["bucket"]["name"] = ["another"]


@breaks("the_queue_for_sync_is_told_once_of_every_processed_dataset", "the queue takes nothing")
def _(world: World) -> None:
    document = world.plan['aws_sqs_queue_policy.all["site"]']["policy"]
    document["Statement"] = [s for s in document["Statement"] if s.get("Sid") != "Events"]
