"""HTTP/1.1 as bytes: heads, and the problems that answers tell of. Knows nothing of logs; no I/O."""
