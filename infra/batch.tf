# Where jobs run: for each memory bin a queue and instances, spot first, on demand when there are none, and a second
# queue for jobs that are to be on demand at once. What runs there is job.tf's.

locals {
  # How instances are bought, in order of preference.
  purchases = var.spot ? ["SPOT", "EC2"] : ["EC2"]

  # A queue turns to its second environment whenever the first cannot give all at once: with as many vCPUs there, on
  # demand would not catch spot's failures but double the fleet.
  environments = {
    for pair in setproduct(local.bin_names, local.purchases) :
    "${pair[0]}-${lower(pair[1])}" => {
      type           = pair[1]
      instance_types = local.memory_bins[pair[0]].instance_types
      max_vcpus = (
        pair[1] == "EC2" && var.spot
        ? local.memory_bins[pair[0]].on_demand_max_vcpus
        : local.memory_bins[pair[0]].max_vcpus
      )
    }
  }

  # Each queue's environments, first the one that is preferred.
  job_queues = merge(
    { for name in local.bin_names : name => [for purchase in local.purchases : "${name}-${lower(purchase)}"] },
    { for name in local.bin_names : "${name}-ondemand" => ["${name}-ec2"] if var.spot },
  )
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
    instance_type       = each.value.instance_types
    min_vcpus           = 0
    max_vcpus           = each.value.max_vcpus
    subnets             = var.subnet_ids
    security_group_ids  = length(var.security_group_ids) > 0 ? var.security_group_ids : aws_security_group.worker[*].id
    instance_role       = aws_iam_instance_profile.instance.arn
    tags                = local.tags

    ec2_configuration {
      image_type        = "ECS_AL2023"
      image_id_override = terraform_data.ami.output
    }

    launch_template {
      launch_template_id = aws_launch_template.worker.id
      version            = aws_launch_template.worker.latest_version
    }
  }

  # When instances change, running jobs have as long as the provider lets one say. What is not done by then loses its
  # instance and is submitted again.
  update_policy {
    terminate_jobs_on_update      = false
    job_execution_timeout_minutes = 360
  }

  lifecycle {
    create_before_destroy = true
    # AWS Batch moves it with the load.
    ignore_changes = [compute_resources[0].desired_vcpus]
  }

  depends_on = [aws_iam_role_policy_attachment.instance]
}

# Every batch has a share of its own, and all shares weigh the same: one visit does not wait behind ten thousand.
resource "aws_batch_scheduling_policy" "fair" {
  count = var.fair_share ? 1 : 0
  name  = var.name
  tags  = local.tags

  fair_share_policy {
    share_decay_seconds = 3600
  }
}

resource "aws_batch_job_queue" "all" {
  for_each              = local.job_queues
  name                  = each.key
  state                 = "ENABLED"
  priority              = 1
  scheduling_policy_arn = one(aws_batch_scheduling_policy.fair[*].arn)
  tags                  = local.tags

  dynamic "compute_environment_order" {
    for_each = each.value

    content {
      order               = compute_environment_order.key + 1
      compute_environment = aws_batch_compute_environment.worker[compute_environment_order.value].arn
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
