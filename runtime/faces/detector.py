"""Detection passes: one of two networks looks at a part of the picture, turned by quarters.

The networks are MediaPipe's. The full-range one finds faces down to a thirtieth of the part's longer side, the
short-range one large and partly hidden ones. Both know faces up to 45 degrees from upright, so four turns see all.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.blazeface import FULL_RANGE, LOWEST_SCORE, SHORT_RANGE, BlazeFace
from toonfilter.runtime.faces.config import NeighbourConfig, TrackingConfig
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.geometry.box import Box

Network = Literal["full", "short"]
NETWORKS: tuple[Network, ...] = ("full", "short")
TURNS = (0, 1, 3, 2)
"""Quarters clockwise, the likeliest first."""


class DetectionPass(NamedTuple):
    """What one run of a network looks at.

    part: of the picture, in px, or all of it; or its `sides` (left and right) or `ends` (top and bottom), each laid
    beside its mirror image, for faces that are only half in the picture.
    quarter_turns: of the faces that are looked for, clockwise.
    """

    network: Network
    part: Box | Literal["whole", "sides", "ends"] = "whole"
    quarter_turns: int = 0


class Detection(NamedTuple):
    """A place, in px, that may be a face. is_certain: believed by itself. quarter_turns: clockwise, of the face.

    evidence: of all passes of a search together, see `FaceDetector.search`.
    """

    box: Box
    is_certain: bool
    quarter_turns: int = 0
    score: float = 1.0
    evidence: float = 1.0


class FaceDetector:
    """Faces anywhere in a picture. Not thread safe."""

    def __init__(self, config: TrackingConfig | None = None) -> None:
        self._config = config or TrackingConfig()
        self._networks = {"full": BlazeFace(FULL_RANGE), "short": BlazeFace(SHORT_RANGE)}

    def find(self, image: Image) -> list[Box]:
        """Upright faces from brow to chin in image pixels, the most certain first. image: uint8 [H, W, 3] RGB."""
        for network in NETWORKS:
            found = [one.box for one in self.look(image, DetectionPass(network)) if one.is_certain]
            if found:
                return found
        return []

    def look(self, image: Image, look: DetectionPass) -> list[Detection]:
        """What one pass finds, doubtful ones too. image: uint8 [H, W, 3] RGB."""
        network, part, quarter_turns = look
        if isinstance(part, Box):
            left, top = max(0, int(part.left)), max(0, int(part.top))
            view = image[top : int(part.bottom), left : int(part.right)]
            if view.size == 0:
                return []
            return [one._replace(box=one.box.moved(left, top)) for one in self._scored(view, network, quarter_turns)]
        if part == "whole":
            return self._scored(image, network, quarter_turns)
        certain = None if network == "full" else self._config.detection.side_score
        strip_px = max(1, int((image.shape[1] if part == "sides" else image.shape[0]) * self._config.search.edge_size))
        view = _mirrored_sides(image, strip_px) if part == "sides" else _mirrored_ends(image, strip_px)
        return [
            one._replace(box=_unmirrored(one.box, image.shape, part, strip_px))
            for one in self._scored(view, network, quarter_turns, certain)
        ]

    def search(self, image: Image, passes: Iterable[DetectionPass]) -> list[Detection]:
        """What several passes find, without doubles, the most certain first.

        The evidence for a face is the sum of the scores of passes that differ in network, turn or size of the part.
        """
        found = [(look, one) for look in passes for one in self.look(image, look)]
        found.sort(key=lambda pair: (-pair[1].is_certain, -pair[1].score))
        config = self._config.detection
        kept = without_doubles([one.box for _, one in found], config.double_overlap)
        return [
            one._replace(evidence=_evidence(one.box, found, config.same_overlap))
            for _, one in found
            if any(one.box is box for box in kept)
        ]

    def look_closely(
        self,
        image: Image,
        box: Box,
        roll_rad: float = 0.0,
        turns: Sequence[int] = (0,),
        *,
        is_certain: bool = False,
        known: Sequence[Box] = (),
    ) -> Detection | None:
        """The face at this place, looked at from near, or None; it may lie a little beside.

        roll_rad: of the face that is looked for, clockwise. turns: further quarters that are tried, in this order.
        is_certain: only a face that the short-range network, which is the better one for close-ups, believes by itself.
        known: other faces, from brow to chin, which show from near as well and do not count.
        """
        config, view_px = self._config.close_look, self._config.close_look.view_px
        side_px = config.view_size * max(box.width, box.height, 1.0)
        view_of = CropTransform(*box.centre, side_px, roll_rad, view_px)
        view = cv2.warpAffine(image, view_of.frame_to_crop, (view_px, view_px), borderMode=cv2.BORDER_REFLECT_101)
        middle = Box(0, 0, view_px - 1, view_px - 1).grown(-config.margin)
        for network in NETWORKS[:0:-1] if is_certain else NETWORKS[::-1]:
            for quarter_turns in turns:
                for found in self._scored(view, network, quarter_turns):
                    seen = _in_frame(found.box, view_of)
                    is_other = any(is_same_face(seen, face, self._config.neighbours) for face in known)
                    is_there = middle.holds(found.box.centre) and _is_in_picture(seen, image, config.beyond)
                    if is_there and (found.is_certain or not is_certain) and not is_other:
                        return found._replace(box=seen)
        return None

    def is_another(self, image: Image, one: Detection, known: Sequence[Box], turns: Sequence[int] = (0,)) -> bool:
        """Whether a detection is not part of a known person, whose hair, ears, collar and tie look like faces, too.

        known: faces from brow to chin. Beside and below one of them, a close look must be sure of a face of its own.
        """
        centre, config = one.box.centre, self._config.neighbours
        near = [
            box for box in known if box.grown(config.head_margin).holds(centre) or chest_of(box, config).holds(centre)
        ]
        if not near:
            return True
        if any(_is_within(one.box, box, config.least_size) for box in near):
            return False
        if one.evidence >= self._config.detection.least_evidence:
            return True
        closer = self.look_closely(image, one.box, 0.0, turns, is_certain=True)
        return closer is not None and not any(_is_within(closer.box, box, config.least_size) for box in near)

    def closest(self, image: Image, quarter_turns: int = 0) -> NDArray[np.float32] | None:
        """The most certain face of a close-up, with its eyes, as `BlazeFace.find` tells it. image: see `find`."""
        found = self._networks["short"].find(image, self._config.detection.doubtful_short_score, quarter_turns)
        return found[0] if len(found) else None

    def close(self) -> None:
        """Free the networks."""
        for network in self._networks.values():
            network.close()

    def _scored(
        self, image: Image, network: Network, quarter_turns: int, certain: float | None = None
    ) -> list[Detection]:
        config = self._config
        doubtful, usual = (
            (config.detection.doubtful_full_score, config.detection.certain_full_score)
            if network == "full"
            else (config.detection.doubtful_short_score, config.detection.certain_short_score)
        )
        return [
            Detection(Box(*values[:4]), values[4] >= (certain or usual), quarter_turns, values[4], values[4])
            for values in self._networks[network].find(image, max(doubtful, LOWEST_SCORE), quarter_turns).tolist()
        ]


def chest_of(face: Box, config: NeighbourConfig) -> Box:
    """Where the chest of an upright person is. face: from brow to chin."""
    aside, down = config.chest_aside * face.width, config.chest_down * face.height
    return Box(face.left - aside, face.bottom, face.right + aside, face.bottom + down)


def thorough_passes(
    width: int, height: int, config: TrackingConfig, turns: Sequence[int] = TURNS
) -> list[DetectionPass]:
    """Every network on everything: the whole picture, its edges, and squares of several sizes, in all these turns.

    A network misses some faces at some sizes, so where nobody waits, upright ones are looked for in one more.
    """
    whole = [
        DetectionPass(network, part, turn)
        for turn in turns
        for part in ("whole", "sides", "ends")
        for network in NETWORKS
    ]
    squares = search_parts(width, height, config)
    parts = [DetectionPass("full", part, turn) for turn in turns for part in squares]
    side_px = config.search.between_size * squares[-1].width if squares else 0.0
    has_more = config.is_patient and side_px >= config.search.least_between_px
    between = tiles(width, height, side_px) if has_more else []
    return whole + parts + [DetectionPass("full", part) for part in between]


def search_parts(width: int, height: int, config: TrackingConfig) -> list[Box]:
    """Overlapping squares of the picture, in halving sizes: small faces between large ones are found too."""
    side_px, parts = float(min(width, height)), tiles(width, height, min(width, height))
    while side_px > config.search.smallest_part_px or len(parts) <= config.search.few_parts:
        side_px /= 2
        parts += tiles(width, height, side_px)
    return parts


def tiles(width: int, height: int, side_px: float) -> list[Box]:
    """Squares of this side that cover a picture, each half over its neighbour; none where one is the whole picture."""
    side_px = min(side_px, width, height)
    columns = 1 + math.ceil((width - side_px) / (side_px / 2))
    rows = 1 + math.ceil((height - side_px) / (side_px / 2))
    if columns * rows == 1:
        return []
    lefts = np.linspace(0, width - side_px, columns).tolist()
    tops = np.linspace(0, height - side_px, rows).tolist()
    return [Box(left, top, left + side_px, top + side_px) for top in tops for left in lefts]


def without_doubles(boxes: list[Box], double_overlap: float) -> list[Box]:
    """The boxes without those that overlap an earlier one by so much, or lie in its middle."""
    kept: list[Box] = []
    for box in boxes:
        if all(box.overlap(other) < double_overlap and not other.holds(box.centre) for other in kept):
            kept.append(box)
    return kept


def is_same_face(detection: Box, mesh: Box, config: NeighbourConfig) -> bool:
    """Whether a detection is the face of a mesh."""
    is_on_it = mesh.grown(config.mesh_margin).holds(detection.centre)
    return is_on_it and detection.grown(config.detection_margin).holds(mesh.centre)


def _is_within(box: Box, head: Box, least_size: float) -> bool:
    """Whether this is the face of a head or smaller than it could be beside it."""
    return head.holds(box.centre) or max(box.width, box.height) < least_size * max(head.width, head.height)


def _evidence(box: Box, found: Sequence[tuple[DetectionPass, Detection]], same_overlap: float) -> float:
    """Sum of the best scores there, over networks, turns and sizes of parts: neighbouring squares show the same."""
    best: dict[tuple[object, ...], float] = {}
    for look, one in found:
        if one.box.overlap(box) > same_overlap:
            size = round(look.part.width) if isinstance(look.part, Box) else look.part
            key = (look.network, look.quarter_turns, size)
            best[key] = max(best.get(key, 0.0), one.score)
    return sum(best.values())


def _mirrored_sides(image: Image, strip_px: int) -> Image:
    left, right = image[:, :strip_px], image[:, -strip_px:]
    mirrored: Image = cv2.hconcat([cv2.flip(left, 1), left, right, cv2.flip(right, 1)])
    return mirrored


def _mirrored_ends(image: Image, strip_px: int) -> Image:
    top, bottom = image[:strip_px], image[-strip_px:]
    mirrored: Image = cv2.vconcat([cv2.flip(top, 0), top, bottom, cv2.flip(bottom, 0)])
    return mirrored


def _unmirrored(box: Box, shape: tuple[int, ...], part: str, strip_px: int) -> Box:
    """Where a face that was found in a mirrored pair reaches into the picture, from whichever half of the pair."""
    length = shape[1] if part == "sides" else shape[0]
    first, end = (box.left, box.right) if part == "sides" else (box.top, box.bottom)
    is_first = first + end < 4 * strip_px
    axis = strip_px if is_first else 3 * strip_px
    depth, extent = max(abs(first - axis), abs(end - axis)), end - first
    low = depth - extent if is_first else length - depth
    if part == "sides":
        return Box(low, box.top, low + extent, box.bottom)
    return Box(box.left, low, box.right, low + extent)


def _is_in_picture(face: Box, image: Image, beyond: float) -> bool:
    """Whether a face's middle lies in the picture, or no further outside than this share of the face's sides."""
    across, down, (height, width) = beyond * face.width, beyond * face.height, image.shape[:2]
    return Box(-across, -down, width + across, height + down).holds(face.centre)


def _in_frame(box: Box, view_of: CropTransform) -> Box:
    """A box of a close-up in the frame, as large as it is there whatever the turn."""
    x, y = view_of.to_frame(np.array([box.centre]))[0].tolist()
    half_px = max(box.width, box.height) / 2 * view_of.side_px / view_of.size
    return Box(x - half_px, y - half_px, x + half_px, y + half_px)
