"""Hair as strokes of a pencil along its strands, many where it is dark and none where it shines."""

import cv2
import numpy as np

from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.hair_flow import HairFlow, at, seeds, traced
from toonfilter.runtime.render.strands import Relief

_STEP_U, _STEPS = 0.05, 7
"""Length of a piece of a stroke, in distances of the pupils, and how many there are to either side of its middle."""
_APART_U, _LEAST_APART_PX = 0.045, 5.0
"""Distance of neighbouring strokes, and the least on the canvas. Raising them draws fewer."""
_OFTEN, _PER_L = 0.40, 0.06
"""Share of the strokes that is drawn in hair's middle tone, and how many more for each L* that it is darker."""
_BLACK, _FAIR = 62.0, 92.0
"""L* of black and of fair hair as pencil styles paint them."""
_BLACK_LEVEL, _FAIR_LEVEL = 18.0, 120.0
"""Grey of their strokes, 0 to 255. Raising it gives paler strokes."""
_SHIFT = 3


def draw_strokes(picture: Pixels, flow: HairFlow, relief: Relief, lightness: float) -> None:
    """Strokes into a picture uint8 [H, W, 4] RGBA of the same part, at any size, in place.

    relief: see `strands.hair_relief`. lightness: L* of the hair as it is painted: the darker,
    the more strokes, and darker ones.
    """
    depth = float(np.clip((_FAIR - lightness) / (_FAIR - _BLACK), 0, 1))
    dark = _FAIR_LEVEL + (_BLACK_LEVEL - _FAIR_LEVEL) * depth
    height, width = flow.hair.shape
    apart_px = max(_APART_U * flow.unit_px, _LEAST_APART_PX * width / picture.shape[1])
    places, chance = seeds(flow.hair, flow.origin, apart_px)
    often = _OFTEN * (0.55 + 0.75 * depth) - _PER_L * at(relief, places)
    kept = chance[:, 0] < often
    places, chance = places[kept], chance[kept]
    if not len(places):
        return
    reach = flow.unit_px * _STEP_U * (0.5 + chance[:, 1:2])
    back, forth = (traced(flow, places, _STEPS, sense * reach) for sense in (-1.0, 1.0))
    lines = np.stack([*back[::-1], places, *forth], 1)
    scale = np.array([picture.shape[1] / width, picture.shape[0] / height], np.float32)
    lines = np.round((lines + np.float32(0.5)) * scale * (1 << _SHIFT)).astype(np.int32)
    weight = max(1.0, 0.008 * flow.unit_px * float(scale[0]))
    middle = slice(_STEPS // 2, -(_STEPS // 2))
    for number, share in enumerate((1.01, 0.45)):
        # The middle of some strokes is drawn once more, wider: they taper.
        some = lines[chance[:, 2] < share][:, middle if number else slice(None)]
        level = dark + 34 * (1 - number)
        cv2.polylines(
            picture,
            list(np.ascontiguousarray(some)),
            False,
            (level, level, level, 255),
            max(1, round(weight * (0.7 + 0.6 * number))),
            cv2.LINE_AA,
            _SHIFT,
        )
