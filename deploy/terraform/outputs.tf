output "bucket" {
  value = aws_s3_bucket.artifacts.bucket
}

output "database_endpoint" {
  value = aws_db_instance.database.endpoint
}

output "database_operator_secret_arn" {
  description = "The password of the user `registry_operator`, who makes the two databases."
  value       = aws_db_instance.database.master_user_secret[0].secret_arn
}

output "repositories" {
  value = { for name, repository in aws_ecr_repository.image : name => repository.repository_url }
}

output "migrate" {
  description = "Run before each new version of the portal; the service follows when it has ended with 0."
  value       = "aws ecs run-task --cluster ${var.cluster_arn} --launch-type FARGATE --task-definition ${aws_ecs_task_definition.of["portal"].family} --network-configuration 'awsvpcConfiguration={subnets=[${join(",", var.private_subnet_ids)}],securityGroups=[${aws_security_group.of["portal"].id}]}' --overrides '{\"containerOverrides\":[{\"name\":\"portal\",\"command\":[\"python\",\"manage.py\",\"migrate\"]}]}'"
}
