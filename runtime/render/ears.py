"""The lines of ears: within the outline that the plane of skin shows beside a face, or whole, on a head in profile."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import skia

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import FACE_SIDES
from toonfilter.runtime.render.colour import Colour
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.ear_shape import EAR, FOLD, EarPlace, EarShape, ear_in, reach_at, reach_of_skin
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import Pen, polygon, taper
from toonfilter.runtime.render.features.curves import resampled
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.head_planes import hull_region

_LINE_U = 0.026
_SKIN_LEVEL = 128
_OUTLINE, _FOLD_LINE, _HOLLOW = taper(48, 0.3, 0.35, 0.5), taper(24, 0.1, 0.3, 0.4), 0.85
"""Widths along an ear's outline and along its fold, over those of other lines, and how dark the hollow is."""
_TURNED, _FAR_AREA_U2 = (6.0, 10.0), (0.045, 0.100)
"""Yaw in degrees from which the far ear must be large, and its area in squared distances of the pupils from which its
lines are seen, and whole: small ones there are cheeks."""
_FAR_HIDDEN = (12.0, 20.0)
"""Yaw in degrees from which the cheek begins to hide the far ear, and hides it: skin there is a cheek or a hand."""
_ONE_OF_TWO = (0.4, 0.6)
"""How far the ear beside a turned head is seen from which it begins to hide the other, and does."""
_PROFILE_FROM, _BARE_SHARE = (30.0, 38.0), (0.60, 0.80)
"""Yaw in degrees from which and from where on the near ear lies within the head; and the share of its place that must
be skin for it to be drawn, and drawn whole."""
_WITHIN_SKIN_U, _MOST_PUSHED_U = 0.03, 0.25
"""How far within the skin's edge it lies at least, and how far it is moved at most for that, in distances of the
pupils. Raising the second draws ears on cheeks."""
_EAR_OUTWARDS = 0.3
"""How far outwards an ear goes for each step backwards."""
_IN_PROFILE = np.array([[0.01, -0.57], [0.59, 0.50]], np.float32)
"""Upper front and lower back corner of an ear in profile, backwards and down from the side of the face, in distances of
the pupils; wide, as meshes turn too little."""
_BOTH_SEEN, _NOT_SEEN, _MODEL_U2, _HIDES_U, _MOST_COVERED = 9.0, 11.0, (0.035, 0.060), 0.5, 70.0
"""Yaw in degrees up to which both ears show, and where the far one would be gone; area of an ear from which the other
begins to be drawn after it, and wholly is, in squared distances of the pupils; how far back an ear is that is not seen;
and mean level of hair and hats over the other's place, from which it is hidden. Raising the last draws ears before
hair."""


def with_both_ears(planes: Mapping[str, Plane], landmarks: Landmarks, unit_px: float, yaw: float) -> dict[str, Plane]:
    """The planes with the ear that is not told from the cheek as the other's mirror image, where nothing covers it.

    landmarks: float32 [478, 3] px of the planes. unit_px: distance of the pupils in them. yaw: degrees.
    """
    if abs(yaw) > _BOTH_SEEN:
        return dict(planes)
    flat = landmarks[:, :2]
    places = [EarPlace.of(flat, unit_px, side) for side in (0, 1)]
    ears = [ear_in(reach_of_skin(planes["skin"], flat, place)) for place in places]
    shown = [0.0 if ear is None else ear.seen for ear in ears]
    missing = int(shown[1] < shown[0])
    ear = ears[1 - missing]
    if ear is None:
        return dict(planes)
    share = smoothstep(ear.area, *_MODEL_U2) * shown[1 - missing] * (1 - shown[missing])
    turned = np.array([1 - abs(yaw) / _NOT_SEEN, 1], np.float32)
    # One that is half missing comes out from behind the face half way.
    mirrored = places[missing].placed(ear.outline * turned - np.array([(1 - share) * _HIDES_U, 0], np.float32))
    region = np.zeros_like(planes["skin"])
    cv2.fillPoly(region, [np.rint(mirrored).astype(np.int32)], 255, cv2.LINE_AA)
    hull = cv2.bitwise_not(hull_region(flat, region.shape))
    beside = cv2.min(region, hull)
    covered = cv2.max(planes["hair"], cv2.max(planes["headwear"], planes["over"]))
    if not beside.any() or cv2.mean(covered, beside)[0] > _MOST_COVERED:
        return dict(planes)
    region = cv2.blur(region, (3, 3))
    hair = cv2.subtract(planes["hair"], region)
    return {
        **planes,
        "skin": cv2.max(planes["skin"], region),
        "person": cv2.max(planes["person"], region),
        "hair": hair,
    }


def draw_ears(canvas: skia.Canvas, figure: Figure, skin: Plane, line: Colour, shadow: Colour) -> None:
    """Each ear's outline, which stands out from the cheek, one fold within it and the hollow.

    skin: the field, in crop px. line, shadow: colours of the lines and of the hollow.
    """
    head = figure.head
    if head is None:
        return
    pen = Pen()
    width = np.float32(_LINE_U * head.unit_px)
    for side in (0, 1):
        for ear in ears_of(figure, head, skin, side):
            outline, fold = resampled(ear.outline, 48), resampled(ear.fold, 24)
            with pen.faded(ear.seen):
                pen.fill(polygon(fold), shadow, _HOLLOW)
                pen.stroke(fold, _FOLD_LINE * width, line, 0.9)
                pen.stroke(outline, _OUTLINE * width, line)
    pen.draw(canvas)


def ears_of(figure: Figure, head: FaceGeometry, skin: Plane, side: int) -> list[EarShape]:
    """The ear at one side of the face as the skin's outline shows it, and as a turned head has it, in canvas px.

    As the head turns one fades into the other, unless that is clear.
    """
    is_far = side == head.far_side
    if is_far and abs(head.yaw) >= _FAR_HIDDEN[1]:
        return []
    place = EarPlace.of(figure.to_crop(head.photo_points[:, :2]), figure.unit_crop_px, side)
    profile = figure.found_in(skin, ("ear", side), partial(_reach, figure, head, skin, place))
    reach = figure.calm(f"ear {side}", profile[:, None], np.zeros(2, np.float32))[:, 0]
    turned = 0.0 if is_far else smoothstep(abs(head.yaw), *_PROFILE_FROM)
    found, seen = [], 0.0
    beside = ear_in(reach)
    if beside is not None:
        hidden = _hidden(abs(head.yaw), beside.area) if is_far else turned * (1 - beside.clear)
        seen = beside.seen * (1 - hidden)
        # Two half seen ones are a scribble.
        seen += turned * (smoothstep(seen, *_ONE_OF_TWO) - seen)
        points = np.concatenate([beside.outline, beside.fold])[:, None]
        points = figure.calm(f"ear shape {side}", points, np.zeros(2, np.float32))[:, 0]
        outline, fold = np.split(figure.place(place.placed(points)), [len(beside.outline)])
        found.append(replace(beside, outline=outline, fold=fold, seen=seen))
    inside = ear_in_profile(head, figure, skin, place, reach) if turned > 0 else None
    if inside is not None:
        found.append(replace(inside, seen=inside.seen * turned * (1 - seen)))
    return found


def _hidden(yaw: float, area: float) -> float:
    """How far a cheek hides the far ear: 0 not to 1. yaw: without its sign. area: of what is seen, see `EarShape`."""
    large = 1 - smoothstep(yaw, *_TURNED) * (1 - smoothstep(area, *_FAR_AREA_U2))
    return 1 - large * (1 - smoothstep(yaw, *_FAR_HIDDEN))


def _reach(figure: Figure, head: FaceGeometry, skin: Plane, place: EarPlace) -> Points:
    return reach_of_skin(skin, figure.to_crop(head.photo_points[:, :2]), place)


def ear_in_profile(head: FaceGeometry, figure: Figure, skin: Plane, place: EarPlace, reach: Points) -> EarShape | None:
    """An ear of usual size where a turned head has its near one, in canvas px; None where no skin is seen.

    It lies within the skin: meshes turn too little. place: in crop px. reach: see `reach_of_skin`.
    """
    side = 1 - head.far_side
    back = np.array([_EAR_OUTWARDS * (2 * side - 1), 0.0, 1.0])
    axes = np.stack([back / np.linalg.norm(back), np.array([0.0, 1.0, 0.0])]) @ head.fit.rotation.T
    root = head.flat[FACE_SIDES[side]]
    size = _IN_PROFILE[1] - _IN_PROFILE[0]
    plain = [root + (_IN_PROFILE[0] + one * size) @ axes[:, :2] * head.unit_px for one in (EAR, FOLD)]
    local = place.local(figure.to_crop(plain[0].astype(np.float32)))
    outer = local[local[:, 0].argmax()]
    inwards = min(reach_at(reach, float(outer[1])) - _WITHIN_SKIN_U - float(outer[0]), 0.0)
    push = head.right * np.float32((2 * side - 1) * max(inwards, -_MOST_PUSHED_U) * head.unit_px)
    shape, fold = ((one + push).astype(np.float32) for one in plain)
    within = figure.to_crop(np.concatenate([shape, (shape + shape.mean(0)) / 2])).round().astype(int)
    height, width = skin.shape
    if (within < 0).any() or (within >= (width, height)).any():
        return None
    bare = skin[within[:, 1], within[:, 0]] >= _SKIN_LEVEL
    seen = smoothstep(float(bare.mean()), *_BARE_SHARE)
    return EarShape(shape, fold, seen, cv2.contourArea(shape) / head.unit_px**2) if seen > 0 else None
