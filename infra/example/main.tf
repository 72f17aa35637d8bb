# A whole deployment in the account's default VPC. Copy it, keep its state somewhere safe, change what
# is in capitals.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}

data "aws_vpc" "default" {
  default = true
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

variable "bucket_name" {
  description = "A name nobody else has taken."
  type        = string
}

variable "crds_bucket" {
  description = "The bucket with CRDS rules and references."
  type        = string
}

variable "image" {
  description = "What caldp-image-push printed; empty before the first push."
  type        = string
  default     = ""
}

variable "ami_epoch" {
  description = "The month whose system image the instances have."
  type        = string
  default     = ""
}

variable "alarm_emails" {
  description = "Who is told of alarms."
  type        = list(string)
  default     = []
}

module "caldp" {
  source = "./.."

  bucket_name  = var.bucket_name
  crds_bucket  = var.crds_bucket
  subnet_ids   = data.aws_subnets.default.ids
  trigger_zip  = "${path.module}/../../target/lambda/bootstrap.zip"
  image        = var.image
  ami_epoch    = var.ami_epoch
  alarm_emails = var.alarm_emails
  tags         = { Project = "hst-reprocessing" }
}

output "caldp" {
  description = "Where to put lists, push the image, and look for results."
  value       = module.caldp
}

output "image_repository" {
  description = "CALDP_DOCKER_REPO for caldp-image-build and caldp-image-push."
  value       = module.caldp.image_repository
}
