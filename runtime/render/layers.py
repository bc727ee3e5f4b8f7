"""The layers of a person, back to front: cloth, skin, shade, hair, headwear, and their ink."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import skia

from toonfilter.runtime.geometry.landmarks import CHIN, FOREHEAD, LOWER_JAW, NOSE_TIP
from toonfilter.runtime.render.canvas import clipped, draw_soft, paint, path_of, ribbons, tapered
from toonfilter.runtime.render.cloth_paint import painted_cloth, underpainting
from toonfilter.runtime.render.colour import BLACK, Colour, Lab, ink, mix, shade, to_rgb
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.ears import draw_ears
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.face_map import FaceMap, MeshShapes
from toonfilter.runtime.render.features.curves import resampled
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.palette import Palette, cloth_plane, paintable, painted_colour
from toonfilter.runtime.render.patterns import PatternFrame, dots, draw_dots, draw_hatching, hatch_clip
from toonfilter.runtime.render.pencil import strayed
from toonfilter.runtime.render.shade import Light, shade_field, shade_outlines, upper_face
from toonfilter.runtime.render.skin_relief import relief_picture
from toonfilter.runtime.render.tones import Swatch, lay
from toonfilter.runtime.styles.style import BaseRules

_PARTS = ("skin", "hair", "headwear")
_SEEN = 100
"""Level that a part must reach somewhere to be drawn. Raising it leaves doubtful parts out."""
_PENCIL = np.float32(0.25)
"""Grey of shade in pencil styles, sRGB 0 to 1, where it is full."""
_SECOND_LINE = 0.6
"""Width of a pencil's second line over the first."""
_CAST_U, _CAST, _CAST_SOFT_U = 0.09, 0.6, 0.02
"""Width of the shadow that hair throws on the face, in distances of the pupils, its strength, and how softly it ends at
least: a hard one is a wedge on the temples."""
_JAW_TURNED = 12.0
"""Yaw in degrees from which less of the jaw's far half is drawn."""
_CLIPPED_FROM = 40.0
"""Yaw in degrees from which features end at the person's outline, which meshes miss. Raising it draws more beyond."""
_FAR_SIDE = ((0.42, 0.2), (0.28, 0.36), (0.14, 0.55))
"""How far from its far edge cloth has dots, in distances of the pupils, and how much they cover."""
_CRISP_U = 0.01
"""Softness up to which tones of the skin keep their edges."""
_REDRAWN = 0.35
"""How far a head moves, in distances of the pupils, before patterns on cloth are drawn anew: bodies move less. Raising
it keeps them still for longer."""
_BEYOND = 0.5
"""How far below the chin, or above the forehead, cloth is looked at most closely, in distances of the pupils."""
_NECK_HATCH_U = 0.042
_HATCHED = 5.0
"""Levels of shade for each level of relief, with all of `modelling`. Raising it hatches fainter shade."""


def contested(planes: Mapping[str, Plane]) -> dict[str, Plane]:
    """Planes whose edge lies where another part of the person wins, so that parts meet without gaps.

    Adds `cloth`. A part that is nowhere is left out.
    """
    parts = {name: planes[name] for name in _PARTS}
    parts["cloth"] = cloth_plane(planes, under_beard=True)
    calm = {name: cv2.blur(plane, (3, 3)) for name, plane in parts.items() if name == "skin" or plane.max() > _SEEN}
    known = list(calm.values())
    before, after = _running(cv2.max, known, 0), _running(cv2.max, known[::-1], 0)[::-1]
    result = {name: plane for name, plane in planes.items() if name not in parts}
    result["person"] = cv2.max(planes["person"], planes["hair"])
    for place, (name, plane) in enumerate(calm.items()):
        others = cv2.max(before[place], after[place])
        result[name] = cv2.min(cv2.addWeighted(plane, 0.5, others, -0.5, 128), result["person"])
    return result


def _running(choose: Callable[[Any, Any], Any], planes: Sequence[Any], start: float) -> list[Any]:
    """For each plane the largest or smallest of those before it."""
    best = [np.full_like(planes[0], start)]
    for plane in planes[:-1]:
        best.append(choose(best[-1], plane))
    return best


def draw_silhouette(canvas: skia.Canvas, figure: Figure, palette: Palette, rules: BaseRules) -> None:
    """The whole person in the photo's colours around each place, so that gaps between parts do not show, and its line.

    The line lies below all parts: what leaves the outline, as loose hair does, covers it.
    """
    plane = figure.fields["person"]
    shapes = _silhouette(figure)
    region = path_of(shapes)
    swatch = None
    if figure.shows_light and rules.fill == "colour":
        swatch = figure.swatch("under", lambda: _under_swatch(figure, plane, shapes))
    if swatch is None:
        canvas.drawPath(region, paint(to_rgb(palette.skin)))
    else:
        lay(canvas, *swatch, region)
    dark = mix(ink(palette.skin, 0.20), BLACK, rules.ink_black)
    canvas.drawPath(brushed(shapes, rules.outer_line_u, figure, rules), paint(dark))


def profile_silhouette(figure: Figure) -> skia.Path | None:
    """The person's region, beyond which a head that is seen from the side has no features; None for others."""
    if figure.head is None or abs(figure.head.yaw) < _CLIPPED_FROM:
        return None
    return path_of(_silhouette(figure))


def _silhouette(figure: Figure) -> list[Points]:
    return figure.outlines(figure.fields["person"], blur_u=0.025, smooth_u=0.04, least_u2=0.08)


def _under_swatch(figure: Figure, plane: Plane, shapes: Sequence[Points]) -> Swatch | None:
    patch = figure.patch(shapes, plane)
    return None if patch is None else (underpainting(figure.photo, plane, patch, figure.unit_crop_px), patch)


def ink_beside(lab: Lab, rules: BaseRules) -> Colour:
    """Ink beside a region of this colour."""
    return mix(ink(lab), BLACK, rules.ink_black)


def brushed(shapes: Sequence[Points], width_u: float, figure: Figure, rules: BaseRules) -> skia.Path:
    path = ribbons(shapes, width_u * figure.unit_px, taper=rules.line_taper)
    if rules.fill == "paper" and figure.head is not None:
        # A pencil goes over its lines.
        beside = strayed(shapes, figure.head.flat[NOSE_TIP], figure.unit_px)
        path.addPath(ribbons(beside, _SECOND_LINE * width_u * figure.unit_px, taper=rules.line_taper))
    return path


def draw_cloth(
    canvas: skia.Canvas, figure: Figure, part: str, colours: tuple[Lab, ...], light: Light, rules: BaseRules
) -> None:
    """Regions of few colours with their light and shade. part: the plane that says where."""
    plane = figure.fields.get(part)
    if plane is None or not colours or plane.max() < _SEEN:
        return
    outer = figure.outlines(plane, blur_u=0.01, smooth_u=0.03, least_u2=0.15)
    if not outer:
        return
    swatch = figure.swatch(part, lambda: _cloth_swatch(figure, part, outer, colours, rules), follows=part != "cloth")
    if swatch is None:
        return
    region = path_of(outer)
    lay(canvas, *swatch, region)
    line = ink_beside(paintable(painted_colour(colours[0], rules)), rules)
    if figure.head is not None and rules.pattern != "flat":
        frame = PatternFrame(figure.held(part, PatternFrame.of(figure.head).values, _REDRAWN))
        _shade_far_side(canvas, frame, figure.head, region, light, line, rules)
    canvas.drawPath(brushed(outer, rules.inner_line_u, figure, rules), paint(line, rules.inner_ink))


def _shade_far_side(
    canvas: skia.Canvas,
    frame: PatternFrame,
    head: FaceGeometry,
    region: skia.Path,
    light: Light,
    colour: Colour,
    rules: BaseRules,
) -> None:
    """Dots or strokes on what looks away from the light: the region without itself, moved towards the light."""
    for reach_u, cover in _FAR_SIDE if rules.pattern == "dots" else _FAR_SIDE[1:2]:
        lit = skia.Path(region)
        lit.offset(*(head.right * np.float32(np.sign(light.side) * reach_u * head.unit_px)).tolist())
        with clipped(canvas, region, outside=lit):
            if rules.pattern == "dots":
                canvas.drawPaint(dots(frame, rules.dot_u, cover, colour, rules.shade))
            else:
                hatch_clip(canvas, frame, colour, _NECK_HATCH_U)


def _cloth_swatch(
    figure: Figure, part: str, shapes: Sequence[Points], colours: Sequence[Lab], rules: BaseRules
) -> Swatch | None:
    plane = figure.fields[part]
    patch = figure.patch(shapes, plane, follows=part != "cloth")
    if patch is None:
        return None
    if not figure.shows_light:
        rules = replace(rules, folds=0.0, inner_ink=0.0)
    focus = None if figure.head is None else _focus(figure, figure.head, part)
    return painted_cloth(figure.photo, plane, patch, colours, figure.unit_crop_px, rules, focus), patch


def _focus(figure: Figure, head: FaceGeometry, part: str) -> Points:
    """Where a part is looked at most closely: float32 [2], crop px."""
    chin, forehead, nose = figure.to_crop(head.photo_points[[CHIN, FOREHEAD, NOSE_TIP], :2])
    up = (forehead - chin) / np.float32(np.linalg.norm(forehead - chin) + 1e-3) * np.float32(figure.unit_crop_px)
    place: Points = {"cloth": chin - _BEYOND * up, "headwear": forehead + _BEYOND * up}.get(part, nose)
    return place


def draw_skin(canvas: skia.Canvas, figure: Figure, skin: Lab, light: Light, rules: BaseRules) -> None:
    """Flat skin, the neck in the chin's shadow, one shade of the face's form and of the hair above, the jaw's line."""
    unit = figure.unit_px
    shapes = figure.outlines(figure.fields["skin"], blur_u=0.02, smooth_u=0.045, least_u2=0.20)
    region = path_of(shapes)
    flat = to_rgb(skin)
    dark = _PENCIL + (1 - np.float32(rules.shade)) * flat if rules.fill == "paper" else shade(flat, rules.shade)
    canvas.drawPath(region, paint(flat))
    line = ink_beside(skin, rules)
    outline = brushed(shapes, rules.inner_line_u, figure, rules)
    head = figure.head
    if head is None:
        canvas.drawPath(outline, paint(line, rules.inner_ink))
        return
    jaw = resampled(head.flat[list(LOWER_JAW)], 40)
    drop = head.down * rules.neck_shadow_u * unit - head.right * np.sign(light.side) * 0.10 * unit
    with clipped(canvas, region):
        neck = path_of([np.concatenate([jaw, jaw[::-1] + drop])])
        if rules.pattern == "hatching":
            with clipped(canvas, neck):
                hatch_clip(canvas, PatternFrame.of(head), dark, _NECK_HATCH_U)
        else:
            canvas.drawPath(neck, paint(dark))
        canvas.drawPath(path_of([cv2.convexHull(head.flat)[:, 0]]), paint(flat))
        _draw_shade(canvas, figure, light, dark, rules)
    _draw_relief(canvas, figure, shapes, region, skin, rules)
    with clipped(canvas, region):
        draw_ears(canvas, figure, figure.fields["skin"], line, dark if rules.fill == "colour" else mix(flat, dark, 0.3))
        canvas.drawPath(
            tapered(_seen_jaw(jaw, head), 0.8 * rules.inner_line_u * unit, rules.line_taper), paint(line, 0.85)
        )
    canvas.drawPath(outline, paint(line, rules.inner_ink))


def _draw_relief(
    canvas: skia.Canvas, figure: Figure, shapes: Sequence[Points], region: skia.Path, skin: Lab, rules: BaseRules
) -> None:
    """The photo's light and shade on the skin, over what is drawn of it. region: of the shapes."""
    relief = figure.fields.get("relief")
    if relief is None or rules.modelling <= 0 or rules.pattern == "hatching":
        return
    swatch = figure.swatch("relief", lambda: _relief_swatch(figure, relief, shapes, skin, rules))
    if swatch is not None:
        lay(canvas, *swatch, region, is_opaque=False)


def _relief_swatch(
    figure: Figure, relief: Plane, shapes: Sequence[Points], skin: Lab, rules: BaseRules
) -> Swatch | None:
    patch = figure.patch(shapes, relief)
    if patch is None:
        return None
    large = patch.enlarged(figure.as_drawn(relief, patch))
    soft_px = (rules.softness_u - _CRISP_U) * figure.unit_px
    if soft_px > 1:
        side = (round(soft_px) + 1,) * 2
        large = cv2.blur(cv2.blur(large, side), side)
    return relief_picture(large, skin, rules.skin_tones, rules.modelling), patch


def _seen_jaw(jaw: Points, head: FaceGeometry) -> Points:
    """The part of the jaw that has the neck behind it: on a turned head its far half is the outline."""
    trims = [5, 5]
    if abs(head.yaw) > _JAW_TURNED:
        trims[head.far_side] = round(len(jaw) * min(0.5, 0.2 + abs(head.yaw) / 100))
    return jaw[trims[0] : len(jaw) - trims[1]]


def _draw_shade(canvas: skia.Canvas, figure: Figure, light: Light, dark: Colour, rules: BaseRules) -> None:
    head = figure.head
    assert head is not None
    hair = figure.fields.get("hair")
    if rules.pattern == "dots":
        face = FaceMap(head.points)
        draw_dots(canvas, head, face, shade_field(face, light), rules.dot_u, dark)
    if rules.pattern == "hatching":
        face = FaceMap(head.points)
        field = cv2.max(shade_field(face, light), _seen_shade(figure, head, rules.modelling))
        draw_hatching(canvas, face, field, figure.unit_px, dark)
        return
    if rules.form_shade > 0 and rules.pattern == "flat":
        form = figure.kept("form", lambda: MeshShapes(shade_outlines(shade_field(FaceMap(head.points), light))))
        draw_soft(canvas, form.on(head.flat), dark, rules.form_shade, rules.softness_u * figure.unit_px)
    if hair is not None:
        above = figure.kept(
            "cast", lambda: MeshShapes(shade_outlines(upper_face(_hair_above(figure, head, hair, light))))
        )
        soft_px = max(rules.softness_u, _CAST_SOFT_U) * figure.unit_px
        draw_soft(canvas, above.on(head.flat), dark, _CAST, soft_px)


def _seen_shade(figure: Figure, head: FaceGeometry, strength: float) -> Plane:
    """The photo's shade on the face, as `shade_field`: uint8 [SIDE, SIDE]. strength: 0 none to 1."""
    places = FaceMap(head.photo_points).places[..., :2]
    relief = figure.fields.get("relief")
    if relief is None or strength <= 0:
        return np.zeros(places.shape[:2], np.uint8)
    crop = figure.to_crop(places.reshape(-1, 2)).reshape(places.shape)
    seen = cv2.remap(relief, crop[..., 0], crop[..., 1], cv2.INTER_LINEAR, borderValue=128)
    shaded: Plane = cv2.convertScaleAbs(cv2.subtract(128, seen), alpha=_HATCHED * strength)
    return shaded


def _hair_above(figure: Figure, head: FaceGeometry, hair: Plane, light: Light) -> Plane:
    """Where hair throws a narrow shadow on the face, on its map: uint8 [SIDE, SIDE]."""
    back = head.down * _CAST_U * head.unit_px - head.right * np.sign(light.side) * 0.3 * _CAST_U * head.unit_px
    places = FaceMap(head.photo_points).places[..., :2] - back
    crop = figure.to_crop(places.reshape(-1, 2)).reshape(places.shape)
    cast: Plane = cv2.remap(hair, crop[..., 0], crop[..., 1], cv2.INTER_LINEAR)
    return cast
