# The Lambda: batches into jobs, failures into verdicts, requests into actions.

locals {
  trigger_name    = "${var.name}-trigger"
  trigger_seconds = 900

  trigger_environment = {
    for name, value in {
      BUCKET                    = var.bucket_name
      JOBQUEUES                 = join(",", local.bin_names)
      JOBDEFINITIONS            = join(",", local.bin_names)
      CALDP_LAYOUT              = var.layout
      CALDP_HOURLY_PRICES       = join(",", var.memory_bins[*].hourly_price)
      CALDP_ON_DEMAND_QUEUES    = join(",", local.on_demand_queues)
      CALDP_ALLOWED_QUEUES      = join(",", var.allowed_job_queues)
      CALDP_ALLOWED_DEFINITIONS = join(",", var.allowed_job_definitions)
      CALDP_ALLOWED_OUTPUTS     = join(",", var.allowed_outputs)
      CALDP_METRICS_NAMESPACE   = var.name
      CALDP_FAIR_SHARE          = var.fair_share ? "1" : ""
    } : name => value if value != ""
  }
}

resource "aws_lambda_function" "trigger" {
  #checkov:skip=CKV_AWS_117:it talks to AWS's public endpoints only, and in a VPC would need a gateway for each
  #checkov:skip=CKV_AWS_272:the zip is built and checked in the same place as this configuration
  #checkov:skip=CKV_AWS_173:its variables are names of queues, not secrets
  #checkov:skip=CKV_AWS_115:the event source mapping bounds concurrency; small accounts have none to reserve
  #checkov:skip=CKV_AWS_50:its log has the time of every request it makes
  function_name    = local.trigger_name
  description      = "Submits batches of datasets, judges failures, answers requests"
  role             = local.role_arns["trigger"]
  filename         = var.trigger_zip
  source_code_hash = filebase64sha256(var.trigger_zip)
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = [var.trigger_architecture]
  memory_size      = 512
  timeout          = local.trigger_seconds

  environment {
    variables = merge(local.trigger_environment, var.trigger_environment)
  }

  # What is invoked without waiting for the answer and fails is kept as well.
  dead_letter_config {
    target_arn = local.sqs_arns["dead-letters"]
  }

  tags       = local.tags
  depends_on = [aws_cloudwatch_log_group.all, aws_iam_role_policy.all, aws_sqs_queue.all]
}

resource "aws_lambda_event_source_mapping" "events" {
  event_source_arn        = aws_sqs_queue.all["events"].arn
  function_name           = aws_lambda_function.trigger.function_name
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 8
  }
}

data "aws_iam_policy_document" "trigger" {
  #checkov:skip=CKV_AWS_356:AWS Batch knows no resource for its list and describe calls
  source_policy_documents = [data.aws_iam_policy_document.work.json]

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.arns.logs}:log-group:${local.log_groups["trigger"]}:*"]
  }

  statement {
    sid       = "TakeEvents"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"]
    resources = [local.sqs_arns["events"]]
  }

  statement {
    sid       = "GiveUpEvents"
    actions   = ["sqs:SendMessage"]
    resources = [local.sqs_arns["dead-letters"]]
  }
}
