"""Logs: their bytes in files, their facts and states, leases, and retention. Knows nothing of HTTP."""
