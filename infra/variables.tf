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

variable "allowed_job_queues" {
  description = "Queues besides the deployment's own that orders may name (job_queue), in this account and region."
  type        = list(string)
  default     = []
}

variable "allowed_job_definitions" {
  description = "Job definitions besides the deployment's own that orders may name (job_definition), without revisions."
  type        = list(string)
  default     = []
}

variable "site_queue" {
  description = "Whether there is a queue that tells caldp sync --queue of processed datasets."
  type        = bool
  default     = false
}

variable "allowed_outputs" {
  description = "Folders of the bucket besides data in which orders may have their results (s3_output_bucket)."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for folder in var.allowed_outputs :
      can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", folder))
      && !contains(["batches", "blackboard", "control", "data", "inputs", "messages", "outputs"], split("/", folder)[0])
    ])
    error_message = "A folder has no slash at its ends and is none of the deployment's own."
  }
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
  description = "The worker's image, by its digest, as caldp-image-push prints it; empty, before one is pushed: image_tag of the repository that is created."
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
  description = "The processor trigger_zip was built for, x86_64 or arm64: `make lambda` builds for its own machine."
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

variable "memory_bins" {
  description = <<-EOT
    What jobs get, for memory of 2, 8, 16 and 64 GiB, of which 7/8 are usable. vcpus: of one job; instance_types: with
    their sizes, for a bare family lets AWS Batch take its largest; max_vcpus: how many are bought at once, on spot where
    spot is set; on_demand_max_vcpus: how many more on demand then, for what spot cannot give; timeout_hours: for jobs
    submitted without a time limit; hourly_price: US dollars for a job-hour, for estimates only (see README.md).
  EOT
  type = list(object({
    vcpus               = number
    instance_types      = list(string)
    max_vcpus           = number
    on_demand_max_vcpus = number
    timeout_hours       = number
    hourly_price        = number
  }))
  default = [
    {
      vcpus          = 1, max_vcpus = 128, on_demand_max_vcpus = 16, timeout_hours = 6, hourly_price = 0.0385
      instance_types = ["c5a.xlarge", "c6a.xlarge", "c5.xlarge", "c6i.xlarge", "c5a.2xlarge", "c6a.2xlarge", "c5.2xlarge", "c6i.2xlarge"]
    },
    {
      vcpus          = 2, max_vcpus = 128, on_demand_max_vcpus = 16, timeout_hours = 12, hourly_price = 0.086
      instance_types = ["m5a.xlarge", "m6a.xlarge", "m5.xlarge", "m6i.xlarge", "m5a.2xlarge", "m6a.2xlarge", "m5.2xlarge", "m6i.2xlarge"]
    },
    {
      vcpus          = 2, max_vcpus = 64, on_demand_max_vcpus = 8, timeout_hours = 24, hourly_price = 0.113
      instance_types = ["r5a.xlarge", "r6a.xlarge", "r5.xlarge", "r6i.xlarge", "r5a.2xlarge", "r6a.2xlarge", "r5.2xlarge", "r6i.2xlarge"]
    },
    {
      vcpus          = 8, max_vcpus = 64, on_demand_max_vcpus = 16, timeout_hours = 48, hourly_price = 0.452
      instance_types = ["r5a.2xlarge", "r6a.2xlarge", "r5.2xlarge", "r6i.2xlarge", "r5a.4xlarge", "r6a.4xlarge", "r5.4xlarge", "r6i.4xlarge"]
    },
  ]

  validation {
    condition     = length(var.memory_bins) == 4
    error_message = "There are four memory bins: 2, 8, 16 and 64 GiB."
  }

  validation {
    condition     = alltrue(flatten([for bin in var.memory_bins : [for type in bin.instance_types : can(regex("^[a-z0-9-]+\\.[0-9a-z]+$", type))]]))
    error_message = "Instance types are named with their size, like m5a.xlarge."
  }
}

variable "fair_share" {
  description = <<-EOT
    Whether batches share each queue, so that a small one does not wait behind a large one; else jobs start in the order
    they came. AWS cannot change it for a queue that exists: Terraform replaces the queues, which must be empty then.
  EOT
  type        = bool
  default     = true
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

variable "shared_references_gib" {
  description = <<-EOT
    How much of each instance's disk holds references that the jobs on it share, so that each is fetched once; 0: every job
    fetches its own. What was used longest ago makes room.
  EOT
  type        = number
  default     = 50

  validation {
    condition     = var.shared_references_gib >= 0 && var.shared_references_gib == floor(var.shared_references_gib) && var.shared_references_gib <= var.disk_gib / 2
    error_message = "It is a whole number, and at most half of disk_gib: jobs need the rest."
  }
}

variable "disk_throughput" {
  description = "How many MiB a second each worker instance's disk reads and writes: 125 are included in its price."
  type        = number
  default     = 250

  validation {
    condition     = var.disk_throughput >= 125 && var.disk_throughput <= 750
    error_message = "It is 125 to 750: more takes more than the disk's 3,000 operations a second."
  }
}

variable "ami_epoch" {
  description = "Instances start from the system image that was the newest when this was last changed; a month, for example."
  type        = string
  default     = ""
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
  description = "How often states are counted, pages written and stuck datasets settled, as an EventBridge schedule; empty: never. With more than 4,000 datasets under way in a batch take no less than rate(2 minutes): README, what it costs."
  type        = string
  default     = "rate(15 minutes)"
}

variable "kms_key_arn" {
  description = "A KMS key of yours for the bucket, the queues, the logs and the image. Its policy must allow what the output kms_key_policy says; empty: keys that AWS manages."
  type        = string
  default     = ""
}

variable "create_kms_key" {
  description = "Whether to create such a key, with the policy it needs."
  type        = bool
  default     = false

  validation {
    condition     = !(var.create_kms_key && var.kms_key_arn != "")
    error_message = "Either kms_key_arn or create_kms_key."
  }
}

variable "input_kms_key_arns" {
  description = "The KMS keys of the CRDS bucket and the input buckets, where they have any."
  type        = list(string)
  default     = []
}

variable "alarm_emails" {
  description = "Who is told of alarms, blocked queues and the budget: addresses, each of which has to confirm once."
  type        = list(string)
  default     = []
}

variable "alarm_actions" {
  description = <<-EOT
    What else is told of an alarm, for example ARNs of SNS topics. Of blocked queues topics are told whose policy lets
    events.amazonaws.com publish.
  EOT
  type        = list(string)
  default     = []
}

variable "monthly_budget" {
  description = <<-EOT
    US dollars a month; alarm_emails, or else the topics of alarm_actions, are told at 80 % and when more is forecast. 0:
    no budget. It counts what bears the tag Application, which must be activated as a cost allocation tag once.
  EOT
  type        = number
  default     = 0

  validation {
    condition     = var.monthly_budget == 0 || length(var.alarm_emails) + length(var.alarm_actions) > 0
    error_message = "A budget tells somebody: alarm_emails or alarm_actions."
  }
}

variable "dashboard" {
  description = "Whether there is a CloudWatch dashboard; AWS takes money for each beyond an account's first three."
  type        = bool
  default     = false
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
