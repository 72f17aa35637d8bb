"""What people are told of when something is wrong, and that what runs can be told apart."""

from collections.abc import Iterator

from .. import policy
from ..patterns import event_matches
from .world import ACCOUNT, BATCH, REGION, World, listed, rule

# What must raise an alarm: a metric and what it is about.
WATCHED = {
    ("ApproximateNumberOfMessagesVisible", "caldp-dead-letters"), ("ApproximateAgeOfOldestMessage", "caldp-events"),
    ("Errors", "caldp-trigger"), ("Duration", "caldp-trigger"), ("Throttles", "caldp-trigger"),
}
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:caldp-alarms"


@rule
def somebody_is_told_of_trouble(world: World) -> Iterator[str]:
    watched = set()
    for name, alarm in world.plan.all("aws_cloudwatch_metric_alarm"):
        watched |= {(alarm["metric_name"], value) for value in alarm["dimensions"].values()}
        if TOPIC not in alarm["alarm_actions"] or alarm["treat_missing_data"] != "notBreaching" or not alarm["alarm_description"]:
            yield f"the alarm {name} tells {alarm['alarm_actions']}"
        if alarm["metric_name"] == "Duration":
            limit = world.plan["aws_lambda_function.trigger"]["timeout"] * 1000
            spare = world.contract["trigger"]["reserve_seconds"] * 1000
            if not limit - spare < alarm["threshold"] < limit:
                yield f"the Lambda hands on until {limit - spare} ms, ends at {limit} ms and is warned of at {alarm['threshold']}"
    for metric, about in WATCHED - watched:
        yield f"nobody is told of {metric} of {about}"
    topic = [world.plan["aws_sns_topic_policy.alarms[0]"]["policy"]]
    for service in ("cloudwatch.amazonaws.com", "events.amazonaws.com"):
        for account, wanted in ((ACCOUNT, policy.ALLOWED), ("999999999999", policy.NOT_ALLOWED)):
            if policy.decide(topic, "sns:Publish", TOPIC, {"aws:SourceAccount": account}, service) != wanted:
                yield f"{service} of {account} telling the topic is not {wanted}"


@rule
def somebody_is_told_of_every_blocked_queue(world: World) -> Iterator[str]:
    queues = listed(world.plan.lambda_environment(), "JOBQUEUES", "CALDP_ON_DEMAND_QUEUES", "CALDP_ALLOWED_QUEUES")
    for queue in queues:
        event = {"source": "aws.batch", "detail-type": "Batch Job Queue Blocked", "detail": {"jobQueue": f"{BATCH}job-queue/{queue}"}}
        told = [target for _, pattern, targets in world.plan.rules() if event_matches(pattern, event) for target in targets]
        if TOPIC not in told or any(":sqs:" in target for target in told):
            yield f"that {queue} is blocked is told to {told}"


@rule
def what_runs_can_be_told_apart(world: World) -> Iterator[str]:
    for name, definition in world.plan.all("aws_batch_job_definition"):
        if not definition["propagate_tags"]:
            yield f"costs of jobs of {name} are nobody's"
    for name, environment in world.plan.all("aws_batch_compute_environment"):
        if "Application" not in environment["compute_resources"][0]["tags"]:
            yield f"costs of instances of {name} are nobody's"
