"""The transport of bytes between client and server: connections, uploads, and the spool that keeps bytes until they are acknowledged."""
