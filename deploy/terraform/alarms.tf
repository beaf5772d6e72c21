locals {
  balancer = { LoadBalancer = var.load_balancer_arn_suffix, TargetGroup = aws_lb_target_group.portal.arn_suffix }
  cluster  = element(split("/", var.cluster_arn), 1)
  alarms = {
    portal_unhealthy = {
      namespace = "AWS/ApplicationELB", metric = "UnHealthyHostCount", dimensions = local.balancer
      statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = 0, minutes = 5
    }
    portal_errors = {
      namespace = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = local.balancer
      statistic = "Sum", comparison = "GreaterThanThreshold", threshold = 20, minutes = 5
    }
    portal_gone = {
      namespace = "AWS/ApplicationELB", metric = "HealthyHostCount", dimensions = local.balancer
      statistic = "Minimum", comparison = "LessThanThreshold", threshold = 1, minutes = 2
    }
    mlflow_memory = {
      namespace  = "AWS/ECS", metric = "MemoryUtilization"
      dimensions = { ClusterName = local.cluster, ServiceName = aws_ecs_service.mlflow.name }
      statistic  = "Maximum", comparison = "GreaterThanThreshold", threshold = 85, minutes = 10
    }
    database_space = {
      namespace  = "AWS/RDS", metric = "FreeStorageSpace"
      dimensions = { DBInstanceIdentifier = aws_db_instance.database.identifier }
      statistic  = "Minimum", comparison = "LessThanThreshold", threshold = 2147483648, minutes = 10
    }
    database_busy = {
      namespace  = "AWS/RDS", metric = "CPUUtilization"
      dimensions = { DBInstanceIdentifier = aws_db_instance.database.identifier }
      statistic  = "Average", comparison = "GreaterThanThreshold", threshold = 85, minutes = 15
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "of" {
  for_each            = local.alarms
  alarm_name          = "${local.name}-${replace(each.key, "_", "-")}"
  alarm_description   = "Hokusai Portal: docs/operations.md says what to look at."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.minutes
  treat_missing_data  = each.key == "portal_gone" ? "breaching" : "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
  tags                = local.tags
}
