locals {
  portal_environment = {
    HOKUSAI_ENVIRONMENT          = "production"
    HOKUSAI_PUBLIC_URL           = "https://${var.host}"
    HOKUSAI_TRUSTED_PROXIES      = join(",", var.load_balancer_cidrs)
    DATABASE_URL                 = "postgres://portal@${aws_db_instance.database.endpoint}/portal?sslmode=require"
    REDIS_URL                    = "rediss://${aws_elasticache_replication_group.cache.primary_endpoint_address}:6379/0"
    MLFLOW_SERVER_URL            = local.mlflow_url
    HOKUSAI_ARTIFACT_DESTINATION = local.destination
    AWS_DEFAULT_REGION           = data.aws_region.here.region
  }
  portal_secrets = {
    HOKUSAI_SECRET_KEY  = "${var.portal_secret_arn}:secret_key::"
    HOKUSAI_KEY_PEPPERS = "${var.portal_secret_arn}:key_peppers::"
    PGPASSWORD          = "${var.portal_secret_arn}:database_password::"
  }
  mlflow_environment = {
    HOKUSAI_ENVIRONMENT   = "production"
    BACKEND_STORE_URI     = "postgresql://mlflow@${aws_db_instance.database.endpoint}/${var.mlflow_database}?sslmode=require"
    DEFAULT_ARTIFACT_ROOT = local.destination
    MLFLOW_SERVER_URL     = local.mlflow_url
    AWS_DEFAULT_REGION    = data.aws_region.here.region
  }
  mlflow_secrets = {
    PGPASSWORD = "${var.mlflow_secret_arn}:database_password::"
  }
  ui_environment      = var.ui_host == "" ? {} : { HOKUSAI_UI_HOST = var.ui_host }
  more_portal_secrets = { for name, key in var.portal_secret_keys : name => "${var.portal_secret_arn}:${key}::" }
  portal = {
    environment = merge(var.portal_environment, local.portal_environment, local.ui_environment)
    secrets     = merge(local.more_portal_secrets, local.portal_secrets)
  }
  ask = "python -c \"import http.client as h; c = h.HTTPConnection('127.0.0.1', %s, timeout=4); c.request('GET', '%s'); raise SystemExit(c.getresponse().status != 200)\""
  containers = {
    portal = {
      image       = var.portal_image
      environment = local.portal.environment
      secrets     = local.portal.secrets
      role        = aws_iam_role.portal.arn
      size        = var.portal_size
      port        = 8000
      command     = null
      health      = format(local.ask, "8000", "/live")
      stop        = 90
      log         = "/ecs/hokusai/portal/${var.environment}"
    }
    worker = {
      image       = var.portal_image
      environment = local.portal.environment
      secrets     = local.portal.secrets
      role        = aws_iam_role.portal.arn
      size        = { cpu = 256, memory = 512 }
      port        = null
      command     = ["python", "manage.py", "run_worker"]
      health      = null
      stop        = 15
      log         = "/ecs/hokusai/worker/${var.environment}"
    }
    mlflow = {
      image       = var.mlflow_image
      environment = merge(var.mlflow_environment, local.mlflow_environment)
      secrets     = local.mlflow_secrets
      role        = aws_iam_role.mlflow.arn
      size        = var.mlflow_size
      port        = 5000
      command     = null
      health      = format(local.ask, "5000", "/mlflow/health")
      stop        = 30
      log         = "/ecs/hokusai/mlflow/${var.environment}"
    }
  }
}

resource "aws_cloudwatch_log_group" "of" {
  for_each          = local.containers
  name              = each.value.log
  retention_in_days = var.log_days
  tags              = local.tags
}

resource "aws_ecs_task_definition" "of" {
  for_each                 = local.containers
  family                   = "hokusai-${each.key}-${var.environment}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.size.cpu
  memory                   = each.value.size.memory
  task_role_arn            = each.value.role
  execution_role_arn       = aws_iam_role.execution.arn
  tags                     = local.tags
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }
  # The images say that it belongs to everybody.
  volume {
    name = "tmp"
  }
  container_definitions = jsonencode([{
    for name, value in {
      name                   = each.key
      image                  = each.value.image
      command                = each.value.command
      essential              = true
      readonlyRootFilesystem = true
      user                   = "10001:10001"
      environment            = [for name, value in each.value.environment : { name = name, value = value }]
      secrets                = [for name, value in each.value.secrets : { name = name, valueFrom = value }]
      mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
      portMappings           = each.value.port == null ? null : [{ containerPort = each.value.port, protocol = "tcp" }]
      stopTimeout            = each.value.stop
      linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
      healthCheck = each.value.health == null ? null : {
        command = ["CMD-SHELL", each.value.health], interval = 30, timeout = 10, retries = 3, startPeriod = 120
      }
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = each.value.log
          awslogs-region        = data.aws_region.here.region
          awslogs-stream-prefix = each.key
        }
      }
    } : name => value if value != null
  }])
}

resource "aws_service_discovery_service" "mlflow" {
  name = "mlflow"
  tags = local.tags
  dns_config {
    namespace_id   = var.namespace_id
    routing_policy = "MULTIVALUE"
    dns_records {
      type = "A"
      ttl  = 10
    }
  }
}

resource "aws_ecs_service" "portal" {
  name                               = "hokusai-portal-${var.environment}"
  cluster                            = var.cluster_arn
  task_definition                    = aws_ecs_task_definition.of["portal"].arn
  desired_count                      = var.portal_count
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 120
  propagate_tags                     = "SERVICE"
  tags                               = local.tags
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [aws_security_group.of["portal"].id]
    assign_public_ip = false
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.portal.arn
    container_name   = "portal"
    container_port   = 8000
  }
  depends_on = [aws_lb_listener_rule.portal]
}

resource "aws_ecs_service" "worker" {
  name             = "hokusai-worker-${var.environment}"
  cluster          = var.cluster_arn
  task_definition  = aws_ecs_task_definition.of["worker"].arn
  desired_count    = 1
  launch_type      = "FARGATE"
  platform_version = "LATEST"
  propagate_tags   = "SERVICE"
  tags             = local.tags
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [aws_security_group.of["portal"].id]
    assign_public_ip = false
  }
}

# One task: its first start creates the tables. The next version is up before this one ends.
resource "aws_ecs_service" "mlflow" {
  name                               = "hokusai-mlflow-${var.environment}"
  cluster                            = var.cluster_arn
  task_definition                    = aws_ecs_task_definition.of["mlflow"].arn
  desired_count                      = 1
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  propagate_tags                     = "SERVICE"
  tags                               = local.tags
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [aws_security_group.of["mlflow"].id]
    assign_public_ip = false
  }
  service_registries {
    registry_arn = aws_service_discovery_service.mlflow.arn
  }
}
