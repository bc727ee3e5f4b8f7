"""Colours as an animator mixes them: sRGB 0 to 1 or CIE L*a*b*, and deep relatives of a colour for shade and ink."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.features.smooth import smoothstep

Colour = NDArray[np.float32]
"""float32 [3]: sRGB, 0 to 1."""
Lab = NDArray[np.float32]
"""float32 [3]: CIE L* 0 to 100, a*, b*."""

_DEEP = (32.0, 52.0)
"""Lightness of drawn skin up to which it is deep, and from which it is not. Raising them draws more skin as deep."""
BLACK = np.array([0.055, 0.047, 0.06], np.float32)
"""A printer's black."""
_SHADE = np.array([0.84, 0.68, 0.70], np.float32)
"""What full shade leaves of red, green and blue: shadows turn to a warm violet, not to black."""


def depth_of(skin: Lab) -> float:
    """1 for deep skin, 0 for fair and middle tones. skin: as it is drawn."""
    return 1 - smoothstep(float(skin[0]), *_DEEP)


def to_lab(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """[..., 3] sRGB 0 to 1 to L*a*b*."""
    flat = np.ascontiguousarray(colours, np.float32).reshape(-1, 1, 3)
    lab: NDArray[np.float32] = cv2.cvtColor(flat, cv2.COLOR_RGB2LAB).reshape(np.shape(colours))
    return lab


def to_rgb(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """[..., 3] L*a*b* to sRGB, clipped to 0 to 1."""
    flat = np.ascontiguousarray(lab, np.float32).reshape(-1, 1, 3)
    rgb: NDArray[np.float32] = np.clip(cv2.cvtColor(flat, cv2.COLOR_LAB2RGB), 0, 1).reshape(np.shape(lab))
    return rgb


def picture_lab(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [H, W, 3] RGB to float32 [H, W, 3] L*a*b*."""
    lab: NDArray[np.float32] = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab


def scaled(
    lab: NDArray[np.float32], factors: NDArray[np.float32], shifts: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Colours [..., 3], each channel times a number and plus another. factors, shifts: float32 [3].

    NumPy is ten times slower with pictures, whose inner loop is three numbers long.
    """
    if lab.ndim < 3:
        return lab * factors if shifts is None else lab * factors + shifts
    matrix = np.diag(factors) if shifts is None else np.column_stack([np.diag(factors), shifts])
    changed: NDArray[np.float32] = cv2.transform(lab, matrix)
    return changed


def shade(colour: Colour, strength: float) -> Colour:
    """The colour in shadow. strength: 0 leaves it, 1 is the deepest shadow of a drawing."""
    shaded: Colour = colour * (1 - np.float32(strength) * (1 - _SHADE))
    return shaded


def ink(lab: Lab, share: float = 0.26) -> Colour:
    """Line colour beside a region of this colour: a quarter of its lightness, its own hue, never pure black."""
    deep = np.array([lab[0] * share + 3.0, lab[1] * 0.75 + 4.0, lab[2] * 0.6 + 1.0], np.float32)
    return to_rgb(deep)


def mix(first: NDArray[np.float32], second: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """share: 0 gives the first, 1 the second."""
    mixed: NDArray[np.float32] = first + (second - first) * np.float32(share)
    return mixed


_LIGHTEST, _DARKEST = np.array([99, 0, 0], np.float32), np.array([6, 0, 0], np.float32)
"""L*a*b* of what is as light and as dark as can be."""
_DARK_HUE = np.array([0, 0.6, 0.6], np.float32)
"""What the darkest keeps of a* and b*: with black alone skin would be grey."""


def lightened(lab: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """L*a*b* colours [..., 3] mixed with white; below 0 with a black of their hue. Which is lighter stays so.

    share: -1 to 1.
    """
    return mix(lab, _LIGHTEST if share > 0 else lab * _DARK_HUE + _DARKEST, abs(share))


FEWEST_PIXELS = 24
"""Of fewer no colour is measured."""


def median_lab(colours: NDArray[np.float32]) -> Lab:
    """Median of each channel: [N, 3]."""
    middle: Lab = np.median(colours, axis=0).astype(np.float32)
    return middle


def median_colour(pixels: NDArray[np.float32], default: Lab) -> Lab:
    """Of L*a*b* pixels float32 [N, 3]; the default where they are too few."""
    return median_lab(pixels) if len(pixels) >= FEWEST_PIXELS else default


_EVERY_PX, _COLOURED_PERCENTILE = 8, 99.0


def colour_levels(picture: NDArray[np.uint8]) -> float:
    """How far red, green and blue of the most coloured pixels of a picture, uint8 [H, W, 3], differ: 0 to 255."""
    red, green, blue = cv2.split(np.ascontiguousarray(picture[::_EVERY_PX, ::_EVERY_PX]))
    spread = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
    return float(np.percentile(spread, _COLOURED_PERCENTILE))
