# Two roles, so that what leaks from one is not the other's. Each action is one that the code uses: a test compares them.
data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.us.account_id]
    }
  }
}

resource "aws_iam_role" "portal" {
  name               = "${local.name}-portal"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
  tags               = local.tags
}

resource "aws_iam_role" "mlflow" {
  name               = "${local.name}-mlflow"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
  tags               = local.tags
}

locals {
  object_actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
  portal_listing = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
  mlflow_listing = ["s3:ListBucket"]
  # What the health page reads back.
  posture_actions = [
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
  ]
}

data "aws_iam_policy_document" "portal" {
  statement {
    sid       = "Artifacts"
    actions   = local.object_actions
    resources = ["${aws_s3_bucket.artifacts.arn}/${local.prefix}/*"]
  }
  statement {
    sid       = "Listing"
    actions   = local.portal_listing
    resources = [aws_s3_bucket.artifacts.arn]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${local.prefix}/*"]
    }
  }
  statement {
    sid       = "Posture"
    actions   = local.posture_actions
    resources = [aws_s3_bucket.artifacts.arn]
  }
  dynamic "statement" {
    for_each = var.kms_key_arn == "" ? [] : [var.kms_key_arn]
    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

data "aws_iam_policy_document" "mlflow" {
  statement {
    sid       = "Artifacts"
    actions   = local.object_actions
    resources = ["${aws_s3_bucket.artifacts.arn}/${local.prefix}/*"]
  }
  statement {
    sid       = "Listing"
    actions   = local.mlflow_listing
    resources = [aws_s3_bucket.artifacts.arn]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${local.prefix}/*"]
    }
  }
  dynamic "statement" {
    for_each = var.kms_key_arn == "" ? [] : [var.kms_key_arn]
    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "portal" {
  name   = "artifacts"
  role   = aws_iam_role.portal.id
  policy = data.aws_iam_policy_document.portal.json
}

resource "aws_iam_role_policy" "mlflow" {
  name   = "artifacts"
  role   = aws_iam_role.mlflow.id
  policy = data.aws_iam_policy_document.mlflow.json
}

# Whoever starts the tasks: pulls images, writes logs, and reads exactly these secrets.
resource "aws_iam_role" "execution" {
  name               = "${local.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
  tags               = local.tags
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "execution" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.portal_secret_arn, var.mlflow_secret_arn]
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "secrets"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}
