# What EventBridge tells: jobs that ended, requests inside a batch's own tree, and the time.

locals {
  rules = {
    for name, rule in {
      job-ended = {
        says     = "A job of this deployment succeeded or failed"
        schedule = null
        pattern = jsonencode({
          source        = ["aws.batch"]
          "detail-type" = ["Batch Job State Change"]
          detail = {
            jobQueue = values(aws_batch_job_queue.rung)[*].arn
            status   = ["SUCCEEDED", "FAILED"]
          }
        })
      }
      request = {
        says     = "Somebody asks for something about a dataset of a batch"
        schedule = null
        pattern = jsonencode({
          source        = ["aws.s3"]
          "detail-type" = ["Object Created"]
          detail = {
            bucket = { name = [aws_s3_bucket.main.bucket] }
            object = { key = [{ wildcard = "data/*/messages/request-*" }] }
          }
        })
      }
      overview = {
        says     = "Time to write the state overview"
        schedule = var.overview_rate
        pattern  = null
      }
    } : name => rule if rule.schedule != ""
  }
}

resource "aws_cloudwatch_event_rule" "all" {
  for_each = local.rules

  name                = "${var.name}-${each.key}"
  description         = each.value.says
  event_pattern       = each.value.pattern
  schedule_expression = each.value.schedule
  tags                = local.tags
}

resource "aws_cloudwatch_event_target" "queue" {
  for_each = aws_cloudwatch_event_rule.all
  rule     = each.value.name
  arn      = aws_sqs_queue.all["events"].arn

  dead_letter_config {
    arn = aws_sqs_queue.all["dead-letters"].arn
  }

  depends_on = [aws_sqs_queue_policy.all]
}
