"""What makes flat skin round: soft shade away from the light, and lights on forehead, cheek and chin."""

import numpy as np
import skia

from toonfilter.runtime.render.canvas import paint, path_of
from toonfilter.runtime.render.colour import Colour, Lab, to_rgb
from toonfilter.runtime.render.contours import Points
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import Pen

_LIGHTS = (
    # Point of the mesh at the right and the left of an upright face; half width and half height in pupil distances.
    ((104, 333), 0.62, 0.34, 1.0),
    ((118, 347), 0.40, 0.34, 0.9),
    ((199, 199), 0.26, 0.16, 0.5),
)
_LIGHTER, _DEEP_LIGHTER = 7.0, 4.0
"""How much lighter than fair and than deep skin its lights are, L*."""
_FAR_SHARE = 0.35
"""Strength of the lights on the side away from the light."""
_DEEP = 45.0


def draw_lights(canvas: skia.Canvas, face: FaceGeometry, skin: Lab, light_side: float, strength: float) -> None:
    """Soft lights on the skin. light_side: below 0 the picture's left. strength: 0 none to 1."""
    lighter = _LIGHTER if float(skin[0]) > _DEEP else _DEEP_LIGHTER
    lit = np.array([min(float(skin[0]) + lighter, 97.0), skin[1] * 0.9, skin[2] * 0.95], np.float32)
    colour, pen = to_rgb(lit), Pen()
    for points, wide, high, share in _LIGHTS:
        for side, point in enumerate(dict.fromkeys(points)):
            seen = face.eye_visibility[side]
            toward = 1.0 if (light_side > 0) == (side == 1) or len(set(points)) == 1 else _FAR_SHARE
            across, down = face.across_face * np.float32(wide), face.down_face * np.float32(high)
            pen.glow(face.flat[point], across, down, colour, strength * share * toward * seen)
    pen.draw(canvas)


def draw_soft(canvas: skia.Canvas, shapes: list[Points], colour: Colour, alpha: float, soft_px: float) -> None:
    """Shapes whose edges fade over about soft_px to either side."""
    brush = paint(colour, alpha)
    if soft_px > 0.3:
        brush.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, soft_px, False))
    canvas.drawPath(path_of(shapes), brush)
