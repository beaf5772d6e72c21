"""MLflow's web interface for staff."""
