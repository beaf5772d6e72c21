# Who may speak to whom: load balancer → portal → MLflow; both → database; portal → cache.
locals {
  groups = {
    portal   = "The portal and its worker"
    mlflow   = "MLflow, which asks nobody for a key"
    database = "PostgreSQL"
    cache    = "Valkey"
  }
  ways = {
    portal_from_balancer = { to = "portal", from = var.load_balancer_security_group_id, port = 8000 }
    mlflow_from_portal   = { to = "mlflow", from = aws_security_group.of["portal"].id, port = 5000 }
    database_from_portal = { to = "database", from = aws_security_group.of["portal"].id, port = 5432 }
    database_from_mlflow = { to = "database", from = aws_security_group.of["mlflow"].id, port = 5432 }
    cache_from_portal    = { to = "cache", from = aws_security_group.of["portal"].id, port = 6379 }
  }
}

resource "aws_security_group" "of" {
  for_each    = local.groups
  name        = "${local.name}-${each.key}"
  description = each.value
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = "${local.name}-${each.key}" })
}

resource "aws_vpc_security_group_ingress_rule" "way" {
  for_each                     = local.ways
  description                  = replace(each.key, "_", " ")
  security_group_id            = aws_security_group.of[each.value.to].id
  referenced_security_group_id = each.value.from
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "way" {
  for_each = {
    portal_to_mlflow   = { of = "portal", to = "mlflow", port = 5000 }
    portal_to_database = { of = "portal", to = "database", port = 5432 }
    portal_to_cache    = { of = "portal", to = "cache", port = 6379 }
    mlflow_to_database = { of = "mlflow", to = "database", port = 5432 }
  }
  description                  = replace(each.key, "_", " ")
  security_group_id            = aws_security_group.of[each.value.of].id
  referenced_security_group_id = aws_security_group.of[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

# S3, ECR, logs and secrets have no addresses of their own to name; webhooks and mail (587) go out here, too.
resource "aws_vpc_security_group_egress_rule" "outside" {
  for_each = {
    portal_https = { of = "portal", port = 443 }
    portal_mail  = { of = "portal", port = 587 }
    mlflow_https = { of = "mlflow", port = 443 }
  }
  description       = replace(each.key, "_", " ")
  security_group_id = aws_security_group.of[each.value.of].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}
