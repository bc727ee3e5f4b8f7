"""Preparing data: faces, four-panel pictures, smoothed edges, published data sets, splits."""

import bz2
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError
from toonfilter.train.data import edges, face_crops, published, splits, voila
from toonfilter.train.data.datasets import open_data
from toonfilter.train.data.pictures import picture_name, picture_paths, read_rgb, read_rgba, write_png
from toonfilter.train.recipe import DataSettings

Image = NDArray[np.uint8]


def astronaut() -> Image:
    data = pytest.importorskip("skimage.data")
    image: Image = data.astronaut()
    return image


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, face_crops.FacesResult]:
    folder, out = tmp_path_factory.mktemp("people"), tmp_path_factory.mktemp("crops")
    image = astronaut()
    write_png(folder / "a.png", image)
    cv2.imwrite(str(folder / "b_again.jpg"), cv2.resize(image[..., ::-1], (400, 400), interpolation=cv2.INTER_AREA))
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    write_png(folder / "c_gray.png", gray)
    sepia = np.clip(gray * np.array([1.0, 0.85, 0.65]), 0, 255).astype(np.uint8)
    write_png(folder / "d_sepia.png", sepia)
    small = cv2.resize(image, (200, 200), interpolation=cv2.INTER_AREA)
    write_png(folder / "e_small.png", np.pad(small, ((60, 60), (60, 60), (0, 0)), mode="reflect"))
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3)).astype(np.uint8)
    write_png(folder / "f_noise.png", noise)
    (folder / "g_damaged.jpg").write_bytes(b"no picture")
    write_png(folder / "h_two.png", np.concatenate([image, image[:, ::-1]], axis=1))
    settings = face_crops.FaceSettings(size_px=128, min_face_px=60)
    return folder, out, face_crops.crop_folder(folder, out, settings)


def test_faces_are_kept_or_dropped_for_a_reported_reason(
    faces: tuple[Path, Path, face_crops.FacesResult],
) -> None:
    _, out, result = faces
    assert result.pictures == 8
    assert result.written == 1
    assert result.reasons == {
        "b_again.jpg": "duplicate",
        "c_gray.png": "grayscale",
        "d_sepia.png": "grayscale",
        "e_small.png": "face too small",
        "f_noise.png": "no face",
        "g_damaged.jpg": "unreadable",
        "h_two.png": "several faces",
    }
    assert sum(result.dropped.values()) == 7
    assert splits.read_identities(out) == {"a": "a"}


def test_crops_are_aligned_and_carry_landmarks(faces: tuple[Path, Path, face_crops.FacesResult]) -> None:
    _, out, _ = faces
    crop = read_rgb(out / "photo" / "a.png")
    points = np.load(out / "landmarks" / "a.npy")
    assert crop is not None
    assert crop.shape == (128, 128, 3)
    assert points.shape == (478, 2)
    assert points.dtype == np.float32
    # The irises are level and around the middle of the crop.
    assert abs(points[468, 1] - points[473, 1]) < 6
    assert 40 < points[[468, 473], 0].mean() < 88
    assert points.min() > 0
    assert points.max() < 128


def test_gray_and_colour() -> None:
    image = astronaut()
    assert not face_crops.is_grayscale(image)
    assert face_crops.is_grayscale(np.repeat(image[..., :1], 3, axis=2))


def test_no_pictures_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures"):
        picture_paths(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        picture_paths(tmp_path / "none")


def test_png_round_trip_with_alpha(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (5, 7, 4)).astype(np.uint8)
    write_png(tmp_path / "x.png", image)
    again = read_rgba(tmp_path / "x.png")
    assert again is not None
    assert np.array_equal(again, image)
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


def drawing(seed: int, size: int) -> Image:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def four_panels(seed: int, emoji: bool, border_px: int) -> Image:
    panels = [drawing(seed * 4 + n, 120) for n in range(4)]
    if emoji:
        cv2.circle(panels[3], (104, 104), 10, (255, 220, 40), -1)
        cv2.circle(panels[3], (100, 101), 2, (60, 40, 0), -1)
        cv2.circle(panels[3], (108, 101), 2, (60, 40, 0), -1)
    framed = [np.pad(p, ((border_px,) * 2, (border_px,) * 2, (0, 0)), constant_values=255) for p in panels]
    rows = [np.concatenate(framed[:2], axis=1), np.concatenate(framed[2:], axis=1)]
    return np.concatenate(rows, axis=0)


@pytest.mark.parametrize("border_px", [0, 3])
def test_voila_splits_and_removes_the_emoji(tmp_path: Path, border_px: int) -> None:
    for seed in range(12):
        write_png(tmp_path / "in" / f"{seed:02}.png", four_panels(seed, emoji=True, border_px=border_px))
    (tmp_path / "in" / "damaged.png").write_bytes(b"")
    write_png(tmp_path / "in" / "wide.png", np.zeros((60, 300, 3), np.uint8))
    settings = voila.VoilaSettings(size_px=120)
    result = voila.split_folder(tmp_path / "in", tmp_path / "out", settings)
    assert result.written == 12
    assert result.unreadable == ("damaged.png",)
    assert result.not_four_panels == ("wide.png",)
    assert result.masked_share_photo == 0
    photo, cartoon = (read_rgb(tmp_path / "out" / side / "03.png") for side in ("photo", "cartoon"))
    assert photo is not None
    assert cartoon is not None
    assert np.abs(photo.astype(int) - drawing(12, 120)).mean() < 3
    mask = read_rgb(tmp_path / "out" / "mask" / "cartoon.png")
    assert mask is not None
    covered = mask[..., 0] > 0
    y, x = np.mgrid[:120, :120]
    inside = (x - 104) ** 2 + (y - 104) ** 2 <= 10**2
    assert covered[inside].mean() > 0.99
    assert covered.sum() < 2.2 * inside.sum()
    # The yellow is gone, the rest is untouched.
    original = drawing(15, 120)
    assert np.abs(cartoon[~covered].astype(int) - original[~covered]).mean() < 3
    yellow = np.abs(cartoon[inside].astype(int) - np.array([255, 220, 40])).sum(1) < 20
    assert yellow.mean() < 0.1


def test_selfies_are_no_collages_and_do_not_hide_the_emoji(tmp_path: Path) -> None:
    data = pytest.importorskip("skimage.data")
    selfies = [astronaut(), astronaut()[:400, 60:460], astronaut()[:, ::-1].copy(), data.chelsea(), data.coffee()]
    selfies.append(cv2.resize(astronaut(), (300, 330)))
    for number, selfie in enumerate(selfies):
        write_png(tmp_path / "in" / f"selfie{number}.png", np.ascontiguousarray(selfie[:, : selfie.shape[0]]))
    for seed in range(12):
        write_png(tmp_path / "in" / f"{seed:02}.png", four_panels(seed, emoji=True, border_px=0))
    result = voila.split_folder(tmp_path / "in", tmp_path / "out", voila.VoilaSettings(size_px=120))
    assert result.written == 12
    assert result.not_four_panels == tuple(f"selfie{number}.png" for number in range(6))
    assert result.masked_share_cartoon > 0.02


def test_a_seam_is_found_where_one_side_has_the_same_backdrop() -> None:
    collage = four_panels(1, emoji=False, border_px=0)
    collage[40:120] = 230
    collage[120:200] = 200
    panels = voila.split_panels(collage, 120)
    assert panels is not None
    collage[:, 120:] = collage[:, 119::-1]
    assert voila.split_panels(collage, 120) is None


def test_voila_finds_no_overlay_where_there_is_none() -> None:
    panels = [drawing(n, 120) for n in range(12)]
    assert not voila.find_overlay(panels).any()
    # A white backdrop in the corners is the same everywhere, and is no watermark.
    for panel in panels:
        panel[:50] = 255
    assert not voila.find_overlay(panels).any()


def test_voila_names_an_unknown_panel(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="middle"):
        voila.split_folder(tmp_path, tmp_path, voila.VoilaSettings(photo_panel="middle"))


def test_edges_are_smoothed_and_nothing_else(tmp_path: Path) -> None:
    image = np.full((64, 64, 3), 240, np.uint8)
    image[:, 32:] = (30, 60, 90)
    smoothed = edges.smooth_edges(image)
    step = np.abs(np.diff(smoothed[32].astype(int), axis=0)).max()
    assert step < 0.7 * np.abs(np.diff(image[32].astype(int), axis=0)).max()
    assert np.array_equal(smoothed[:, :24], image[:, :24])
    assert np.array_equal(smoothed[:, 40:], image[:, 40:])
    write_png(tmp_path / "cartoon" / "a.png", np.dstack([image, np.full((64, 64), 200, np.uint8)]))
    (tmp_path / "cartoon" / "b.png").write_bytes(b"damaged")
    result = edges.smooth_folder(tmp_path / "cartoon", tmp_path / "edges")
    assert (result.written, result.unreadable) == (1, ("b.png",))
    again = read_rgba(tmp_path / "edges" / "a.png")
    assert again is not None
    assert (again[..., 3] == 200).all()


def celeba(root: Path, partition: bool) -> None:
    for number in range(1, 41):
        write_png(root / "img_align_celeba" / f"{number:06}.png", np.zeros((8, 8, 3), np.uint8))
    names = [f"{number:06}.png" for number in range(1, 41)]
    (root / "identity_CelebA.txt").write_text("\n".join(f"{n} {i // 2}" for i, n in enumerate(names)))
    rows = [f"{n} " + " ".join(str(v) for v in range(10)) for n in names[:-1]]
    (root / "list_landmarks_align_celeba.txt").write_text("40\nlefteye_x lefteye_y ...\n" + "\n".join(rows))
    if partition:
        (root / "list_eval_partition.txt").write_text(
            "\n".join(f"{n} {0 if i < 30 else 1}" for i, n in enumerate(names))
        )


@pytest.mark.parametrize("partition", [True, False])
def test_celeba_as_published(tmp_path: Path, partition: bool) -> None:
    celeba(tmp_path, partition)
    pictures = published.read_celeba(tmp_path)
    assert len(pictures) == 40
    by_split = {s: [p.identity for p in pictures if p.split == s] for s in ("train", "validation")}
    assert not set(by_split["train"]) & set(by_split["validation"])
    assert len(by_split["validation"]) == (10 if partition else len(by_split["validation"]))
    assert pictures[0].points is not None
    assert pictures[0].points.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert pictures[-1].points is None


def test_celeba_trains_beside_a_folder_of_cartoons(tmp_path: Path) -> None:
    from toonfilter.train.data.datasets import open_data
    from toonfilter.train.recipe import DataSettings

    celeba(tmp_path, partition=True)
    for number in range(40):
        write_png(tmp_path / "cartoon" / f"{number}.png", np.full((8, 8, 3), 200, np.uint8))
    settings = DataSettings(layout="unpaired", size_px=8)
    sides = {part: open_data(tmp_path, settings, part) for part in ("train", "validation")}  # type: ignore[arg-type]
    assert [len(side) for side in sides.values()] == [30, 10]
    assert len(sides["train"].others) + len(sides["validation"].others) == 40
    sample = sides["train"][0]
    assert (sample["source"].max(), sample["target"].min()) == (0, 200)


def test_celeba_without_its_lists_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="img_align_celeba"):
        published.read_celeba(tmp_path)
    write_png(tmp_path / "img_align_celeba" / "1.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match="identity_CelebA"):
        published.read_celeba(tmp_path)
    (tmp_path / "identity_CelebA.txt").write_text("1.png\n")
    with pytest.raises(DataError, match="line 1 has 1 columns"):
        published.read_celeba(tmp_path)


def test_celeba_labels_choose_pictures(tmp_path: Path) -> None:
    names = [f"{number:06}.jpg" for number in range(1, 5)]
    for name in names:
        path = tmp_path / "img_align_celeba" / name
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "identity_CelebA.txt").write_text("".join(f"{name} {number}\n" for number, name in enumerate(names)))
    rows = ["1 -1 -1", "1 1 -1", "-1 -1 -1", "-1 1 1"]
    lines = [f"{name}  {row}" for name, row in zip(names, rows, strict=True)]
    (tmp_path / "list_attr_celeba.txt").write_text("\n".join(["4", "Smiling Eyeglasses Hat", *lines]) + "\n")
    pictures = published.read_celeba(tmp_path)
    assert [sorted(p.labels) for p in pictures] == [["Smiling"], ["Eyeglasses", "Smiling"], [], ["Eyeglasses", "Hat"]]

    def chosen(*wanted: str) -> list[str]:
        return [p.path.name for p in published.labelled(pictures, wanted)]

    assert chosen("Smiling") == names[:2]
    assert chosen("Smiling", "!Eyeglasses") == names[:1]
    assert chosen("!Hat") == names[:3]
    assert chosen() == names
    with pytest.raises(DataError, match="no picture has the label 'Beard'; there are: Eyeglasses, Hat, Smiling"):
        chosen("!Beard")


def test_colorferet_as_published(tmp_path: Path) -> None:
    ppm = b"P6 2 1 255\n" + bytes([10, 20, 30, 250, 240, 230])
    for disc, person, name, is_packed in (
        ("dvd1", "00001", "00001_930831_fa_a.ppm", True),
        ("dvd1", "00001", "00001_930831_pl.ppm", False),
        ("dvd2", "00740", "00740_941121_fb.ppm", False),
    ):
        folder = tmp_path / disc / "data" / "images" / person
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (name + ".bz2" if is_packed else name)
        path.write_bytes(bz2.compress(ppm) if is_packed else ppm)
    (tmp_path / "dvd1" / "data" / "images" / "00001" / "notes.png").write_bytes(b"")
    pictures = published.read_colorferet(tmp_path)
    assert [(p.identity, sorted(p.labels)) for p in pictures] == [
        ("colorferet_00001", ["fa"]),
        ("colorferet_00001", ["pl"]),
        ("colorferet_00740", ["fb"]),
    ]
    for picture in pictures:
        image = read_rgb(picture.path)
        assert image is not None
        assert image.tolist() == [[[10, 20, 30], [250, 240, 230]]]
    assert picture_name(pictures[0].path) == "00001_930831_fa_a"
    assert published.published_identities(tmp_path)["00001_930831_pl.ppm"] == "colorferet_00001"
    frontal = open_data(tmp_path, DataSettings(layout="single", size_px=2, labels=("!pl",)), pictures[0].split)
    assert all("pl" not in entry.name for entry in frontal.entries)
    (tmp_path / "broken.ppm.bz2").write_bytes(b"BZh9 nothing")
    assert read_rgb(tmp_path / "broken.ppm.bz2") is None


def test_selfie2anime_as_published(tmp_path: Path) -> None:
    for folder, count in (("trainA", 3), ("trainB", 2), ("testA", 1), ("testB", 1)):
        for number in range(count):
            write_png(tmp_path / folder / f"{number}.png", np.zeros((8, 8, 3), np.uint8))
    selfies, anime = published.read_selfie2anime(tmp_path)
    assert [p.split for p in selfies] == ["train"] * 3 + ["validation"]
    assert [p.split for p in anime] == ["train"] * 2 + ["validation"]
    assert len({p.identity for p in selfies + anime}) == 7


def test_splits_are_stable_and_one_in_ten() -> None:
    identities = [f"person {n}" for n in range(2000)]
    held_out = [i for i in identities if splits.split_of(i) == "validation"]
    assert 150 < len(held_out) < 250
    assert held_out == [i for i in reversed(identities) if splits.split_of(i) == "validation"][::-1]


def test_one_person_is_on_one_side_only(tmp_path: Path) -> None:
    from toonfilter.train.data.datasets import open_data
    from toonfilter.train.recipe import DataSettings

    people = {f"{person}_{n}": f"person {person}" for person in range(30) for n in range(3)}
    for name in people:
        write_png(tmp_path / "photo" / f"{name}.png", np.zeros((8, 8, 3), np.uint8))
    splits.write_identities(tmp_path, people)
    assert splits.read_identities(tmp_path) == people
    settings = DataSettings(layout="single", size_px=8)
    sides = {}
    for part in ("train", "validation"):
        data = open_data(tmp_path, settings, part)  # type: ignore[arg-type]
        sides[part] = {people[entry.name] for entry in data.entries}
    assert not sides["train"] & sides["validation"]
    assert len(sides["train"] | sides["validation"]) == 30
    (tmp_path / "identities.json").write_text("[]")
    with pytest.raises(DataError, match="identities"):
        splits.read_identities(tmp_path)
