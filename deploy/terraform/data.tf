resource "aws_db_subnet_group" "database" {
  name       = local.name
  subnet_ids = var.private_subnet_ids
  tags       = local.tags
}

resource "aws_db_parameter_group" "database" {
  name   = local.name
  family = "postgres17"
  tags   = local.tags
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }
}

resource "aws_db_instance" "database" {
  identifier                      = local.name
  engine                          = "postgres"
  engine_version                  = "17"
  instance_class                  = var.database_class
  allocated_storage               = var.database_storage_gib
  max_allocated_storage           = var.database_storage_gib * 5
  storage_type                    = "gp3"
  storage_encrypted               = true
  multi_az                        = var.database_is_multi_az
  username                        = "registry_operator"
  manage_master_user_password     = true
  db_subnet_group_name            = aws_db_subnet_group.database.name
  parameter_group_name            = aws_db_parameter_group.database.name
  vpc_security_group_ids          = [aws_security_group.of["database"].id]
  publicly_accessible             = false
  backup_retention_period         = 7
  copy_tags_to_snapshot           = true
  deletion_protection             = true
  skip_final_snapshot             = false
  final_snapshot_identifier       = "${local.name}-last"
  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  performance_insights_enabled    = true
  tags                            = local.tags
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_elasticache_subnet_group" "cache" {
  name       = local.name
  subnet_ids = var.private_subnet_ids
  tags       = local.tags
}

# Counters of rates and nothing else: no token, which Terraform's state would hold, but TLS and the portal's group alone.
resource "aws_elasticache_replication_group" "cache" {
  replication_group_id       = local.name
  description                = "Rates of API keys"
  engine                     = "valkey"
  engine_version             = "8.1"
  node_type                  = var.cache_class
  num_cache_clusters         = 2
  automatic_failover_enabled = true
  multi_az_enabled           = true
  transit_encryption_enabled = true
  at_rest_encryption_enabled = true
  subnet_group_name          = aws_elasticache_subnet_group.cache.name
  security_group_ids         = [aws_security_group.of["cache"].id]
  snapshot_retention_limit   = 0
  tags                       = local.tags
}

resource "aws_ecr_repository" "image" {
  for_each             = toset(["hokusai-portal", "hokusai-mlflow"])
  name                 = each.key
  image_tag_mutability = "IMMUTABLE"
  tags                 = local.tags
  image_scanning_configuration {
    scan_on_push = true
  }
  encryption_configuration {
    encryption_type = "KMS"
  }
}

resource "aws_ecr_lifecycle_policy" "image" {
  for_each   = aws_ecr_repository.image
  repository = each.value.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "What was pushed and never tagged"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 30 }
      action       = { type = "expire" }
    }]
  })
}
