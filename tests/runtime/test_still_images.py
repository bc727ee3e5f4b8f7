from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.errors import BackendError, CaptureError, OutputError
from toonfilter.runtime.frames import PrivacyState
from toonfilter.runtime.still_images import StillFilter, StillSettings, convert_pictures, plan_pictures, read_picture

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def still(tiny_bundle: Bundle) -> StillFilter:
    return StillFilter(StillSettings(style=str(tiny_bundle.folder), engine="onnxruntime"))


@pytest.fixture
def photo(astronaut: Image, tmp_path: Path) -> Path:
    path = tmp_path / "in" / "sub" / "photo.png"
    path.parent.mkdir(parents=True)
    cv2.imwrite(str(path), astronaut[..., ::-1])
    return path


def test_a_face_is_drawn_and_the_input_stays(still: StillFilter, astronaut: Image) -> None:
    before = astronaut.copy()
    safe = still.process(astronaut)
    assert np.array_equal(astronaut, before)
    assert (safe.state, safe.faces_found, safe.faces_covered) == (PrivacyState.PROTECTED, 1, 1)
    assert np.abs(safe.image[90:150, 200:250].astype(int) - astronaut[90:150, 200:250]).mean() > 15
    assert np.array_equal(safe.image[450:], astronaut[450:])


def test_two_faces_of_different_size(still: StillFilter, astronaut: Image) -> None:
    canvas = np.full((600, 1000, 3), 120, np.uint8)
    canvas[:512, :512] = astronaut
    canvas[100:356, 650:906] = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    safe = still.process(canvas)
    assert (safe.faces_found, safe.faces_covered) == (2, 2)


def test_without_a_face_the_whole_picture_is_pixelated(still: StillFilter) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    safe = still.process(noise)
    assert safe.state is PrivacyState.COVERED
    assert len(np.unique(safe.image.reshape(-1, 3), axis=0)) <= 12 * 12


@pytest.mark.usefixtures("photo")
def test_folder_keeps_names_and_sub_folders(still: StillFilter, tmp_path: Path) -> None:
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no picture")
    pairs = plan_pictures([tmp_path / "in"], tmp_path / "out", overwrite=False)
    results = {done.source.name: done for done in convert_pictures(pairs, still)}
    assert read_picture(tmp_path / "out" / "sub" / "photo.png").shape == (512, 512, 3)
    assert isinstance(results["bad.jpg"].error, CaptureError)
    assert not (tmp_path / "out" / "bad.jpg").exists()
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["photo.png"]


def test_targets_are_protected(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is an input"):
        plan_pictures([photo], photo, overwrite=True)
    target = tmp_path / "there.png"
    target.write_bytes(b"")
    with pytest.raises(OutputError, match="--overwrite"):
        plan_pictures([photo], target, overwrite=False)
    assert plan_pictures([photo], target, overwrite=True) == [(photo, target)]


@pytest.mark.parametrize(("content", "message"), [(b"", "0 bytes"), (b"text", "not a picture")])
def test_bad_pictures_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=message):
        read_picture(path)


def test_missing_input_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="does not exist"):
        plan_pictures([tmp_path / "no.png"], tmp_path / "x.png", overwrite=False)
    with pytest.raises(CaptureError, match="holds no pictures"):
        plan_pictures([tmp_path], tmp_path / "x", overwrite=False)


def test_engine_asked_by_name_never_falls_back(tiny_bundle: Bundle) -> None:
    with pytest.raises(BackendError, match="unknown engine 'cuda'"):
        StillFilter(StillSettings(style=str(tiny_bundle.folder), engine="cuda"))
