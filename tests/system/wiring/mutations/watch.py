"""Changes that break the rules of `rules.watch`."""

from ..rules import World
from .change import breaks, first


@breaks("somebody_is_told_of_trouble", "dead letters raise no alarm")
def _(world: World) -> None:
    del world.plan.resources['aws_cloudwatch_metric_alarm.all["dead-letters"]']


@breaks("somebody_is_told_of_trouble", "an alarm tells nobody")
def _(world: World) -> None:
    first(world, "aws_cloudwatch_metric_alarm")["alarm_actions"] = []


@breaks("somebody_is_told_of_trouble", "the Lambda's normal end is an alarm")
def _(world: World) -> None:
    world.plan['aws_cloudwatch_metric_alarm.all["lambda-duration"]']["threshold"] = 870_000


@breaks("somebody_is_told_of_trouble", "the topic takes no alarms")
def _(world: World) -> None:
    world.plan["aws_sns_topic_policy.alarms[0]"]["policy"]["Statement"][0]["Principal"]["Service"] = ["events.amazonaws.com"]


@breaks("somebody_is_told_of_every_blocked_queue", "the rule has no target")
def _(world: World) -> None:
    for address in [a for a in world.plan.resources if a.startswith("aws_cloudwatch_event_target.blocked")]:
        del world.plan.resources[address]


@breaks("somebody_is_told_of_every_blocked_queue", "a queue is forgotten")
def _(world: World) -> None:
    world.plan["aws_cloudwatch_event_rule.blocked[0]"]["event_pattern"]["detail"]["jobQueue"].pop(0)


@breaks("what_runs_can_be_told_apart", "jobs have no tags")
def _(world: World) -> None:
    first(world, "aws_batch_job_definition")["propagate_tags"] = False
