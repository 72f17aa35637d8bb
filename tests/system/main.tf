# The deployment that the system test applies: the module as it is, the test's addresses as variables.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "endpoint" { type = string }
variable "image" { type = string }
variable "trigger_zip" { type = string }
variable "service_role" { type = string }

# Whether everything that can be chosen is chosen: for plans that are only looked at.
variable "everything" {
  type    = bool
  default = false
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
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

locals {
  # Inside the containers, which use the host's network. Their key tells their calls from others.
  emulator = {
    AWS_ENDPOINT_URL      = var.endpoint
    AWS_ACCESS_KEY_ID     = "job"
    AWS_SECRET_ACCESS_KEY = "testing"
    AWS_REGION            = "us-east-1"
  }
}

module "caldp" {
  source = "./infra"

  bucket_name            = "caldp-system"
  crds_bucket            = "caldp-crds"
  input_buckets          = ["caldp-inputs"]
  subnet_ids             = data.aws_subnets.default.ids
  image                  = var.image
  trigger_zip            = var.trigger_zip
  trigger_environment    = { RUST_LOG = "info" }
  job_environment        = merge(local.emulator, { CALDP_INPUT_URI = "s3://caldp-inputs/raw" })
  batch_service_role_arn = var.service_role
  force_destroy          = true

  layout                  = var.everything ? "calcloud" : "tree"
  kms_key_arn             = var.everything ? "arn:aws:kms:us-east-1:123456789012:key/own" : ""
  input_kms_key_arns      = var.everything ? ["arn:aws:kms:us-east-1:123456789012:key/inputs"] : []
  allowed_job_queues      = var.everything ? ["reprocessing"] : []
  allowed_job_definitions = var.everything ? ["reprocessing"] : []
  allowed_outputs         = var.everything ? ["reprocessing"] : []
  spot                    = !var.everything
  fair_share              = !var.everything
  ami_epoch               = var.everything ? "2026-11" : ""
  alarm_emails            = ["operators@example.org"]
  alarm_actions           = var.everything ? ["arn:aws:sns:us-east-1:123456789012:others"] : []
  trigger_architecture    = var.everything ? "arm64" : "x86_64"
  site_queue              = !var.everything
  monthly_budget          = var.everything ? 100 : 0
  dashboard               = true
  shared_references_gib   = var.everything ? 0 : 1
}

output "caldp" {
  value = module.caldp
}
