# What everything is called. ARNs are made of names, not asked of what was created: so a plan shows every policy
# and every definition in full before anything exists, and tests read them there.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  tags      = merge({ Application = var.name }, var.tags)

  arns = {
    for service in ["batch", "events", "lambda", "logs", "sns", "sqs"] :
    service => "arn:${local.partition}:${service}:${local.region}:${local.account}"
  }

  bucket_arn = "arn:${local.partition}:s3:::${var.bucket_name}"

  # The trigger knows these four; a bin is called after its memory.
  memory_gib = [2, 8, 16, 64]
  bin_names  = [for gib in local.memory_gib : "${var.name}-${gib}g"]

  memory_bins = {
    for index, name in local.bin_names :
    name => merge(var.memory_bins[index], { memory_gib = local.memory_gib[index] })
  }

  # Where spot is used there is for each bin a second queue without it.
  on_demand_queues = var.spot ? [for name in local.bin_names : "${name}-ondemand"] : []

  # The queues and definitions orders may name; definitions without a revision, which is the newest one.
  queues      = concat(local.bin_names, local.on_demand_queues, var.allowed_job_queues)
  definitions = concat(local.bin_names, var.allowed_job_definitions)
  queue_arns  = [for name in local.queues : "${local.arns.batch}:job-queue/${name}"]

  # AWS Batch checks a submission by bare name against the name, one with a revision against both.
  definition_arns = flatten([
    for name in local.definitions :
    ["${local.arns.batch}:job-definition/${name}", "${local.arns.batch}:job-definition/${name}:*"]
  ])
}
