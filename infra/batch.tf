# AWS Batch: for each rung of memory a queue, a job definition, and instances: spot first, on demand
# when there are none.

resource "aws_cloudwatch_log_group" "jobs" {
  #checkov:skip=CKV_AWS_338:log_days decides; every job's log is also delivered with its products
  #checkov:skip=CKV_AWS_158:a customer's KMS key is used when kms_key_arn names one
  name              = "/${var.name}/jobs"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn == "" ? null : var.kms_key_arn
  tags              = local.tags
}

# --- Instances ---------------------------------------------------------------------------------------

data "aws_subnet" "first" {
  id = var.subnet_ids[0]
}

resource "aws_security_group" "worker" {
  count       = length(var.security_group_ids) == 0 ? 1 : 0
  name_prefix = "${var.name}-worker-"
  description = "Workers: HTTPS out, nothing in"
  vpc_id      = data.aws_subnet.first.vpc_id
  tags        = local.tags

  egress {
    description = "HTTPS to S3, ECR, CRDS and MAST"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_launch_template" "worker" {
  name_prefix = "${var.name}-worker-"
  description = "Workers: encrypted disk, IMDSv2, no container near the instance's own role"
  tags        = local.tags

  # One hop: the instance reaches its metadata, its containers do not. Jobs have a role of their own.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.disk_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  user_data = base64encode(<<-EOT
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="=="

    --==
    Content-Type: text/x-shellscript; charset="us-ascii"

    #!/bin/sh
    # Containers that have ended give their disk back soon; reclaimed spot instances tell their jobs.
    cat >>/etc/ecs/ecs.config <<EOF
    ECS_ENABLE_SPOT_INSTANCE_DRAINING=true
    ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION=5m
    ECS_IMAGE_CLEANUP_INTERVAL=30m
    ECS_DISABLE_PRIVILEGED=true
    EOF
    --==--
  EOT
  )

  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]

    content {
      resource_type = tag_specifications.value
      tags          = merge(local.tags, { Name = "${var.name}-worker" })
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # One compute environment for each rung and each way to buy instances, in order of preference.
  purchases = var.spot ? ["SPOT", "EC2"] : ["EC2"]

  environments = {
    for pair in setproduct(range(length(var.ladder)), local.purchases) :
    "${pair[0]}-${lower(pair[1])}" => { rung = pair[0], type = pair[1] }
  }
}

resource "aws_batch_compute_environment" "worker" {
  for_each = local.environments

  compute_environment_name_prefix = "${var.name}-${var.ladder[each.value.rung].memory_gib}g-${lower(each.value.type)}-"
  type                            = "MANAGED"
  service_role                    = var.batch_service_role_arn == "" ? null : var.batch_service_role_arn
  tags                            = local.tags

  compute_resources {
    type                = each.value.type
    allocation_strategy = each.value.type == "SPOT" ? "SPOT_PRICE_CAPACITY_OPTIMIZED" : "BEST_FIT_PROGRESSIVE"
    instance_type       = var.ladder[each.value.rung].instance_types
    min_vcpus           = 0
    max_vcpus           = var.ladder[each.value.rung].max_vcpus
    subnets             = var.subnet_ids
    security_group_ids  = length(var.security_group_ids) > 0 ? var.security_group_ids : aws_security_group.worker[*].id
    instance_role       = aws_iam_instance_profile.instance.arn
    tags                = local.tags

    ec2_configuration {
      image_type = "ECS_AL2023"
    }

    launch_template {
      launch_template_id = aws_launch_template.worker.id
      version            = aws_launch_template.worker.latest_version
    }
  }

  # Running jobs are left alone when instances change; they end within their own time limit.
  update_policy {
    terminate_jobs_on_update      = false
    job_execution_timeout_minutes = 60
  }

  lifecycle {
    create_before_destroy = true
    # AWS Batch moves it with the load.
    ignore_changes = [compute_resources[0].desired_vcpus]
  }

  depends_on = [aws_iam_role_policy_attachment.instance]
}

# --- Queues ------------------------------------------------------------------------------------------

resource "aws_batch_job_queue" "rung" {
  count    = length(var.ladder)
  name     = "${var.name}-${var.ladder[count.index].memory_gib}g"
  state    = "ENABLED"
  priority = 1
  tags     = local.tags

  dynamic "compute_environment_order" {
    for_each = local.purchases

    content {
      order               = compute_environment_order.key + 1
      compute_environment = aws_batch_compute_environment.worker["${count.index}-${lower(compute_environment_order.value)}"].arn
    }
  }

  # A job that can never start would block everything behind it.
  dynamic "job_state_time_limit_action" {
    for_each = [
      "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
      "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
      "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    ]

    content {
      action           = "CANCEL"
      state            = "RUNNABLE"
      reason           = job_state_time_limit_action.value
      max_time_seconds = var.stuck_job_minutes * 60
    }
  }
}

# --- Jobs --------------------------------------------------------------------------------------------

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
  count = length(var.ladder)
  name  = "${var.name}-${var.ladder[count.index].memory_gib}g"
  type  = "container"
  tags  = local.tags

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
    jobRoleArn = aws_iam_role.job.arn
    user       = "developer"
    privileged = false

    resourceRequirements = [
      { type = "MEMORY", value = tostring(floor(var.ladder[count.index].memory_gib * 1024 * 7 / 8)) },
      { type = "VCPU", value = tostring(var.ladder[count.index].vcpus) },
    ]

    environment = [for name, value in local.job_environment : { name = name, value = value }]

    linuxParameters = { initProcessEnabled = true }

    logConfiguration = {
      logDriver = "awslogs"
      options   = { "awslogs-group" = aws_cloudwatch_log_group.jobs.name }
    }

    mountPoints = []
    secrets     = []
    ulimits     = []
    volumes     = []
  })

  timeout {
    attempt_duration_seconds = var.ladder[count.index].timeout_hours * 3600
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

# --- Roles -------------------------------------------------------------------------------------------

data "aws_iam_policy_document" "assume_ec2" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "instance" {
  name               = "${var.name}-instance"
  assume_role_policy = data.aws_iam_policy_document.assume_ec2.json
  tags               = local.tags
}

# What an ECS instance needs: to join its cluster, pull images, write logs.
resource "aws_iam_role_policy_attachment" "instance" {
  role       = aws_iam_role.instance.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
}

resource "aws_iam_instance_profile" "instance" {
  name = "${var.name}-instance"
  role = aws_iam_role.instance.name
  tags = local.tags
}

data "aws_iam_policy_document" "assume_job" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "job" {
  name               = "${var.name}-job"
  assume_role_policy = data.aws_iam_policy_document.assume_job.json
  tags               = local.tags
}

data "aws_iam_policy_document" "job" {
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

  dynamic "statement" {
    for_each = var.kms_key_arn == "" ? [] : [1]

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]
    }
  }
}

resource "aws_iam_role_policy" "job" {
  name   = "job"
  role   = aws_iam_role.job.id
  policy = data.aws_iam_policy_document.job.json
}
