"""One file per published method: its training step."""
