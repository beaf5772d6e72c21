"""How a permitted call reaches MLflow and its artifacts."""
