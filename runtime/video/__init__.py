"""Converting recordings: reading, segments, workers, writing, joining."""
