"""Health questions and their answers."""
