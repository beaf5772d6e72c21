"""Health: one question each, the monitor that keeps the answers, and the doctor that walks the client's way."""
