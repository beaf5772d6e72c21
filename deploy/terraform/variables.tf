variable "environment" {
  type        = string
  description = "Part of every name: development, staging or production."
  validation {
    condition     = can(regex("^[a-z]+$", var.environment))
    error_message = "One word of small letters."
  }
}

variable "host" {
  type        = string
  description = "The host that users type, like registry.example.org. Every rule of the load balancer names it."
}

variable "ui_host" {
  type        = string
  default     = ""
  description = "A second host, for MLflow's web interface alone, like mlflow.example.org. Recommended: docs/ui.md says why."
  validation {
    condition     = can(regex("^[A-Za-z0-9.-]*$", var.ui_host)) && var.ui_host != var.host
    error_message = "A host name without a port, and not the one of host."
  }
}

variable "ui_certificate_arn" {
  type        = string
  default     = ""
  description = "The certificate of ui_host, where the listener has none yet that covers it."
}

variable "tags" {
  type    = map(string)
  default = {}
}

# What exists already.

variable "cluster_arn" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "private_subnet_ids" {
  type        = list(string)
  description = "In two zones at least, with a way to AWS: a NAT, or endpoints for S3, ECR, logs and secrets."
  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "Two zones at least."
  }
}

variable "namespace_id" {
  type        = string
  description = "The private DNS namespace (Cloud Map) in which MLflow gets its name."
}

variable "namespace_name" {
  type = string
}

variable "listener_arn" {
  type        = string
  description = "The HTTPS listener of the load balancer, TLS 1.2 or newer; its port 80 answers by a redirect or not at all."
}

variable "load_balancer_arn_suffix" {
  type = string
}

variable "load_balancer_security_group_id" {
  type = string
}

variable "load_balancer_cidrs" {
  type        = list(string)
  description = "The load balancer's subnets: from there alone X-Forwarded-For is believed."
}

variable "first_rule_priority" {
  type        = number
  default     = 100
  description = "Rules take this priority and the next ones; nothing wider may stand before them."
}

variable "alarm_topic_arn" {
  type        = string
  description = "The SNS topic that alarms go to."
}

# Images, by digest.

variable "portal_image" {
  type = string
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.portal_image))
    error_message = "Name the image by digest: repository@sha256:..."
  }
}

variable "mlflow_image" {
  type = string
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.mlflow_image))
    error_message = "Name the image by digest: repository@sha256:..."
  }
}

# Secrets, by reference: made outside of Terraform, so that no value is in its state.

variable "portal_secret_arn" {
  type        = string
  description = "A secret with the JSON keys secret_key, key_peppers and database_password."
}

variable "mlflow_secret_arn" {
  type        = string
  description = "A secret with the JSON key database_password."
}

variable "portal_secret_keys" {
  type        = map(string)
  default     = {}
  description = "More variables of the portal that hold secrets, each with its JSON key: { HOKUSAI_SMTP_URL = \"smtp_url\" }."
}

variable "kms_key_arn" {
  type        = string
  default     = ""
  description = "Encrypts artifacts, where AES256 is not enough."
}

# More variables of docs/configuration.md that hold no secret: alerts, webhooks, limits. What the module sets itself wins.

variable "portal_environment" {
  type    = map(string)
  default = {}
}

variable "mlflow_environment" {
  type    = map(string)
  default = {}
}

# Sizes.

variable "portal_count" {
  type    = number
  default = 2
}

variable "portal_size" {
  type    = object({ cpu = number, memory = number })
  default = { cpu = 512, memory = 1024 }
}

variable "mlflow_size" {
  type    = object({ cpu = number, memory = number })
  default = { cpu = 1024, memory = 2048 }
}

variable "database_class" {
  type    = string
  default = "db.t4g.small"
}

variable "database_storage_gib" {
  type    = number
  default = 20
}

variable "database_is_multi_az" {
  type    = bool
  default = true
}

variable "mlflow_database" {
  type        = string
  default     = "mlflow_db"
  description = "The name that MLflow's database has had."
}

variable "cache_class" {
  type    = string
  default = "cache.t4g.micro"
}

variable "log_days" {
  type    = number
  default = 365
}
