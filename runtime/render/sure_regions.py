"""What is known beside the planes: a face is skin in its middle, its neck too; and which planes a head alone has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.believed import head_around
from toonfilter.runtime.faces.config import BeliefConfig, NeighbourConfig
from toonfilter.runtime.faces.detector import chest_of
from toonfilter.runtime.fields import PARTS_OF_PEOPLE
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.landmarks import (
    BETWEEN_BROWS,
    BROW_LINE,
    CHIN,
    JAW,
    OUTER_CORNERS,
)
from toonfilter.runtime.render.contours import COARSE_PX, Plane, coarsened
from toonfilter.runtime.render.head_planes import above_chin, axes_of, half_plane, hull_region
from toonfilter.runtime.render.scene import SceneFields

_HEAD_WIDTH, _HEAD_HEIGHT = 0.62, 0.80
"""Half axes of a bare head, in sides of the box around its face. Raising them covers more around a face."""
_PERSON_LEVEL = 60
_BARE_LEVEL = 110
_ISLAND_LEVEL = 100
_HAIR_LEVEL = 128
"""Levels from which cells are of a person, of bare skin or hair, of one part, of hair. Raising them parts blobs that
touch."""
_MOSTLY_SEEN = 0.75
"""Share of a face that the network must call a person for its word to count against the mesh's. Raising it draws more
profiles as the mesh has them."""
_LEAST_BARE_CELLS = 4
"""Cells of COARSE_PX px that must be skin or hair for a blob to be a person. Raising it leaves out distant people."""
_HEAD_REACH_U = 2.6
"""How far around a face its own hair and skin are drawn where heads alone are wanted."""
_LEAST_BESIDE = 0.4
"""Share of a place that must lie beside known heads for it to be another one. Raising it draws fewer heads there."""
_ALL_CLOTH, _BARE_PLACE = 230, 64
"""Mean level of a place's person from which on it lies amid clothes; mean level of its skin, hair and headwear from
which on a bare head is drawn there. Raising them draws fewer heads where somebody is half hidden."""
_OWN_SHAPE = 150
"""Mean level of skin, hair and headwear in such an oval from which it has the network's shape. Raising it makes more
heads ovals."""
_HAT_REACH_U, _LEAST_WORN = 0.3, 0.4
"""How far below the chin headwear is counted as worn on the head, and the share of it that must be: else it is cloth.
Raising the first and lowering the second takes more shirts for scarves."""
_HAT_WIDTH_U, _SURE_HAT = 0.8, 175
"""Within how far of the head's middle some of a hat must lie, unless its mean level is so high: so are headphones, and
lights of the room are not. Raising the first and lowering the second keeps more of the room as headwear."""
_CHIN_U, _LEAST_LOCK_U2 = 0.8, 0.6
"""How far below the nose hair that hangs together with nothing above must be large, and how large, to be hair."""
_LEAST_HAND_U2 = 0.4
"""The same for skin that hangs together with nothing above. Raising it draws small hands in the colours of cloth."""
_FAR, _FAR_REACH = 0.6, 1.2
"""Width of a place, over that of a known face, below which somebody is far behind: a bare head without features beside
a drawn one looks like a balloon; and how far around its middle nothing of a person is drawn then, in sides of the
place. Raising the first draws fewer heads."""
_FACE_INSET_U = 0.16
"""How far within its outline a face is skin for certain. Raising it lets hair fall further over the cheeks."""
_ISLANDS: Mapping[str, tuple[float, int, float]] = {
    "hair": (0.06, 190, 1.6),
    "skin": (0.10, 180, 99.0),
    "headwear": (0.10, 150, 3.0),
    "over": (0.15, 190, 3.0),
    "beard": (0.04, 150, 2.5),
    "person": (1.6, 190, 99.0),
}
"""Least area of a part in squared distances of the pupils, level that it must reach somewhere, and how far from the
face its box may lie. Raising the first two leaves more patches out."""


def with_sure_middle(
    planes: Mapping[str, Plane], middle: Plane, landmarks: Landmarks, unit_px: float, *, keep_person: bool = False
) -> dict[str, Plane]:
    """The planes with skin in the face's middle, and headwear no lower than hats reach.

    What lies beside the head is left to the room, unless another network sees a person there, too: then it is cloth.

    middle: see `middle_of_face`. landmarks: float32 [478, 3] px of the planes. unit_px: distance of the pupils in them.
    keep_person: see `without_islands`.
    """
    worn, beside = _hats(planes["headwear"], landmarks, unit_px)
    if "told" in planes:
        beside = cv2.subtract(beside, planes["told"])
    person = planes["person"] if keep_person else cv2.subtract(planes["person"], beside)
    hair = cv2.subtract(planes["hair"], middle)
    return {**planes, "person": person, "skin": cv2.max(planes["skin"], middle), "hair": hair, "headwear": worn}


def _hats(headwear: Plane, landmarks: Landmarks, unit_px: float) -> tuple[Plane, Plane]:
    """Headwear that is worn on the head, and what is not, or nowhere reaches above the brows: things beside the face.

    What lies mostly below the head is neither: it is cloth.
    """
    levels = coarsened(headwear)
    coarse = cv2.compare(levels, _PERSON_LEVEL, cv2.CMP_GE)
    count, parts = cv2.connectedComponents(coarse)
    if count < 2:
        return headwear, np.zeros_like(headwear)

    def cells(region: Plane) -> NDArray[Any]:
        """How many cells of each part lie in a region."""
        there = cv2.resize(region, coarse.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        return np.bincount(parts.ravel(), there.ravel(), minlength=count)

    across, down = axes_of(landmarks)
    brows = landmarks[BETWEEN_BROWS, :2]
    top = half_plane(headwear.shape, brows, -down)
    for way in (across, -across):
        top = cv2.min(top, half_plane(headwear.shape, brows + way * np.float32(_HAT_WIDTH_U * unit_px), -way))
    size = np.bincount(parts.ravel(), minlength=count)
    is_sure = np.bincount(parts.ravel(), levels.ravel(), count) >= _SURE_HAT * size
    on_top = (cells(top) > 0) | (is_sure & (cells(half_plane(headwear.shape, brows, -down)) > 0))
    on_head = cells(above_chin(landmarks, headwear.shape, _HAT_REACH_U * unit_px))
    is_cloth = on_head < _LEAST_WORN * size
    beside = cv2.subtract(headwear, _kept(headwear, parts, on_top | is_cloth))
    return _kept(headwear, parts, on_top & ~is_cloth), beside


def _kept(plane: Plane, parts: NDArray[np.int32], stays: NDArray[np.bool_]) -> Plane:
    """The plane without some of its parts. parts: their numbers on the coarse plane, 0 for none. stays: for each."""
    stays = stays.copy()
    stays[0] = True
    if stays.all():
        return plane
    gone = cv2.dilate((~stays[parts]).astype(np.uint8) * 255, np.ones((3, 3), np.uint8))
    large = cv2.resize(gone, (plane.shape[1], plane.shape[0]), interpolation=cv2.INTER_LINEAR)
    kept: Plane = cv2.min(plane, cv2.bitwise_not(large))
    return kept


def with_sure_face(planes: Mapping[str, Plane], landmarks: Landmarks, *, keep_person: bool) -> dict[str, Plane]:
    """The planes with a person and skin all over a known face, whatever the network saw. landmarks: in their px.

    A mesh may reach beyond a profile: where the network calls most of the face a person, the rest stays the room.
    keep_person: the room will be shown as it is, so that all of the mesh is covered.
    """
    person = planes["person"]
    region = cv2.dilate(hull_region(landmarks, person.shape), np.ones((3, 3), np.uint8))
    seen = cv2.compare(person, _PERSON_LEVEL, cv2.CMP_GE)
    if not keep_person and cv2.mean(seen, region)[0] >= 255 * _MOSTLY_SEEN:
        region = cv2.min(region, seen)
    region = cv2.blur(region, (3, 3))
    skin = cv2.max(planes["skin"], cv2.subtract(region, planes["hair"]))
    return {**planes, "person": cv2.max(planes["person"], region), "skin": skin}


def head_alone(planes: Mapping[str, Plane], landmarks: Landmarks, unit_px: float) -> dict[str, Plane]:
    """The planes of a head with hair and neck, without clothes and hands. unit_px: distance of the pupils, in px."""
    height, width = planes["person"].shape
    eyes = landmarks[list(OUTER_CORNERS), :2].mean(0)
    down = landmarks[CHIN, :2] - eyes
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


def middle_of_face(landmarks: Landmarks, shape: tuple[int, ...], unit_px: float) -> Plane:
    """Where a known face is skin whatever the planes say: within its outline, below the brows."""
    region = np.zeros(shape[:2], np.uint8)
    ring = landmarks[list(JAW), :2]
    brows = landmarks[list(BROW_LINE), :2]
    cv2.fillPoly(region, [np.rint(np.concatenate([ring, brows])).astype(np.int32)], 255)
    inset = 2 * max(1, round(_FACE_INSET_U * unit_px)) + 1
    sure: Plane = cv2.blur(cv2.erode(region, np.ones((inset, inset), np.uint8)), (5, 5))
    return sure


def with_heads_at(
    scene: SceneFields,
    places: Sequence[Box],
    meshes: Sequence[Box] = (),
    *,
    bodies_drawn: bool = False,
    room_drawn: bool = False,
) -> SceneFields:
    """The scene with nobody to recognise at these places: a bare head, or something smooth. Boxes are in frame px.

    places: boxes around faces. meshes: those of the known faces. What lies on these is drawn as their skin.
    bodies_drawn, room_drawn: where that is so, what is no skin needs no head: places amid cloth and things of the room
    (a print, leaves that look like a face) become smooth. Where all is drawn, heads do not reach over known ones, and
    those far behind them become smooth, too.
    """
    if not places:
        return scene
    planes = {**scene.planes, **{name: scene.planes[name].copy() for name in ("tone", "ink")}}
    photo, bare = scene.photo, cv2.max(cv2.max(planes["skin"], planes["hair"]), planes["headwear"])
    known = _known_heads(scene, meshes if room_drawn else ())
    bare = cv2.subtract(bare, known)
    for place in places:
        head = _oval(place, scene, _HEAD_WIDTH, _HEAD_HEIGHT)
        beside = cv2.subtract(head, known)
        if any(mesh.holds(place.centre) for mesh in meshes) or (
            cv2.countNonZero(beside) < _LEAST_BESIDE * cv2.countNonZero(head)
        ):
            continue
        is_drawn = room_drawn or (bodies_drawn and cv2.mean(planes["person"], beside)[0] > _ALL_CLOTH)
        is_bare = cv2.mean(bare, beside)[0] >= _BARE_PLACE
        around = cv2.subtract(_oval(place, scene, _FAR_REACH, _FAR_REACH), known)
        # Amid a body it is a hand.
        is_behind = cv2.mean(planes["person"], around)[0] <= _ALL_CLOTH
        larger = [mesh for mesh in meshes if place.width < _FAR * mesh.width] if room_drawn and is_bare else []
        on_chest = _is_on_chest(place, larger)
        is_far = is_behind and len(larger) > 0 and not on_chest
        if is_far:
            beside = around
            for name in ("person", *PARTS_OF_PEOPLE):
                planes[name] = cv2.subtract(planes[name], beside)
        if is_far or on_chest or (is_drawn and not is_bare):
            photo = _smoothed(photo, beside, max(1, round(_HEAD_WIDTH * place.width / scene.scale)))
            planes["tone"][beside > 0] = round(cv2.mean(planes["tone"], beside)[0])
            planes["ink"][beside > 0] = 0
            continue
        beside = _as_seen(beside, planes["person"], bare) if room_drawn else beside
        _bare_head(planes, beside, hair_stays=room_drawn)
    planes["hair"] = cv2.min(planes["hair"], cv2.bitwise_not(planes["skin"]))
    return replace(scene, photo=photo, planes=planes)


def _known_heads(scene: SceneFields, meshes: Sequence[Box]) -> Plane:
    """255 in known heads and the hair that hangs together with them: finds in that are no other heads."""
    hair = scene.planes["hair"]
    known = np.zeros_like(hair)
    for mesh in meshes:
        known = cv2.max(known, _oval(head_around(mesh, BeliefConfig()), scene, 0.5, 0.5))
    cells = cv2.compare(coarsened(hair), _HAIR_LEVEL, cv2.CMP_GE)
    count, parts = cv2.connectedComponents(cells)
    touched = np.bincount(parts.ravel(), coarsened(known).ravel() > 0, minlength=count) > 0
    touched[0] = False
    theirs = cv2.resize(touched[parts].astype(np.uint8) * 255, hair.shape[::-1], interpolation=cv2.INTER_NEAREST)
    whole: Plane = cv2.max(known, theirs)
    return whole


def _as_seen(head: Plane, person: Plane, bare: Plane) -> Plane:
    """What the network sees of a head, where that is most of it: it has a better shape than an oval."""
    if cv2.mean(bare, head)[0] < _OWN_SHAPE:
        return head
    seen: Plane = cv2.min(head, cv2.compare(cv2.max(person, bare), _PERSON_LEVEL, cv2.CMP_GE))
    return seen


def _bare_head(planes: dict[str, Plane], head: Plane, *, hair_stays: bool) -> None:
    """Make a head without features of a place, in planes that are changed. head: 255 where it is."""
    planes["person"] = cv2.max(planes["person"], head)
    hair = cv2.min(head, planes["hair"]) if hair_stays else np.zeros_like(head)
    planes["skin"] = cv2.subtract(cv2.max(planes["skin"], head), hair)
    if hair_stays:
        # A shape without light, in which no face can be seen.
        planes["tone"][head > 0] = round(cv2.mean(planes["tone"], head)[0])


def _is_on_chest(place: Box, meshes: Sequence[Box]) -> bool:
    """Whether a place lies before one of these people: a print, a hand, not somebody far behind."""
    return any(chest_of(mesh, NeighbourConfig()).holds(place.centre) for mesh in meshes)


def _oval(box: Box, scene: SceneFields, width: float, height: float) -> Plane:
    """255 in an oval around the box's middle. width, height: half axes in sides of the box, which is in frame px."""
    (x, y), scale = box.centre, scene.scale
    centre = (round((x + 0.5) / scale - 0.5), round((y + 0.5) / scale - 0.5))
    axes = (max(1, round(width * box.width / scale)), max(1, round(height * box.height / scale)))
    region: Plane = np.zeros(scene.photo.shape[:2], np.uint8)
    cv2.ellipse(region, centre, axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
    return region


def _smoothed(photo: Image, head: Plane, reach_px: int) -> Image:
    """The photo with its mean colours there, which tell nothing of a face."""
    size = 2 * max(1, reach_px) + 1
    soft = cv2.blur(cv2.blur(photo, (size, size)), (size, size))
    smooth: Image = np.where(head[..., None] > 0, soft, photo)
    return smooth


def without_things(scene: SceneFields) -> SceneFields:
    """The scene without what the network took for a person though nothing of it is skin or hair: things of the room."""
    person = scene.planes["person"]
    coarse = cv2.compare(coarsened(person), _PERSON_LEVEL, cv2.CMP_GE)
    count, blobs = cv2.connectedComponents(coarse)
    bare = coarsened(cv2.max(scene.planes["skin"], scene.planes["hair"]))
    alive = np.bincount(blobs.ravel(), (bare.ravel() >= _BARE_LEVEL), minlength=count) >= _LEAST_BARE_CELLS
    return replace(scene, planes={**scene.planes, "person": _kept(person, blobs, alive)})


def without_islands(
    planes: Mapping[str, Plane], centre: tuple[float, float], unit_px: float, *, keep_person: bool = False
) -> dict[str, Plane]:
    """The planes of one person without what does not hang together with them: specks and doubtful patches.

    centre: x and y of the face, in px of the planes. unit_px: distance of the pupils in them. keep_person: whatever may
    be a person stays one, for grounds that show what is not.
    """
    result = dict(planes)
    for name, (least_u2, peak, reach_u) in _ISLANDS.items():
        if keep_person and name == "person":
            continue
        plane = planes[name]
        coarse = coarsened(plane)
        count, parts, found, _ = cv2.connectedComponentsWithStats(cv2.compare(coarse, _ISLAND_LEVEL, cv2.CMP_GE))
        if count < 2:
            continue
        highest = np.zeros(count, np.uint8)
        np.maximum.at(highest, parts.ravel(), coarse.ravel())
        left, top, width, height, area = (found[:, place].astype(np.float32) for place in range(5))
        x, y = centre[0] / COARSE_PX, centre[1] / COARSE_PX
        apart = np.hypot(
            np.maximum(np.maximum(left - x, x - left - width), 0), np.maximum(np.maximum(top - y, y - top - height), 0)
        )
        unit = unit_px / COARSE_PX
        stays = (area >= least_u2 * unit * unit) & (highest >= peak) & (apart <= reach_u * unit)
        if name == "hair":
            # The shadow of a chin; locks that lie before the shoulders are larger.
            stays &= (top < y + _CHIN_U * unit) | (area >= _LEAST_LOCK_U2 * unit * unit)
        if name == "skin":
            # The knot of a tie; hands are larger.
            stays &= (top < y + _CHIN_U * unit) | (area >= _LEAST_HAND_U2 * unit * unit)
        result[name] = _kept(plane, parts, stays)
    return result
