"""Short clips with known faces, made from one portrait: people walk in, swap, turn over, hide, leave.

Each scene yields frames with the true outline of every face in them, so that leaks can be counted exactly.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import require
from toonfilter.runtime.faces.still_faces import UPRIGHT, StillFaceFinder
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.box import Box

Mask = NDArray[np.uint8]
"""uint8 [H, W]: 0 to 255."""
_INNER_FACE = 0.9


@dataclass(frozen=True, slots=True)
class Cutout:
    """A head cut out of a portrait. matte: of the head. face: from brow to chin, a little within its outline.

    landmarks: float32 [478, 3] px of the portrait.
    """

    image: Image
    matte: Mask
    face: Mask
    box: Box
    landmarks: Landmarks


@dataclass(frozen=True, slots=True)
class Actor:
    """Where a head is in one frame. x, y: middle of the face; height: of the face; all in shares of the frame's height,
    x counted from the left side. roll_degrees: clockwise. blur_px: motion blur along x. who: number of the person.
    cover: part of the face hidden by a flat hand: left, top, right, bottom in shares of the face."""

    x: float
    y: float
    height: float = 0.35
    roll_degrees: float = 0.0
    blur_px: int = 0
    who: int = 0
    cover: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class SceneFrame:
    """image: uint8 [H, W, 3] RGB. faces: where a real face shows, one mask each.

    people: for each of them, the number of the person and float32 [478, 2] px of the landmarks; none in recordings.
    """

    image: Image
    faces: list[Mask]
    people: list[tuple[int, NDArray[np.float32]]] = field(default_factory=list)


class Shot(NamedTuple):
    """One moment of a scene.

    light: brightness, 1 as it is. pan: how far the room has moved to the right, in shares of the frame's height;
    actors' places are given as the camera sees them. blur_px: motion blur of all along x. room: number of the room.
    """

    actors: list[Actor]
    light: float = 1.0
    pan: float = 0.0
    blur_px: int = 0
    room: int = 3


Scene = Callable[[int], Iterator[Shot]]


def _walks_in(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(1.1, 0.5), Actor(-0.3 + 0.9 * n / frames, 0.45, 0.3, who=1)])


def _walks_in_right_and_small(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(0.7, 0.5), Actor(1.9 - 0.6 * n / frames, 0.3, 0.14, who=1)])


def _appears(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        others = [Actor(0.4, 0.4, 0.25, who=1)] if n >= frames // 3 else []
        yield Shot([Actor(1.2, 0.5), *others])


def _peeks_over_shoulder(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(0.5 + 0.35 * n / frames, 0.48, 0.2, who=1), Actor(0.9, 0.5, 0.4)])


def _swap(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        way = 0.5 - 0.5 * math.cos(math.pi * n / (frames - 1))
        yield Shot([Actor(0.4 + way, 0.5, 0.3, who=1), Actor(1.4 - way, 0.5)])


def _turns_over(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        roll = 180 * math.sin(math.pi * n / (frames - 1))
        yield Shot([Actor(0.5, 0.5, roll_degrees=roll), Actor(1.3, 0.5, 0.3, who=1)])


def _hand_over_face(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        left = -1.2 + 2.6 * n / frames
        hidden = (left, -0.1, left + 1.0, 1.1)
        yield Shot([Actor(0.5, 0.5, cover=hidden), Actor(1.3, 0.5, 0.3, who=1)])


def _mask_put_on(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        top = max(0.5, 1.2 - 1.4 * n / frames)
        yield Shot([Actor(0.9, 0.5, 0.4, cover=(-0.1, top, 1.1, 1.2))])


def _leaves_and_returns(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        x = 1.2 + 1.0 * math.sin(math.pi * n / (frames - 1))
        yield Shot([Actor(x, 0.5), Actor(0.4, 0.5, 0.3, who=1)])


def _moves_fast(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        x = 0.9 + 0.5 * math.sin(2 * math.pi * n / 16)
        speed = abs(math.cos(2 * math.pi * n / 16))
        yield Shot([Actor(x, 0.5 + 0.05 * math.sin(n), blur_px=int(40 * speed))])


def _two_move_fast(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        phase = 2 * math.pi * n / 24
        blur = int(20 * abs(math.cos(phase)))
        near = Actor(1.3 + 0.3 * math.sin(phase), 0.5, blur_px=blur)
        yield Shot([near, Actor(0.4 + 0.2 * math.cos(phase), 0.45, 0.28, blur_px=blur, who=1)])


def _gets_dark(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        light = 1 - 0.96 * math.sin(math.pi * n / (frames - 1))
        yield Shot([Actor(0.5, 0.5), Actor(1.3, 0.5, 0.3, who=1)], light)


def _goes_far(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        height = 0.35 - 0.28 * math.sin(math.pi * n / (frames - 1))
        yield Shot([Actor(0.5, 0.5, height), Actor(1.3, 0.5, 0.3, who=1)])


def _half_out(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        way = math.sin(math.pi * n / (frames - 1))
        yield Shot([Actor(0.5, 0.5 + 0.55 * way), Actor(1.3, 0.5 - 0.5 * way, 0.3, who=1)])


def _poster(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(0.9 + 0.2 * math.sin(n / 5), 0.55, 0.4), Actor(0.25, 0.25, 0.1, who=1)])


def _leaves_for_good(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        here = [Actor(1.2, 0.5)] if n < frames // 3 else []
        yield Shot([*here, Actor(0.4, 0.5, 0.3, who=1)])


def _flickering_light(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(0.5, 0.5), Actor(1.3, 0.5, 0.3, who=1)], 1.0 if n % 7 else 0.4)


def _camera_moves(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        pan = 0.35 * math.sin(2 * math.pi * n / 48)
        yield Shot([Actor(0.9 + pan, 0.5 + 0.02 * math.sin(n))], pan=pan)


def _camera_turns_to_another(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        pan = 0.6 * n / frames
        yield Shot([Actor(1.0 + pan, 0.5), Actor(-0.2 + pan, 0.5, 0.3, who=1)], pan=pan)


def _walks_in_while_the_camera_moves(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        pan = 0.3 * n / frames
        yield Shot([Actor(1.0 + pan, 0.5), Actor(-0.3 + pan + 0.6 * n / frames, 0.45, 0.3, who=1)], pan=pan)


def _walks_in_and_waits(frames: int) -> Iterator[Shot]:
    x = -0.3
    for n in range(frames):
        x += 0.02 if n % 20 < 10 else 0
        yield Shot([Actor(1.1, 0.5), Actor(x, 0.45, 0.3, who=1)])


SCENES: dict[str, Scene] = {
    "walks in": _walks_in,
    "walks in, small": _walks_in_right_and_small,
    "appears": _appears,
    "peeks over the shoulder": _peeks_over_shoulder,
    "swap": _swap,
    "turns over": _turns_over,
    "hand over the face": _hand_over_face,
    "mask put on": _mask_put_on,
    "leaves and returns": _leaves_and_returns,
    "leaves for good": _leaves_for_good,
    "moves fast": _moves_fast,
    "two move fast": _two_move_fast,
    "gets dark": _gets_dark,
    "goes far": _goes_far,
    "half out": _half_out,
    "poster": _poster,
    "flickering light": _flickering_light,
    "camera moves": _camera_moves,
    "camera turns to another": _camera_turns_to_another,
    "walks in and waits": _walks_in_and_waits,
    "walks in while the camera moves": _walks_in_while_the_camera_moves,
}


@lru_cache(maxsize=1)
def portrait() -> Cutout:
    """The public-domain portrait that scikit-image carries (an astronaut, NASA), cut out."""
    data: Any = require("skimage.data", extra="train")
    return cut_out(np.ascontiguousarray(data.astronaut()))


def cut_out(image: Image) -> Cutout:
    """The head of a portrait. image: uint8 [H, W, 3] RGB with one face.

    Raises:
        IndexError: there is no face.
    """
    finder = StillFaceFinder(max_faces=1, turns=UPRIGHT)
    face = finder.find(image)[0][0]
    finder.close()
    box = face.box
    hull = cv2.convexHull(np.ascontiguousarray(face.landmarks[:, :2], np.float32))
    inner = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(inner, np.rint(box.centre + _INNER_FACE * (hull - box.centre)).astype(np.int32), 255)
    matte = np.zeros(image.shape[:2], np.uint8)
    middle = (round(box.centre[0]), round(box.centre[1] - 0.1 * box.height))
    cv2.ellipse(matte, middle, (round(0.72 * box.width), round(0.85 * box.height)), 0, 0, 360, 255, -1)
    soft: Mask = cv2.GaussianBlur(matte, (0, 0), 0.03 * box.height)
    return Cutout(image, soft, inner, box, face.landmarks)


def play(
    scene: str | Scene,
    size: tuple[int, int] = (640, 360),
    frames: int = 48,
    cutouts: Sequence[Cutout] | None = None,
) -> Iterator[SceneFrame]:
    """The frames of a scene. size: width, height. cutouts: the people; by default the portrait and its mirror."""
    width, height = size
    people = cutouts or (portrait(), _mirrored(portrait()))
    noise = np.random.default_rng(0)
    script = SCENES[scene] if isinstance(scene, str) else scene
    for actors, light, pan, blur_px, number in script(frames):
        room = _room(width, height, number)
        shift = np.array([[1, 0, pan * height], [0, 1, 0]])
        image = cv2.warpAffine(room, shift, size, borderMode=cv2.BORDER_REFLECT_101) if pan else room.copy()
        faces: list[Mask] = []
        shown: list[tuple[int, NDArray[np.float32]]] = []
        for actor in actors:
            who = actor.who % len(people)
            head, face, points = _place(image, people[who], actor)
            # Nearer heads come later and hide those behind them.
            faces = [cv2.min(earlier, 255 - head) for earlier in faces] + [face]
            shown.append((who, points))
        if blur_px > 2:
            image = cv2.blur(image, (blur_px, 1))
        image = cv2.convertScaleAbs(image, alpha=light)
        grain = noise.normal(0, 1.5, image.shape)
        yield SceneFrame(np.clip(image + grain, 0, 255).astype(np.uint8), faces, shown)


def _place(image: Image, cutout: Cutout, actor: Actor) -> tuple[Mask, Mask, NDArray[np.float32]]:
    """Put the head into the frame, in place; returns where the head, its face, and the landmarks are."""
    height, width = image.shape[:2]
    factor = actor.height * height / cutout.box.height
    matrix = cv2.getRotationMatrix2D(cutout.box.centre, -actor.roll_degrees, factor)
    matrix[:, 2] += np.array([actor.x * height, actor.y * height]) - cutout.box.centre
    source, matte, face = cutout.image.copy(), cutout.matte.copy(), cutout.face.copy()
    if factor < 1:
        source = cv2.GaussianBlur(source, (0, 0), 0.4 / factor)
    if actor.cover is not None:
        corner = np.array([cutout.box.left, cutout.box.top])
        extent = np.array([cutout.box.width, cutout.box.height])
        near, far = np.rint(np.reshape(actor.cover, (2, 2)) * extent + corner).astype(int).tolist()
        for layer, colour in ((source, (196, 150, 120)), (matte, 255), (face, 0)):
            cv2.rectangle(layer, near, far, colour, -1)
    colours = cv2.warpAffine(source, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    head = cv2.warpAffine(matte, matrix, (width, height))
    if actor.blur_px > 2:
        colours, head = cv2.blur(colours, (actor.blur_px, 1)), cv2.blur(head, (actor.blur_px, 1))
    share = head.astype(np.float32)[..., None] / 255
    image[:] = (colours * share + image * (1 - share)).astype(np.uint8)
    points = (cutout.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return head, cv2.warpAffine(face, matrix, (width, height)), points


def _mirrored(cutout: Cutout) -> Cutout:
    image, matte, face = (np.ascontiguousarray(layer[:, ::-1]) for layer in (cutout.image, cutout.matte, cutout.face))
    box, width = cutout.box, cutout.image.shape[1]
    turned = np.array([[width - 1, 0, 0]], np.float32) + cutout.landmarks * np.array([[-1, 1, 1]], np.float32)
    mirrored = Box(width - 1 - box.right, box.top, width - 1 - box.left, box.bottom)
    return Cutout(image, matte, face, mirrored, turned)


@lru_cache(maxsize=8)
def _room(width: int, height: int, number: int) -> Image:
    """A wall with shelves and a window, slightly out of focus."""
    random = np.random.default_rng(number)
    room = np.full((height, width, 3), (168, 160, 150), np.uint8)
    for _ in range(40):
        x, y = random.integers(0, width), random.integers(0, height)
        extent = random.integers(height // 20, height // 4, 2)
        colour = tuple(int(value) for value in random.integers(40, 220, 3))
        cv2.rectangle(room, (int(x), int(y)), (int(x + extent[0]), int(y + extent[1])), colour, -1)
    blurred: Image = cv2.GaussianBlur(room, (0, 0), height / 180)
    return blurred
