"""The layers of a person, back to front: cloth, skin, shade, hair, headwear, and their ink."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import skia

from toonfilter.runtime.geometry.landmarks import CHIN, EYES, LIP_BOTTOM, LIP_TOP, LOWER_JAW, NOSE_TIP
from toonfilter.runtime.render.canvas import clipped, draw_soft, paint, path_of, ribbons, tapered
from toonfilter.runtime.render.cloth_paint import paintable, painted_cloth, underpainting
from toonfilter.runtime.render.colour import BLACK, Colour, Lab, ink, mix, shade, to_rgb
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.ears import draw_ears
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.face_map import FaceMap
from toonfilter.runtime.render.features.curves import resampled
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.hair_ring import crown_ring
from toonfilter.runtime.render.hair_strokes import StrokeField, draw_strokes
from toonfilter.runtime.render.palette import Palette, cloth_plane, painted_colour
from toonfilter.runtime.render.patterns import PatternFrame, dots, draw_dots, draw_hatching, hatch_clip
from toonfilter.runtime.render.pencil import strayed
from toonfilter.runtime.render.shade import Light, shade_field, shade_outlines, upper_face
from toonfilter.runtime.render.skin_relief import relief_picture
from toonfilter.runtime.render.strands import Relief, hair_light, hair_relief, hair_tints
from toonfilter.runtime.render.tones import Patch, Swatch, lay, stepped, tint, to_levels
from toonfilter.runtime.styles.style import BaseRules

_PARTS = ("skin", "hair", "headwear")
_SEEN = 100
"""Level that a part must reach somewhere to be drawn. Raising it leaves doubtful parts out."""
_LEVELS_PER_L = 9.0
"""Levels of the relief field for each L* of relief."""
_PENCIL = np.float32(0.25)
"""Grey of shade in pencil styles, sRGB 0 to 1, where it is full."""
_SECOND_LINE = 0.6
"""Width of a pencil's second line over the first."""
_CAST_U = 0.09
"""Width of the shadow that hair throws on the face, in distances of the pupils."""
_JAW_TURNED = 12.0
"""Yaw in degrees from which less of the jaw's far half is drawn."""
_BEARD_EDGE_U = 0.013
"""How softly a dense beard's edge fades into the skin."""
_GREY_BEARD, _GREY_TONES = (30.0, 55.0), 0.9
"""Lightness of beards between which their tones become stronger, and how much stronger they become."""
_STUBBLE_EDGE_U = 0.08
"""How much more softly stubble's does."""
_STUBBLE_LEVEL, _BEARD_LEVEL = 72, 132
"""Levels of the field `beard` from which stubble and from which a beard is drawn. Raising them draws less of them."""
_SPARSE, _SEEN_BETWEEN = (0.55, 0.85), 0.35
"""How much of the skin a beard covers up to which its hairs are drawn one by one, and from which none is; and how much
more of the skin is seen between them."""
_HAIR_STEP_U, _HAIR_COVER, _HAIR_ALPHA, _LEAST_HAIR_STEP_PX = 0.048, 0.13, 0.85, 4.0
"""Distance of such hairs, in distances of the pupils, their share of the skin, their opacity, and the distance below
which they would be noise."""
_FAR_SIDE = ((0.42, 0.2), (0.28, 0.36), (0.14, 0.55))
"""How far from its far edge cloth has dots, in distances of the pupils, and how much they cover."""
_CRISP_U = 0.01
"""Softness up to which tones of the skin keep their edges."""
_RING_L = 11.0
"""Relief of the ring of light in hair. Raising it draws it in lighter tones."""
_REDRAWN = 0.35
"""How far a head moves, in distances of the pupils, before patterns on cloth are drawn anew: bodies move less. Raising
it keeps them still for longer."""
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


def draw_silhouette(canvas: skia.Canvas, figure: Figure, palette: Palette, rules: BaseRules) -> list[Points]:
    """The whole person in the photo's colours around each place, so that gaps between parts do not show.

    Returns its outlines.
    """
    plane = figure.fields["person"]
    shapes = figure.outlines(plane, blur_u=0.025, smooth_u=0.035, least_u2=0.08)
    region = path_of(shapes)
    swatch = None
    if figure.shows_light and rules.fill == "colour":
        swatch = figure.swatch("under", lambda: _under_swatch(figure, plane, shapes))
    if swatch is None:
        canvas.drawPath(region, paint(to_rgb(palette.skin)))
    else:
        lay(canvas, *swatch, region)
    return shapes


def _under_swatch(figure: Figure, plane: Plane, shapes: Sequence[Points]) -> Swatch | None:
    patch = Patch.under(shapes, figure.to_canvas, plane)
    return None if patch is None else (underpainting(figure.photo, plane, patch, figure.unit_crop_px), patch)


def ink_silhouette(
    canvas: skia.Canvas, figure: Figure, shapes: list[Points], palette: Palette, rules: BaseRules
) -> None:
    """The outer line of the whole person."""
    dark = mix(ink(palette.skin, 0.20), BLACK, rules.ink_black)
    canvas.drawPath(_brushed(shapes, rules.outer_line_u, figure, rules), paint(dark))


def _ink(lab: Lab, rules: BaseRules) -> Colour:
    """Ink beside a region of this colour."""
    return mix(ink(lab), BLACK, rules.ink_black)


def _brushed(shapes: Sequence[Points], width_u: float, figure: Figure, rules: BaseRules) -> skia.Path:
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
    swatch = figure.swatch(part, lambda: _cloth_swatch(figure, plane, outer, colours, rules), follows=part != "cloth")
    if swatch is None:
        return
    region = path_of(outer)
    lay(canvas, *swatch, region)
    line = _ink(paintable(painted_colour(colours[0], rules)), rules)
    if figure.head is not None and rules.pattern != "flat":
        frame = PatternFrame(figure.held(part, PatternFrame.of(figure.head).values, _REDRAWN))
        _shade_far_side(canvas, frame, figure.head, region, light, line, rules)
    canvas.drawPath(_brushed(outer, rules.inner_line_u, figure, rules), paint(line, rules.inner_ink))


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
    figure: Figure, plane: Plane, shapes: Sequence[Points], colours: Sequence[Lab], rules: BaseRules
) -> Swatch | None:
    patch = Patch.under(shapes, figure.to_canvas, plane)
    if patch is None:
        return None
    if not figure.shows_light:
        rules = replace(rules, folds=0.0, inner_ink=0.0)
    chin = None if figure.head is None else figure.to_crop(figure.head.photo_points[[CHIN], :2])[0]
    return painted_cloth(figure.photo, plane, patch, colours, figure.unit_crop_px, rules, chin), patch


def draw_skin(canvas: skia.Canvas, figure: Figure, skin: Lab, light: Light, rules: BaseRules) -> None:
    """Flat skin, the neck in the chin's shadow, one shade of the face's form and of the hair above, the jaw's line."""
    unit = figure.unit_px
    shapes = figure.outlines(figure.fields["skin"], blur_u=0.02, smooth_u=0.045, least_u2=0.20)
    region = path_of(shapes)
    flat = to_rgb(skin)
    dark = _PENCIL + (1 - np.float32(rules.shade)) * flat if rules.fill == "paper" else shade(flat, rules.shade)
    canvas.drawPath(region, paint(flat))
    line = _ink(skin, rules)
    outline = _brushed(shapes, rules.inner_line_u, figure, rules)
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
        _draw_relief(canvas, figure, shapes, skin, rules)
        draw_ears(canvas, figure, figure.fields["skin"], line, dark if rules.fill == "colour" else mix(flat, dark, 0.3))
        canvas.drawPath(
            tapered(_seen_jaw(jaw, head), 0.8 * rules.inner_line_u * unit, rules.line_taper), paint(line, 0.85)
        )
    canvas.drawPath(outline, paint(line, rules.inner_ink))


def _draw_relief(canvas: skia.Canvas, figure: Figure, shapes: Sequence[Points], skin: Lab, rules: BaseRules) -> None:
    """The photo's light and shade on the skin, over what is drawn of it."""
    relief = figure.fields.get("relief")
    if relief is None or rules.modelling <= 0 or rules.pattern == "hatching":
        return
    swatch = figure.swatch("relief", lambda: _relief_swatch(figure, relief, shapes, skin, rules))
    if swatch is not None:
        lay(canvas, *swatch, path_of(shapes), is_opaque=False)


def _relief_swatch(
    figure: Figure, relief: Plane, shapes: Sequence[Points], skin: Lab, rules: BaseRules
) -> Swatch | None:
    patch = Patch.under(shapes, figure.to_canvas, relief)
    if patch is None:
        return None
    large = patch.enlarged(figure.as_drawn(relief, patch))
    soft_px = (rules.softness_u - _CRISP_U) * figure.unit_px
    if soft_px > 1:
        large = cv2.stackBlur(large, (2 * round(soft_px) + 1,) * 2)
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
    face = FaceMap(head.points)
    hair = figure.fields.get("hair")
    if rules.pattern == "dots":
        draw_dots(canvas, head, face, shade_field(face, light), rules.dot_u, dark)
    if rules.pattern == "hatching":
        field = cv2.max(shade_field(face, light), _seen_shade(figure, head, rules.modelling))
        draw_hatching(canvas, face, field, figure.unit_px, dark)
        return
    if rules.form_shade > 0 and rules.pattern == "flat":
        form = figure.kept("form", lambda: shade_outlines(shade_field(face, light)))
        draw_soft(canvas, face.shapes(form), dark, rules.form_shade, rules.softness_u * figure.unit_px)
    if hair is not None:
        above = figure.kept("cast", lambda: shade_outlines(upper_face(_hair_above(figure, head, hair, light))))
        canvas.drawPath(path_of(face.shapes(above)), paint(dark))


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


def draw_hair(canvas: skia.Canvas, figure: Figure, base: Lab, light: Light, rules: BaseRules) -> None:
    """Hair in few tones that follow its strands, with its outline."""
    plane = figure.fields.get("hair")
    if plane is None:
        return
    outer = figure.outlines(plane, blur_u=0.008, smooth_u=0.014, least_u2=0.10)
    if not outer:
        return
    swatch = figure.swatch("hair", lambda: _hair_swatch(figure, plane, outer, base, rules, light.side))
    if swatch is None:
        return
    lay(canvas, *swatch, path_of(outer))
    canvas.drawPath(_brushed(outer, rules.hair_line_u, figure, rules), paint(_ink(base, rules), rules.inner_ink))


def _hair_swatch(
    figure: Figure,
    plane: Plane,
    shapes: Sequence[Points],
    base: Lab,
    rules: BaseRules,
    light_side: float,
    *,
    is_beard: bool = False,
) -> Swatch | None:
    """The tones of hair under its outlines. light_side: see `Light`. A beard has no ring of light and no tints."""
    patch = Patch.under(shapes, figure.to_canvas, plane)
    if patch is None:
        return None
    unit = figure.unit_crop_px
    light = hair_light(patch.of(figure.photo), unit) if figure.shows_light else patch.of(figure.fields["tone"])
    relief = hair_relief(light, patch.of(plane), unit, light_side)
    if rules.hair_ring > 0 and figure.head is not None and not is_beard:
        relief = _ringed(relief, figure, figure.head, patch, rules.hair_ring)
    levels = to_levels(relief, _LEVELS_PER_L)
    steps = []
    # Light on a dark beard looks like dirt; a grey one is nothing without it.
    strength = 1 + _GREY_TONES * smoothstep(float(base[0]), *_GREY_BEARD) if is_beard else 1.0
    tones = rules.beard_tones if is_beard else rules.hair_tones
    for level, step in sorted(tones, key=lambda one: abs(one[0])):
        step *= strength
        tone = base + np.array([step, 0, 0], np.float32)
        tone[1:] *= 1 - 0.006 * step
        steps.append((128 + level * _LEVELS_PER_L, to_rgb(tone)))
    picture = stepped(patch.enlarged(levels), steps, to_rgb(base))
    if rules.fill == "paper":
        draw_strokes(picture, _pencilled(figure, patch, light, patch.of(plane), relief), float(base[0]))
    elif figure.shows_light and not is_beard:
        tint(picture, hair_tints(patch.of(figure.photo), patch.of(plane), base, unit))
    return picture, patch


def _ringed(relief: Relief, figure: Figure, head: FaceGeometry, patch: Patch, strength: float) -> Relief:
    """Hair's relief with a ring of light around the crown, and less of other lights."""
    pupils = figure.to_crop(head.photo_points[[EYES[0].iris[0], EYES[1].iris[0]], :2]).mean(0)
    ring = crown_ring(relief.shape, pupils - (patch.left, patch.top), head.right, figure.unit_crop_px)
    calm = np.minimum(relief, 0) + np.maximum(relief, 0) * np.float32(1 - 0.6 * strength)
    return np.maximum(calm, ring * np.float32(_RING_L * strength) + np.float32(0.35) * relief)


def _pencilled(figure: Figure, patch: Patch, light: Plane, plane: Plane, relief: Relief) -> StrokeField:
    origin = np.zeros(2, np.float32) if figure.head is None else figure.to_crop(figure.head.photo_points[NOSE_TIP, :2])
    return StrokeField(light, plane, relief, origin - (patch.left, patch.top), figure.unit_crop_px)


def draw_beard(canvas: skia.Canvas, figure: Figure, palette: Palette, light: Light, rules: BaseRules) -> None:
    """Stubble as a soft tint of the skin; a dense beard as hair; the lips stay free."""
    skin, base = palette.skin, palette.beard
    plane, head, unit = figure.fields["beard"], figure.head, figure.unit_px
    if head is None or int(plane.max()) < _STUBBLE_LEVEL:
        return
    thin = figure.outlines(plane, level=_STUBBLE_LEVEL, blur_u=0.05, smooth_u=0.06, least_u2=0.04)
    dense = figure.outlines(plane, level=_BEARD_LEVEL, blur_u=0.025, smooth_u=0.035, least_u2=0.045)
    lips = path_of([head.flat[[*LIP_TOP, *LIP_BOTTOM[::-1]]]])
    with clipped(canvas, outside=lips):
        tint = to_rgb(skin + (base - skin) * np.float32(0.5))
        draw_soft(canvas, thin, tint, rules.stubble, rules.softness_u * unit)
        hairs = 1 - smoothstep(palette.beard_cover, *_SPARSE)
        if hairs > 0 and rules.fill == "colour" and _HAIR_STEP_U * unit >= _LEAST_HAIR_STEP_PX:
            brush = dots(PatternFrame.of(head), _HAIR_STEP_U, _HAIR_COVER, to_rgb(base), _HAIR_ALPHA * hairs)
            canvas.drawPath(path_of(thin), brush)
        if not dense:
            return
        swatch = figure.swatch(
            "beard", lambda: _hair_swatch(figure, plane, dense, base, rules, light.side, is_beard=True)
        )
        if swatch is not None:
            canvas.saveLayerAlpha(None, round(255 * palette.beard_cover * (1 - _SEEN_BETWEEN * hairs)))
            edge_u = _BEARD_EDGE_U + _STUBBLE_EDGE_U * (1 - palette.beard_cover)
            lay(canvas, *swatch, path_of(dense), soft_px=edge_u * unit)
            canvas.restore()
