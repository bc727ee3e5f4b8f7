"""Hair: tones that follow the strands, single strands over them, and locks that leave the outline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import EYES, NOSE_TIP
from toonfilter.runtime.render.canvas import Pixels, paint, path_of, stroke
from toonfilter.runtime.render.colour import Lab, to_rgb
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.hair_flow import INSIDE, HairFlow, hair_flow
from toonfilter.runtime.render.hair_lines import draw_lines, loose_locks
from toonfilter.runtime.render.hair_ring import crown_ring
from toonfilter.runtime.render.hair_strokes import draw_strokes
from toonfilter.runtime.render.layers import brushed, ink_beside
from toonfilter.runtime.render.shade import Light
from toonfilter.runtime.render.strands import Relief, hair_light, hair_relief, hair_tints
from toonfilter.runtime.render.tones import Patch, lay, stepped, tint, to_levels
from toonfilter.runtime.styles.style import BaseRules

_EDGE_CALM_U, _EDGE_SMOOTH_U = 0.02, 0.04
"""How far hair's plane and its outline are smoothed, in distances of the pupils. Raising them gives calmer hair, and
loses the tips of locks."""
LEVELS_PER_L = 9.0
"""Levels of the relief field for each L* of relief."""
_RING_L = 11.0
"""Relief of the ring of light in hair. Raising it draws it in lighter tones."""
_TREMBLES_U = 0.015
"""How far the nose's tip moves, in distances of the pupils, before hair follows."""
_FLOW_UNIT_PX = 60.0
"""Distance of the pupils at which strands are followed. Raising it costs time and follows finer ones."""
_LONG = (0.02, 0.14)
"""Share of hair that hangs below the nose's tip up to which it is cropped, and from which it is long."""
_LOCK_INK = 0.9
"""Width of the ink around loose locks, over that of hair's outline."""
_COVERING = ("headwear", "over")


@dataclass(frozen=True, slots=True)
class HairPaint:
    """Hair as it is painted, for a few frames. picture, patch: see `Swatch`. locks: loose ones, on the canvas.

    anchor: float32 [2], canvas px, where the head was.
    """

    picture: Pixels
    patch: Patch
    locks: skia.Path
    anchor: Points

    def follow(self, figure: Figure) -> "HairPaint":
        """Moved along with the head."""
        moved = anchor_of(figure) - self.anchor
        if not moved.any():
            return self
        locks = skia.Path(self.locks)
        locks.offset(float(moved[0]), float(moved[1]))
        return HairPaint(
            self.picture,
            self.patch.moved(moved),
            locks,
            self.anchor + moved,
        )


def anchor_of(figure: Figure) -> Points:
    """Where the head is on the canvas: float32 [2]; meshes tremble, and hair does not."""
    if figure.head is None:
        return np.zeros(2, np.float32)
    return figure.held("anchor", figure.head.middle, _TREMBLES_U * figure.unit_px)


def draw_hair(canvas: skia.Canvas, figure: Figure, base: Lab, light: Light, rules: BaseRules) -> None:
    """Hair in few tones that follow its strands, with single strands, its outline and loose locks."""
    plane = figure.fields.get("hair")
    if plane is None:
        return
    outer = figure.outlines(plane, blur_u=_EDGE_CALM_U, smooth_u=_EDGE_SMOOTH_U, least_u2=0.10)
    if not outer:
        return
    known = figure.kept("hair", lambda: _hair_paint(figure, plane, outer, base, rules, light.side))
    if known is None:
        return
    hair, line = known.follow(figure), ink_beside(base, rules)
    canvas.drawPath(hair.locks, stroke(line, _LOCK_INK * rules.hair_line_u * figure.unit_px))
    lay(canvas, hair.picture, hair.patch, path_of(outer))
    canvas.drawPath(brushed(outer, rules.hair_line_u, figure, rules), paint(line, rules.inner_ink))
    # The same picture again: locks cover the outline where they leave it.
    lay(canvas, hair.picture, hair.patch, hair.locks)


def _hair_paint(
    figure: Figure, plane: Plane, shapes: Sequence[Points], base: Lab, rules: BaseRules, light_side: float
) -> HairPaint | None:
    """light_side: see `Light`."""
    patch = figure.patch(shapes, plane)
    if patch is None:
        return None
    unit, hair = figure.unit_crop_px, patch.of(plane)
    light = hair_light(patch.of(figure.photo), unit) if figure.shows_light else patch.of(figure.fields["tone"])
    relief = hair_relief(light, hair, unit, light_side)
    if rules.hair_ring > 0 and figure.head is not None:
        relief = _ringed(relief, figure, figure.head, patch, rules.hair_ring)
    locks: list[Points] = []
    factor = min(1.0, _FLOW_UNIT_PX / unit)
    origin = (origin_in(figure, patch) * np.float32(factor)).astype(np.float32)
    small = np.dstack([_smaller(one, factor).astype(np.float32) for one in (light, hair, relief)])
    light, hair, relief = cv2.split(figure.calm("hair", small, origin))
    picture = toned(patch.enlarged(to_levels(relief, LEVELS_PER_L)), base, rules.hair_tones)
    flow = hair_flow(light, hair, origin, unit * factor)
    if rules.fill == "paper":
        draw_strokes(picture, flow, relief, float(base[0]))
    elif figure.shows_light:
        long = _length(figure, plane)
        draw_lines(picture, flow, relief, base, long, rules.hair_lines)
        tint(picture, hair_tints(patch.of(figure.photo), patch.of(plane), base, unit))
        locks = _loose(figure, patch, flow, long, rules.loose_hair)
    return HairPaint(picture, patch, as_one(locks), anchor_of(figure))


def _smaller(plane: NDArray[Any], factor: float) -> NDArray[Any]:
    if factor == 1.0:
        return plane
    size = (max(2, round(plane.shape[1] * factor)), max(2, round(plane.shape[0] * factor)))
    small: NDArray[Any] = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return small


def _loose(figure: Figure, patch: Patch, flow: HairFlow, long: float, often: float) -> list[Points]:
    """Loose locks on the canvas."""
    height, width = flow.hair.shape
    covered = np.zeros((height, width), np.uint8)
    for name in _COVERING:
        if name in figure.fields:
            covered = cv2.max(covered, cv2.resize(patch.of(figure.fields[name]), (width, height)))
    covered = cv2.dilate(covered, np.ones((3, 3), np.uint8))
    skin = cv2.resize(patch.of(figure.fields["skin"]), (width, height))
    locks = loose_locks(flow, skin, covered, patch.canvas_size[0] / width, long, often)
    corner = np.array([patch.left, patch.top], np.float32)
    scale = np.array([patch.width / width, patch.height / height], np.float32)
    return [figure.place((lock + np.float32(0.5)) * scale - np.float32(0.5) + corner) for lock in locks]


def as_one(shapes: Sequence[Points]) -> skia.Path:
    """Shapes that overlap, as one path."""
    path = path_of(shapes)
    path.setFillType(skia.PathFillType.kWinding)
    return path


def _length(figure: Figure, plane: Plane) -> float:
    """0 cropped to 1 hanging, by how much of the hair lies below the nose's tip."""
    assert figure.head is not None
    tip = figure.head.photo_points[NOSE_TIP, :2]
    below = figure.to_crop(np.stack([tip, tip + figure.head.down * figure.unit_px]))
    places = np.argwhere(plane[::4, ::4] >= INSIDE)[:, ::-1] * 4
    if not len(places):
        return 0.0
    return smoothstep(float(((places - below[0]) @ (below[1] - below[0]) > 0).mean()), *_LONG)


def toned(levels: Plane, base: Lab, tones: Sequence[tuple[float, float]], strength: float = 1.0) -> Pixels:
    """The tones of hair by the levels of its relief."""
    steps = []
    for level, step in sorted(tones, key=lambda one: abs(one[0])):
        tone = base + np.array([step * strength, 0, 0], np.float32)
        tone[1:] *= 1 - 0.006 * step * strength
        steps.append((128 + level * LEVELS_PER_L, to_rgb(tone)))
    return stepped(levels, steps, to_rgb(base))


def _ringed(relief: Relief, figure: Figure, head: FaceGeometry, patch: Patch, strength: float) -> Relief:
    """Hair's relief with a ring of light around the crown, and less of other lights."""
    pupils = figure.to_crop(head.photo_points[[EYES[0].iris[0], EYES[1].iris[0]], :2]).mean(0)
    ring = crown_ring(relief.shape, pupils - (patch.left, patch.top), head.right, figure.unit_crop_px)
    calm = np.minimum(relief, 0) + np.maximum(relief, 0) * np.float32(1 - 0.6 * strength)
    return np.maximum(calm, ring * np.float32(_RING_L * strength) + np.float32(0.35) * relief)


def origin_in(figure: Figure, patch: Patch) -> Points:
    """A point of the head in px of a patch."""
    origin = figure.to_crop(anchor_of(figure)) if figure.head is not None else np.zeros(2, np.float32)
    place: Points = (origin - (patch.left, patch.top)).astype(np.float32)
    return place
