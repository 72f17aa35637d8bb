# The Lambda: batches into jobs, failures into verdicts, requests into actions.

locals {
  trigger_seconds = 900
}

resource "aws_lambda_function" "trigger" {
  #checkov:skip=CKV_AWS_117:it talks to AWS's public endpoints only, and in a VPC would need a gateway for each
  #checkov:skip=CKV_AWS_272:the zip is built and checked in the same place as this configuration
  #checkov:skip=CKV_AWS_173:its variables are names of queues, not secrets
  #checkov:skip=CKV_AWS_115:the event source mapping bounds concurrency; small accounts have none to reserve
  #checkov:skip=CKV_AWS_50:its log has the time of every request it makes
  function_name    = "${var.name}-trigger"
  description      = "Submits batches of datasets, judges failures, answers requests"
  role             = aws_iam_role.all["trigger"].arn
  filename         = var.trigger_zip
  source_code_hash = filebase64sha256(var.trigger_zip)
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = [var.trigger_architecture]
  memory_size      = 512
  timeout          = local.trigger_seconds

  environment {
    variables = merge({
      BUCKET              = aws_s3_bucket.main.bucket
      JOBQUEUES           = join(",", [for name in local.rung_names : aws_batch_job_queue.rung[name].name])
      JOBDEFINITIONS      = join(",", [for name in local.rung_names : aws_batch_job_definition.rung[name].name])
      CALDP_LAYOUT        = var.layout
      CALDP_HOURLY_PRICES = join(",", var.ladder[*].hourly_price)
    }, var.trigger_environment)
  }

  # What is invoked without waiting for the answer and fails is kept as well.
  dead_letter_config {
    target_arn = aws_sqs_queue.all["dead-letters"].arn
  }

  tags       = local.tags
  depends_on = [aws_cloudwatch_log_group.all, aws_iam_role_policy.all]
}

resource "aws_lambda_event_source_mapping" "events" {
  event_source_arn        = aws_sqs_queue.all["events"].arn
  function_name           = aws_lambda_function.trigger.arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 8
  }
}

data "aws_iam_policy_document" "trigger" {
  #checkov:skip=CKV_AWS_356:AWS Batch knows no resource for its list and describe calls
  source_policy_documents = [data.aws_iam_policy_document.key.json]

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.all["trigger"].arn}:*"]
  }

  statement {
    sid       = "Objects"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.main.arn}/*"]
  }

  statement {
    sid       = "ListObjects"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.main.arn]
  }

  statement {
    sid       = "SubmitJobs"
    actions   = ["batch:SubmitJob"]
    resources = concat(values(aws_batch_job_queue.rung)[*].arn, local.job_definition_arns)
  }

  statement {
    sid       = "StopJobs"
    actions   = ["batch:CancelJob", "batch:TerminateJob"]
    resources = ["arn:${local.partition}:batch:${local.region}:${local.account}:job/*"]
  }

  statement {
    sid       = "SeeJobs"
    actions   = ["batch:DescribeJobs", "batch:ListJobs"]
    resources = ["*"]
  }

  statement {
    sid       = "TakeEvents"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"]
    resources = [aws_sqs_queue.all["events"].arn]
  }

  statement {
    sid       = "GiveUpEvents"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.all["dead-letters"].arn]
  }
}
