# What a job is: one run of the worker for one dataset, a definition for each memory bin, and what it may do.

locals {
  # The references that jobs of an instance share, by its path there and in every container. Made by the user data.
  shared_references = "/var/cache/caldp/references"
  shared_paths      = var.shared_references_gib > 0 ? [local.shared_references] : []

  job_environment = merge(
    {
      CALDP_IMAGE  = local.image
      CALDP_LAYOUT = var.layout
      CRDSBUCKET   = "s3://${var.crds_bucket}"
      # The instance's metadata, where programs would else look for both, is out of a job's reach.
      AWS_REGION                = local.region
      AWS_EC2_METADATA_DISABLED = "true"
    },
    {
      for path in local.shared_paths : "CALDP_SHARED_REFERENCES" => path
    },
    {
      for path in local.shared_paths : "CALDP_SHARED_REFERENCES_GIB" => tostring(var.shared_references_gib)
    },
    var.crds_context == "" ? {} : { CRDS_CONTEXT = var.crds_context },
  )
}

resource "aws_batch_job_definition" "bin" {
  for_each = local.memory_bins
  name     = each.key
  type     = "container"
  tags     = local.tags

  platform_capabilities = ["EC2"]
  propagate_tags        = true

  # Both are always given; a job submitted without them fails at once and says what is missing.
  parameters = {
    s3_output_path = "s3://${var.bucket_name}/data/none"
    dataset        = "none"
  }

  container_properties = jsonencode({
    image      = local.image
    command    = ["caldp-process-aws", "Ref::s3_output_path", "Ref::dataset"]
    jobRoleArn = local.role_arns["job"]
    user       = "developer"
    privileged = false

    resourceRequirements = [
      { type = "MEMORY", value = tostring(floor(each.value.memory_gib * 1024 * 7 / 8)) },
      { type = "VCPU", value = tostring(each.value.vcpus) },
    ]

    # OpenMP would start a thread for every processor of the instance, whatever the job's share.
    environment = [
      for name, value in merge(local.job_environment, { OMP_NUM_THREADS = tostring(each.value.vcpus) }, var.job_environment) :
      { name = name, value = value }
    ]

    linuxParameters = { initProcessEnabled = true }

    logConfiguration = {
      logDriver = "awslogs"
      options   = { "awslogs-group" = local.log_groups["jobs"] }
    }

    mountPoints = [
      for path in local.shared_paths : { sourceVolume = "references", containerPath = path, readOnly = false }
    ]
    volumes = [for path in local.shared_paths : { name = "references", host = { sourcePath = path } }]
    secrets = []
    ulimits = []
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

  depends_on = [aws_iam_role.all, aws_cloudwatch_log_group.all]
}

data "aws_iam_policy_document" "job" {
  source_policy_documents = [data.aws_iam_policy_document.key.json]

  # Results and messages; not batch lists, which would make a job able to start others.
  statement {
    sid       = "Results"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = [for folder in concat(local.output_folders, ["outputs", "messages"]) : "${local.bucket_arn}/${folder}/*"]
  }

  # A message that asks for something would be acted on with the Lambda's rights, wherever it lies.
  statement {
    sid       = "NoRequests"
    effect    = "Deny"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = local.request_arns
  }

  # The list of an array job, and inputs that were put in place.
  statement {
    sid       = "Given"
    actions   = ["s3:GetObject"]
    resources = [for folder in ["control", "inputs"] : "${local.bucket_arn}/${folder}/*"]
  }

  statement {
    sid       = "ListResults"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]
  }

  statement {
    sid     = "ReferencesAndInputs"
    actions = ["s3:GetObject", "s3:ListBucket"]
    resources = flatten([
      for bucket in concat([var.crds_bucket, "stpubdata"], var.input_buckets) :
      ["arn:${local.partition}:s3:::${bucket}", "arn:${local.partition}:s3:::${bucket}/*"]
    ])
  }

  dynamic "statement" {
    for_each = length(var.input_kms_key_arns) == 0 ? [] : [1]

    content {
      sid       = "KeysOfInputs"
      actions   = ["kms:Decrypt"]
      resources = var.input_kms_key_arns
    }
  }
}
