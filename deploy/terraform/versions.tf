# The registry on AWS ECS Fargate, in a network, cluster and load balancer that exist already: docs/deploy.md.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

locals {
  name   = "hokusai-mlflow-registry-${var.environment}"
  tags   = merge({ Project = "hokusai", Environment = var.environment }, var.tags)
  prefix = "artifacts"
  # One value for both: the portal sends its host and port, and MLflow accepts no other.
  mlflow_url  = "http://mlflow.${var.namespace_name}:5000"
  destination = "s3://${aws_s3_bucket.artifacts.bucket}/${local.prefix}"
}

data "aws_region" "here" {}
data "aws_caller_identity" "us" {}
data "aws_partition" "here" {}
