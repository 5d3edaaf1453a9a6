"""livelog: serves a log over HTTP while it is being written."""

__version__ = "0.1.0"
