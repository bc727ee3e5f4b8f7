"""The lines of ears: within the outline that the plane of skin shows beside a face, or whole, on a head in profile."""

from collections.abc import Mapping
from functools import partial

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import EAR_LIMITS, EAR_ROOTS, FACE_OVAL, FACE_SIDES
from toonfilter.runtime.render.colour import Colour
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import Pen, polygon, taper
from toonfilter.runtime.render.features.curves import resampled
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.head_planes import axes_of, half_plane, hull_region

_LINE_U = 0.030
_SKIN_LEVEL = 128
_CHEEK_GROWS_U = 0.05
"""How far beyond the mesh cheeks reach. Raising it takes less of a wide cheek for an ear."""
_RIM_U = 0.025
"""Half the width of a rim of skin beside the mesh that is no ear. Raising it loses ears that lie close to the head."""
_HEIGHT_U, _WIDTH_U, _LEAST_FILLED = (0.22, 1.4), (0.065, 0.8), 0.38
"""Least and most size of an ear, and the share of its box that it fills. Narrower limits leave out more ears."""
_FROM_ROOT_U = 0.7
"""How far from its root an ear's middle may lie."""
_SEEN_U2, _FAR_SEEN_U2, _TURNED = (0.010, 0.035), (0.05, 0.12), 8.0
"""Area of an ear in squared distances of the pupils from which its lines are seen, and whole: small ones flicker. The
second is for the far ear of a head that is turned by more than the third, in degrees: small ones there are cheeks."""
_FRONT = taper(12, 0.6, 0.0, 0.25)
"""Widths of the line where the ear joins the cheek, from the lobe up, over those of other lines."""
_FAR_HIDDEN = 24.0
"""Yaw in degrees from which the cheek hides the far ear: skin there is a cheek between strands."""
_PROFILE_FROM, _BARE_SHARE = 30.0, 0.85
"""Yaw in degrees from which the near ear lies within the head; and the share of its place that must be skin."""
_EAR_OUTWARDS = 0.3
"""How far outwards an ear goes for each step backwards."""
_EAR = np.array(
    [
        (0.02, -0.26), (0.11, -0.46), (0.29, -0.57), (0.48, -0.50), (0.59, -0.31), (0.57, -0.07), (0.47, 0.14),
        (0.35, 0.30), (0.25, 0.44), (0.13, 0.50), (0.03, 0.40), (0.01, 0.22),
    ]
)  # fmt: skip
"""Outline of an ear, backwards and down from the side of the face, in distances of the pupils; wide, as meshes turn too
little."""
_MOVED_FROM = 40.0
"""Yaw in degrees from which an ear is looked for further back: meshes turn profiles too little. Raising it leaves more
of their ears without lines."""
_MOVES = np.array(
    [(back, down) for back in (0.0, 0.15, 0.3, 0.45, 0.6) for down in (0.0, -0.2, 0.2)], np.float32
)  # fmt: skip
"""Places of an ear that are tried, in distances of the pupils back and down from the usual one."""
_MOVED_BARE, _HELD_U = 0.85, 0.32
"""Share of such a place that must be skin, and how far another one must lie from the last to be taken."""
_AROUND, _BEHIND, _STANDS_OUT, _NEARER = 1.35, slice(2, 8), 0.3, 0.2
"""Size of the ring around an ear over its own, the part of it that lies behind, by how much less of that must be skin,
and what each pupil distance of the move costs of it. Raising the third leaves more ears without lines."""
_BOTH_SEEN, _NOT_SEEN, _LEAST_MODEL_U2, _MOST_COVERED = 9.0, 20.0, 0.035, 70.0
"""Yaw in degrees up to which both ears show, and where the far one would be gone; least area of an ear that the other
is drawn after, in squared distances of the pupils; and mean level of hair and hats over the other's place, from which
it is hidden. Raising the last draws ears before hair."""
_EXTENT_PERCENTILES = (2.0, 98.0)
"""Of what is found, for its width and height: single strands of skin count for nothing."""
_RIM, _HOLLOW = 0.70, 0.42
"""Size of the inner curve and of the hollow, over the ear's."""


def with_both_ears(planes: Mapping[str, Plane], landmarks: Landmarks, unit_px: float, yaw: float) -> dict[str, Plane]:
    """The planes with the ear that is not told from the cheek as the other's mirror image, where nothing covers it.

    landmarks: float32 [478, 3] px of the planes. unit_px: distance of the pupils in them. yaw: degrees.
    """
    if abs(yaw) > _BOTH_SEEN:
        return dict(planes)
    flat = landmarks[:, :2]
    ears = [ear_outline(planes["skin"], flat, unit_px, side) for side in (0, 1)]
    if (ears[0] is None) == (ears[1] is None):
        return dict(planes)
    missing = 0 if ears[0] is None else 1
    ear = ears[1 - missing]
    assert ear is not None
    if cv2.contourArea(ear) < _LEAST_MODEL_U2 * unit_px**2:
        return dict(planes)
    across, down = axes_of(landmarks)
    root, other = (flat[list(EAR_ROOTS[side])].mean(0) for side in (missing, 1 - missing))
    outwards = across * np.float32(2 * missing - 1)
    away = ear - other
    seen = np.float32(1 - abs(yaw) / _NOT_SEEN)
    mirrored = root + np.outer(away @ -outwards, outwards) * seen + np.outer(away @ down, down)
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
    """skin: the field, in crop px. line, shadow: colours of the lines and of the hollow."""
    head = figure.head
    if head is None:
        return
    pen = Pen()
    unit = np.float32(head.unit_px)
    for side in (0, 1):
        if abs(head.yaw) > _FAR_HIDDEN and side == head.far_side:
            continue
        ear = figure.found_in(skin, ("ear", side), partial(_ear_of, figure, head, skin, side))
        in_profile = ear is None
        shape = ear_in_profile(head, figure, skin, side) if ear is None else figure.place(ear)
        if shape is None:
            continue
        middle = shape.mean(0)
        root = head.flat[list(EAR_ROOTS[side])].mean(0)
        inwards = (root - middle) * np.float32(0.12)
        rim = resampled(_outer_part(middle + (shape - middle) * np.float32(_RIM), root), 20)
        hollow = middle + inwards + (shape - middle) * np.float32(_HOLLOW)
        is_far = side == head.far_side and abs(head.yaw) > _TURNED
        limits = _FAR_SEEN_U2 if is_far else _SEEN_U2
        seen = smoothstep(float(cv2.contourArea(shape)) / head.unit_px**2, *limits)
        with pen.faded(seen):
            pen.fill(polygon(hollow), shadow, 0.9)
            pen.stroke(resampled(_outer_part(hollow, root), 12), _FRONT * np.float32(_LINE_U) * unit, line, 0.7)
            if in_profile:
                pen.stroke(resampled(shape, 30), taper(30, 0.2, 0.3, 0.4) * np.float32(1.2 * _LINE_U) * unit, line)
            else:
                pen.stroke(_front(shape, root, head.down), _FRONT * np.float32(_LINE_U) * unit, line, 0.6)
            pen.stroke(rim, taper(20, 0.15, 0.35, 0.6) * np.float32(_LINE_U) * unit, line, 0.9)
    pen.draw(canvas)


def _ear_of(figure: Figure, head: FaceGeometry, skin: Plane, side: int) -> Points | None:
    return ear_outline(skin, figure.to_crop(head.photo_points[:, :2]), figure.unit_crop_px, side)


def ear_in_profile(head: FaceGeometry, figure: Figure, skin: Plane, side: int) -> Points | None:
    """Outline of an ear of usual size where a turned head has it: float32 [N, 2] canvas px; None where no skin is seen.

    It begins and ends where the ear grows on the cheek.
    """
    if abs(head.yaw) < _PROFILE_FROM or side == head.far_side:
        return None
    back = np.array([_EAR_OUTWARDS * (2 * side - 1), 0.0, 1.0])
    axes = np.stack([back / np.linalg.norm(back), np.array([0.0, 1.0, 0.0])]) @ head.fit.rotation.T
    root = head.flat[FACE_SIDES[side]]
    shape: Points = (root + _EAR @ axes[:, :2] * head.unit_px).astype(np.float32)
    if _bare_share(shape, figure, skin) >= _BARE_SHARE:
        return shape
    if abs(head.yaw) < _MOVED_FROM:
        return None
    moved = figure.found_in(skin, ("ear's place", side), partial(_moved_ear, shape, axes[:, :2], head, figure, skin))
    if moved is None:
        return None
    moved = figure.held(f"ear {side}", moved, _HELD_U)
    placed: Points = (shape + moved @ axes[:, :2] * head.unit_px).astype(np.float32)
    return placed


def _moved_ear(
    shape: Points, axes: NDArray[np.float32], head: FaceGeometry, figure: Figure, skin: Plane
) -> Points | None:
    """How far back and down from where the mesh has it an ear stands out of the hair: float32 [2] pupil distances."""
    best = _STANDS_OUT
    place: Points | None = None
    wide = shape.mean(0) + (shape - shape.mean(0)) * np.float32(_AROUND)
    behind = wide[_BEHIND]
    for step in _MOVES:
        off = (step @ axes * head.unit_px).astype(np.float32)
        bare = _bare_share(shape + off, figure, skin)
        if bare < _MOVED_BARE:
            continue
        score = bare - _bare_share(behind + off, figure, skin) - _NEARER * float(np.hypot(*step))
        if score > best:
            best, place = score, step
    return place


def _bare_share(shape: Points, figure: Figure, skin: Plane) -> float:
    """Share of a shape's outline and inside that is skin; 0 where it leaves the plane."""
    within = figure.to_crop(np.concatenate([shape, (shape + shape.mean(0)) / 2])).round().astype(int)
    height, width = skin.shape
    if (within < 0).any() or (within >= (width, height)).any():
        return 0.0
    return float((skin[within[:, 1], within[:, 0]] >= _SKIN_LEVEL).mean())


def ear_outline(skin: Plane, landmarks: Points, unit_px: float, side: int) -> Points | None:
    """Outline of the ear that a plane of skin shows: float32 [N, 2] px; None where there is none, or only a part.

    landmarks: float32 [478, 2] px of the plane. unit_px: distance of the pupils in them. side: 0 at the picture's left
    of an upright face, 1 at its right.
    """
    roots = landmarks[list(EAR_ROOTS[side])]
    reach = (_WIDTH_U[1] + _HEIGHT_U[1]) * unit_px
    low = np.maximum(np.floor(roots.min(0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(roots.max(0) + reach), skin.shape[::-1]).astype(int)
    if (high - low < 4).any():
        return None
    window = cv2.compare(skin[low[1] : high[1], low[0] : high[0]], _SKIN_LEVEL, cv2.CMP_GE)
    local = landmarks - low.astype(np.float32)
    grow = 2 * max(1, round(_CHEEK_GROWS_U * unit_px)) + 1
    face = cv2.dilate(hull_region(local[list(FACE_OVAL)], window.shape), np.ones((grow, grow), np.uint8))
    across, down = axes_of(local)
    for edge, way in zip(EAR_LIMITS, (-down, down), strict=True):
        face = cv2.max(face, half_plane(window.shape, local[edge], way))
    rim = 2 * max(1, round(_RIM_U * unit_px)) + 1
    window = cv2.morphologyEx(cv2.subtract(window, face), cv2.MORPH_OPEN, np.ones((rim, rim), np.uint8))
    contours, _ = cv2.findContours(window, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = [contour[:, 0].astype(np.float32) for contour in contours if _is_ear(contour[:, 0], across, down, unit_px)]
    middle = local[list(EAR_ROOTS[side])].mean(0)
    near = [one for one in found if np.linalg.norm(one.mean(0) - middle) < _FROM_ROOT_U * unit_px]
    if not near:
        return None
    outline: Points = _as_ear(max(near, key=len), across * np.float32(2 * side - 1), down) + low.astype(np.float32)
    return outline


def _is_ear(contour: Points, across: Points, down: Points, unit_px: float) -> bool:
    """Whether a patch of skin beside the face has an ear's size and is as full. across, down: see `axes_of`."""
    points = contour.astype(np.float32)
    height, width = float(np.ptp(points @ down)) / unit_px, float(np.ptp(points @ across)) / unit_px
    if not (_HEIGHT_U[0] < height < _HEIGHT_U[1] and _WIDTH_U[0] < width < _WIDTH_U[1]):
        return False
    return cv2.contourArea(points) > _LEAST_FILLED * height * width * unit_px**2


def _as_ear(contour: Points, outwards: Points, down: Points) -> Points:
    """An ear's own shape, as wide and as high as what was found: float32 [24, 2]. outwards, down: unit vectors."""
    extents = []
    for axis, way in zip(_EAR.T, (outwards, down), strict=True):
        low, high = np.percentile(contour @ way, _EXTENT_PERCENTILES)
        extents.append(low + (axis - axis.min()) / np.ptp(axis) * (high - low))
    placed = np.stack(extents, 1) @ np.stack([outwards, down])
    shape: Points = resampled(np.concatenate([placed, placed[:1]]).astype(np.float32), 25)[:-1]
    return shape


def _front(shape: Points, root: Points, down: Points) -> Points:
    """The part of a closed shape that lies at the root, where the ear grows on the cheek: float32 [12, 2].

    down: the head's, unit vector.
    """
    away = np.linalg.norm(shape - root, axis=1)
    turned = np.roll(shape, len(shape) // 2 - int(away.argmin()), 0)
    part = resampled(turned[len(shape) // 4 : 3 * len(shape) // 4 + 1], 12)
    # From the lobe, where it is clearest, up.
    lowest_first: Points = part if part[0] @ down > part[-1] @ down else part[::-1]
    return lowest_first


def _outer_part(shape: Points, root: Points) -> Points:
    """The two thirds of a closed shape that lie away from the root, from end to end."""
    away = np.linalg.norm(shape - root, axis=1)
    start = int(away.argmin())
    turned = np.roll(shape, -start, 0)
    cut = len(shape) // 6
    part: Points = turned[cut : len(shape) - cut]
    return part
