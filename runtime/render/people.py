"""Who is drawn in a frame: which part of it belongs to each known face, and what is left for strangers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import CHIN, EYES, FOREHEAD, MOUTH_CORNERS, NOSE_TIP
from toonfilter.runtime.geometry.proportions import Proportions
from toonfilter.runtime.render.colour_sense import with_colour_edges
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.ears import with_both_ears
from toonfilter.runtime.render.even_beards import with_even_moustache, without_half_beard, without_neck_beard
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.head_carry import HeadCarry
from toonfilter.runtime.render.head_planes import above_chin, axes_of, half_plane, hull_region
from toonfilter.runtime.render.own_skin import with_own_skin, without_gleams
from toonfilter.runtime.render.profile_planes import with_beard_to_outline, without_far_lashes
from toonfilter.runtime.render.renderer import AlignedFace
from toonfilter.runtime.render.scene import SceneFields
from toonfilter.runtime.render.scraps import with_calm_body, without_scraps, without_stray_skin, without_throat_hair
from toonfilter.runtime.render.skin_relief import skin_relief
from toonfilter.runtime.render.sure_regions import (
    bare_parts,
    head_alone,
    middle_of_face,
    with_sure_face,
    with_sure_middle,
    without_islands,
)

_LEAST_PERSON_PX = 60
"""Pixels of the planes that must show a person without a face. Raising it leaves more specks out."""
_DOUBTFUL_LEVEL = 40
_MAY_BE_PROFILE = 38.0
"""Yaw in degrees from which a head may be turned further than its mesh. Raising it draws second eyes on profiles."""
_CORNER_U, _CORNER_SEEN = 0.04, (110.0, 190.0)
"""Half the side, in distances of the pupils, of the place that shows whether an eye's corner lies before the person,
and its mean levels from which it may and does. Raising the latter draws fewer far eyes."""
_WINDOW_MARGIN_PX = 6
_WINDOW_GRID_PX = 8
"""Windows begin and end at multiples of this, so that they can be halved, which is fast."""


@dataclass(frozen=True, slots=True)
class Person:
    """A known face, its head on the canvas in its own proportions, and the part of the scene that is theirs, with clear
    edges, as it was read.

    read_at: its landmarks in the frame that was read. carry: from there to this frame; None where it is the same.
    """

    face: Face
    head: FaceGeometry
    scene: SceneFields
    read_at: Landmarks
    carry: HeadCarry | None = None


@dataclass(frozen=True, slots=True)
class People:
    """known: far ones first. strangers: the part of the scene with people without a known face; None without any."""

    known: list[Person]
    strangers: SceneFields | None


def people_in(
    scene: SceneFields, faces: Sequence[AlignedFace], *, heads_alone: bool = False, keep_person: bool = False
) -> People:
    """faces: on the canvas, far ones first. keep_person: see `without_islands`."""
    # The photo goes on beside a head alone, too.
    keep_person = keep_person or heads_alone
    shares = _shares(scene, faces)
    known = []
    for (face, _), share in zip(faces, shares, strict=False):
        head = _head_in(scene, face)
        unit_px = head.unit_px / scene.scale
        small = scene.from_frame(face.landmarks)
        planes = with_sure_face(scene.planes, small, keep_person=keep_person)
        if heads_alone:
            planes = head_alone(planes, small, unit_px)
        own = _window(replace(scene, planes=planes), share)
        planes = _cleared(own, own.from_frame(face.landmarks), head, keep_person=keep_person)
        known.append(Person(face, head, replace(own, planes=planes), face.landmarks))
    return People(known, _strangers(scene, shares[-1], heads_alone=heads_alone))


def strangers_in(scene: SceneFields, faces: Sequence[AlignedFace], *, heads_alone: bool = False) -> SceneFields | None:
    """The part of the scene with people without a known face. faces: the known ones; see `people_in`."""
    return _strangers(scene, _shares(scene, faces)[-1], heads_alone=heads_alone)


def carried_to(
    scene: SceneFields, face: Face, before: Person, carry: HeadCarry, *, photo_stays: bool = False
) -> Person:
    """A known person in a later frame. scene: that frame's. before: the person as read. photo_stays: beside them, where
    none of the face may be left."""
    own = before.scene
    if photo_stays:
        small = own.from_frame(face.landmarks)
        small[:, :2] = carry.back(small[:, :2])
        own = replace(own, planes=with_sure_face(own.planes, small, keep_person=True))
    return replace(before, face=face, head=_head_in(scene, face), scene=own, carry=carry)


def _head_in(scene: SceneFields, face: Face) -> FaceGeometry:
    head = FaceGeometry.of(face.landmarks, Proportions.none(), face.fit)
    return replace(head, far_eye_seen=_far_eye_seen(scene, head))


def _far_eye_seen(scene: SceneFields, head: FaceGeometry) -> float:
    """Meshes turn profiles less than they are: an eye whose outer corner lies before the room is not seen."""
    if abs(head.yaw) < _MAY_BE_PROFILE:
        return 1.0
    corner = head.photo_points[EYES[head.far_side].corners[0]][None]
    x, y = scene.from_frame(corner)[0, :2]
    reach = _CORNER_U * head.unit_px / scene.scale
    person = scene.planes["person"]
    (top, bottom), (left, right) = (
        (int(np.clip(value - reach, 0, side - 1)), int(np.clip(value + reach, 0, side - 1)) + 1)
        for value, side in zip((y, x), person.shape, strict=True)
    )
    return smoothstep(float(person[top:bottom, left:right].mean()), *_CORNER_SEEN)


def _strangers(scene: SceneFields, share: Plane | None, *, heads_alone: bool) -> SceneFields | None:
    if heads_alone:
        scene = replace(scene, planes=bare_parts(scene.planes))
    person = scene.planes["person"] if share is None else cv2.min(scene.planes["person"], share)
    if int(np.count_nonzero(cv2.compare(person, 127, cv2.CMP_GT))) < _LEAST_PERSON_PX:
        return None
    return _window(scene, share)


def _cleared(scene: SceneFields, landmarks: Landmarks, head: FaceGeometry, *, keep_person: bool) -> dict[str, Plane]:
    """The planes of one person with edges where the colours change, and without patches that are not theirs.

    landmarks: in px of the planes. keep_person: see `without_islands`.
    """
    unit_px = head.unit_px / scene.scale
    middle = middle_of_face(landmarks, scene.photo.shape[:2], unit_px)
    below = cv2.bitwise_not(above_chin(landmarks, middle.shape, 0.0))
    planes = without_gleams(scene.planes, scene.photo, middle, below)
    planes = with_own_skin(planes, scene.photo, middle, below)
    planes = with_colour_edges(planes, scene.photo, unit_px, middle)
    _, down = axes_of(landmarks)
    planes = with_calm_body(planes, landmarks[CHIN, :2], down, unit_px, keep_person=keep_person)
    for rule in (without_neck_beard, with_even_moustache, without_half_beard):
        planes = rule(planes, landmarks, unit_px)
    planes = with_beard_to_outline(planes, landmarks, head, unit_px)
    planes = with_sure_middle(planes, middle, landmarks, unit_px, keep_person=keep_person)
    if not keep_person:
        planes = with_both_ears(planes, landmarks, unit_px, head.yaw)
        planes = without_far_lashes(planes, landmarks, head, unit_px)
    planes["relief"] = skin_relief(scene.photo, planes, landmarks, unit_px)
    nose = (float(landmarks[NOSE_TIP, 0]), float(landmarks[NOSE_TIP, 1]))
    crown = half_plane(middle.shape, landmarks[FOREHEAD, :2], -down)
    planes = without_stray_skin(planes, hull_region(landmarks, middle.shape), cv2.bitwise_not(below), crown, unit_px)
    planes = without_throat_hair(planes, below, unit_px)
    planes = without_islands(planes, nose, unit_px, keep_person=keep_person)
    mouth = landmarks[list(MOUTH_CORNERS), :2].mean(0)
    planes = without_scraps(planes, half_plane(middle.shape, mouth, down), unit_px, keep_person=keep_person)
    planes.pop("told", None)
    return planes


def _window(scene: SceneFields, share: Plane | None) -> SceneFields:
    """The part of the scene in which one person lies. share: uint8 [h, w], 255 where it is theirs; None: everywhere."""
    planes = scene.planes
    if share is not None:
        planes = {name: one if name in ("tone", "ink") else cv2.min(one, share) for name, one in planes.items()}
    left, top, width, height = cv2.boundingRect(cv2.compare(planes["person"], _DOUBTFUL_LEVEL, cv2.CMP_GT))
    margin, grid = _WINDOW_MARGIN_PX, _WINDOW_GRID_PX
    right, bottom = (-(-end // grid) * grid for end in (left + width + margin, top + height + margin))
    left, top = (left - margin) // grid * grid, (top - margin) // grid * grid
    return SceneFields(scene.photo, planes, scene.scale, scene.origin).cut(left, top, right, bottom)


def _shares(scene: SceneFields, faces: Sequence[AlignedFace]) -> list[Plane | None]:
    """Which part of the picture belongs to each face, and last to nobody known."""
    height, width = scene.photo.shape[:2]
    person = scene.planes["person"]
    if not faces:
        return [None]
    step = 8
    grid = np.stack(np.meshgrid(np.arange(0, width, step), np.arange(0, height, step)), -1) * scene.scale
    costs = []
    for _, transform in faces:
        centre = np.array([transform.centre_x_px, transform.centre_y_px])
        apart = (grid - centre) / transform.side_px
        apart[..., 1] = np.where(apart[..., 1] > 0, apart[..., 1] * 0.35, apart[..., 1])
        costs.append(np.hypot(apart[..., 0], apart[..., 1]))
    stacked = np.stack(costs)
    owner = stacked.argmin(0)
    owner[stacked.min(0) > 1.6] = len(faces)
    coarse = cv2.resize(person, (grid.shape[1], grid.shape[0]), interpolation=cv2.INTER_AREA)
    _, blobs = cv2.connectedComponents(cv2.compare(coarse, 100, cv2.CMP_GE))
    for blob in range(1, int(blobs.max()) + 1):
        # What hangs together with a known person is theirs, however far it reaches.
        inside = blobs == blob
        if (owner[inside] < len(faces)).any():
            stranger = inside & (owner == len(faces))
            owner[stranger] = stacked[:, stranger].argmin(0)
    if len(faces) == 1 and not (owner[blobs > 0] == 1).any():
        return [None, np.zeros((height, width), np.uint8)]
    shares = []
    for number in range(len(faces) + 1):
        mine = cv2.resize((owner == number).astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
        shares.append(mine)
    return shares
