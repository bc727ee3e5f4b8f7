"""What the light of a photo does to the colours of hair: told by the skin beside it, and taken back."""

import math

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import Lab
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import Look

_DRAWN_LIGHTER, _MOST_GAIN, _BLACK = 1.1, 1.18, (20.0, 42.0)
"""How much lighter skin is drawn than it is in good light; the most that hair gains where light is dim; and lightness
of hair up to which it gains nothing, and from which all. Raising the last draws dark hair in the dark black."""
_AS_LIGHT, _UNCOLOURED, _MOST_GREY = (0.75, 0.95), (9.0, 15.0), 50.0
"""Lightness of hair over that of skin in the same light, from which it may be and is grey where somebody is not young;
chroma up to which it is, and from which it is not; and how light dim light may make it. Raising the first draws more
grey hair black, lowering it gloss grey."""
_SURE_CAST = (5.0, 13.0)
"""Chroma that the light adds to skin up to which that is doubted, and from which it is sure. Raising them keeps more
brown hair brown."""
_CAST_TAKEN, _MOST_CAST, _MOST_TAKEN = 0.8, 1.3, 0.8
"""How much of the light's colour, as skin shows it, is taken from hair; how much more than from skin at most; and the
share of hair's own a* and b* that may be taken. Raising them draws grey hair grey in warmer light, and fair hair less
yellow."""


def cast_of(skin: Lab, drawn: Lab) -> NDArray[np.float32]:
    """float32 [2]: what the colour of the light surely adds to skin, a* and b*. drawn: the skin in good light."""
    cast: NDArray[np.float32] = skin[1:] - drawn[1:] * (skin[0] / max(float(drawn[0]), 1.0))
    return cast * np.float32(smoothstep(float(np.hypot(*cast)), *_SURE_CAST))


def without_cast(colour: Lab, cast: NDArray[np.float32], skin: Lab, *, grey: float = 0.0) -> Lab:
    """A colour of the same photo without what the light added: more to what is lighter, but never all of its own.

    grey: 1 for what is grey for certain: its hue is the light's, so that nothing of another hue is left.
    """
    added = _CAST_TAKEN * cast * np.float32(min(float(colour[0]) / max(float(skin[0]), 1.0), _MOST_CAST))
    most = _MOST_TAKEN * np.abs(colour[1:])
    taken = np.where(added * colour[1:] > 0, np.clip(added, -most, most), 0)
    share = float(np.max(np.abs(taken) / np.maximum(np.abs(colour[1:]), 1e-3)))
    taken = taken + (colour[1:] * share - taken) * grey
    return np.array([colour[0], *(colour[1:] - taken)], np.float32)


def surely_grey(hair: Lab, skin: Lab, look: Look | None) -> float:
    """1 for hair as light as the skin beside it, of somebody who is not young: it is grey, however dark the photo.

    hair, skin: as the photo shows them.
    """
    if look is None:
        return 0.0
    return look.lines.aged * smoothstep(float(hair[0]) / max(float(skin[0]), 1.0), *_AS_LIGHT)


def in_good_light(colour: Lab, skin: Lab, look: Look | None, grey: float) -> Lab:
    """Hair in the good light in which the skin is drawn: black hair stays black in any. skin: as the photo shows it.

    grey: see `surely_grey`.
    """
    if look is None:
        return colour
    wanted = max(float(look.skin[0]) / (_DRAWN_LIGHTER * max(float(skin[0]), 1.0)), 1.0)
    gain = 1 + (min(wanted, _MOST_GAIN) - 1) * smoothstep(float(colour[0]), *_BLACK)
    grey *= 1 - smoothstep(float(np.hypot(*colour[1:])), *_UNCOLOURED)
    gain += grey * max(0.0, min(wanted, _MOST_GREY / max(float(colour[0]), 1.0)) - gain)
    lit: Lab = colour * np.array([gain, math.sqrt(gain), math.sqrt(gain)], np.float32)
    return lit
