"""Finding, reading and following faces."""
