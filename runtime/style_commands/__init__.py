"""The command `styles`: style files written and checked, and drawn side by side."""
