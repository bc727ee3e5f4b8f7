"""Folders as data: order, splits, directions, bad pictures, augmentation."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.train.data.augment import toon, wear
from toonfilter.train.data.datasets import BAD, Draw, RunOrder, open_data, to_floats
from toonfilter.train.data.pictures import write_png
from toonfilter.train.recipe import DataSettings, load_recipe
from toonfilter.train.validation import held_out_batches, spread

PAIRED = DataSettings(layout="paired", size_px=32, guidance=True)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    random, records = np.random.default_rng(0), []
    for number in range(8):
        photo = random.integers(0, 255, (64, 64, 3)).astype(np.uint8)
        alpha = np.full((64, 64, 1), 255, np.uint8)
        write_png(tmp_path / "photo" / f"{number}.png", photo)
        write_png(tmp_path / "cartoon" / f"{number}.png", np.concatenate([255 - photo, alpha], 2))
        write_png(tmp_path / "guidance" / f"{number}.png", photo // 2)
        records.append({"name": str(number), "split": "validation" if number == 7 else "train", "weight": 1 + number})
    (tmp_path / "pairs.json").write_text(json.dumps({"pairs": records}), encoding="utf-8")
    return tmp_path


def test_paired_folder_both_ways(pairs: Path) -> None:
    forth, back = (
        open_data(pairs, replace(PAIRED, direction=d), "train") for d in ("photo-to-cartoon", "cartoon-to-photo")
    )
    assert len(forth) == 7
    assert len(open_data(pairs, PAIRED, "validation")) == 1
    a, b = forth[2], back[2]
    assert torch.equal(a["source"], b["target"])
    assert torch.equal(a["target"], b["source"])
    assert a["matte"].shape == (1, 32, 32)
    floats = to_floats({name: value[None] for name, value in a.items()}, torch.device("cpu"))
    assert floats["matte"].max() == 1
    assert -1 <= floats["source"].min() < 0 < floats["source"].max() <= 1
    assert floats["guidance"].min() >= 0


def test_a_bad_picture_is_replaced_and_a_missing_guidance_is_named(pairs: Path) -> None:
    (pairs / "photo" / "2.png").write_bytes(b"nothing")
    data = open_data(pairs, PAIRED, "train")
    assert torch.equal(data[2]["target"], data[3]["target"])
    assert [data[n][BAD].tolist() for n in (1, 2, 3)] == [[-1, -1], [2, -1], [-1, -1]]
    (pairs / "guidance" / "4.png").unlink()
    with pytest.raises(DataError, match=r"guidance.4\.png: no such file"):
        open_data(pairs, PAIRED, "train")


def test_unpaired_and_single_folders(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for letter, shade in (("A", 50), ("B", 200)):
        for part in ("train", "test"):
            for number in range(3):
                picture = (random.integers(0, 20, (32, 32, 3)) + shade).astype(np.uint8)
                write_png(tmp_path / f"{part}{letter}" / f"{number}.png", picture)
    settings = DataSettings(layout="unpaired", size_px=32, augment="flip")
    sample = open_data(tmp_path, settings, "train")[1]
    (tmp_path / "trainB" / "0.png").write_bytes(b"nothing")
    spoiled = open_data(tmp_path, settings, "train")
    assert {tuple(spoiled[Draw(1, number)][BAD].tolist()) for number in range(20)} == {(-1, -1), (-1, 0)}
    assert sample["source"].float().mean() < 80 < 180 < sample["target"].float().mean()
    turned = open_data(tmp_path, replace(settings, direction="cartoon-to-photo"), "train")[1]
    assert turned["source"].float().mean() > 180
    for number in range(30):
        write_png(tmp_path / "faces" / f"{number}.png", np.full((32, 32, 3), number, np.uint8))
    single = DataSettings(layout="single", size_px=32)
    both = [len(open_data(tmp_path / "faces", single, split)) for split in ("train", "validation")]
    assert sum(both) == 30
    assert min(both) > 0


def test_pictures_that_are_not_square_keep_their_aspect_where_asked(tmp_path: Path) -> None:
    # A white disc of 20 px in the middle of 40 x 80.
    y, x = np.mgrid[:40, :80]
    disc = np.where((x - 39.5) ** 2 + (y - 19.5) ** 2 < 100, 255, 0).astype(np.uint8)
    for number in range(12):
        write_png(tmp_path / f"{number}.png", np.repeat(disc[..., None], 3, 2))
    shapes = {}
    for how in ("stretch", "crop", "pad"):
        settings = DataSettings(layout="single", size_px=80, fit=how)
        picture = open_data(tmp_path, settings, "train")[0]["source"][0].numpy() > 127
        # Beyond the middle half a padded picture is its own mirror image.
        shapes[how] = (picture[20:60].any(0).sum(), picture[20:60].any(1).sum())
    assert shapes == {"stretch": (20, 40), "crop": (40, 40), "pad": (20, 20)}


@pytest.mark.parametrize(("half", "level"), [("left", 40), ("right", 200)])
def test_two_pictures_side_by_side_are_a_pair(tmp_path: Path, half: str, level: int) -> None:
    both = np.full((16, 32, 3), 40, np.uint8)
    both[:, 16:] = 200
    for folder, count in (("train", 3), ("val", 2), ("test", 4)):
        for number in range(count):
            write_png(tmp_path / folder / f"{number}.png", both)
    settings = DataSettings(size_px=16, photo_half=half)  # type: ignore[arg-type]
    data = open_data(tmp_path, settings, "train")
    assert (len(data), len(open_data(tmp_path, settings, "validation"))) == (3, 2)
    sample = data[0]
    assert sample["source"].unique().tolist() == [level]
    assert sample["target"].unique().tolist() == [240 - level]


def test_memory_for_decoded_pictures_has_a_bound(pairs: Path) -> None:
    count = sum(path.is_file() for path in (pairs / "photo").iterdir())
    held = open_data(pairs, DataSettings(size_px=32, cache_mib=0), "train")
    free = open_data(pairs, DataSettings(size_px=32), "train")
    for index in range(len(held)):
        assert all(torch.equal(held[index][name], value) for name, value in free[index].items())
    assert count > 2
    assert held.cached_bytes == 0
    assert free.cached_bytes > 0
    for path in pairs.glob("*/*.*"):
        path.write_bytes(b"gone")
    assert free[0]["source"].shape == (3, 32, 32)
    with pytest.raises(DataError, match="cannot be read"):
        held[0]


def test_a_smaller_training_part_is_the_same_in_every_layout_and_leaves_the_held_out_one(pairs: Path) -> None:
    few = DataSettings(layout="paired", size_px=32, train_pictures=4)
    drawn = [entry.name for entry in open_data(pairs, few, "train").entries]
    assert len(drawn) == 4
    assert set(drawn) < {str(number) for number in range(7)}
    assert drawn != sorted(str(number) for number in range(4))
    unpaired = open_data(pairs, replace(few, layout="unpaired"), "train")
    assert [[entry.name for entry in side] for side in (unpaired.entries, unpaired.others)] == [drawn, drawn]
    more = [entry.name for entry in open_data(pairs, replace(few, train_pictures=5), "train").entries]
    assert set(drawn) < set(more)
    assert len(open_data(pairs, replace(few, train_pictures=100), "train")) == 7
    for layout in ("paired", "unpaired", "single"):
        assert [e.name for e in open_data(pairs, replace(few, layout=layout), "validation").entries] == ["7"]
        assert len(open_data(pairs, replace(few, layout=layout, train_pictures=0), "train")) == 7


def test_what_is_measured_is_spread_over_all_that_is_held_out(tmp_path: Path) -> None:
    assert spread(10, 4) == [0, 2, 5, 7]
    assert spread(3, 8) == [0, 1, 2]
    records = []
    for number in range(9):
        for folder in ("photo", "cartoon"):
            write_png(tmp_path / folder / f"{number}.png", np.full((32, 32, 3), 20 * number, np.uint8))
        records.append({"name": str(number), "split": "validation"})
    (tmp_path / "pairs.json").write_text(json.dumps({"pairs": records}), encoding="utf-8")
    recipe = load_recipe("pix2pix", ["run.validation_pictures=4", "data.batch_size=3", "data.size_px=32"])
    held = open_data(tmp_path, replace(recipe.data, augment="none"), "validation")
    shown = torch.cat([batch["source"] for batch in held_out_batches(held, recipe, torch.device("cpu"))])
    assert ((shown[:, 0, 0, 0] + 1) * 127.5).round().int().tolist() == [0, 40, 80, 120]


def test_no_picture_is_measured_twice_where_one_side_has_fewer(tmp_path: Path) -> None:
    for folder, count in (("photo", 9), ("cartoon", 4)):
        for number in range(count):
            write_png(tmp_path / folder / f"{folder}{number}.png", np.full((32, 32, 3), 20 * number, np.uint8))
    records = [{"name": f"photo{n}", "split": "validation"} for n in range(9)]
    records += [{"name": f"cartoon{n}", "split": "validation"} for n in range(4)]
    (tmp_path / "pairs.json").write_text(json.dumps({"pairs": records}), encoding="utf-8")
    recipe = load_recipe("cyclegan", ["data.batch_size=3", "data.size_px=32"])
    photos, cartoons = [0, 40, 80, 120], [0, 20, 40, 60]
    for direction, expected in (("photo-to-cartoon", [photos, cartoons]), ("cartoon-to-photo", [cartoons, photos])):
        held = open_data(tmp_path, replace(recipe.data, augment="none", direction=direction), "validation")
        batches = list(held_out_batches(held, recipe, torch.device("cpu")))
        shown = [torch.cat([batch[side] for batch in batches])[:, 0, 0, 0] for side in ("source", "target")]
        assert [((side + 1) * 127.5).round().int().tolist() for side in shown] == expected


def test_what_is_missing_is_named(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.augment is 'swirl'; there are: none"):
        open_data(pairs, replace(PAIRED, augment="swirl"), "train")
    with pytest.raises(DataError, match="photo"):
        open_data(tmp_path / "empty", PAIRED, "train")
    (pairs / "pairs.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="prepare pairs"):
        open_data(pairs, PAIRED, "train")


def test_order_is_the_same_from_any_step_and_for_any_number_of_processes() -> None:
    weights = np.array([1.0, 1.0, 2.0, 0.0])
    whole = list(RunOrder(weights, 2, 10, seed=3))
    assert list(RunOrder(weights, 2, 10, seed=3, first_step=6)) == whole[6:]
    two = [list(RunOrder(weights, 1, 10, seed=3, rank=rank, processes=2)) for rank in (0, 1)]
    assert [a + b for a, b in zip(*two, strict=True)] == whole
    counts = np.bincount([draw.index for batch in RunOrder(weights, 4, 100, seed=0) for draw in batch], minlength=4)
    assert counts.tolist() == [100, 100, 200, 0]
    assert [d.index for d in whole[0] + whole[1]] != [d.index for d in whole[2] + whole[3]] or len(whole) > 4


def test_the_second_view_shows_what_the_shift_says() -> None:
    ramp = np.arange(96, dtype=np.uint8)
    picture = np.stack(
        [np.tile(ramp * 2, (96, 1)), np.tile(ramp[:, None] * 2, (1, 96)), np.zeros((96, 96), np.uint8)], 2
    )
    guidance = np.ascontiguousarray(picture[..., ::-1])
    pictures = {"source": picture, "target": picture, "guidance": guidance, "matte": picture[..., :1].copy()}
    for number in range(6):
        sample = toon(pictures, np.random.default_rng(number), 32)
        dx, dy = sample["shift"]
        view, again = sample["guidance"].astype(int), sample["again_guidance"].astype(int)
        ys, xs = slice(max(0, -dy), 32 - max(0, dy)), slice(max(0, -dx), 32 - max(0, dx))
        moved = view[max(0, dy) : 32 - max(0, -dy), max(0, dx) : 32 - max(0, -dx)]
        assert np.array_equal(moved, again[ys, xs])
        assert {name: sample[name].shape for name in ("source", "target", "matte")} == {
            "source": (32, 32, 3),
            "target": (32, 32, 3),
            "matte": (32, 32, 1),
        }


def test_a_draw_is_repeatable_and_draws_differ(pairs: Path) -> None:
    data = open_data(pairs, replace(PAIRED, augment="toon"), "train", seed=5)
    first, again, other = data[Draw(1, 9)], data[Draw(1, 9)], data[Draw(1, 10)]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["source"], other["source"])
    human = open_data(pairs, replace(PAIRED, augment="human", direction="cartoon-to-photo"), "train")
    assert human[Draw(1, 3)]["source"].shape == (3, 32, 32)


def test_wear_keeps_the_picture_recognisable(astronaut: np.ndarray) -> None:
    photo = np.ascontiguousarray(astronaut[:192, 160:352])
    for number in range(10):
        worn = wear(photo, np.random.default_rng(number))
        assert worn.dtype == np.uint8
        assert np.abs(worn.astype(float) - photo).mean() < 20
