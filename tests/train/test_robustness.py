"""The robustness study: what it draws, what it measures, what it refuses."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.checkpoint import load_generator, write_checkpoint
from toonfilter.train.data.opencv_cartoon import opencv_cartoon
from toonfilter.train.data.pictures import read_rgb, write_png
from toonfilter.train.recipe import load_recipe
from toonfilter.train.robustness import edge_sketch, grayscale, robustness_study, small_face
from toonfilter.train.systems import build_system
from toonfilter.train.title_strip import HEIGHT_PX

SMALL = ["generator.options.width=4", "generator.options.downs=4", "discriminator.options.width=4", "data.size_px=64"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, astronaut: np.ndarray) -> Path:
    """Four held-out faces and one to train on."""
    root, records = tmp_path_factory.mktemp("pairs"), []
    for number in range(5):
        photo = cv2.resize(astronaut[:256, 100 + number : 356 + number], (64, 64), interpolation=cv2.INTER_AREA)
        write_png(root / "photo" / f"{number}.png", photo)
        write_png(root / "cartoon" / f"{number}.png", photo // 64 * 64)
        records.append({"name": str(number), "split": "validation" if number else "train"})
    (root / "pairs.json").write_text(json.dumps({"pairs": records}), encoding="utf-8")
    return root


def run_of(name: str, folder: Path) -> Path:
    torch.manual_seed(0)
    recipe = load_recipe(name, SMALL)
    weights = build_system(recipe).networks.state_dict()
    write_checkpoint(folder, step=3, recipe=recipe, data="pairs", weights=weights, averaged={}, state={}, keep=1)
    return folder


def test_a_sketch_is_dark_lines_on_white() -> None:
    photo = np.full((64, 64, 3), 230, np.uint8)
    photo[:, 32:] = (40, 60, 80)
    sketch = edge_sketch(photo)
    assert (sketch[:, :24] == 255).all()
    assert (sketch[:, 40:] == 255).all()
    assert (sketch[8:-8, 28:36].min(axis=1) < 80).all()


def test_small_faces_and_grayscale_are_what_they_say() -> None:
    picture = np.full((40, 40, 3), (200, 100, 0), np.uint8)
    picture[:20] = (0, 0, 255)
    small = small_face(picture)
    assert small.shape == picture.shape
    # Half the size in the middle: the border between the halves stays at the middle, the edges are drawn out.
    assert small[19, 20].tolist() == [0, 0, 255]
    assert small[20, 20].tolist() == [200, 100, 0]
    assert small[0, 0].tolist() == [0, 0, 255]
    gray = grayscale(picture)
    assert (gray[..., 0] == gray[..., 2]).all()
    # 0.299 * 200 + 0.587 * 100
    assert gray[30, 0, 0] in (118, 119)


def test_each_kind_of_drawing_goes_through_the_net_and_is_compared_with_the_photo(pairs: Path, tmp_path: Path) -> None:
    run = run_of("pix2pix-human", tmp_path / "run")
    study = robustness_study(run, pairs, tmp_path / "study", pictures=3)
    assert study.pictures == 3
    generator, _, _ = load_generator(run)
    draw = {"opencv filter": opencv_cartoon, "edge sketch": edge_sketch, "as trained": lambda photo: photo // 64 * 64}
    draw |= {"grayscale": lambda photo: grayscale(photo // 64 * 64)}
    assert set(study.scores) == {*draw, "small face"}
    for kind, drawn_by in draw.items():
        errors = []
        for number in (1, 2, 3):
            photo = read_rgb(pairs / "photo" / f"{number}.png")
            assert photo is not None
            x = torch.from_numpy(drawn_by(photo)).permute(2, 0, 1)[None].float() / 127.5 - 1
            with torch.no_grad():
                y = (generator(x)[0].permute(1, 2, 0) * 127.5 + 127.5).clamp(0, 255).numpy()
            errors.append(np.abs(y - photo).mean())
        assert study.scores[kind]["l1"] == pytest.approx(np.mean(errors), abs=0.6)
    assert len({round(scores["l1"], 6) for scores in study.scores.values()}) == 5
    grid = read_rgb(study.grid)
    assert grid is not None
    assert grid.shape == (HEIGHT_PX + 3 * 64, 11 * 64, 3)
    # Every column has its title.
    assert all((grid[:HEIGHT_PX, 64 * n : 64 * n + 64] < 128).any() for n in range(11))
    assert (grid[HEIGHT_PX : HEIGHT_PX + 64, -64:] == read_rgb(pairs / "photo" / "1.png")).all()
    report = json.loads((tmp_path / "study" / "robustness.json").read_text())
    assert (report["run"], report["step"], report["scores"]) == ("pix2pix-human", 3, study.scores)


def test_only_the_way_from_cartoon_to_photo_is_studied(pairs: Path, tmp_path: Path) -> None:
    run = run_of("pix2pix", tmp_path / "run")
    with pytest.raises(ConfigError, match="does not go from cartoon to photo"):
        robustness_study(run, pairs, tmp_path / "study")
