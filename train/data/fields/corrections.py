"""Labels corrected by eye: outlines that people draw where the rules are wrong, snapped to the picture's edges.

A file of corrections is JSON, one a picture: `file` (as in the index), and `outlines`, each with `kind` (see `KINDS`)
and `points`, x and y in hundredths of the picture's sides from its upper left corner. Later outlines lie over earlier
ones. `[]` says that somebody looked and found all right.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.fields import FieldName
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.train.data.fields.face_frame import Plane, soft_edges

Kind = Literal["ground", "hair", "skin", "cloth", "headwear", "beard", "stubble", "over"]
"""What may be inside an outline. cloth: whatever is worn, jewellery too. ground: everything that is not the person."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_LEVELS: Final[Mapping[Kind, Mapping[FieldName, float]]] = {
    "ground": {},
    "hair": {"person": 1, "hair": 1},
    "skin": {"person": 1, "skin": 1},
    "cloth": {"person": 1},
    "headwear": {"person": 1, "headwear": 1},
    "beard": {"person": 1, "beard": 1},
    "stubble": {"person": 1, "beard": 0.5, "skin": 0.5},
    "over": {"person": 1, "over": 1},
}
CORRECTED: Final[tuple[FieldName, ...]] = ("person", "hair", "skin", "beard", "headwear", "over")
"""The fields that outlines change, all of them."""
_SNAP = 0.022
"""How far an outline may move to an edge, of the picture's side; raising it forgives more and follows wrong edges."""
_CUT_ROUNDS = 3
_MOST_NAME = 80
"""Characters of a picture's file that the name of its corrections tells."""
_LEAST_INNER = 0.2
"""Share of an outline's area that must be farther inside than that; smaller and thinner ones stay as drawn."""


@dataclass(frozen=True, slots=True)
class Outline:
    """kind: what is inside. points: at least three of (x, y), 0 to 100."""

    kind: Kind
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class CorrectionFile:
    """One picture's corrections and where they lie. file: of the picture, as in the index."""

    path: Path
    file: str
    outlines: tuple[Outline, ...]


def read_corrections(place: Path) -> dict[str, tuple[Outline, ...]]:
    """The corrections of a folder's JSON files, or of one file with such an object in each line, by picture file.

    Raises:
        DataError: a file cannot be read or has other content; the text names it, and the line.
    """
    if place.is_dir():
        return {file: found.outlines for file, found in read_correction_files(place).items()}
    found: dict[str, tuple[Outline, ...]] = {}
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{place}: cannot be read as corrections ({error})") from error
    for number, line in enumerate(lines, 1):
        try:
            content = json.loads(line)
            found[str(content["file"])] = parse_outlines(content["outlines"])
        except (ValueError, KeyError, TypeError, DataError) as error:
            raise DataError(f"{place}, line {number}: cannot be read as corrections of a picture ({error})") from error
    return found


def read_correction_files(folder: Path) -> dict[str, CorrectionFile]:
    """As `read_corrections`, with the files; of two of one picture the last by name holds."""
    found: dict[str, CorrectionFile] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            file = str(content["file"])
            found[file] = CorrectionFile(path, file, parse_outlines(content["outlines"]))
        except (OSError, ValueError, KeyError, TypeError, DataError) as error:
            raise DataError(f"{path}: cannot be read as corrections of a picture ({error})") from error
    return found


def new_correction_file(folder: Path, file: str) -> CorrectionFile:
    """A place for the corrections of a picture that has none. Its name tells the picture and is no other picture's."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", file).strip("-")[-_MOST_NAME:]
    digest = hashlib.sha256(file.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return CorrectionFile(folder / f"{words}-{digest}.json", file, ())


def write_correction_file(kept: CorrectionFile) -> None:
    """Write one picture's corrections, whole.

    Raises:
        OutputError: the disk or the folder refuses; what lay there stays.
    """
    rows = [{"kind": one.kind, "points": one.points} for one in kept.outlines]
    write_whole(kept.path, json.dumps({"file": kept.file, "outlines": rows}) + "\n")


def parse_outlines(rows: object) -> tuple[Outline, ...]:
    """Outlines from what JSON holds.

    Raises:
        DataError: something else than a list of outlines; the text says what is wrong.
    """
    if not isinstance(rows, list):
        raise DataError("outlines must be a list")
    return tuple(_outline(row) for row in rows)


def _outline(row: object) -> Outline:
    if not isinstance(row, dict) or "kind" not in row:
        raise DataError("an outline has no kind")
    kind, points = row["kind"], row.get("points")
    if kind not in KINDS:
        raise DataError(f"kind is {kind!r}; must be one of {', '.join(KINDS)}")
    if not isinstance(points, list) or len(points) < 3:
        raise DataError(f"an outline of {kind} has fewer than three points")
    try:
        placed = tuple((float(x), float(y)) for x, y in points)
    except (TypeError, ValueError) as error:
        raise DataError(f"a point of {kind} is no pair of numbers") from error
    if any(not -5 <= value <= 105 for point in placed for value in point):
        raise DataError(f"a point of {kind} lies outside 0 to 100")
    return Outline(kind, placed)


def correct(photo: NDArray[np.uint8], planes: dict[FieldName, Plane], outlines: Sequence[Outline]) -> None:
    """Write the outlines into the masks, in place. photo: uint8 [S, S, 3] RGB. planes: float32 [S, S], 0 to 1."""
    for outline in outlines:
        inside = outline_mask(photo, outline)
        levels = _LEVELS[outline.kind]
        for name in CORRECTED:
            planes[name] = planes[name] + (levels.get(name, 0.0) - planes[name]) * inside


def outline_mask(photo: NDArray[np.uint8], outline: Outline) -> Plane:
    """What an outline means, float32 [S, S], 0 to 1: cut out by colour near its edge, as drawn where it is thin."""
    side = photo.shape[0]
    drawn = np.zeros((side, side), np.uint8)
    points = np.array(outline.points) * (side / 100) - 0.5
    cv2.fillPoly(drawn, [np.rint(points).astype(np.int32)], 1)
    reach = max(round(_SNAP * side), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    # Beyond the picture's edge the outline goes on: it is not an edge of what is inside.
    inner = cv2.erode(drawn, disc, borderType=cv2.BORDER_REPLICATE)
    if inner.sum() < _LEAST_INNER * drawn.sum():
        soft: Plane = cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), 0.7).astype(np.float32)
        return soft
    outer = cv2.dilate(drawn, disc)
    if outer.all():
        return drawn.astype(np.float32)
    trimap = np.where(drawn, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[inner > 0], trimap[outer == 0] = cv2.GC_FGD, cv2.GC_BGD
    cv2.setRNGSeed(1)
    model: NDArray[np.float64] = np.zeros((1, 65), np.float64)
    x, y, width, height = cv2.boundingRect(cv2.dilate(outer, disc))
    window = (slice(y, y + height), slice(x, x + width))
    part = np.ascontiguousarray(trimap[window])
    cv2.grabCut(
        np.ascontiguousarray(photo[window][..., ::-1]),
        part,
        None,
        model,
        model.copy(),
        _CUT_ROUNDS,
        cv2.GC_INIT_WITH_MASK,
    )
    cut = np.zeros_like(drawn)
    cut[window] = (part == cv2.GC_FGD) | (part == cv2.GC_PR_FGD)
    return soft_edges(cv2.medianBlur(cut, 3).astype(np.float32), photo, radius_px=2)
