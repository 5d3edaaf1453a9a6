"""What CI systems take from here; docs/ci.md tells how."""
