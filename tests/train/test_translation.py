"""Raw results: whole pictures through the generator alone, at their own size, and the page that shows them."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from toonfilter.cli import app
from toonfilter.runtime.errors import ConfigError
from toonfilter.train.checkpoint import keep_weights
from toonfilter.train.data.pictures import read_rgb, write_png
from toonfilter.train.raw import RawGenerator, open_raw
from toonfilter.train.recipe import load_recipe
from toonfilter.train.systems import build_system
from toonfilter.train.translation import draw_from_noise, translate

SMALL = ["data.size_px=32", "generator.options.width=4", "discriminator.options.width=4"]
WriteRun = Callable[..., Path]


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Writes a run's weights as a step's checkpoint: recipe name, changes, a function on the networks."""

    def write(recipe: str, *changes: str, edit: Callable[[nn.ModuleDict], None] = lambda _: None) -> Path:
        torch.manual_seed(0)
        chosen = load_recipe(recipe, [*SMALL, *changes])
        system = build_system(chosen)
        edit(system.networks)
        run = tmp_path / "runs" / recipe
        keep_weights(
            run / "checkpoints" / "step-0000001",
            step=1,
            recipe=chosen,
            data="",
            weights=system.networks.state_dict(),
            averaged={},
        )
        return run

    return write


def test_a_picture_keeps_its_size_and_aspect() -> None:
    seen = []

    def negative(image: np.ndarray) -> np.ndarray:
        seen.append(image)
        return 255 - image

    y, x = np.mgrid[:40, :80]
    image = np.repeat((2 * x + y)[..., None], 3, 2).astype(np.uint8)
    result = RawGenerator("n", 80, negative)(image)
    assert seen[0].shape == (80, 80, 3)
    # Filled up by reflection above and below, the middle is the picture as it is.
    np.testing.assert_array_equal(seen[0][20:60], image)
    np.testing.assert_array_equal(seen[0][19], image[0])
    np.testing.assert_array_equal(result, 255 - image)
    assert RawGenerator("n", 32, negative)(image).shape == image.shape


def test_a_matte_lays_the_drawing_over_the_picture() -> None:
    def draw(image: np.ndarray) -> np.ndarray:
        matte = np.zeros((*image.shape[:2], 1), np.uint8)
        matte[:, :8] = 255
        matte[:, 8:12] = 51
        return np.concatenate([np.full_like(image, 200), matte], 2)

    result = RawGenerator("n", 16, draw)(np.full((16, 16, 3), 100, np.uint8))
    assert result[0, [0, 9, 15], 0].tolist() == [200, 120, 100]


def test_runs_draw_what_their_network_says(write_run: WriteRun) -> None:
    run = write_run("pix2pix-human", "generator.options.downs=5")
    generator = open_raw(run)
    assert (generator.size_px, generator.domain) == (32, "drawing")
    image = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    from toonfilter.train.checkpoint import load_generator

    network, _, _ = load_generator(run)
    x = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        expected = (network(x)[0].permute(1, 2, 0) * 127.5 + 127.5).round().numpy()
    np.testing.assert_array_equal(generator(image), expected.astype(np.uint8))


def test_the_way_back_is_shown_drawings(write_run: WriteRun) -> None:
    run = write_run("cyclegan", "generator.options.blocks=1")
    assert open_raw(run).domain == "photo"
    assert open_raw(run, "back").domain == "drawing"


def test_generators_that_need_landmarks_have_no_raw_result(tmp_path: Path) -> None:
    chosen = load_recipe("toon")
    weights = build_system(chosen).networks.state_dict()
    keep_weights(tmp_path / "t", step=1, recipe=chosen, data="", weights=weights, averaged={})
    with pytest.raises(ConfigError, match="landmarks of a face"):
        open_raw(tmp_path / "t")


def test_a_folder_becomes_results_and_a_page(write_run: WriteRun, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    write_png(pictures / "a b" / "one.png", np.full((40, 60, 3), 90, np.uint8))
    cv2.imwrite(str(pictures / "TWO.JPG"), np.full((900, 700, 3), 90, np.uint8))
    (pictures / "broken.png").write_bytes(b"no picture")
    run = write_run("cyclegan", "generator.options.blocks=1")
    out = tmp_path / "out"
    answer = CliRunner().invoke(app, ["translate", str(run), str(pictures), "-o", str(out)])
    assert answer.exit_code == 0, answer.output
    assert "2 pictures" in answer.output
    assert "1 picture left out" in answer.output
    result = read_rgb(out / "result" / "a b" / "one.png")
    assert result is not None
    assert result.shape == (40, 60, 3)
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "src='result/a%20b/one.png'" in page
    assert page.count("<img") == 4
    assert "http" not in page


def test_held_out_pairs_stand_beside_what_they_belong_to(write_run: WriteRun, tmp_path: Path) -> None:
    for number in range(40):
        for folder, level in (("photo", 40), ("cartoon", 200)):
            write_png(tmp_path / "data" / folder / f"{number}.png", np.full((32, 32, 3), level, np.uint8))
    run = write_run("pix2pix-human", "generator.options.downs=5")
    made = translate(run, tmp_path / "data", tmp_path / "out", limit=3)
    assert made.written <= 3
    name = next((tmp_path / "out" / "source").iterdir()).stem
    source, target = (read_rgb(tmp_path / "out" / side / f"{name}.jpg") for side in ("source", "target"))
    assert source is not None
    assert target is not None
    assert abs(int(source.mean()) - 200) < 3
    assert abs(int(target.mean()) - 40) < 3


def test_noise_gives_samples_and_ways_between_them(tmp_path: Path, write_run: WriteRun) -> None:
    run = write_run("dcgan", "data.size_px=64", "data.batch_size=4")
    first = draw_from_noise(run, tmp_path / "a", count=4, seed=1)
    draw_from_noise(run, tmp_path / "b", count=4, seed=1)
    assert first.written == 4
    names = sorted(p.relative_to(tmp_path / "a").as_posix() for p in (tmp_path / "a").rglob("*.png"))
    assert names == [f"interpolation/0000{n}.png" for n in range(2)] + [f"sample/0000{n}.png" for n in range(4)]
    way = read_rgb(tmp_path / "a" / "interpolation" / "00000.png")
    ends = [read_rgb(tmp_path / "a" / "sample" / f"0000{n}.png") for n in range(2)]
    assert way is not None
    assert way.shape == (64, 8 * 64, 3)
    for end, shown in zip(ends, (way[:, :64], way[:, -64:]), strict=True):
        assert end is not None
        assert np.abs(end.astype(int) - shown).max() <= 1
    assert (tmp_path / "a" / "sample" / "00003.png").read_bytes() == (
        tmp_path / "b" / "sample" / "00003.png"
    ).read_bytes()
    with pytest.raises(ConfigError, match="takes pictures"):
        draw_from_noise(write_run("cyclegan", "generator.options.blocks=1"), tmp_path / "c")
