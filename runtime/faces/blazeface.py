"""MediaPipe's two face detectors on ONNX Runtime: the same faces in two thirds of the time that MediaPipe takes.

The networks are converted by `tools/mediapipe_networks`. What MediaPipe does around them (letterbox, anchors,
weighted suppression) is done here in the same way, so that boxes and scores are its own but for rounding.
"""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.network_files import NetworkFile, open_network
from toonfilter.runtime.frames import Image

_SAME_FACE_OVERLAP = 0.3
"""Of boxes that are merged; MediaPipe's own. Raising it gives several boxes for one face."""
LOWEST_SCORE = 0.3
"""Answers below it are not read, and have no say in where a face is; no `min_score` can be lower. Raising it moves
boxes."""
_MIDDLE = (0.5, 0.5)
"""Of a cell."""


@dataclass(frozen=True, slots=True)
class DetectorModel:
    """A network: its file, the side of the square picture that it takes, and its maps of answers.

    points: how many points beside the box an answer has: the eyes, or none.
    maps: side of each map in cells, and where in a cell (x, y, from 0 to 1) each of its anchors lies.
    """

    file: NetworkFile
    side_px: int
    points: int
    maps: tuple[tuple[int, tuple[tuple[float, float], ...]], ...]


SHORT_RANGE = DetectorModel(
    NetworkFile("blazeface-short-range.onnx", "3a905abdffa965a42a7ddff068ceed596349ab464fa9bab070535709b7f67a93"),
    128,
    2,
    ((16, (_MIDDLE,) * 2), (8, (_MIDDLE,) * 6)),
)
FULL_RANGE = DetectorModel(
    NetworkFile("blazeface-full-range.onnx", "3f5e038dcb126c21d0fbfc40c0af17af1c61bb5239c2d030e15b146ab9cb39c5"),
    192,
    0,
    ((24, ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))),),
)


class BlazeFace:
    """Faces in a picture, from brow to chin. Not thread safe."""

    def __init__(self, model: DetectorModel) -> None:
        """Open the network.

        Raises:
            BackendError: its file is missing or not the one that ships, or ONNX Runtime does not open it.
        """
        self._side_px = side_px = model.side_px
        self._values = 4 + 2 * model.points
        self._session = open_network(model.file)
        self._anchors = np.concatenate([_anchors(cells, offsets) for cells, offsets in model.maps])
        # Memory for the picture on its way, kept: new pages cost more than what is done in them.
        self._square = np.empty((side_px, side_px, 3), np.uint8)

    def find(self, image: Image, min_score: float, quarter_turns: int = 0) -> NDArray[np.float32]:
        """float32 [N, 5 + 2 P]: left, top, right, bottom in image pixels, score, x and y of points; most certain first.

        min_score: 0.3 to 1. image: uint8 [H, W, 3] RGB. quarter_turns: looks for faces that are turned clockwise by
        so many quarters; the network knows upright ones only, up to about 45 degrees to either side.
        """
        height, width = image.shape[:2]
        longer_px = max(height, width)
        self._show(image)
        shown = np.ascontiguousarray(np.rot90(self._square, quarter_turns)) if quarter_turns % 4 else self._square
        maps = self._session.run(None, {"picture": shown[None]})
        # Less certain boxes have a say in where a face is.
        found = merged(self._decoded(maps[::2], maps[1::2]))
        found = _turned_back(found[found[:, 4] >= min_score], quarter_turns)
        left, top = (width - longer_px) / 2, (height - longer_px) / 2
        places = np.arange(found.shape[1]) != 4
        offsets = np.resize(np.array([left, top], np.float32), self._values)
        found[:, places] = found[:, places] * longer_px + offsets
        return found

    def close(self) -> None:
        """Free the network."""
        self._session = None

    def _show(self, image: Image) -> None:
        """Fill the network's input: the picture shrunk into the middle of the square, black beside it."""
        height, width = image.shape[:2]
        scale = self._side_px / max(height, width)
        left, top = ((self._side_px - scale * side_px) / 2 for side_px in (width, height))
        # Only the rows that show something; the warp takes longer than anything else here.
        hidden = max(0, math.floor(top))
        rows = slice(hidden, self._side_px - hidden)
        matrix = np.array([[scale, 0, left], [0, scale, top - hidden]])
        self._square[:] = 0
        shown = self._square[rows]
        cv2.warpAffine(image, matrix, shown.shape[1::-1], dst=shown, flags=cv2.INTER_LINEAR)

    def _decoded(self, scores: list[Any], boxes: list[Any]) -> NDArray[np.float32]:
        """As `find`, in shares of the square, not yet merged, in any order.

        scores: float32 [1, A, S, S] of each map, before the sigmoid. boxes: float32 [1, (4 + 2 P) A, S, S] of each map:
        x and y of the middle as seen from the anchor, width, height, then points as seen from the anchor, in pixels of
        the square.
        """
        found, first = [], 0
        least = math.log(LOWEST_SCORE / (1 - LOWEST_SCORE))
        for raw_scores, raw_boxes in zip(scores, boxes, strict=True):
            flat = raw_scores.ravel()
            at = np.flatnonzero(flat >= least)
            if len(at):
                anchor, cell = np.divmod(at, raw_scores[0, 0].size)
                values = raw_boxes.reshape(-1, self._values, raw_scores[0, 0].size)[anchor, :, cell]
                values /= np.float32(self._side_px)
                origins = self._anchors[first + at]
                middle, half = values[:, :2] + origins, values[:, 2:4] / 2
                points = values[:, 4:] + np.tile(origins, self._values // 2 - 2)
                certainty = 1 / (1 + np.exp(-flat[at, None]))
                whole = np.hstack([middle - half, middle + half, certainty, points])
                found.append(whole[(half >= 0).all(axis=1)])
            first += flat.size
        return np.vstack(found) if found else np.empty((0, 1 + self._values), np.float32)


def _turned_back(found: NDArray[np.float32], quarter_turns: int) -> NDArray[np.float32]:
    """Answers for a square that was turned counter-clockwise, in the square as it was. found: in shares of its side."""
    for _ in range(quarter_turns % 4):
        turned = found.copy()
        turned[:, 0], turned[:, 2] = 1 - found[:, 3], 1 - found[:, 1]
        turned[:, 1], turned[:, 3] = found[:, 0], found[:, 2]
        turned[:, 5::2], turned[:, 6::2] = 1 - found[:, 6::2], found[:, 5::2]
        found = turned
    return found


def merged(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """One box for each face: the mean of all that overlap its most certain one, weighted by their scores.

    found: float32 [N, 5 + 2 P]: left, top, right, bottom, score, points. The result has the most certain first, with
    its own score.
    """
    faces = []
    left_over = found[np.argsort(-found[:, 4], kind="stable")]
    while len(left_over):
        is_same = _overlaps(left_over[0], left_over) > _SAME_FACE_OVERLAP
        # A box without area does not even overlap itself.
        is_same[0] = True
        same = left_over[is_same]
        face = same[:, 4] / same[:, 4].sum() @ same
        face[4] = left_over[0, 4]
        faces.append(face)
        left_over = left_over[~is_same]
    return np.array(faces, np.float32).reshape(-1, found.shape[1])


def _overlaps(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of one box with each of the others."""
    sides = np.minimum(box[2:4], others[:, 2:4]) - np.maximum(box[:2], others[:, :2])
    shared = sides.clip(0).prod(axis=1)
    areas = (others[:, 2:4] - others[:, :2]).prod(axis=1)
    both = (box[2:4] - box[:2]).prod() + areas - shared
    overlaps: NDArray[np.float32] = shared / both.clip(np.finfo(np.float32).tiny)
    return overlaps


def _anchors(cells: int, offsets: tuple[tuple[float, float], ...]) -> NDArray[np.float32]:
    """float32 [A * cells * cells, 2]: x, y of each anchor in shares of the square, in the order of a map's scores."""
    row, column = np.indices((cells, cells))
    return np.concatenate(
        [np.stack([column + x, row + y], axis=-1).reshape(-1, 2) for x, y in offsets], dtype=np.float32
    ) / np.float32(cells)
