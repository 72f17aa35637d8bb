# The instances jobs run on: their system image, network, disk and first commands. Which of them there are is batch.tf's.

# --- The system image --------------------------------------------------------------------------------

data "aws_ssm_parameter" "ami" {
  name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}

# AWS Batch keeps the image a compute environment began with, and its security holes. The newest one is taken when
# ami_epoch changes, and at no other time: every change of it replaces instances.
resource "terraform_data" "ami" {
  input            = data.aws_ssm_parameter.ami.insecure_value
  triggers_replace = [var.ami_epoch]

  lifecycle {
    ignore_changes = [input]
  }
}

# --- The network -------------------------------------------------------------------------------------

data "aws_subnet" "first" {
  id = var.subnet_ids[0]
}

resource "aws_security_group" "worker" {
  count       = length(var.security_group_ids) == 0 ? 1 : 0
  name_prefix = "${var.name}-worker-"
  description = "Workers: HTTPS out, nothing in"
  vpc_id      = data.aws_subnet.first.vpc_id
  tags        = local.tags

  egress {
    description = "HTTPS to S3, ECR, CRDS and MAST"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

# --- The instance ------------------------------------------------------------------------------------

resource "aws_launch_template" "worker" {
  name_prefix = "${var.name}-worker-"
  description = "Workers: encrypted disk, IMDSv2, jobs kept from the instance's own role"
  tags        = local.tags

  # One hop keeps containers with a network of their own from the instance's role. Jobs of AWS Batch use the
  # instance's network: what keeps them away is the filter in the user data.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    http_protocol_ipv6          = "disabled"
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.disk_gib
      throughput            = var.disk_throughput
      iops                  = 3000
      encrypted             = true
      delete_on_termination = true
    }
  }

  user_data = base64encode(templatefile("${path.module}/user_data.mime", { shared_references = local.shared_references }))

  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]

    content {
      resource_type = tag_specifications.value
      tags          = merge(local.tags, { Name = "${var.name}-worker" })
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}
