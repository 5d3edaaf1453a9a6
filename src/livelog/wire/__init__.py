"""HTTP/1.1: heads, bodies, connections, and errors as answers. Knows nothing of logs."""
