# Which objects the Lambda is told of: batch lists, and messages that ask for something, in both layouts. Those at the
# bucket's root go straight to the queue; those inside the tree of a batch need a pattern, which only EventBridge knows
# (events.tf). No key is in both: a root's begins with "messages/", a pattern's with an output's folder.

locals {
  # How the names of such messages begin: "request-<verb>/..." and "broadcast/..." in the tree layout, the others and
  # "broadcast-..." in the calcloud layout. Messages about states, far more of them, begin otherwise.
  acted_on = ["request-", "rescue-", "cancel-", "clean-", "placed-", "broadcast"]

  # Below these an order may put its results. AWS matches an empty text with "*", so the folder itself is one of them.
  output_folders = concat(["data"], var.allowed_outputs)

  noticed_prefixes = concat(["batches/"], [for word in local.acted_on : "messages/${word}"])

  # A rule for each: EventBridge refuses a rule with all of them as too complex (tests/system/wiring/patterns.py).
  noticed_patterns = {
    for pair in setproduct(range(length(local.output_folders)), local.acted_on) :
    "request-${pair[0]}-${trim(pair[1], "-")}" => "${local.output_folders[pair[0]]}/*messages/${pair[1]}*"
  }

  # All of them, wherever they lie, for policies.
  request_arns = [for word in local.acted_on : "${local.bucket_arn}/*messages/${word}*"]
}

resource "aws_s3_bucket_notification" "main" {
  bucket      = aws_s3_bucket.main.id
  eventbridge = true

  dynamic "queue" {
    for_each = local.noticed_prefixes

    content {
      id            = trim(replace(queue.value, "/", "-"), "-")
      queue_arn     = local.sqs_arns["events"]
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = queue.value
    }
  }

  depends_on = [aws_sqs_queue_policy.all]
}
