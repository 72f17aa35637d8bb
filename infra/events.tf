# What EventBridge tells: jobs that ended, requests inside a batch's own tree, and the time.

resource "aws_cloudwatch_event_rule" "job" {
  name        = "${var.name}-job-ended"
  description = "A job of this deployment succeeded or failed"
  tags        = local.tags

  event_pattern = jsonencode({
    source        = ["aws.batch"]
    "detail-type" = ["Batch Job State Change"]
    detail = {
      jobQueue = aws_batch_job_queue.rung[*].arn
      status   = ["SUCCEEDED", "FAILED"]
    }
  })
}

resource "aws_cloudwatch_event_rule" "request" {
  name        = "${var.name}-request"
  description = "Somebody asks for something about a dataset of a batch"
  tags        = local.tags

  event_pattern = jsonencode({
    source        = ["aws.s3"]
    "detail-type" = ["Object Created"]
    detail = {
      bucket = { name = [aws_s3_bucket.main.bucket] }
      object = { key = [{ wildcard = "data/*/messages/request-*" }] }
    }
  })
}

resource "aws_cloudwatch_event_rule" "overview" {
  count               = var.overview_rate == "" ? 0 : 1
  name                = "${var.name}-overview"
  description         = "Time to write the state overview"
  schedule_expression = var.overview_rate
  tags                = local.tags
}

locals {
  rules = merge(
    { job = aws_cloudwatch_event_rule.job.name, request = aws_cloudwatch_event_rule.request.name },
    var.overview_rate == "" ? {} : { overview = one(aws_cloudwatch_event_rule.overview[*].name) },
  )
}

resource "aws_cloudwatch_event_target" "queue" {
  for_each = local.rules
  rule     = each.value
  arn      = aws_sqs_queue.events.arn

  dead_letter_config {
    arn = aws_sqs_queue.dead.arn
  }

  depends_on = [aws_sqs_queue_policy.all]
}
