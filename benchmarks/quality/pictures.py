"""The pictures under evaluation: listing, pairing by name, reading, and what the data set's index says about them."""

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.train.data.pictures import picture_paths, read_rgba
from toonfilter.train.data.splits import split_of

Image = NDArray[np.uint8]
"""uint8 [H, W, 3], RGB."""

INDEX_NAME = "index.csv"
GROUP_COLUMNS = ("glasses", "beard", "age", "source")
"""Columns of the index that make groups, beside the skin tone that is measured."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the source folder. key: its path below the folder without suffix; facts: its row of the index."""

    key: str
    path: Path
    facts: dict[str, str] = field(default_factory=dict, compare=False, hash=False)


def list_pictures(folder: Path) -> list[Picture]:
    """All pictures below the folder in the order of their names, with their rows of index.csv where there is one.

    Raises:
        DataError: no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the folder that holds the pictures")
    facts = _read_index(folder)
    paths = picture_paths(folder)
    found = []
    for path in paths:
        below = path.relative_to(folder)
        found.append(Picture(below.with_suffix("").as_posix(), path, facts.get(below.as_posix(), {})))
    return found


def choose(pictures: list[Picture], *, split: str, limit: int | None, seed: int = 0) -> list[Picture]:
    """Those of the split ("all", "train" or "validation"), at most `limit` of them, sampled with the seed.

    Raises:
        ConfigError: no such split.
        DataError: a split was asked for that the index does not tell, or none is left.
    """
    if split not in ("all", "train", "validation"):
        raise ConfigError(f"split is {split!r}; must be all, train or validation")
    if split != "all":
        unknown = sum(not _split_key(picture) for picture in pictures)
        if unknown:
            raise DataError(
                f"split {split}: {unknown} of {len(pictures)} pictures have no identity and no cluster in "
                f"{INDEX_NAME}; use --split all, or add the index"
            )
        pictures = [picture for picture in pictures if split_of(_split_key(picture)) == split]
    if limit is not None and limit < len(pictures):
        chosen = np.random.default_rng(seed).choice(len(pictures), limit, replace=False)
        pictures = [pictures[index] for index in sorted(chosen)]
    if not pictures:
        raise DataError(f"split {split} holds no pictures; use --split all")
    return pictures


def _split_key(picture: Picture) -> str:
    return picture.facts.get("cluster") or picture.facts.get("identity") or ""


def _read_index(folder: Path) -> dict[str, dict[str, str]]:
    path = next((home / INDEX_NAME for home in (folder, folder.parent) if (home / INDEX_NAME).is_file()), None)
    if path is None:
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if rows and "file" not in rows[0]:
        raise DataError(f"{path} has no column 'file'; it has {', '.join(rows[0])}")
    prefix = "" if path.parent == folder else f"{folder.name}/"
    return {
        row["file"][len(prefix) :]: {key: value or "" for key, value in row.items() if isinstance(key, str)}
        for row in rows
        if row["file"].startswith(prefix)
    }


class Pairing:
    """Finds the picture of another folder that belongs to a source picture: same path below it, else same file stem."""

    def __init__(self, folder: Path) -> None:
        pictures = list_pictures(folder)
        self._by_key = {picture.key: picture.path for picture in pictures}
        stems = Counter(Path(picture.key).name for picture in pictures)
        self._by_stem = {Path(key).name: path for key, path in self._by_key.items() if stems[Path(key).name] == 1}
        self.folder = folder

    def find(self, key: str) -> Path | None:
        """The path for a source picture's key, or None where there is none or more than one with that stem."""
        return self._by_key.get(key) or self._by_stem.get(Path(key).name)

    def without_partner(self, keys: list[str]) -> list[str]:
        """Keys of this folder that belong to none of the source's keys, in order."""
        used = {self.find(key) for key in keys}
        return sorted(key for key, path in self._by_key.items() if path not in used)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """The picture as uint8 [H, W, 3] RGB, or [H, W, 4] RGBA where the file has an alpha channel.

    Raises:
        DataError: the file cannot be read or decoded.
    """
    decoded = read_rgba(path)
    if decoded is None:
        raise DataError(f"{path} cannot be read as a picture; it is missing, damaged or of another format")
    return decoded


def read_result(path: Path, source: Image) -> tuple[Image, NDArray[np.bool_] | None]:
    """A result as it would be seen: laid over the source where it has an alpha channel, at the source's size.

    Second: bool [H, W], where the drawing covers the source, or None where the result has no alpha channel.

    Raises:
        DataError: unreadable, or of another aspect ratio than the source: not its partner.
    """
    result = read_picture(path)
    height, width = source.shape[:2]
    if abs(result.shape[1] / result.shape[0] - width / height) > 0.02 * width / height:
        raise DataError(
            f"{path.name} is {result.shape[1]}x{result.shape[0]}, its source {width}x{height}; "
            "a result must have the aspect ratio of its source"
        )
    if result.shape[:2] != (height, width):
        shrinks = result.shape[0] > height
        result = cv2.resize(result, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    if result.shape[2] == 3:
        return result, None
    weight = result[..., 3:].astype(np.float32) / 255
    blended = result[..., :3] * weight + source * (1 - weight)
    seen: Image = np.round(blended).astype(np.uint8)
    return seen, result[..., 3] > 127
