# The repository of the worker's image. `caldp-image-push` fills it.

resource "aws_ecr_repository" "worker" {
  #checkov:skip=CKV_AWS_136:a customer's KMS key is used when kms_key_arn names one
  #checkov:skip=CKV_AWS_51:tags are for people; jobs run the digest that image names
  name                 = var.name
  image_tag_mutability = "MUTABLE"
  force_delete         = var.force_destroy
  tags                 = local.tags

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = local.has_key ? "KMS" : "AES256"
    kms_key         = local.key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "worker" {
  repository = aws_ecr_repository.worker.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "images nobody can name any more"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 30 }
      action       = { type = "expire" }
    }]
  })
}

locals {
  image = var.image != "" ? var.image : "${aws_ecr_repository.worker.repository_url}:${var.image_tag}"
}

# A tag may mean another image tomorrow: jobs of one batch would be calibrated by two, and the record in their products
# would not say which.
check "image_by_digest" {
  assert {
    condition     = strcontains(local.image, "@sha256:")
    error_message = "image names no digest; caldp-image-push prints the name of what it pushed."
  }
}
