"""The heart: frames in, safe frames out, with the style and engine in use."""
