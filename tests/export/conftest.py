"""Tiny generators and real face crops for the export tests."""

import cv2
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from toonfilter.export.crops import FaceCrops, load_crops  # noqa: E402
from toonfilter.export.onnx_export import export_graph, picture_graph  # noqa: E402
from toonfilter.export.source import ExportSource  # noqa: E402
from toonfilter.runtime.bundle import Training  # noqa: E402
from toonfilter.runtime.geometry.warp import FaceWarp  # noqa: E402
from toonfilter.train.systems import ExportSpec  # noqa: E402


class TinyGenerator(nn.Module):
    """Two scales, a skip, a norm of choice: what the real generators are made of, in 64 px."""

    def __init__(self, channels_in: int, channels_out: int, norm: str = "batch", gain: float = 1.0) -> None:
        super().__init__()
        make = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d, "group": lambda width: nn.GroupNorm(2, width)}
        self.unshuffle = nn.PixelUnshuffle(2)
        self.first = nn.Sequential(nn.Conv2d(4 * channels_in, 8, 3, padding=1), make[norm](8), nn.ReLU())
        self.down = nn.Sequential(nn.Conv2d(8, 12, 3, stride=2, padding=1), make[norm](12), nn.ReLU())
        self.up = nn.Upsample(scale_factor=2)
        self.last = nn.Conv2d(20, 4 * channels_out, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.gain = gain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.first(self.unshuffle(x)) * self.gain
        second = self.up(self.down(first))
        return torch.tanh(self.shuffle(self.last(torch.cat([first, second], 1) / self.gain)))


@pytest.fixture(scope="session")
def crops() -> FaceCrops:
    """Eight 64 px crops of a real face with their guidance."""
    return load_crops(None, with_guidance=True, warp=FaceWarp(), size=64, count=8)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Users' models live in a folder of the test."""
    monkeypatch.setenv("TOONFILTER_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "models"


@pytest.fixture(scope="session")
def pairs(crops, tmp_path_factory):
    """A pairs folder of real crops."""
    folder = tmp_path_factory.mktemp("pairs")
    for kind, pictures in (("photo", crops.images), ("guidance", crops.guidance)):
        (folder / kind).mkdir()
        for index, picture in enumerate(pictures):
            cv2.imwrite(str(folder / kind / f"{index}.png"), picture[:, :, ::-1])
    return folder


@pytest.fixture(scope="session")
def make_source():
    """Make an ExportSource around a tiny generator."""

    def make(guidance: int = 3, channels: int = 4, norm: str = "batch", name: str = "tiny", **options) -> ExportSource:
        torch.manual_seed(0)
        network = TinyGenerator(3 + guidance, channels, norm, **options)
        spec = ExportSpec("generator", guidance, channels, sizes_px=(64, 96), size_multiple=4)
        training = Training("toon", "0000000", "random weights", 0)
        return ExportSource(name, spec, training, network, licence="MIT", checkpoint_sha256="5" * 64)

    return make


@pytest.fixture(scope="session")
def tiny_model(make_source):
    """Export a tiny generator with this norm once: (picture graph, fp32 model that takes every size)."""
    made = {}

    def export(norm: str = "batch", **options):
        key = norm, *options.items()
        if key not in made:
            source = make_source(norm=norm, **options)
            graph = picture_graph(source.network, source.spec)
            made[key] = graph, export_graph(graph, source.spec, [64, 96], {"toonfilter.licence": "MIT"})[None]
        return made[key]

    return export
