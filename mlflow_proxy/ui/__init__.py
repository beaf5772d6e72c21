"""MLflow's web interface for signed-in staff: the same desks as for a key, with another identity and other rights."""
