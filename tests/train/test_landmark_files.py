"""Landmarks beside the pictures: found, read, scaled and joined to the right picture."""

from pathlib import Path

import numpy as np
import pytest

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.data.datasets import open_data
from toonfilter.train.data.landmark_files import find_landmarks, landmarks_path, read_landmarks
from toonfilter.train.data.pictures import write_png
from toonfilter.train.data.splits import split_of
from toonfilter.train.recipe import DataSettings


def spotted_folder(root: Path) -> None:
    """Pictures of one white spot each, with the landmark at the spot; other spots for the cartoons."""
    random = np.random.default_rng(0)
    for folder in ("photo", "cartoon"):
        for number in range(24):
            image = np.zeros((32, 32, 3), np.uint8)
            y, x = random.integers(2, 30, 2)
            image[y, x] = 255
            write_png(root / folder / f"{number}.png", image)
            path = landmarks_path(root, folder, str(number))
            path.parent.mkdir(parents=True, exist_ok=True)
            if number != 3:
                np.save(path, np.array([[x, y]], np.float32))


@pytest.mark.parametrize("layout", ["paired", "unpaired"])
@pytest.mark.parametrize("direction", ["photo-to-cartoon", "cartoon-to-photo"])
def test_landmarks_stay_with_their_picture(tmp_path: Path, layout: str, direction: str) -> None:
    spotted_folder(tmp_path)
    settings = DataSettings(
        layout=layout,  # type: ignore[arg-type]
        direction=direction,  # type: ignore[arg-type]
        size_px=32,
        landmarks=True,
    )
    data = open_data(tmp_path, settings, "train")
    expected = [n for n in range(24) if split_of(str(n)) == "train" and n != 3]
    assert len(data) == len(expected)
    for index in range(len(data)):
        sample = data[index]
        for picture, marks in (("source", "landmarks"), ("target", "target_landmarks")):
            (x, y), *_ = sample[marks].tolist()
            assert int(sample[picture][0, int(y), int(x)]) == 255


def test_landmarks_are_scaled_with_the_picture(tmp_path: Path) -> None:
    spotted_folder(tmp_path)
    big = open_data(tmp_path, DataSettings(size_px=32, landmarks=True), "train")[0]["landmarks"]
    small = open_data(tmp_path, DataSettings(size_px=16, landmarks=True), "train")[0]["landmarks"]
    np.testing.assert_allclose((small + 0.5) * 2, big + 0.5, atol=1e-5)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        # 80 x 40 to 32 x 32: 0.4 across, 0.8 down; (79.5, 19.5) + 0.5 is the right edge of the middle.
        ("stretch", (31.5, 15.5)),
        # 20 px fall away on the left, then 40 px become 32: a point at 59.5 is at the right edge.
        ("crop", (31.5, 15.5)),
        # 20 px come on above, then 80 px become 32.
        ("pad", (31.5, 15.5)),
    ],
)
def test_landmarks_of_pictures_that_are_not_square(tmp_path: Path, how: str, expected: tuple[float, float]) -> None:
    x = 59.5 if how == "crop" else 79.5
    for number in range(3):
        for folder in ("photo", "cartoon"):
            write_png(tmp_path / folder / f"{number}.png", np.zeros((40, 80, 3), np.uint8))
            path = landmarks_path(tmp_path, folder, str(number))
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.array([[x, 19.5]], np.float32))
    settings = DataSettings(size_px=32, landmarks=True, fit=how)  # type: ignore[arg-type]
    sample = open_data(tmp_path, settings, "train")[0]
    assert sample["source"].shape == (3, 32, 32)
    np.testing.assert_allclose(sample["landmarks"][0], expected, atol=1e-4)
    np.testing.assert_allclose(sample["target_landmarks"][0], expected, atol=1e-4)


def test_landmarks_allow_no_augmentation_that_does_not_move_them(tmp_path: Path) -> None:
    spotted_folder(tmp_path)
    with pytest.raises(ConfigError, match="landmarks"):
        open_data(tmp_path, DataSettings(size_px=32, landmarks=True, augment="flip"), "train")


def test_found_in_photos_and_drawings(tmp_path: Path) -> None:
    image = pytest.importorskip("skimage.data").astronaut()
    write_png(tmp_path / "photo" / "a.png", image)
    write_png(tmp_path / "cartoon" / "a.png", image[:, ::-1].copy())
    write_png(tmp_path / "cartoon" / "b.png", np.zeros((64, 64, 3), np.uint8))
    result = find_landmarks(tmp_path)
    assert result.written == 2
    assert result.without_face == ("cartoon/b.png",)
    photo = read_landmarks(landmarks_path(tmp_path, "photo", "a"))
    cartoon = read_landmarks(landmarks_path(tmp_path, "cartoon", "a"))
    assert photo.shape == (478, 2)
    assert abs((511 - cartoon[1, 0]) - photo[1, 0]) < 6
    landmarks_path(tmp_path, "photo", "a").write_bytes(b"damaged")
    assert read_landmarks(landmarks_path(tmp_path, "photo", "a")) is None
