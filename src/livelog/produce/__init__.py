"""Requests of producers: logs, resumable uploads, attributes. Only `server` imports it."""
