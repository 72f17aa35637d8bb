# The logs of jobs and of the Lambda.

locals {
  log_groups = {
    jobs    = "/${var.name}/jobs"
    trigger = "/aws/lambda/${var.name}-trigger"
  }
}

resource "aws_cloudwatch_log_group" "all" {
  #checkov:skip=CKV_AWS_338:log_days decides; every job's log is also delivered with its products
  #checkov:skip=CKV_AWS_158:a customer's KMS key is used when kms_key_arn names one
  for_each = local.log_groups

  name              = each.value
  retention_in_days = var.log_days
  kms_key_id        = local.key_arn
  tags              = local.tags
}
