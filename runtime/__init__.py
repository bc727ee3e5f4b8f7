"""Frames in, safe frames out. Never imports torch, train or export."""
