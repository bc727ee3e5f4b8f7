"""Shapes of features that a style file gives as SVG path data."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from svg.path import Close, Line, Move, parse_path

from toonfilter.runtime.errors import ConfigError

SAMPLES = 12
"""Straight pieces of a curve. Raising it rounds curves on large faces and costs time."""
MOST_POINTS = 600
"""Of one shape. It is drawn for every face in every frame."""

Outline = NDArray[np.float32]
"""float32 [N, 2]: a closed outline, x to the right and y down."""


@lru_cache(maxsize=256)
def outlines_of(path: str) -> tuple[Outline, ...]:
    """The outlines of SVG path data, as in the attribute `d`; empty where the text is. Not to be changed.

    Raises:
        ConfigError: it is no path; it is so long that it slows drawing down.
    """
    if not path.strip():
        return ()
    try:
        parts = parse_path(path)
        outlines: list[list[complex]] = []
        for part in parts:
            if isinstance(part, Move):
                outlines.append([part.end])
            elif not isinstance(part, Close):
                steps = 1 if isinstance(part, Line) else SAMPLES
                outlines[-1] += [part.point((step + 1) / steps) for step in range(steps)]
            elif part is not parts[-1]:
                outlines.append([part.end])
    except (ValueError, IndexError, TypeError, AttributeError, ArithmeticError) as error:
        raise ConfigError(
            "must be SVG path data, only the text between the quotes of d, such as 'M-1 0 L1 0 L0 1 Z'"
        ) from error
    found = [np.array([(point.real, point.imag) for point in one], np.float32) for one in outlines if len(one) > 2]
    if not found:
        raise ConfigError("must be SVG path data that encloses an area, such as 'M-1 0 L1 0 L0 1 Z'")
    if sum(map(len, found)) > MOST_POINTS:
        raise ConfigError(f"has {sum(map(len, found))} points; must have at most {MOST_POINTS}")
    for one in found:
        one.flags.writeable = False
    return tuple(found)
