# What EventBridge tells: jobs that ended, requests inside a batch's own tree, and the time.

locals {
  rules = merge(
    {
      job-ended = {
        says     = "A job of this deployment succeeded or failed"
        schedule = null
        pattern = jsonencode({
          source        = ["aws.batch"]
          "detail-type" = ["Batch Job State Change"]
          detail = {
            jobQueue = local.queue_arns
            status   = ["SUCCEEDED", "FAILED"]
          }
        })
      }
    },
    {
      for name, pattern in local.noticed_patterns :
      name => {
        says     = "Somebody asks for something about datasets of a batch"
        schedule = null
        pattern = jsonencode({
          source        = ["aws.s3"]
          "detail-type" = ["Object Created"]
          detail = {
            bucket = { name = [var.bucket_name] }
            object = { key = [{ wildcard = pattern }] }
          }
        })
      }
    },
    var.overview_rate == "" ? {} : {
      overview = {
        says     = "Time to look at what is under way"
        schedule = var.overview_rate
        pattern  = null
      }
    },
  )
}

# What tells those who bring results home that there are some: messages of processed datasets, in both layouts, at the
# bucket's root and in outputs.
locals {
  processed_patterns = var.site_queue ? concat(
    [for prefix in ["messages/dataset-processed/", "messages/processed-"] : { prefix = prefix }],
    [for folder in local.output_folders : { wildcard = "${folder}/*messages/dataset-processed/*" }],
    [for folder in local.output_folders : { wildcard = "${folder}/*messages/processed-*" }],
  ) : []
}

resource "aws_cloudwatch_event_rule" "processed" {
  count = length(local.processed_patterns)

  name        = "${var.name}-processed-${count.index}"
  description = "A dataset is processed: caldp sync may fetch it"
  tags        = local.tags

  event_pattern = jsonencode({
    source        = ["aws.s3"]
    "detail-type" = ["Object Created"]
    detail = {
      bucket = { name = [var.bucket_name] }
      object = { key = [local.processed_patterns[count.index]] }
    }
  })
}

resource "aws_cloudwatch_event_target" "site" {
  count = length(local.processed_patterns)
  rule  = aws_cloudwatch_event_rule.processed[count.index].name
  arn   = local.sqs_arns["site"]

  depends_on = [aws_sqs_queue_policy.all]
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
  arn      = local.sqs_arns["events"]

  dead_letter_config {
    arn = local.sqs_arns["dead-letters"]
  }

  depends_on = [aws_sqs_queue_policy.all]
}
