# Where jobs run: for each rung of memory a queue and instances, spot first, on demand when there are none.
# What runs there is job.tf's.

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
  # The rungs by what their queue and definition are called, and those names in the ladder's order.
  rung_names = [for rung in var.ladder : "${var.name}-${rung.memory_gib}g"]
  rungs      = zipmap(local.rung_names, var.ladder)

  # One compute environment for each rung and each way to buy instances, in order of preference.
  purchases = var.spot ? ["SPOT", "EC2"] : ["EC2"]

  environments = {
    for pair in setproduct(local.rung_names, local.purchases) :
    "${pair[0]}-${lower(pair[1])}" => { rung = local.rungs[pair[0]], type = pair[1] }
  }
}

resource "aws_batch_compute_environment" "worker" {
  for_each = local.environments

  compute_environment_name_prefix = "${each.key}-"
  type                            = "MANAGED"
  service_role                    = var.batch_service_role_arn == "" ? null : var.batch_service_role_arn
  tags                            = local.tags

  compute_resources {
    type                = each.value.type
    allocation_strategy = each.value.type == "SPOT" ? "SPOT_PRICE_CAPACITY_OPTIMIZED" : "BEST_FIT_PROGRESSIVE"
    instance_type       = each.value.rung.instance_types
    min_vcpus           = 0
    max_vcpus           = each.value.rung.max_vcpus
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
  for_each = local.rungs
  name     = each.key
  state    = "ENABLED"
  priority = 1
  tags     = local.tags

  dynamic "compute_environment_order" {
    for_each = local.purchases

    content {
      order               = compute_environment_order.key + 1
      compute_environment = aws_batch_compute_environment.worker["${each.key}-${lower(compute_environment_order.value)}"].arn
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
