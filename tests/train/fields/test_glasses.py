"""The model of glasses' frames, fitted to what people said of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.fields import field_index
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.lens import lens_points
from toonfilter.runtime.render.measures.glasses import RIM_TARGETS, SIZE_TARGETS, FrameModel, lens_radii
from toonfilter.train.data.fields.fits import Fit
from toonfilter.train.data.fields.glasses import (
    COLUMNS,
    fit_frames,
    read_frame_samples,
    read_frames,
    write_frames,
)
from toonfilter.train.data.fields.store import Entry, LabelStore

_TURN = np.linspace(0, 2 * np.pi, 72, endpoint=False)
COUNT = 60


def with_glasses(
    photo: NDArray[np.uint8], landmarks: NDArray[np.float32], sizes: NDArray[np.float32], width: float, level: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The photo with a drawn frame, and the plane of glasses."""
    face, worn, plane = FaceGeometry.of(landmarks), photo.copy(), np.zeros(photo.shape[:2], np.uint8)
    radii = lens_radii(sizes)
    outline = np.stack([radii * np.cos(_TURN), radii * np.sin(_TURN)], 1).astype(np.float32)
    thickness = max(1, round(width * face.unit_px))
    for side in (0, 1):
        points = [np.rint(lens_points(face, outline, side)).astype(np.int32)]
        cv2.fillPoly(plane, points, 255)
        cv2.polylines(plane, points, True, 255, thickness)
        cv2.polylines(worn, points, True, (level,) * 3, thickness, cv2.LINE_AA)
    return worn, plane


@pytest.fixture(scope="module")
def fitted(portrait, tmp_path_factory) -> tuple[Fit[FrameModel], Path]:
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(2)
    store = LabelStore.create(folder, [Entry(f"{n}.png", f"p{n}", f"c{n}", "painted") for n in range(COUNT)])
    lines = [",".join(COLUMNS)]
    for number in range(COUNT):
        rim, level = int(rng.integers(1, 5)), int(rng.choice([15, 225]))
        sizes = np.float32([*rng.uniform((0.40, 0.32, 0.15, 0.25), (0.52, 0.42, 0.32, 0.45)), 2.6])
        width = (0.010, 0.015, 0.028, 0.044, 0.062)[rim]
        worn, plane = with_glasses(portrait.photo, portrait.landmarks, sizes, width, level)
        store["photo"][number], store["mesh"][number] = worn, portrait.landmarks
        store["labels"][number, ..., field_index("glasses")] = plane
        numbers = ",".join(f"{value:.3f}" for value in sizes[:4])
        lines.append(f"{number}.png,{numbers},other,{rim},0,{level:02x}{level:02x}{level:02x}")
    said = folder / "said.csv"
    said.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return fit_frames(read_frame_samples(LabelStore(folder), read_frames(said))), folder


def test_a_fit_tells_size_width_and_lightness(fitted: tuple[Fit[FrameModel], Path]) -> None:
    fit, folder = fitted
    assert fit.count == COUNT
    assert list(fit.correlations) == [*SIZE_TARGETS, *RIM_TARGETS]
    for name in ("outer", "top", "bottom", "log_width", "lightness"):
        assert fit.correlations[name] > 0.6, name
    write_frames(fit.model, folder / "glasses.npz")
    with np.load(folder / "glasses.npz") as archive:
        assert set(archive) == {"sizes", "sizes_bias", "rim", "rim_bias"}
        assert archive["rim"].shape[0] == len(RIM_TARGETS)


def test_few_faces_are_refused(store) -> None:
    with pytest.raises(DataError, match="at least 50"):
        read_frame_samples(store, {"0.png": np.zeros(10)})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.png,0.4,0.4,0.2,0.4,hexagon,1,0,101010", "line 2: shape is 'hexagon'; must be one of round"),
        ("a.png,4,0.4,0.2,0.4,round,1,0,101010", "line 2: outer is '4'; must be 0 to 1"),
        ("a.png,0.4,0.4,0.2,0.4,round,9,0,101010", "line 2: rim is '9'; must be 0 to 4"),
        ("a.png,0.4,0.4,0.2,0.4,round,1,0,red", "line 2: colour is 'red'; must be six hexadecimal digits"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "said.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{row}\n", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_frames(path)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "said.csv"
    path.write_text("file,outer\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column bottom, colour, inner"):
        read_frames(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"\xff\xfe", "no CSV file in UTF-8"), (b'file,outer\n"a,1\n', "no column|no CSV file")],
)
def test_lists_that_cannot_be_read_are_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "said.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_frames(path)
