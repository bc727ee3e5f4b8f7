"""Pictures and bundles that the tests share; everything is made here or carried by a dependency."""

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from toonfilter.runtime.bundle import Bundle, InputSpec, ModelFile, OutputSpec, Training, sha256_of, write_bundle
from toonfilter.runtime.geometry.warp import FaceWarp

# Ray ends a process a minute after its cluster has gone; tests go on in it. Read when Ray is imported.
os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "3600")

# Neither says anything about the code: how long an example takes depends on what else the machine does.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# What needs the extras; left out of a plain `pytest`, which is then done in minutes.
_WITH_EXTRAS = ("benchmarks", "cuda", "evaluation", "export", "train", "v4l2")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A plain `pytest` runs the tests of the main job: folders that need extras are not even imported."""
    is_plain = config.args_source is pytest.Config.ArgsSource.TESTPATHS and config.getoption("markexpr") == "not slow"
    is_extra = collection_path.parent == Path(__file__).parent and collection_path.name in _WITH_EXTRAS
    return True if is_plain and is_extra else None


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests and the processes that they start remember stays out of the user's folders."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """uint8 [512, 512, 3] RGB: a public-domain portrait with one large face. Read only."""
    data = pytest.importorskip("skimage.data")
    image: NDArray[np.uint8] = data.astronaut()
    image.flags.writeable = False
    return image


WriteNoiseClip = Callable[[Path, tuple[int, int], int, dict[str, str]], None]


@pytest.fixture(scope="session")
def write_noise_clip() -> WriteNoiseClip:
    """Writes an H.264 file of rolling noise, 30 frames in a second: path, (width, height) in px, frames, options."""

    def write(path: Path, size_px: tuple[int, int], frames: int, options: dict[str, str]) -> None:
        width, height = size_px
        noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=30, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(np.roll(noise, number, 0), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 30)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    return write


def write_tiny_generator(path: Path) -> None:
    """Two convolutions: uint8 NHWC image and guidance in, uint8 NHWC RGBA out; RGB swapped, inverted, matte 255."""
    onnx = pytest.importorskip("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    mix = np.zeros((8, 6, 3, 3), np.float32)
    for channel in range(3):
        mix[channel, 2 - channel, 1, 1] = -0.7
        mix[channel, 3, 1, 1] = 0.2
    draw = np.zeros((4, 8, 1, 1), np.float32)
    for channel in range(3):
        draw[channel, channel, 0, 0] = 1.0
    bias = np.array([200, 200, 200, 255], np.float32)
    nodes = [
        helper.make_node("Concat", ["image", "guidance"], ["both"], axis=3),
        helper.make_node("Cast", ["both"], ["float"], to=types.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "mix"], ["hidden"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["hidden", "draw", "bias"], ["drawn"]),
        helper.make_node("Clip", ["drawn", "low", "high"], ["clipped"]),
        helper.make_node("Transpose", ["clipped"], ["nhwc"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["nhwc"], ["cartoon"], to=types.UINT8),
    ]
    constants = {"mix": mix, "draw": draw, "bias": bias, "low": np.float32(0), "high": np.float32(255)}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, types.UINT8, ["N", "S", "S", 3]) for name in ("image", "guidance")],
        [helper.make_tensor_value_info("cartoon", types.UINT8, ["N", "S", "S", 4])],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def tiny_bundle_in(folder: Path, name: str = "tiny") -> Bundle:
    """A real, small bundle: fp32, sizes 64 and 128, RGBA, guidance, warped geometry."""
    folder.mkdir(parents=True)
    write_tiny_generator(folder / "tiny.onnx")
    bundle = Bundle(
        name=name,
        version="1",
        licence="MIT",
        description="two convolutions for tests",
        training=Training(recipe="none", commit="none", data="none", steps=0),
        input=InputSpec(sizes=[64, 128], guidance_channels=3),
        output=OutputSpec(channels=4),
        files=[ModelFile("onnx", "fp32", "tiny.onnx", sha256_of(folder / "tiny.onnx"), 20)],
        warp=FaceWarp().to_dict(),
        folder=folder,
    )
    write_bundle(bundle, folder)
    return bundle


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """See `tiny_bundle_in`; shared, so copy the folder before changing it."""
    return tiny_bundle_in(tmp_path_factory.mktemp("bundles") / "tiny")
