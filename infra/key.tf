# The customer's key, where one is used: for the bucket, the queues, the logs, the image and the topic of alarms. What
# services of AWS do on their own they do under the key's own policy: without these statements a bucket's event
# reaches no encrypted queue, and no error says so.

locals {
  # Known before the key is.
  has_key = var.create_kms_key || var.kms_key_arn != ""
  key_arn = local.has_key ? (var.create_kms_key ? one(aws_kms_key.own[*].arn) : var.kms_key_arn) : null
}

data "aws_iam_policy_document" "key_policy" {
  # S3 and EventBridge put events into the queues, CloudWatch alarms into the topic. Only what sends to these queues
  # and this topic can make use of it: their own policies say who that is.
  statement {
    sid       = "Senders"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com", "events.amazonaws.com", "cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
    }
  }

  statement {
    sid       = "Logs"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = [for group in local.log_groups : "${local.arns.logs}:log-group:${group}"]
    }
  }
}

# With these the account's own policies decide who else may use and manage the key.
data "aws_iam_policy_document" "own_key" {
  #checkov:skip=CKV_AWS_109:a key's policy speaks of the key alone, and the account's own policies must be able to give access to it
  #checkov:skip=CKV_AWS_111:as above
  #checkov:skip=CKV_AWS_356:as above
  source_policy_documents = [data.aws_iam_policy_document.key_policy.json]

  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }
}

resource "aws_kms_key" "own" {
  count               = var.create_kms_key ? 1 : 0
  description         = "${var.name}: bucket, queues, logs, image, alarms"
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.own_key.json
  tags                = local.tags
}

resource "aws_kms_alias" "own" {
  count         = var.create_kms_key ? 1 : 0
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.own[0].id
}

# A part of the policies of roles: what is encrypted with the key takes leave to use it.
data "aws_iam_policy_document" "key" {
  dynamic "statement" {
    for_each = local.has_key ? [1] : []

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [local.key_arn]
    }
  }
}
