# Who may do what. Each part has a role of its own; what it may do stands beside the part, in job.tf and
# trigger.tf.

locals {
  # Which service of AWS takes on which role.
  roles = {
    instance = "ec2.amazonaws.com"
    job      = "ecs-tasks.amazonaws.com"
    trigger  = "lambda.amazonaws.com"
  }

  role_arns = { for name in keys(local.roles) : name => "arn:${local.partition}:iam::${local.account}:role/${var.name}-${name}" }

  role_policies = {
    job     = data.aws_iam_policy_document.job.json
    trigger = data.aws_iam_policy_document.trigger.json
  }
}

data "aws_iam_policy_document" "assume" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    # Only jobs of this account: ECS says for whom it asks.
    dynamic "condition" {
      for_each = each.key == "job" ? [1] : []

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_iam_role" "all" {
  for_each           = local.roles
  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.assume[each.key].json
  tags               = local.tags
}

resource "aws_iam_role_policy" "all" {
  for_each = local.role_policies
  name     = each.key
  role     = aws_iam_role.all[each.key].id
  policy   = each.value
}

# What an ECS instance needs: to join its cluster, pull images, write logs.
resource "aws_iam_role_policy_attachment" "instance" {
  role       = aws_iam_role.all["instance"].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
}

resource "aws_iam_instance_profile" "instance" {
  name = "${var.name}-instance"
  role = aws_iam_role.all["instance"].name
  tags = local.tags
}
