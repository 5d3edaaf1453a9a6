"""What operators see of a server: its own log, its figures, its health; and the tasks that run in its background."""
