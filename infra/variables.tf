variable "name" {
  description = "Begins the name of everything that is created; several deployments need several names."
  type        = string
  default     = "caldp"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name))
    error_message = "The name has 2 to 20 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "bucket_name" {
  description = "The bucket for batch lists, results and messages. Bucket names are unique in the whole of AWS."
  type        = string
}

variable "crds_bucket" {
  description = "The bucket with CRDS rules and references: config/hst, references/hst, pickles/hst."
  type        = string
}

variable "crds_context" {
  description = "The CRDS context jobs use unless their batch names another; empty: the operational one."
  type        = string
  default     = ""
}

variable "input_buckets" {
  description = "More buckets jobs may read inputs from. The public MAST bucket is always among them."
  type        = list(string)
  default     = []
}

variable "subnet_ids" {
  description = "Subnets of one VPC for the worker instances. They need a way out to ECR, S3, CRDS and MAST."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "At least one subnet is needed."
  }
}

variable "security_group_ids" {
  description = "Security groups of the worker instances; empty: one is created that lets HTTPS out and nothing in."
  type        = list(string)
  default     = []
}

variable "image" {
  description = "The worker's image; empty: image_tag of the ECR repository that is created. A digest is best."
  type        = string
  default     = ""
}

variable "image_tag" {
  description = "The tag that jobs run when image is empty."
  type        = string
  default     = "latest"
}

variable "trigger_zip" {
  description = "The Lambda's code: the zip file that `make lambda` builds."
  type        = string
}

variable "trigger_architecture" {
  description = "The processor trigger_zip was built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.trigger_architecture)
    error_message = "It is x86_64 or arm64."
  }
}

variable "trigger_environment" {
  description = "More environment variables of the Lambda, for example CALDP_ARRAY_THRESHOLD."
  type        = map(string)
  default     = {}
}

variable "job_environment" {
  description = "More environment variables of the jobs. Not for secrets: anyone who can describe a job sees them."
  type        = map(string)
  default     = {}
}

variable "layout" {
  description = "Where results and messages go: tree or calcloud."
  type        = string
  default     = "tree"

  validation {
    condition     = contains(["tree", "calcloud"], var.layout)
    error_message = "It is tree or calcloud."
  }
}

variable "ladder" {
  description = <<-EOT
    The four rungs, smallest memory first. memory_gib is an instance's share for one job, of which 7/8 are usable;
    max_vcpus bounds how many jobs run at once (on spot, and as much again on demand); timeout_hours bounds an
    attempt the trigger gave no time of its own; hourly_price is in US dollars for a job-hour, for estimates only: the
    defaults are unchecked (see README.md).
  EOT
  type = list(object({
    memory_gib     = number
    vcpus          = number
    instance_types = list(string)
    max_vcpus      = number
    timeout_hours  = number
    hourly_price   = number
  }))
  default = [
    { memory_gib = 2, vcpus = 1, instance_types = ["c5a", "c6a", "c5", "c6i"], max_vcpus = 128, timeout_hours = 6, hourly_price = 0.0385 },
    { memory_gib = 8, vcpus = 2, instance_types = ["m5a", "m6a", "m5", "m6i"], max_vcpus = 128, timeout_hours = 12, hourly_price = 0.086 },
    { memory_gib = 16, vcpus = 2, instance_types = ["r5a", "r6a", "r5", "r6i"], max_vcpus = 64, timeout_hours = 24, hourly_price = 0.113 },
    { memory_gib = 64, vcpus = 8, instance_types = ["r5a", "r6a", "r5", "r6i"], max_vcpus = 64, timeout_hours = 48, hourly_price = 0.452 },
  ]

  validation {
    condition     = length(var.ladder) == 4
    error_message = "The ladder has four rungs."
  }
}

variable "spot" {
  description = "Whether jobs run on spot instances first, falling back to on-demand ones."
  type        = bool
  default     = true
}

variable "stuck_job_minutes" {
  description = "After how long a job at the head of its queue that can never start, or finds no capacity, is cancelled."
  type        = number
  default     = 120
}

variable "disk_gib" {
  description = "The encrypted disk of each worker instance, shared by the jobs on it."
  type        = number
  default     = 200
}

variable "batch_service_role_arn" {
  description = "The role AWS Batch itself uses; empty: its service-linked role, which is right for all but test systems."
  type        = string
  default     = ""
}

variable "log_days" {
  description = "How long the logs of jobs, the Lambda and the bucket's accesses are kept."
  type        = number
  default     = 90
}

variable "archive_days" {
  description = "After how many days results move to cheaper, equally fast storage (S3 Intelligent-Tiering)."
  type        = number
  default     = 30
}

variable "overview_rate" {
  description = "How often the state overview is written, as an EventBridge schedule; empty: never."
  type        = string
  default     = "rate(15 minutes)"
}

variable "kms_key_arn" {
  description = "A KMS key for the bucket, the queues and the logs; empty: keys that AWS manages."
  type        = string
  default     = ""
}

variable "alarm_actions" {
  description = "What is told of an alarm: ARNs of SNS topics."
  type        = list(string)
  default     = []
}

variable "force_destroy" {
  description = "Whether `terraform destroy` deletes the buckets with everything in them. For tests."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of everything that is created."
  type        = map(string)
  default     = {}
}
