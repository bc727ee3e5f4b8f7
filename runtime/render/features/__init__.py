"""The features of a face as vectors: eyes, brows, nose, mouth, lines, glasses."""
