"""Who is calling, and what they may do; has never heard of a URL of MLflow."""
