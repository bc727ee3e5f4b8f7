"""Data sets as they are published: CelebA, colorFERET, selfie2anime. Nothing is converted; lists point at the files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError
from toonfilter.train.data.pictures import picture_name, picture_paths
from toonfilter.train.data.splits import Split, split_of


@dataclass(frozen=True)
class Picture:
    """One picture of a data set.

    identity: who is on it; the file's own name where the data set does not say.
    points: float32 [5,2] pixels (left eye, right eye, nose, left and right corner of the mouth), or None.
    labels: what the data set says is true of it: CelebA's attributes ("Smiling"), colorFERET's pose ("fa").
    """

    path: Path
    identity: str
    split: Split
    points: NDArray[np.float32] | None = None
    labels: frozenset[str] = frozenset()


def _table(path: Path, header_lines: int, columns: int) -> dict[str, list[str]]:
    """Read NAME VALUE VALUE... lines.

    Raises:
        DataError: no such file, or a line with another number of columns.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[header_lines:]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; it comes with CelebA") from error
    table = {}
    for number, line in enumerate(lines, header_lines + 1):
        parts = line.replace(",", " ").split()
        if not parts:
            continue
        if len(parts) != columns + 1:
            raise DataError(f"{path}: line {number} has {len(parts)} columns; expected {columns + 1}")
        table[parts[0]] = parts[1:]
    return table


def _celeba_file(root: Path, name: str) -> Path:
    for folder in (root, root / "Anno", root / "Eval"):
        if (folder / name).is_file():
            return folder / name
    return root / name


def read_celeba(root: Path) -> list[Picture]:
    """Read CelebA (Liu et al. 2015): img_align_celeba/, identity_CelebA.txt, list_landmarks_align_celeba.txt.

    The published partition (list_eval_partition.txt) is already disjoint by identity; where that file is there, its
    0 is train and its 1 and 2 are validation. Without it the split is by hash of the identity. Pictures that a list
    names but the folder does not have are left out.

    Raises:
        DataError: no pictures, no identities, or a list of another form.
    """
    folder = next((p for p in (root / "img_align_celeba", root / "Img" / "img_align_celeba") if p.is_dir()), None)
    if folder is None:
        raise DataError(f"{root}: no folder img_align_celeba; unpack CelebA's aligned pictures there")
    if (folder / "img_align_celeba").is_dir():
        folder = folder / "img_align_celeba"
    identities = _table(_celeba_file(root, "identity_CelebA.txt"), 0, 1)
    landmarks_file = _celeba_file(root, "list_landmarks_align_celeba.txt")
    landmarks = _table(landmarks_file, 2, 10) if landmarks_file.is_file() else {}
    partition_file = _celeba_file(root, "list_eval_partition.txt")
    partition = _table(partition_file, 0, 1) if partition_file.is_file() else {}
    labels = _celeba_labels(root)
    pictures = []
    for path in picture_paths(folder):
        if path.name not in identities:
            continue
        identity = f"celeba_{identities[path.name][0]}"
        points = landmarks.get(path.name)
        pictures.append(
            Picture(
                path,
                identity,
                _celeba_split(partition, path.name, identity),
                None if points is None else np.array(points, np.float32).reshape(5, 2),
                labels.get(path.name, frozenset()),
            )
        )
    if not pictures:
        raise DataError(f"{folder}: none of its pictures is named in identity_CelebA.txt")
    return pictures


def _celeba_labels(root: Path) -> dict[str, frozenset[str]]:
    """The attributes that are true of each picture, by file name; empty where list_attr_celeba.txt is not there.

    Raises:
        DataError: the list has another form.
    """
    path = _celeba_file(root, "list_attr_celeba.txt")
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    names = lines[1].split() if len(lines) > 1 else []
    if not names:
        raise DataError(f"{path}: no attributes in its second line; it comes with CelebA")
    table = _table(path, 2, len(names))
    return {
        picture: frozenset(name for name, value in zip(names, values, strict=True) if value == "1")
        for picture, values in table.items()
    }


def labelled(pictures: Sequence[Picture], wanted: Sequence[str]) -> list[Picture]:
    """Those of which every label of `wanted` is true, or not, where "!" stands before it.

    Raises:
        DataError: a label that no picture has, so a wrong name is not taken for an empty data set.
    """
    known = frozenset().union(*(picture.labels for picture in pictures)) if pictures else frozenset()
    for label in wanted:
        if label.removeprefix("!") not in known:
            names = ", ".join(sorted(known)) or "none; the list of labels is missing"
            raise DataError(f"data.labels: no picture has the label {label.removeprefix('!')!r}; there are: {names}")
    return [
        picture
        for picture in pictures
        if all((label.removeprefix("!") in picture.labels) != label.startswith("!") for label in wanted)
    ]


# NNNNN_YYMMDD_POSE, and letters for glasses or other hair behind it.
_FERET_NAME = re.compile(r"(\d{5})_(\d{6})_([a-z]{2})(?:_[a-z]+)?")


def is_colorferet(root: Path) -> bool:
    """Whether a folder has colorFERET's layout: data/images/NNNNN in it, or in its dvd1 and dvd2."""
    return bool(_feret_folders(root))


def _feret_folders(root: Path) -> list[Path]:
    places = [root / "data" / "images", *(root / disc / "data" / "images" for disc in ("dvd1", "dvd2"))]
    return [place for place in places if place.is_dir()]


def read_colorferet(root: Path) -> list[Picture]:
    """Read colorFERET (Phillips et al. 2000): data/images/NNNNN/NNNNN_YYMMDD_POSE.ppm, packed by bzip2 or not.

    Identity is the number of the person, the label the pose: fa and fb are frontal, h, q and p half, quarter and full
    profiles (l, r), r with another letter is random. The split is by hash of the identity.

    Raises:
        DataError: not this layout, or no picture with such a name.
    """
    folders = _feret_folders(root)
    if not folders:
        raise DataError(f"{root}: no data/images in it; unpack colorFERET there")
    pictures = []
    for path in (path for folder in folders for path in picture_paths(folder)):
        name = _FERET_NAME.fullmatch(picture_name(path))
        if name is not None:
            identity = f"colorferet_{name[1]}"
            pictures.append(Picture(path, identity, split_of(identity), labels=frozenset({name[3]})))
    if not pictures:
        raise DataError(f"{root}: no picture is named like 00001_930831_fa.ppm; expected colorFERET's names")
    return pictures


def published_identities(root: Path) -> dict[str, str]:
    """Return who is on each picture of CelebA or colorFERET, by file name; empty where `root` is another data set."""
    if is_colorferet(root):
        return {picture.path.name: picture.identity for picture in read_colorferet(root)}
    return celeba_identities(root)


def celeba_identities(root: Path) -> dict[str, str]:
    """Return who is on each picture of CelebA, by file name; empty where `root` is another data set."""
    path = _celeba_file(root, "identity_CelebA.txt")
    return {name: f"celeba_{values[0]}" for name, values in _table(path, 0, 1).items()} if path.is_file() else {}


def _celeba_split(partition: Mapping[str, list[str]], name: str, identity: str) -> Split:
    if name in partition:
        return "train" if partition[name][0] == "0" else "validation"
    return split_of(identity)


def read_selfie2anime(root: Path) -> tuple[list[Picture], list[Picture]]:
    """Read selfie2anime (Kim et al. 2020): trainA, testA (selfies), trainB, testB (anime).

    Returns:
        Selfies and anime faces; trainX is train, testX is validation. Nobody is named twice in this data set.

    Raises:
        DataError: one of the four folders is missing or empty.
    """
    sides: list[list[Picture]] = []
    for letter in "AB":
        side = []
        for folder, split in (("train", "train"), ("test", "validation")):
            paths = picture_paths(root / f"{folder}{letter}")
            side += [Picture(p, f"selfie2anime_{folder}{letter}_{p.stem}", _as_split(split)) for p in paths]
        sides.append(side)
    return sides[0], sides[1]


def _as_split(text: str) -> Split:
    return "train" if text == "train" else "validation"
