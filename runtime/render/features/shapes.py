"""Shapes from a style file, ready to be filled."""

from functools import lru_cache

import skia

from toonfilter.runtime.render.canvas import path_of
from toonfilter.runtime.styles.shapes import outlines_of


@lru_cache(maxsize=64)
def shape_path(path: str) -> skia.Path:
    """A path in the shape's own coordinates, to be drawn within `Pen.frame`. path: SVG path data."""
    return path_of(outlines_of(path))
