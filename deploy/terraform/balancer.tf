# Every path of the registry goes to the portal. No rule leads to MLflow.
locals {
  portal_paths = [
    "/",
    "/admin*",
    "/static/*",
    "/health",
    "/live",
    "/ready",
    "/api/health/*",
    "/sign-in",
    "/sign-out",
    "/api/mlflow",
    "/api/mlflow/*",
    "/mlflow",
    "/mlflow/*",
    "/api/2.0/mlflow*",
    "/api/3.0/mlflow*",
    "/api/v1/*",
    "/api/docs*",
    "/api/schema*",
  ]
  # A rule takes five values; the host is one of them.
  rules = chunklist(local.portal_paths, 4)
}

resource "aws_lb_target_group" "portal" {
  name                 = "hokusai-portal-${var.environment}"
  port                 = 8000
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = 90
  tags                 = local.tags
  # Touches no dependency: a database that is away must not end every portal. ECS takes a task out before it ends it.
  health_check {
    path                = "/health"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener_rule" "portal" {
  count        = length(local.rules)
  listener_arn = var.listener_arn
  priority     = var.first_rule_priority + count.index
  tags         = local.tags
  condition {
    host_header {
      values = [var.host]
    }
  }
  condition {
    path_pattern {
      values = local.rules[count.index]
    }
  }
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.portal.arn
  }
}

# The host of the interface is the portal's alone, which knows few addresses there, and no admin.
resource "aws_lb_listener_rule" "ui" {
  count        = var.ui_host == "" ? 0 : 1
  listener_arn = var.listener_arn
  priority     = var.first_rule_priority + 98
  tags         = local.tags
  condition {
    host_header {
      values = [var.ui_host]
    }
  }
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.portal.arn
  }
}

resource "aws_lb_listener_certificate" "ui" {
  count           = var.ui_certificate_arn == "" ? 0 : 1
  listener_arn    = var.listener_arn
  certificate_arn = var.ui_certificate_arn
}

# Rules of other services on this host stand between.
resource "aws_lb_listener_rule" "unknown" {
  listener_arn = var.listener_arn
  priority     = var.first_rule_priority + 99
  tags         = local.tags
  condition {
    host_header {
      values = [var.host]
    }
  }
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "application/json"
      status_code  = "404"
      message_body = "{\"error_code\":\"ENDPOINT_NOT_FOUND\",\"reason\":\"ROUTE_UNKNOWN\",\"message\":\"No such page. MLFLOW_TRACKING_URI should end in /api/mlflow.\"}"
    }
  }
}
