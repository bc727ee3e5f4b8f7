"""What is known beside the planes: a face is skin in its middle, its neck too; and which planes a head alone has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.landmarks import JAW
from toonfilter.runtime.render.colour import Lab, picture_lab
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.scene import SceneFields

_DEPTH_U = 0.55
"""How far below the jaw skin is looked for, in distances of the pupils. Raising it turns skin-like collars to skin."""
_INSET = 0.12
"""Share of the jaw's width left out on either side, where a collar or hair may begin."""
_HEAD_WIDTH, _HEAD_HEIGHT = 0.62, 0.80
"""Half axes of a bare head, in sides of the box around its face. Raising them covers more around a face."""
_COARSE_PX = 4
_PERSON_LEVEL = 90
_BARE_LEVEL = 110
_LEAST_BARE_CELLS = 4
"""Cells of _COARSE_PX px that must be skin or hair for a blob to be a person. Raising it leaves out distant people."""
_HEAD_REACH_U = 2.6
"""How far around a face its own hair and skin are drawn where heads alone are wanted."""
_HAT_REACH_U = 0.3
"""How far below the chin hats and scarves may reach. Raising it takes more shirts for scarves."""
_FACE_INSET_U = 0.16
"""How far within its outline a face is skin for certain. Raising it lets hair fall further over the cheeks."""
_BRIGHTER = 1.06
_OTHER_HUE = 0.30
"""How far a* and b*, over L* + 15, may lie from the skin's. Raising it takes cloth of like colour for skin."""
_DARK = 14.0


def with_sure_skin(
    planes: Mapping[str, Plane], photo: Image, landmarks: Landmarks, unit_px: float, skin: Lab
) -> dict[str, Plane]:
    """The planes with skin in the face's middle, and wherever the neck has the skin's colour, however dark.

    photo: uint8 [h, w, 3]. landmarks: float32 [478, 3] px of it. unit_px: distance of the pupils in its px.
    """
    jaw = landmarks[list(JAW), :2]
    trim = max(1, round(len(jaw) * _INSET))
    jaw = jaw[trim:-trim]
    across = landmarks[263, :2] - landmarks[33, :2]
    down = np.array([-across[1], across[0]], np.float32) / (np.linalg.norm(across) + 1e-6)
    polygon = np.concatenate([jaw, jaw[::-1] + down * _DEPTH_U * unit_px])
    region = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(region, [np.rint(polygon).astype(np.int32)], 255)
    left, top, width, height = cv2.boundingRect(region)
    if width == 0 or height == 0:
        return dict(planes)
    part = np.s_[top : top + height, left : left + width]
    lab = picture_lab(np.ascontiguousarray(photo[part]))
    scaled = lab[..., 1:] / (lab[..., :1] + 15)
    own = skin[1:] / (skin[0] + 15)
    like = (np.abs(scaled - own).max(2) < _OTHER_HUE) & (lab[..., 0] < _BRIGHTER * skin[0])
    like |= lab[..., 0] < _DARK
    found = cv2.bitwise_and(region[part], like.astype(np.uint8) * 255)
    reach = max(1, round(0.05 * unit_px))
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    found = cv2.blur(found, (2 * reach + 1, 2 * reach + 1))
    skin_plane = planes["skin"].copy()
    skin_plane[part] = cv2.max(skin_plane[part], cv2.subtract(found, planes["hair"][part]))
    middle = _middle_of_face(landmarks, photo.shape[:2], unit_px)
    hats = cv2.bitwise_and(planes["headwear"], _above_chin(landmarks, photo.shape[:2], unit_px))
    hair = cv2.subtract(planes["hair"], middle)
    return {**planes, "skin": cv2.max(skin_plane, middle), "hair": hair, "headwear": hats}


def _above_chin(landmarks: Landmarks, shape: tuple[int, ...], unit_px: float) -> Plane:
    """Where a hat may be: 255 on the head's side of a line a little below the chin."""
    across = landmarks[263, :2] - landmarks[33, :2]
    across = across / (np.linalg.norm(across) + 1e-6)
    down = np.array([-across[1], across[0]], np.float32)
    edge = landmarks[152, :2] + down * _HAT_REACH_U * unit_px
    far = np.float32(4 * max(shape))
    corners = [edge - across * far, edge + across * far, edge + (across - down) * far, edge - (across + down) * far]
    region = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(region, [np.rint(np.stack(corners)).astype(np.int32)], 255)
    return region


def with_sure_face(planes: Mapping[str, Plane], landmarks: Landmarks) -> dict[str, Plane]:
    """The planes with a person and skin all over a known face, whatever the network saw. landmarks: in their px."""
    region = np.zeros(planes["person"].shape, np.uint8)
    hull = cv2.convexHull(np.ascontiguousarray(landmarks[:, :2]))
    cv2.fillConvexPoly(region, np.rint(hull).astype(np.int32), 255)
    region = cv2.blur(cv2.dilate(region, np.ones((3, 3), np.uint8)), (3, 3))
    skin = cv2.max(planes["skin"], cv2.subtract(region, planes["hair"]))
    return {**planes, "person": cv2.max(planes["person"], region), "skin": skin}


def head_alone(planes: Mapping[str, Plane], landmarks: Landmarks, unit_px: float) -> dict[str, Plane]:
    """The planes of a head with hair and neck, without clothes and hands. unit_px: distance of the pupils, in px."""
    height, width = planes["person"].shape
    eyes = landmarks[[33, 263], :2].mean(0)
    down = landmarks[152, :2] - eyes
    down = down / (np.linalg.norm(down) + 1e-6)
    centre = eyes + down * 0.5 * unit_px
    window = np.zeros((height, width), np.uint8)
    place = tuple(round(float(v)) for v in centre)
    cv2.circle(window, place, max(1, round(_HEAD_REACH_U * unit_px)), 255, -1)
    window = cv2.blur(window, (5, 5))
    return bare_parts({name: one if name in ("tone", "ink") else cv2.min(one, window) for name, one in planes.items()})


def bare_parts(planes: Mapping[str, Plane]) -> dict[str, Plane]:
    """The planes of skin, hair and headwear alone, as if nothing else were the person."""
    person = cv2.max(cv2.max(planes["skin"], planes["hair"]), cv2.max(planes["headwear"], planes["beard"]))
    return {**planes, "person": person}


def _middle_of_face(landmarks: Landmarks, shape: tuple[int, ...], unit_px: float) -> Plane:
    """Where a known face is skin whatever the planes say: within its outline, below the brows."""
    region = np.zeros(shape[:2], np.uint8)
    ring = landmarks[list(JAW), :2]
    brows = landmarks[[300, 9, 70], :2]
    cv2.fillPoly(region, [np.rint(np.concatenate([ring, brows])).astype(np.int32)], 255)
    inset = 2 * max(1, round(_FACE_INSET_U * unit_px)) + 1
    sure: Plane = cv2.blur(cv2.erode(region, np.ones((inset, inset), np.uint8)), (5, 5))
    return sure


def with_heads_at(scene: SceneFields, places: Sequence[Box]) -> SceneFields:
    """The scene with a bare head at each of these places. places: boxes around faces, in frame px."""
    if not places:
        return scene
    person, skin = scene.planes["person"].copy(), scene.planes["skin"].copy()
    for place in places:
        (x, y), scale = place.centre, scene.scale
        centre = (round((x + 0.5) / scale - 0.5), round((y + 0.5) / scale - 0.5))
        axes = (max(1, round(_HEAD_WIDTH * place.width / scale)), max(1, round(_HEAD_HEIGHT * place.height / scale)))
        for plane in (person, skin):
            cv2.ellipse(plane, centre, axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
    hair = cv2.min(scene.planes["hair"], cv2.bitwise_not(skin))
    return replace(scene, planes={**scene.planes, "person": person, "skin": skin, "hair": hair})


def without_things(scene: SceneFields) -> SceneFields:
    """The scene without what the network took for a person though nothing of it is skin or hair: things of the room."""
    person = scene.planes["person"]
    height, width = person.shape
    size = (max(2, width // _COARSE_PX), max(2, height // _COARSE_PX))
    coarse = cv2.compare(cv2.resize(person, size, interpolation=cv2.INTER_AREA), _PERSON_LEVEL, cv2.CMP_GE)
    count, blobs = cv2.connectedComponents(coarse)
    bare = cv2.resize(cv2.max(scene.planes["skin"], scene.planes["hair"]), size, interpolation=cv2.INTER_AREA)
    alive = np.bincount(blobs.ravel(), (bare.ravel() >= _BARE_LEVEL), minlength=count) >= _LEAST_BARE_CELLS
    alive[0] = True
    if alive.all():
        return scene
    things = cv2.dilate((~alive[blobs]).astype(np.uint8) * 255, np.ones((3, 3), np.uint8))
    kept = cv2.bitwise_not(cv2.resize(things, (width, height), interpolation=cv2.INTER_LINEAR))
    return replace(scene, planes={**scene.planes, "person": cv2.min(person, kept)})
