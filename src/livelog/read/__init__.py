"""Requests of readers: a log's bytes, lines, events and status, and the list of logs. Only `server` imports it."""
