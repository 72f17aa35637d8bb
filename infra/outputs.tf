output "bucket" {
  description = "Put batch lists here, under batches/; results appear under data/."
  value       = aws_s3_bucket.main.bucket
}

output "image_repository" {
  description = "CALDP_DOCKER_REPO for caldp-image-push."
  value       = aws_ecr_repository.worker.repository_url
}

output "trigger_function" {
  description = "The Lambda, for direct invocations."
  value       = aws_lambda_function.trigger.function_name
}

output "job_queues" {
  description = "The queues, smallest memory first."
  value       = local.bin_names
  depends_on  = [aws_batch_job_queue.all]
}

output "job_definitions" {
  description = "The job definitions, in the order of the queues."
  value       = local.bin_names
  depends_on  = [aws_batch_job_definition.bin]
}

output "event_queue_url" {
  description = "Where events wait for the Lambda."
  value       = aws_sqs_queue.all["events"].url
}

output "dead_letter_queue_url" {
  description = "Where events end that could not be dealt with."
  value       = aws_sqs_queue.all["dead-letters"].url
}

output "site_queue_url" {
  description = "For caldp sync --queue, with site_queue; else empty."
  value       = var.site_queue ? aws_sqs_queue.all["site"].url : ""
}

output "job_log_group" {
  description = "Where the logs of jobs are, besides their copy with the products."
  value       = aws_cloudwatch_log_group.all["jobs"].name
}

output "kms_key_policy" {
  description = "What the policy of a key of your own (kms_key_arn) must allow; the module cannot change it."
  value       = data.aws_iam_policy_document.key_policy.json
}

output "operator_policies" {
  description = "Policies for people, by the command of caldp each is for; requests: to put batch lists and messages."
  value = merge([
    for name, commands in local.operator_commands : { for command in commands : command => local.operator_policies[name] }
  ]...)
}

output "operator_environment" {
  description = "The variables with which caldp submit, rescue and the others do the Lambda's work by hand."
  value       = local.trigger_environment
}
