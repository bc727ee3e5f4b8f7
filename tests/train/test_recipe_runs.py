"""Each recipe through the whole training loop, on data that the test makes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from toonfilter.train.data.landmark_files import landmarks_path
from toonfilter.train.data.pictures import write_png
from toonfilter.train.loop import TrainOptions, train
from toonfilter.train.recipe import load_recipe

SMALL_NETS = ["generator.options.width=4", "discriminator.options.width=4", "run.log_every_steps=1"]
SMALL = [*SMALL_NETS, "data.size_px=32", "data.batch_size=2", "generator.options.blocks=1", "data.workers=0"]
CYCLE = [*SMALL, "discriminator.options.layers=2"]
LANDMARKS = [*CYCLE, "method.regressor_width=4", "method.regressor_levels=2", "method.patch_px=16"]
SHORT = ["run.epochs=0", "run.steps=4", "run.sample_every_steps=4", "run.checkpoint_every_steps=2"]
RECIPES = {
    "gan-v1": SMALL,
    "gan-v2": SMALL,
    "wgan-gp": CYCLE,
    "cyclegan": CYCLE,
    "cyclegan-v6": CYCLE,
    "landmark-cyclegan": LANDMARKS,
    "content-style": SMALL,
    "cartoongan": [*SMALL, "method.initialisation=0.5"],
    "caricature": [*SMALL, "method.faces_to_fit=4", "method.components=3", "method.geometry_width=8"],
    "dcgan": [*SMALL_NETS, "data.batch_size=4", "data.workers=0"],
    "xgan": [*SMALL_NETS, "data.batch_size=4", "generator.options.embedding=16", "data.workers=0"],
}


class TinyFeatures(nn.Module):
    """In place of pretrained features: one fixed convolution."""

    def __init__(self, _: object) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, stride=2).requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [torch.tanh(self.layer(image))]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty small pairs with everything that a recipe may ask for."""
    root, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for number in range(40):
        photo = random.integers(0, 255, (32, 32, 3)).astype(np.uint8)
        for folder, picture in (("photo", photo), ("cartoon", photo // 64 * 64), ("edges", photo // 2)):
            write_png(root / folder / f"{number}.png", picture)
        for folder in ("photo", "cartoon"):
            path = landmarks_path(root, folder, str(number))
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, random.uniform(8, 24, (478, 2)).astype(np.float32))
    return root


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=() if n in ("cyclegan-v6", "landmark-cyclegan", "dcgan") else pytest.mark.slow)
        for n in RECIPES
    ],
)
def test_trains_writes_and_resumes(name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toonfilter.train.systems import caricature, cartoongan, xgan

    for module in (caricature, cartoongan, xgan):
        monkeypatch.setattr(module, "FeatureNetwork", TinyFeatures)
    recipe = load_recipe(name, [*RECIPES[name], *SHORT])
    result = train(recipe, TrainOptions(data=data, out=tmp_path / "run", accelerator="cpu"))
    assert result.steps == 4
    assert all(np.isfinite(value) for value in result.scalars.values())
    assert result.checkpoint.is_dir()
    assert list((tmp_path / "run").rglob("*.png")), "no sample grid"
    longer = load_recipe(name, [*RECIPES[name], *SHORT, "run.steps=6"])
    again = train(longer, TrainOptions(data=data, out=tmp_path / "run", accelerator="cpu", resume=True))
    assert again.steps == 6
