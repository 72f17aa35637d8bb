# Everything that happens reaches the Lambda through one queue; what it cannot deal with ends in a
# second one, which raises an alarm.

locals {
  queues_of_events = merge(
    {
      # Twice the Lambda's time: an event is not handed out again while it is worked on, and one whose invocation died
      # comes back within half an hour. (AWS advises six times, for functions that are throttled and do the same work
      # twice; this one has a concurrency of its own, and second deliveries find the first's lease.)
      events       = { days = 4, invisible_seconds = 2 * local.trigger_seconds }
      dead-letters = { days = 14, invisible_seconds = 30 }
    },
    # What tells `caldp sync --queue` to look. Who looks now and then as well misses nothing with an old message.
    var.site_queue ? { site = { days = 1, invisible_seconds = 30 } } : {},
  )

  sqs_arns = { for name in keys(local.queues_of_events) : name => "${local.arns.sqs}:${var.name}-${name}" }
}

resource "aws_sqs_queue" "all" {
  for_each = local.queues_of_events

  name                       = "${var.name}-${each.key}"
  message_retention_seconds  = each.value.days * 24 * 3600
  visibility_timeout_seconds = each.value.invisible_seconds
  sqs_managed_sse_enabled    = local.has_key ? null : true
  kms_master_key_id          = local.key_arn
  tags                       = local.tags
}

resource "aws_sqs_queue_redrive_policy" "events" {
  queue_url = aws_sqs_queue.all["events"].id

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.sqs_arns["dead-letters"]
    # what fails comes back after 1, 3, 9, 27 and then every 60 minutes: eight times outlast an outage of hours
    maxReceiveCount = 8
  })
}

data "aws_iam_policy_document" "queue" {
  for_each = local.sqs_arns

  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

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
    resources = [each.value]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["${local.arns.events}:rule/${var.name}-*"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "events" ? [1] : []

    content {
      sid       = "Objects"
      actions   = ["sqs:SendMessage"]
      resources = [each.value]

      principals {
        type        = "Service"
        identifiers = ["s3.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [local.bucket_arn]
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

  # Both set attributes of one queue: at the same moment one of them may be lost, and is waited for in vain.
  depends_on = [aws_sqs_queue_redrive_policy.events]
}
