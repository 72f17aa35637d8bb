# What tells that something is wrong, and whom.

locals {
  has_topic = length(var.alarm_emails) > 0
  topic_arn = "${local.arns.sns}:${var.name}-alarms"
  # Told of every alarm: the topic of this deployment and what alarm_actions names.
  alarm_actions = concat(local.has_topic ? [local.topic_arn] : [], var.alarm_actions)
  # Of these EventBridge can tell topics.
  alarm_topics = [for arn in local.alarm_actions : arn if split(":", arn)[2] == "sns"]

  of_queue  = { for name in keys(local.queues_of_events) : name => { QueueName = "${var.name}-${name}" } }
  of_lambda = { FunctionName = local.trigger_name }

  alarms = {
    dead-letters = {
      namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = local.of_queue["dead-letters"]
      statistic = "Maximum", above = 0, periods = 1
      says      = "An event could not be dealt with. The Lambda's log says why; once that is mended, redrive the queue."
    }
    events-waiting = {
      namespace = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimensions = local.of_queue["events"]
      statistic = "Maximum", above = 3600, periods = 3
      says      = "Events wait for more than an hour: the Lambda fails, or does not keep up."
    }
    lambda-errors = {
      namespace = "AWS/Lambda", metric = "Errors", dimensions = local.of_lambda
      statistic = "Sum", above = 0, periods = 1
      says      = "The Lambda ended without an answer: its time or memory was over, or its code or configuration is broken."
    }
    # It hands its work on before its time is over.
    lambda-duration = {
      namespace = "AWS/Lambda", metric = "Duration", dimensions = local.of_lambda
      statistic = "Maximum", above = (local.trigger_seconds - 10) * 1000, periods = 1
      says      = "The Lambda worked until its time limit, which it should never reach."
    }
    lambda-throttled = {
      namespace = "AWS/Lambda", metric = "Throttles", dimensions = local.of_lambda
      statistic = "Sum", above = 0, periods = 3
      says      = "The account's concurrency of Lambda functions is used up; events wait, and are given up after eight tries."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "all" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
  tags                = local.tags
}

# --- Queues that are blocked -------------------------------------------------------------------------

# AWS Batch says so when the job at a queue's head can never start: no capacity, an environment that is invalid or too
# small, a role or network that is wrong. It has no metric of it.
resource "aws_cloudwatch_event_rule" "blocked" {
  count       = length(local.alarm_topics) > 0 ? 1 : 0
  name        = "${var.name}-queue-blocked"
  description = "A queue of this deployment is blocked"
  tags        = local.tags

  event_pattern = jsonencode({
    source        = ["aws.batch"]
    "detail-type" = ["Batch Job Queue Blocked"]
    detail        = { jobQueue = local.queue_arns }
  })
}

resource "aws_cloudwatch_event_target" "blocked" {
  for_each = length(local.alarm_topics) > 0 ? toset(local.alarm_topics) : toset([])
  rule     = aws_cloudwatch_event_rule.blocked[0].name
  arn      = each.value

  input_transformer {
    input_paths = {
      queue  = "$.detail.jobQueue"
      job    = "$.detail.jobName"
      reason = "$.detail.statusReason"
    }
    input_template = "\"The job queue <queue> is blocked by the job <job>: <reason>\""
  }
}

# --- Whom to tell ------------------------------------------------------------------------------------

resource "aws_sns_topic" "alarms" {
  #checkov:skip=CKV_AWS_26:a customer's KMS key is used when there is one; alarms cannot use the key AWS manages
  count             = local.has_topic ? 1 : 0
  name              = "${var.name}-alarms"
  kms_master_key_id = local.key_arn
  tags              = local.tags
}

data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "Alarms"
    actions   = ["sns:Publish"]
    resources = [local.topic_arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  count  = local.has_topic ? 1 : 0
  arn    = aws_sns_topic.alarms[0].arn
  policy = data.aws_iam_policy_document.topic.json
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = toset(var.alarm_emails)
  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = each.value
}

# --- What it costs -----------------------------------------------------------------------------------

resource "aws_budgets_budget" "monthly" {
  count        = var.monthly_budget > 0 ? 1 : 0
  name         = var.name
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget)
  limit_unit   = "USD"
  tags         = local.tags

  cost_filter {
    name   = "TagKeyValue"
    values = ["user:Application$${var.name}"]
  }

  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }

    content {
      notification_type          = notification.key
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      comparison_operator        = "GREATER_THAN"
      subscriber_email_addresses = var.alarm_emails
      subscriber_sns_topic_arns  = local.has_topic ? [] : local.alarm_topics
    }
  }
}
