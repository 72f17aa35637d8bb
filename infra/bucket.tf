# The bucket: batch lists in, products, messages and overviews out. A second one keeps its access log.

resource "aws_s3_bucket" "main" {
  #checkov:skip=CKV_AWS_144:products can be calibrated again from public inputs; a copy in another region is not worth its price
  #checkov:skip=CKV_AWS_21:a batch creates and deletes thousands of small messages, each of which would leave a version behind
  #checkov:skip=CKV_AWS_145:a customer's KMS key is used when kms_key_arn names one; AES256 otherwise
  bucket        = var.bucket_name
  force_destroy = var.force_destroy
  tags          = local.tags
}

resource "aws_s3_bucket" "access_log" {
  #checkov:skip=CKV_AWS_144:an access log needs no copy in another region
  #checkov:skip=CKV_AWS_145:S3 delivers access logs only to buckets without a KMS key of one's own
  #checkov:skip=CKV_AWS_18:the log of the log's own bucket would never end
  #checkov:skip=CKV_AWS_21:nothing in it is ever written twice
  #checkov:skip=CKV2_AWS_62:nobody waits for access logs
  bucket        = "${var.bucket_name}-access-log"
  force_destroy = var.force_destroy
  tags          = local.tags
}

locals {
  buckets = {
    main       = aws_s3_bucket.main
    access_log = aws_s3_bucket.access_log
  }

  bucket_arns = { main = local.bucket_arn, access_log = "${local.bucket_arn}-access-log" }
}

resource "aws_s3_bucket_ownership_controls" "all" {
  for_each = local.buckets
  bucket   = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "all" {
  for_each = local.buckets
  bucket   = each.value.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "all" {
  for_each = local.buckets
  bucket   = each.value.id

  rule {
    bucket_key_enabled = each.key == "main" && local.has_key

    apply_server_side_encryption_by_default {
      # Spelt out: the policy scan does not follow locals this far.
      sse_algorithm     = each.key == "main" && (var.create_kms_key || var.kms_key_arn != "") ? "aws:kms" : "AES256"
      kms_master_key_id = each.key == "main" ? local.key_arn : null
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.bucket_arns

  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value, "${each.value}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "access_log" ? [1] : []

    content {
      sid       = "DeliverAccessLog"
      actions   = ["s3:PutObject"]
      resources = ["${each.value}/*"]

      principals {
        type        = "Service"
        identifiers = ["logging.s3.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [local.bucket_arn]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "all" {
  for_each   = local.buckets
  bucket     = each.value.id
  policy     = data.aws_iam_policy_document.bucket[each.key].json
  depends_on = [aws_s3_bucket_public_access_block.all]
}

resource "aws_s3_bucket_logging" "main" {
  bucket        = aws_s3_bucket.main.id
  target_bucket = aws_s3_bucket.access_log.id
  target_prefix = "${var.bucket_name}/"
  depends_on    = [aws_s3_bucket_policy.all]
}

resource "aws_s3_bucket_lifecycle_configuration" "main" {
  bucket = aws_s3_bucket.main.id

  rule {
    id     = "abandoned-uploads"
    status = "Enabled"

    filter {}

    # The longest job runs two days; an upload that is older is nobody's.
    abort_incomplete_multipart_upload {
      days_after_initiation = 3
    }
  }

  rule {
    id     = "cheaper-results"
    status = "Enabled"

    filter {
      prefix = "data/"
    }

    transition {
      days          = var.archive_days
      storage_class = "INTELLIGENT_TIERING"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "access_log" {
  bucket = aws_s3_bucket.access_log.id

  rule {
    id     = "old-logs"
    status = "Enabled"

    filter {}

    expiration {
      days = var.log_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}
