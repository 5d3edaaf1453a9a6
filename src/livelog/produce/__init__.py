"""What producers send: uploads, and the requests about them. Only `server` imports it."""
