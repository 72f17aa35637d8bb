"""Changes that break the rules of `rules.grants`."""

from ..rules import World
from .change import breaks, statement


@breaks("every_call_of_the_programs_is_allowed", "the job may not give up an upload")
def _(world: World) -> None:
    statement(world, "job", "Results")["Action"].remove("s3:AbortMultipartUpload")


@breaks("every_call_of_the_programs_is_allowed", "the trigger may not stop jobs")
def _(world: World) -> None:
    world.plan.role("trigger")[0]["Statement"].remove(statement(world, "trigger", "StopJobs"))


@breaks("every_call_of_the_programs_is_allowed", "the job may not list what it reads")
def _(world: World) -> None:
    world.plan.role("job")[0]["Statement"].remove(statement(world, "job", "ListResults"))


@breaks("nothing_is_granted_that_no_call_needs", "the trigger may change the bucket")
def _(world: World) -> None:
    statement(world, "trigger", "Write")["Action"].append("s3:PutBucketPolicy")


@breaks("nothing_is_granted_that_no_call_needs", "the job may read batch lists")
def _(world: World) -> None:
    statement(world, "job", "Given")["Resource"].append("arn:aws:s3:::caldp-system/batches/*")


@breaks("each_role_is_taken_by_its_service_alone", "the Lambda service may take the job's")
def _(world: World) -> None:
    trust = world.plan['aws_iam_role.all["job"]']["assume_role_policy"]
    trust["Statement"][0]["Principal"]["Service"] = ["ecs-tasks.amazonaws.com", "lambda.amazonaws.com"]


@breaks("people_may_do_what_their_policy_is_for", "who brings results home may ask for their deletion")
def _(world: World) -> None:
    document = world.plan.documents["sync"]
    document["Statement"] = [s for s in document["Statement"] if s["Effect"] == "Allow"]


@breaks("people_may_do_what_their_policy_is_for", "who looks may delete")
def _(world: World) -> None:
    next(s for s in world.plan.documents["look"]["Statement"] if s["Sid"] == "Read")["Action"] = "s3:*"


@breaks("who_brings_results_home_may_take_what_the_queue_tells", "its messages stay")
def _(world: World) -> None:
    statement = next(s for s in world.plan.documents["sync"]["Statement"] if s.get("Sid") == "TakeNews")
    statement["Action"] = ["sqs:ReceiveMessage"]


@breaks("people_may_do_what_their_policy_is_for", "who asks may not invoke the Lambda")
def _(world: World) -> None:
    document = world.plan.documents["requests"]
    document["Statement"] = [s for s in document["Statement"] if s.get("Sid") != "Invoke"]
