"""What a log is and where it lives: bytes in files, what is known of them, who may write. Knows nothing of HTTP."""
