# Everything that happens reaches the Lambda through one queue; what it cannot deal with ends in a
# second one, which raises an alarm.

locals {
  queues = {
    # AWS asks for six times the Lambda's time, so that no event is handed out twice while it is worked on.
    events       = { days = 4, invisible_seconds = 6 * local.trigger_seconds }
    dead-letters = { days = 14, invisible_seconds = 30 }
  }
}

resource "aws_sqs_queue" "all" {
  for_each = local.queues

  name                       = "${var.name}-${each.key}"
  message_retention_seconds  = each.value.days * 24 * 3600
  visibility_timeout_seconds = each.value.invisible_seconds
  sqs_managed_sse_enabled    = var.kms_key_arn == "" ? true : null
  kms_master_key_id          = var.kms_key_arn == "" ? null : var.kms_key_arn
  tags                       = local.tags
}

resource "aws_sqs_queue_redrive_policy" "events" {
  queue_url = aws_sqs_queue.all["events"].id

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.all["dead-letters"].arn
    maxReceiveCount     = 5
  })
}

data "aws_iam_policy_document" "queue" {
  for_each = aws_sqs_queue.all

  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value.arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  statement {
    sid       = "Events"
    actions   = ["sqs:SendMessage"]
    resources = [each.value.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-*"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "events" ? [1] : []

    content {
      sid       = "Objects"
      actions   = ["sqs:SendMessage"]
      resources = [each.value.arn]

      principals {
        type        = "Service"
        identifiers = ["s3.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [aws_s3_bucket.main.arn]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_sqs_queue_policy" "all" {
  for_each  = aws_sqs_queue.all
  queue_url = each.value.id
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

resource "aws_cloudwatch_metric_alarm" "queue" {
  for_each = {
    dead-letters = {
      queue     = "dead-letters"
      metric    = "ApproximateNumberOfMessagesVisible"
      threshold = 0
      periods   = 1
      says      = "An event could not be dealt with. The Lambda's log says why; once that is mended, redrive the queue."
    }
    events-waiting = {
      queue     = "events"
      metric    = "ApproximateAgeOfOldestMessage"
      threshold = 3600
      periods   = 3
      says      = "Events wait for more than an hour: the Lambda fails, or does not keep up."
    }
  }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = "AWS/SQS"
  metric_name         = each.value.metric
  dimensions          = { QueueName = aws_sqs_queue.all[each.value.queue].name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = local.tags
}
