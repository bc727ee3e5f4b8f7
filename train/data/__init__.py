"""Readers and preparation of training pictures."""
