# What a job is: one run of the worker for one dataset, a definition for each rung, and what it may do.

locals {
  job_environment = merge(
    {
      CALDP_IMAGE  = local.image
      CALDP_LAYOUT = var.layout
      CRDSBUCKET   = "s3://${var.crds_bucket}"
    },
    var.crds_context == "" ? {} : { CRDS_CONTEXT = var.crds_context },
    var.job_environment,
  )

  # Every revision: the trigger names definitions without one and gets the newest.
  job_definition_arns = [
    for definition in aws_batch_job_definition.rung : "${definition.arn_prefix}:*"
  ]
}

resource "aws_batch_job_definition" "rung" {
  for_each = local.rungs
  name     = each.key
  type     = "container"
  tags     = local.tags

  platform_capabilities = ["EC2"]
  propagate_tags        = true

  # Both are always given; a job submitted without them fails at once and says what is missing.
  parameters = {
    s3_output_path = "s3://${aws_s3_bucket.main.bucket}/data/none"
    dataset        = "none"
  }

  container_properties = jsonencode({
    image      = local.image
    command    = ["caldp-process-aws", "Ref::s3_output_path", "Ref::dataset"]
    jobRoleArn = aws_iam_role.all["job"].arn
    user       = "developer"
    privileged = false

    resourceRequirements = [
      { type = "MEMORY", value = tostring(floor(each.value.memory_gib * 1024 * 7 / 8)) },
      { type = "VCPU", value = tostring(each.value.vcpus) },
    ]

    environment = [for name, value in local.job_environment : { name = name, value = value }]

    linuxParameters = { initProcessEnabled = true }

    logConfiguration = {
      logDriver = "awslogs"
      options   = { "awslogs-group" = aws_cloudwatch_log_group.all["jobs"].name }
    }

    mountPoints = []
    secrets     = []
    ulimits     = []
    volumes     = []
  })

  timeout {
    attempt_duration_seconds = each.value.timeout_hours * 3600
  }

  # For jobs submitted by hand: the trigger asks for one attempt and decides itself what is tried again.
  # The first condition that holds decides, so the last one ends everything else.
  retry_strategy {
    attempts = 4

    evaluate_on_exit {
      action           = "retry"
      on_status_reason = "Host EC2*"
    }

    dynamic "evaluate_on_exit" {
      for_each = ["CannotPullContainerError*", "CannotInspectContainerError*", "DockerTimeoutError*"]

      content {
        action    = "retry"
        on_reason = evaluate_on_exit.value
      }
    }

    evaluate_on_exit {
      action    = "exit"
      on_reason = "*"
    }
  }
}

data "aws_iam_policy_document" "job" {
  source_policy_documents = [data.aws_iam_policy_document.key.json]

  # Results and messages; not batch lists, which would make a job able to start others.
  statement {
    sid       = "Results"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = [for prefix in ["data", "outputs", "messages"] : "${aws_s3_bucket.main.arn}/${prefix}/*"]
  }

  # The list of an array job, and what an earlier attempt left behind.
  statement {
    sid       = "Lists"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.main.arn}/*"]
  }

  statement {
    sid       = "ListResults"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.main.arn]
  }

  statement {
    sid     = "ReferencesAndInputs"
    actions = ["s3:GetObject", "s3:ListBucket"]
    resources = flatten([
      for bucket in concat([var.crds_bucket, "stpubdata"], var.input_buckets) :
      ["arn:${local.partition}:s3:::${bucket}", "arn:${local.partition}:s3:::${bucket}/*"]
    ])
  }
}
