"""The fields of a whole frame: read coarsely everywhere and finely around known heads, joined into one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.backends.translator import MAX_BATCH, Translator
from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.fields import FIELDS, mesh_plane
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform, Landmarks
from toonfilter.runtime.geometry.sampling import halved, halvings_for, take_view
from toonfilter.runtime.render.blending import border_window
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.head_planes import above_chin
from toonfilter.runtime.render.person_network import PersonNetwork, compared, things_unseen, with_second_opinion

PLANES_PX, LIVE_PLANES_PX = 640, 512
"""Long side of the joined planes. Raising it draws small heads finer and costs time in proportion to its square."""
LIVE_CROP_PX = 256
"""Side of a head's crop at most, in live frames."""
COARSE_LONG_SIDE_PX = 256
_STRIDE_PX = 32
_GROUP = 4
_CALM_LEVELS = 18.0
_LEAST_NEW = 0.3
"""Share of a new reading where it differs from the last by noise only. Lowering it calms outlines and trails more."""

_FORGOTTEN_LEVELS = 5
"""By how much less, of 255, a thing of the room is taken from the person in each frame in which it is not seen as one.
Raising it makes things flicker; lowering it lets people lack what comes before a thing for longer."""
_NEAR_SIDES = 0.8
"""How far around a head's crop, in its sides, what another network does not see is taken from the person. Raising it
takes away more of the room, and of people whom neither the detectors nor that network find."""

Planes = NDArray[np.uint8]
"""uint8 [H, W, 9]: the fields in their order."""
Head = tuple[int, Landmarks, CropTransform]
"""A known face: its id, its landmarks in frame px, and where its crop lies."""


@dataclass(frozen=True, slots=True)
class SceneFields:
    """A frame, or a part of one, made small.

    photo: uint8 [h, w, 3]. planes: by name, uint8 [h, w]; besides the fields, "told": what another network says of
    where a person is, if it was asked. scale: frame px per plane px. origin: column and row, in plane px, of the part's
    first pixel in the whole.
    """

    photo: Image
    planes: dict[str, Plane]
    scale: float
    origin: tuple[int, int] = (0, 0)

    @property
    def to_frame(self) -> NDArray[np.float64]:
        """float64 [2, 3]: plane px to frame px; pixel centres lie at whole numbers."""
        shift = [self.scale * (place + 0.5) - 0.5 for place in self.origin]
        return np.array([[self.scale, 0, shift[0]], [0, self.scale, shift[1]]])

    def from_frame(self, landmarks: Landmarks) -> Landmarks:
        """float32 [N, 3] frame px to plane px."""
        moved = landmarks / np.float32(self.scale)
        moved[:, :2] += 0.5 / self.scale - 0.5 - np.array(self.origin, np.float32)
        return moved

    def cut(self, left: int, top: int, right: int, bottom: int) -> "SceneFields":
        """The part between these columns and rows; views, not copies."""
        height, width = self.photo.shape[:2]
        left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
        part = np.s_[top:bottom, left:right]
        planes = {name: plane[part] for name, plane in self.planes.items()}
        return SceneFields(self.photo[part], planes, self.scale, (self.origin[0] + left, self.origin[1] + top))


@dataclass(frozen=True, slots=True)
class Sight:
    """What is to be read of a frame; copies, so that the frame may be drawn into meanwhile.

    photo: uint8 [h, w, 3], the frame made small. scale: frame px per photo px. follows: whether the frame is soon after
    the last one and as large. heads: the known faces, far ones first. crops: uint8 [N, S, S, 3], of the heads.
    """

    photo: Image
    scale: float
    follows: bool = False
    heads: Sequence[Head] = ()
    crops: Image | None = None


class FieldsReader:
    """Runs the fields network on crops and on whole frames, and keeps readings steady in time.

    One thread may look at the next frame while another reads the last.
    """

    def __init__(
        self,
        translator: Translator,
        planes_px: int = PLANES_PX,
        person: PersonNetwork | None = None,
        *,
        keep_person: bool = False,
    ) -> None:
        """planes_px: long side of the joined planes. person: gives a second opinion of where a person is.

        keep_person: whatever may be a person stays one, for grounds that show what is not.
        """
        self._translator = translator
        self._planes_px = planes_px
        self._person = person
        self._keep_person = keep_person
        self._last_told: Plane | None = None
        self._last_things: Plane | None = None
        self._last_crops: dict[int, Planes] = {}
        self._last_coarse: Planes | None = None
        self._last_photo: Image | None = None

    def look(self, image: Image, *, steady: bool) -> Sight:
        """The frame without its heads. image: uint8 [H, W, 3] RGB. steady: it is soon after the last one."""
        height, width = image.shape[:2]
        scale = max(1.0, max(height, width) / self._planes_px)
        photo = shrunk(image, (round(width / scale), round(height / scale))) if scale > 1 else image.copy()
        last = self._last_photo
        follows = steady and last is not None and last.shape == photo.shape
        if last is not None and follows:
            photo = steadied(last, photo)
        self._last_photo = photo
        return Sight(photo, scale, follows)

    def look_closely(self, image: Image, sight: Sight, heads: Sequence[Head]) -> Sight:
        """The frame with its heads, all of whose crops have the same size. image: the frame of the sight."""
        crops = np.stack([take_view(image, transform) for _, _, transform in heads]) if heads else None
        return replace(sight, heads=heads, crops=crops)

    def read(self, sight: Sight, *, steady: bool) -> SceneFields:
        """steady: the frame is soon after the one that was read last.

        Raises:
            BackendError: the engine failed or returned something else than fields.
        """
        photo, heads, scale = sight.photo, sight.heads, sight.scale
        size = (photo.shape[1], photo.shape[0])
        whole = self._coarse(photo, [landmarks for _, landmarks, _ in heads], scale, steady=steady)
        joined = [cv2.resize(group, size, interpolation=cv2.INTER_LINEAR) for group in grouped(whole)]
        for (_, _, transform), fine in zip(heads, self._fine(sight, steady=steady), strict=True):
            placed = crop_to_planes(transform, scale)
            lay_in(joined, grouped(fine), placed, placed, transform.size)
        planes = dict(zip(FIELDS, (plane for group in joined for plane in cv2.split(group)), strict=True))
        if self._person is not None:
            told = self._told(self._person, photo, heads, steady=steady)
            near, below = self._asked(heads, size, scale)
            small = compared(planes, told)
            things = self._things(planes, told, small, steady=steady) if heads and not self._keep_person else None
            planes = with_second_opinion(planes, told, near, below, things, small)
            planes["told"] = cv2.resize(told, size, interpolation=cv2.INTER_LINEAR)
        return SceneFields(photo, planes, scale)

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._last_crops = {}
        self._last_coarse = None
        self._last_photo = None
        self._last_told = None
        self._last_things = None

    def _told(self, network: PersonNetwork, photo: Image, heads: Sequence[Head], *, steady: bool) -> Plane:
        # The nearest head stands upright in what the network sees.
        quarter_turns = round(heads[-1][2].roll_rad / (math.pi / 2)) if heads else 0
        told, last = network.read(photo, quarter_turns), self._last_told
        if steady and last is not None:
            told = steadied(last, told)
        self._last_told = told
        return told

    def _things(self, planes: Mapping[str, Plane], told: Plane, small: Mapping[str, Plane], *, steady: bool) -> Plane:
        """See `things_unseen`; what was a thing a moment ago still is one, so that none comes and goes."""
        things, last = things_unseen(planes, told, small), self._last_things
        if steady and last is not None:
            things = cv2.max(things, cv2.subtract(last, _FORGOTTEN_LEVELS))
        self._last_things = things
        return things

    def _asked(self, heads: Sequence[Head], size: tuple[int, int], scale: float) -> tuple[Plane, Plane]:
        """255 around the known heads, where the second opinion may take something from a person, and below their chins,
        where it may add."""
        near: Plane = np.zeros((size[1], size[0]), np.uint8)
        below: Plane = np.zeros_like(near)
        for _, landmarks, transform in heads:
            if not self._keep_person:
                place = (round(transform.centre_x_px / scale), round(transform.centre_y_px / scale))
                cv2.circle(near, place, round(_NEAR_SIDES * transform.side_px / scale), 255, -1)
            below = cv2.max(below, cv2.bitwise_not(above_chin(landmarks / np.float32(scale), below.shape, 0.0)))
        return near, below if heads else cv2.bitwise_not(below)

    def _coarse(self, photo: Image, faces: list[Landmarks], scale: float, *, steady: bool) -> Planes:
        height, width = photo.shape[:2]
        factor = COARSE_LONG_SIDE_PX / max(height, width)
        size = tuple(max(_STRIDE_PX, round(side * factor / _STRIDE_PX) * _STRIDE_PX) for side in (width, height))
        last = self._last_coarse
        fits = last is not None and last.shape[:2] == (size[1], size[0])
        # The planes are at most about twice as large: linear sampling sees every pixel.
        small = cv2.resize(photo, size, interpolation=cv2.INTER_LINEAR)
        ratio = np.array([size[0] / (width * scale), size[1] / (height * scale)], np.float32)
        told = mesh_plane([face[:, :2] * ratio for face in faces], (size[0], size[1]))
        planes: Planes = self._run(small[None], told[None, ..., None], both_ways=not steady)[0]
        if last is not None and fits and steady:
            planes = steadied(last, planes)
        self._last_coarse = planes
        return planes

    def _fine(self, sight: Sight, *, steady: bool) -> list[Planes]:
        """The planes of each head's crop, uint8 [S, S, 9]."""
        found: dict[int, Planes] = {}
        for start in range(0, len(sight.heads), MAX_BATCH):
            some = sight.heads[start : start + MAX_BATCH]
            assert sight.crops is not None
            crops = sight.crops[start : start + MAX_BATCH]
            told = np.stack([mesh_plane([t.to_crop(face)], (t.size, t.size)) for _, face, t in some])
            for (key, _, _), planes in zip(some, self._run(crops, told[..., None], both_ways=not steady), strict=True):
                last = self._last_crops.get(key) if steady else None
                fits = last is not None and last.shape == planes.shape
                found[key] = steadied(last, planes) if last is not None and fits else planes.copy()
        self._last_crops = found
        return [found[key] for key, _, _ in sight.heads]

    def _run(self, crops: Image, told: Planes, *, both_ways: bool) -> Planes:
        """both_ways: mirrored, too, and averaged, which is right more often; what stands alone has the time."""
        planes = self._translate(crops, told)
        if both_ways:
            mirrored = self._translate(crops[:, :, ::-1], told[:, :, ::-1])[:, :, ::-1]
            planes = ((planes.astype(np.uint16) + mirrored + 1) // 2).astype(np.uint8)
        return planes

    def _translate(self, crops: Image, told: Planes) -> Planes:
        planes = self._translator.translate(np.ascontiguousarray(crops), np.ascontiguousarray(told))
        expected = (*crops.shape[:3], len(FIELDS))
        if planes.shape != expected or planes.dtype != np.uint8:
            raise BackendError(f"fields network returned {planes.dtype} {planes.shape}; expected uint8 {expected}")
        return planes


def steadied(last: Planes, planes: Planes) -> Planes:
    """The new reading, averaged with the last where they differ by noise only. uint8 [H, W, C], new memory."""
    flat_last, flat = last.reshape(last.shape[0], -1), planes.reshape(planes.shape[0], -1)
    step = cv2.LUT(cv2.absdiff(flat, flat_last), _NEW_STEP)
    # Towards the new level from either side, and not beyond it.
    mixed = cv2.max(cv2.min(flat, cv2.add(flat_last, step)), cv2.subtract(flat_last, step))
    steady: Planes = mixed.reshape(planes.shape)
    return steady


_CHANGES = np.arange(256)
_NEW_SHARE = np.round(255 * np.clip(_LEAST_NEW + _CHANGES / _CALM_LEVELS * 0.25, 0, 1))
_NEW_STEP = np.round(_CHANGES * _NEW_SHARE / 255).astype(np.uint8)
"""How far a level goes towards a new one that lies so far away."""


def shrunk(image: Image, size: tuple[int, int]) -> Image:
    """uint8 [h, w, 3], new memory: halved as long as it can be, which is fast, and then sampled. size: (w, h) px."""
    halvings = halvings_for(image.shape[1] / size[0])
    if halvings:
        height, width = (side >> halvings << halvings for side in image.shape[:2])
        image = halved(image[:height, :width], halvings)
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return small


def grouped(planes: Planes | Sequence[Plane]) -> list[Planes]:
    """The planes by fours, as OpenCV is fast with: uint8 [H, W, 4], the last with what is left, new memory.

    planes: uint8 [H, W, N], or N planes.
    """
    if not isinstance(planes, np.ndarray):
        return [cv2.merge(planes[first : first + _GROUP]) for first in range(0, len(planes), _GROUP)]
    height, width, count = planes.shape
    groups = []
    for first in range(0, count, _GROUP):
        size = min(_GROUP, count - first)
        group = np.empty((height, width, size), np.uint8)
        cv2.mixChannels([planes], [group], [place for i in range(size) for place in (first + i, i)])
        groups.append(group)
    return groups


def crop_to_planes(transform: CropTransform, scale: float, origin: tuple[int, int] = (0, 0)) -> NDArray[np.float64]:
    """float64 [2, 3]: a crop's px to px of the planes. scale, origin: see `SceneFields`."""
    matrix = transform.crop_to_frame.copy()
    # Pixel centres lie at whole numbers: frame x is (x + 0.5) * scale - 0.5 of the planes.
    matrix[:, :2] /= scale
    matrix[:, 2] = (matrix[:, 2] + 0.5) / scale - 0.5 - np.array(origin)
    return matrix


def lay_in(
    joined: list[Planes],
    over: list[Planes],
    over_to_planes: NDArray[np.float64],
    crop_to_planes: NDArray[np.float64],
    crop_px: int,
) -> None:
    """Put planes over the joined ones, in place, softly at a crop's border.

    joined, over: see `grouped`. crop_px: the side of the crop.
    """
    height, width = joined[0].shape[:2]
    side = crop_px - 1
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]]) @ crop_to_planes[:, :2].T + crop_to_planes[:, 2]
    left, top = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, (width, height))
    if right <= left or bottom <= top:
        return
    shift = np.array([[0, 0, left], [0, 0, top]])
    size = (int(right - left), int(bottom - top))
    window = cv2.warpAffine(border_window(crop_px), crop_to_planes - shift, size, flags=cv2.INTER_LINEAR)
    for under, group in zip(joined, over, strict=True):
        warped = cv2.warpAffine(
            group, over_to_planes - shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        target = under[top:bottom, left:right]
        share = cv2.merge([window] * target.shape[2]) if target.ndim == 3 else window
        part = cv2.multiply(warped, share, scale=1 / 255)
        target[:] = cv2.add(part, cv2.multiply(target, cv2.bitwise_not(share), scale=1 / 255))
