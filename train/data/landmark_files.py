"""Landmarks beside the pictures: photo/NAME.png has landmarks/NAME.npy, cartoon/NAME.png cartoon_landmarks/NAME.npy.

Each file holds float32 [P, 2] in the picture's pixels, pixel centres at whole numbers; `toonfilter prepare` writes the
478 points of the face mesh.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.faces.still_faces import UPRIGHT, StillFaceFinder
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.train.data.pictures import picture_name, picture_paths, read_rgb

_FOLDERS = {"photo": "landmarks", "cartoon": "cartoon_landmarks"}


@dataclass(frozen=True)
class LandmarksResult:
    """What `find_landmarks` did: files written, and pictures in which no face was found, by folder."""

    written: int
    without_face: tuple[str, ...]


def landmarks_path(root: Path, folder: str, name: str) -> Path:
    """Return where the landmarks of a picture are. folder: "photo" or "cartoon"."""
    return root / _FOLDERS[folder] / f"{name}.npy"


def has_landmarks(root: Path, folder: str, name: str) -> bool:
    """Whether the picture has landmarks; pictures without them are left out where a recipe needs them."""
    return landmarks_path(root, folder, name).is_file()


def read_landmarks(path: Path) -> Any:
    """Return float32 [P, 2] px, or None for a damaged file."""
    try:
        points = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None
    if points.ndim != 2 or points.shape[1] < 2 or not np.isfinite(points).all():
        return None
    return np.ascontiguousarray(points[:, :2], np.float32)


def find_landmarks(root: Path, report: ShowProgress | None = None) -> LandmarksResult:
    """Find the face mesh in every picture of ROOT/photo and ROOT/cartoon and write it beside them.

    Raises:
        DataError: neither folder has pictures, or the disk does not take the files.
    """
    found = [(folder, path) for folder in _FOLDERS if (root / folder).is_dir() for path in picture_paths(root / folder)]
    if not found:
        raise DataError(f"{root}: neither photo nor cartoon has pictures")
    finder = StillFaceFinder(turns=UPRIGHT)
    written, without = 0, []
    try:
        for number, (folder, path) in enumerate(found):
            image = read_rgb(path)
            faces = [] if image is None else finder.find(image)[0]
            if faces:
                target = landmarks_path(root, folder, picture_name(path))
                target.parent.mkdir(parents=True, exist_ok=True)
                largest = max(faces, key=lambda face: face.fit.scale)
                np.save(target, largest.landmarks[:, :2])
                written += 1
            else:
                without.append(f"{folder}/{path.name}")
            if report is not None:
                report(Progress(number + 1, len(found), "pictures"))
    except OSError as error:
        raise DataError(f"{root}: landmarks cannot be written: {error.strerror}") from error
    finally:
        finder.close()
    return LandmarksResult(written, tuple(without))
