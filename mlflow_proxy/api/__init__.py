"""The REST API of what stands before MLflow: routes, explanations, storage health."""
