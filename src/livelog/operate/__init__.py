"""Operation: the server's own log, its metrics, its health, and the supervision of its background tasks."""
