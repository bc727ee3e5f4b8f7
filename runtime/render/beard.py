"""Beards: stubble as a tint of the skin, dense ones as hair with an edge of their own."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import skia

from toonfilter.runtime.geometry.landmarks import CHIN, LIP_BOTTOM, LIP_TOP, MESH_POINTS
from toonfilter.runtime.render.beard_hairs import beard_hairs
from toonfilter.runtime.render.canvas import clipped, draw_soft, paint, path_of
from toonfilter.runtime.render.colour import to_rgb
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.dense_beards import dense_part
from toonfilter.runtime.render.even_beards import even_beard
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.hair import LEVELS_PER_L, HairPaint, anchor_of, as_one, origin_in, toned
from toonfilter.runtime.render.palette import Palette
from toonfilter.runtime.render.shade import Light
from toonfilter.runtime.render.strands import hair_light, hair_relief
from toonfilter.runtime.render.tones import lay, to_levels
from toonfilter.runtime.styles.style import BaseRules

_BEARD_EDGE_U = 0.008
"""How softly a dense beard's edge fades into the skin."""
_GREY_BEARD, _GREY_TONES = (30.0, 55.0), 0.9
"""Lightness of beards between which their tones become stronger, and how much stronger they become."""
_HANGS, _FARTHEST = (0.32, 0.5), 98.0
"""How far below the chin a beard reaches that may be and is a long one, in distances of the pupils, and the percentile
of its places that tells. Raising the first cuts more of them at the jaw; lowering it hangs stubble of throats on it."""
_STUBBLE_EDGE_U, _DENSE = 0.016, (0.5, 0.85)
"""How much more softly sparse ones do; and cover up to which a beard is stubble, without tones, and from which it is
dense. Raising the latter softens more beards."""
_HAIR_L, _SHIFT = 7.0, 4
"""How much darker and lighter than a beard its single hairs are, L*; and bits of a pixel in which they are placed."""
_STUBBLE_LEVEL, _BEARD_LEVEL = 72, 120
"""Levels of the field `beard` from which stubble and from which a beard is drawn. Raising them draws less of them."""
_FADE_U = 0.028
"""How softly stubble ends."""
_LIGHT = (-16.0, -6.0)
"""Lightness of a beard less that of skin from which it may be and is grey: then what is not dark is dense, too."""
_CLIPPED = 0.7
"""Cover up to which a beard ends at the jaw, as stubble does. Raising it cuts grey beards there."""
_SEEN_STUBBLE = 2.0
"""How much stubble is drawn for each share of the skin that it hides. Raising it draws shade as stubble."""
_NEAR_MOUTH_U, _LEAST_ON_CHEEK_U2 = 0.45, 0.25
"""How near to the mouth's middle a patch of beard begins, and how large one is that begins further away. Raising the
latter leaves out more sideburns that end alone."""
_LEAST_MOUSTACHE_U = 0.62
"""Width of the narrowest moustache. Raising it leaves out those of which the light hides half."""
_BESIDE_DENSE = 0.4
"""How much less stubble is drawn where a beard is dense. Raising it gives beards sharper edges."""


def draw_beard(canvas: skia.Canvas, figure: Figure, palette: Palette, light: Light, rules: BaseRules) -> None:
    """Stubble as a soft tint of the skin; a dense beard as hair; the lips stay free."""
    skin, base = palette.skin, palette.beard
    plane, head, unit = figure.fields["beard"], figure.head, figure.unit_px
    if head is None or int(plane.max()) < _STUBBLE_LEVEL:
        return
    mouth = head.flat[[*LIP_TOP, *LIP_BOTTOM]].mean(0)
    thin = figure.outlines(plane, level=_STUBBLE_LEVEL, blur_u=0.05, smooth_u=0.06, least_u2=0.04)
    thin = [shape for shape in thin if not _is_below_nose(shape, mouth, head, unit)]
    even = figure.found_in(plane, ("dense beard",), lambda: _dense_plane(figure, head, palette))
    dense = figure.outlines(even, level=_BEARD_LEVEL, blur_u=0.03, smooth_u=0.06, least_u2=0.045)
    dense = [one for one in dense if _is_beard(one, mouth, unit) and not _is_below_nose(one, mouth, head, unit)]
    face, lips = path_of([head.outline]), path_of([head.flat[[*LIP_TOP, *LIP_BOTTOM[::-1]]]])
    with clipped(canvas, outside=lips):
        between = to_rgb(skin + (base - skin) * np.float32(0.5))
        # Around a dense beard stubble is a smear.
        faint = 1 - _BESIDE_DENSE * palette.beard_cover if dense else 1.0
        faint *= min(1.0, _SEEN_STUBBLE * palette.beard_cover)
        with clipped(canvas, face):
            draw_soft(canvas, thin, between, rules.stubble * faint, _FADE_U * unit)
        if not dense:
            return
        hangs = smoothstep(_below_chin_u(figure, head, plane), *_HANGS)
        palette = _hanging(palette, hangs)
        known = figure.kept("beard", lambda: _beard_paint(figure, plane, dense, palette, rules, light.side))
        if known is None:
            return
        beard = known.follow(figure)
        canvas.saveLayerAlpha(None, round(255 * palette.beard_cover))
        if palette.beard_cover < _CLIPPED:
            # Stubble has no edge of its own that could cross the jaw's.
            canvas.clipPath(face, skia.ClipOp.kIntersect, True)
        edge_u = _BEARD_EDGE_U + _STUBBLE_EDGE_U * (1 - smoothstep(palette.beard_cover, *_DENSE))
        lay(canvas, beard.picture, beard.patch, path_of(dense), soft_px=edge_u * unit)
        # On trimmed beards a fringe is bristles.
        canvas.drawPath(beard.locks, paint(to_rgb(palette.beard), hangs))
        canvas.restore()


def _dense_plane(figure: Figure, head: FaceGeometry, palette: Palette) -> Plane:
    """The field `beard` in an even shape, without the stubble of one that is not grey."""
    plane = figure.fields["beard"]
    mesh = head.photo_points[:MESH_POINTS].copy()
    mesh[:, :2] = figure.to_crop(np.ascontiguousarray(mesh[:, :2]))
    unit = figure.unit_crop_px
    grey = smoothstep(float(palette.beard[0] - palette.skin[0]), *_LIGHT)
    if grey < 1:
        dense = dense_part(figure.fields, figure.photo, mesh, unit)
        plane = cv2.addWeighted(plane, grey, dense, 1 - grey, 0)
    return even_beard(plane, mesh, unit)


def _is_beard(shape: Points, mouth: Points, unit_px: float) -> bool:
    """Whether a shape is no coin on a cheek: shade or a scar. mouth: [2] canvas px."""
    apart = float(np.linalg.norm(shape - mouth, axis=1).min()) / unit_px
    return apart < _NEAR_MOUTH_U or cv2.contourArea(shape) > _LEAST_ON_CHEEK_U2 * unit_px**2


def _is_below_nose(shape: Points, mouth: Points, head: FaceGeometry, unit_px: float) -> bool:
    """Whether a shape lies between nose and mouth and is narrower than any moustache: shade, or a gleam. See
    `_is_beard`."""
    beside = shape - mouth
    return np.ptp(beside @ head.right) < _LEAST_MOUSTACHE_U * unit_px and bool((beside @ head.down).mean() < 0)


def _below_chin_u(figure: Figure, head: FaceGeometry, plane: Plane) -> float:
    """How far a beard reaches below the chin, in distances of the pupils. plane: the beard."""
    rows, columns = np.nonzero(plane[::4, ::4] >= _BEARD_LEVEL)
    if len(rows) == 0:
        return 0.0
    chin = figure.to_crop(np.ascontiguousarray(head.photo_points[CHIN, :2][None]))[0]
    places = np.stack([columns, rows], 1).astype(np.float32) * 4
    return float(np.percentile((places - chin) @ head.down, _FARTHEST)) / figure.unit_crop_px


def _hanging(palette: Palette, hangs: float) -> Palette:
    """What hangs is no stubble: it hides all of the skin, in the colour that is seen. hangs: how surely it does."""
    cover = max(palette.beard_cover, hangs)
    seen = palette.skin + (palette.beard - palette.skin) * np.float32(palette.beard_cover / max(cover, 1e-3))
    return replace(palette, beard=seen, beard_cover=cover)


def _beard_paint(
    figure: Figure, plane: Plane, shapes: Sequence[Points], palette: Palette, rules: BaseRules, light_side: float
) -> HairPaint | None:
    patch = figure.patch(shapes, plane)
    if patch is None or figure.head is None:
        return None
    base, unit = palette.beard, figure.unit_crop_px
    relief = hair_relief(hair_light(patch.of(figure.photo), unit), patch.of(plane), unit, light_side)
    # Light on a dark beard looks like dirt; a grey one is nothing without it.
    strength = 1 + _GREY_TONES * smoothstep(float(base[0]), *_GREY_BEARD)
    strength *= smoothstep(palette.beard_cover, *_DENSE)
    picture = toned(patch.enlarged(to_levels(relief, LEVELS_PER_L)), base, rules.beard_tones, strength)
    corner = np.array([patch.left, patch.top], np.float32)
    mouth = figure.to_crop(figure.head.photo_points[[*LIP_TOP, *LIP_BOTTOM], :2].mean(0)) - corner
    hairs = beard_hairs(patch.of(plane), origin_in(figure, patch), mouth, figure.head.down, unit)
    scale = picture.shape[1] / patch.width
    for some, step in ((hairs.dark, -_HAIR_L), (hairs.light, _HAIR_L)):
        shapes_px = [np.rint((one + 0.5) * scale * (1 << _SHIFT)).astype(np.int32) for one in some]
        colour = [*(round(255 * level) for level in to_rgb(base + np.array([step, 0, 0], np.float32))), 255]
        cv2.fillPoly(picture, shapes_px, colour, cv2.LINE_AA, _SHIFT)
    return HairPaint(picture, patch, as_one([figure.place(one + corner) for one in hairs.fringe]), anchor_of(figure))
