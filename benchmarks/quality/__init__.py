"""Measures of generated pictures, one file per measure."""
