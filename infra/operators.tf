# What people may be given: policies for each way of working, as outputs. The module gives them to nobody.

locals {
  # Which commands of `caldp` each serves.
  operator_commands = {
    submit   = ["submit", "rescue", "cancel", "clean", "sweep"]
    look     = ["status", "explain", "page"]
    sync     = ["sync"]
    requests = ["requests"]
  }

  operator_policies = {
    submit   = data.aws_iam_policy_document.work.json
    look     = data.aws_iam_policy_document.look.json
    sync     = data.aws_iam_policy_document.sync.json
    requests = data.aws_iam_policy_document.requests.json
  }
}

# A part of every policy that reads results.
data "aws_iam_policy_document" "read" {
  source_policy_documents = [data.aws_iam_policy_document.key.json]

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arn}/*"]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]
  }
}

# The Lambda's work, and the same done by hand: batches submitted, datasets rescued, jobs stopped, results deleted.
data "aws_iam_policy_document" "work" {
  #checkov:skip=CKV_AWS_356:AWS Batch knows no resource for its list and describe calls
  source_policy_documents = [data.aws_iam_policy_document.read.json]

  statement {
    sid       = "Write"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = ["${local.bucket_arn}/*"]
  }

  statement {
    sid       = "SubmitJobs"
    actions   = ["batch:SubmitJob"]
    resources = concat(local.queue_arns, local.definition_arns)
  }

  # Jobs are submitted with the tag of their batch.
  statement {
    sid       = "TagJobs"
    actions   = ["batch:TagResource"]
    resources = ["${local.arns.batch}:job/*"]
  }

  statement {
    sid       = "StopJobs"
    actions   = ["batch:TerminateJob"]
    resources = ["${local.arns.batch}:job/*"]
  }

  statement {
    sid       = "SeeJobs"
    actions   = ["batch:DescribeJobs", "batch:ListJobs"]
    resources = ["*"]
  }
}

# Seeing what goes on. What is settled is remembered in the overview's folder; pages are written there, and deleted
# with their batches.
data "aws_iam_policy_document" "look" {
  #checkov:skip=CKV_AWS_356:AWS Batch knows no resource for its list and describe calls
  source_policy_documents = [data.aws_iam_policy_document.read.json]

  statement {
    sid       = "Remember"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = ["${local.bucket_arn}/*blackboard/*"]
  }

  statement {
    sid       = "SeeJobs"
    actions   = ["batch:DescribeJobs", "batch:ListJobs"]
    resources = ["*"]
  }

  statement {
    sid       = "SeeLogs"
    actions   = ["logs:FilterLogEvents", "logs:GetLogEvents"]
    resources = ["${local.arns.logs}:log-group:${local.log_groups["jobs"]}:*"]
  }
}

# Bringing results home: messages of states are moved on, nothing is asked for.
data "aws_iam_policy_document" "sync" {
  source_policy_documents = [data.aws_iam_policy_document.read.json]

  statement {
    sid       = "MoveMessages"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = ["${local.bucket_arn}/*messages/*"]
  }

  # `caldp sync --queue`
  dynamic "statement" {
    for_each = var.site_queue ? [1] : []

    content {
      sid       = "TakeNews"
      actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
      resources = [local.sqs_arns["site"]]
    }
  }

  statement {
    sid       = "NoRequests"
    effect    = "Deny"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = local.request_arns
  }
}

# Asking the Lambda: batch lists and messages that ask for something, put with any tool; orders as its event.
data "aws_iam_policy_document" "requests" {
  source_policy_documents = [data.aws_iam_policy_document.read.json]

  statement {
    sid       = "Ask"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = concat(["${local.bucket_arn}/batches/*"], local.request_arns)
  }

  statement {
    sid       = "Invoke"
    actions   = ["lambda:InvokeFunction"]
    resources = ["${local.arns.lambda}:function:${local.trigger_name}"]
  }
}
