"""TensorRT engines: really built by TensorRT-RTX where it is installed, cached by key, refused with reasons."""

import dataclasses
import json
import subprocess
import sys
import threading

import pytest

from toonfilter.runtime.backends import tensorrt_flavours
from toonfilter.runtime.backends.engine_cache import EngineCache, EngineKey
from toonfilter.runtime.backends.tensorrt_engines import engine_of
from toonfilter.runtime.backends.tensorrt_flavours import FLAVOURS, build_engine, flavour_for, installed_flavours
from toonfilter.runtime.bundle import Bundle, InputSpec, ModelFile, OutputSpec, Training, sha256_of
from toonfilter.runtime.cuda.driver import GpuInfo, load_driver
from toonfilter.runtime.errors import BackendError

KEY = EngineKey("a" * 64, "RTX 4090", "8.9", "580.65", "TensorRT-RTX 1.7", "fp16", 64, 4)


def _made(_: bytes) -> tuple[bytes, bytes]:
    return b"engine", b""


def has_driver() -> bool:
    try:
        load_driver()
    except BackendError:
        return False
    return True


@pytest.fixture(scope="module")
def rtx():
    pytest.importorskip("tensorrt_rtx")
    return next(flavour for flavour in installed_flavours() if flavour.facts.module == "tensorrt_rtx")


@pytest.fixture(scope="module")
def model_bundle(tmp_path_factory):
    """A bundle whose fp16 file our exporter wrote: two inputs, instance norm, every size."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    from torch import nn

    from toonfilter.export.onnx_export import export_graph, picture_graph, save_model
    from toonfilter.export.precision import to_fp16
    from toonfilter.train.systems import ExportSpec

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(24, 8, 3, 2, 1), nn.InstanceNorm2d(8), nn.ReLU())
            self.up = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(8, 16, 3, 1, 1), nn.PixelShuffle(2))

        def forward(self, x: "torch.Tensor") -> "torch.Tensor":
            return torch.tanh(self.up(self.down(x)))

    folder = tmp_path_factory.mktemp("bundle")
    spec = ExportSpec("", 3, 4, (64, 96), 4)
    model = export_graph(picture_graph(Net(), spec), spec, [64, 96], {})[None]
    files = []
    for precision, content in (("fp32", model), ("fp16", to_fp16(model, []))):
        path = folder / f"{precision}.onnx"
        save_model(content, path)
        files.append(ModelFile("onnx", precision, path.name, sha256_of(path), 20))
    training = Training("toon", "0", "nothing", 0)
    return Bundle("tiny", "1", "MIT", "", training, InputSpec([64, 96], 3), OutputSpec(4), files, folder=folder)


@pytest.mark.parametrize("target", [(7, 5), (8, 6), (8, 9), (12, 0)])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_engines_build_from_our_files_for_users_cards(rtx, model_bundle, target, precision) -> None:
    model = model_bundle.path_of(model_bundle.file_for(precision, 64)).read_bytes()
    steps: list[tuple[str, float]] = []
    plan, timing = build_engine(
        rtx, model, size=64, max_batch=4, target=target, progress=lambda name, part: steps.append((name, part))
    )
    assert len(plan) > 10_000
    assert steps[0][1] == 0.0
    assert all(0 <= part <= 1 for _, part in steps)
    assert build_engine(rtx, model, size=96, max_batch=4, target=target, timing_cache=timing)[0] != plan


def test_engines_build_from_the_form_in_which_the_small_generator_ships(rtx) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    from toonfilter.export.onnx_export import export_graph, picture_graph
    from toonfilter.export.precision import to_fp16
    from toonfilter.train.networks.toon import ToonGenerator
    from toonfilter.train.systems import ExportSpec

    network, spec = ToonGenerator(6, 4, widths=(4, 6, 8), blocks=(0, 1, 0)), ExportSpec("", 3, 4, (64, 96), 8)
    model = export_graph(picture_graph(network, spec), spec, [64, 96], {})[None]
    for content in (model, to_fp16(model, [])):
        plan, _ = build_engine(rtx, content.SerializeToString(), size=96, max_batch=4, target=(8, 9))
        assert len(plan) > 10_000


def test_engines_are_cached_by_key_and_rebuilt_when_stale(rtx, model_bundle, tmp_path) -> None:
    cache = EngineCache(tmp_path)
    gpu = GpuInfo("RTX 3060", (8, 6), "580.65", 12000)
    key, plan, is_new = engine_of(model_bundle, 64, rtx, gpu, cache)
    assert is_new
    assert cache.path_of(key).read_bytes() == plan
    assert engine_of(model_bundle, 64, rtx, gpu, cache) == (key, plan, False)
    for other in (dataclasses.replace(gpu, driver="590.1"), dataclasses.replace(gpu, name="RTX 3070")):
        assert engine_of(model_bundle, 64, rtx, other, cache)[2]
    cache.path_of(key).write_bytes(plan[:-1])
    assert engine_of(model_bundle, 64, rtx, gpu, cache)[2]


def test_what_cannot_be_built_says_why(rtx, model_bundle, tmp_path) -> None:
    model = model_bundle.path_of(model_bundle.file_for("fp16", 64)).read_bytes()
    with pytest.raises(BackendError, match=r"no kernels for compute capability 9\.0; it has 7\.5, 8\.0"):
        build_engine(rtx, model, size=64, max_batch=4, target=(9, 0))
    with pytest.raises(BackendError, match="cannot read the model"):
        build_engine(rtx, b"not a model", size=64, max_batch=4, target=(8, 6))
    without = dataclasses.replace(model_bundle, files=model_bundle.files[:1])
    gpu = GpuInfo("RTX 3060", (8, 6), "580.65", 12000)
    with pytest.raises(BackendError, match=r"no fp16 file for size 64.*toonfilter export"):
        engine_of(without, 64, rtx, gpu, EngineCache(tmp_path))
    with pytest.raises(BackendError, match="for CPUs"):
        engine_of(
            dataclasses.replace(model_bundle, files=[dataclasses.replace(model_bundle.files[0], precision="int8")]),
            64,
            rtx,
            gpu,
            EngineCache(tmp_path),
            precision="int8",
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(EngineKey)])
def test_every_part_of_the_key_counts(field, tmp_path) -> None:
    cache = EngineCache(tmp_path)
    cache.get(KEY, _made)
    value = getattr(KEY, field)
    other = dataclasses.replace(KEY, **{field: value + 1 if isinstance(value, int) else value + "x"})
    assert cache.find(other) is None
    assert cache.find(KEY) == b"engine"
    # Even under the right file name an engine with another key in its note is not taken.
    cache.path_of(other).write_bytes(b"engine")
    cache.note_of(other).write_text(cache.note_of(KEY).read_text())
    assert cache.find(other) is None


def test_timing_caches_are_handed_on_for_the_same_gpu_only(tmp_path) -> None:
    cache = EngineCache(tmp_path)
    seen: list[bytes] = []

    def build(timing: bytes) -> tuple[bytes, bytes]:
        seen.append(timing)
        return b"engine", timing + b"t"

    for key in (KEY, dataclasses.replace(KEY, size=96), dataclasses.replace(KEY, gpu="other")):
        cache.get(key, build)
    assert seen == [b"", b"t", b""]


def test_a_failed_build_leaves_nothing(tmp_path) -> None:
    def fail(_: bytes) -> tuple[bytes, bytes]:
        raise BackendError("no memory")

    cache = EngineCache(tmp_path)
    with pytest.raises(BackendError, match="no memory"):
        cache.get(KEY, fail)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert cache.get(KEY, _made) == (b"engine", True)


_SLOW_BUILD = """
import sys, time
from pathlib import Path
from toonfilter.runtime.backends.engine_cache import EngineCache, EngineKey

def build(timing):
    with open(sys.argv[2], "a") as stream:
        stream.write("built\\n")
    time.sleep(0.3)
    return b"engine", b""

key = EngineKey("a" * 64, "RTX 4090", "8.9", "580.65", "TensorRT-RTX 1.7", "fp16", 64, 4)
assert EngineCache(Path(sys.argv[1])).get(key, build)[0] == b"engine"
"""


def test_concurrent_processes_build_an_engine_once(tmp_path) -> None:
    command = [sys.executable, "-c", _SLOW_BUILD, str(tmp_path / "cache"), str(tmp_path / "log")]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert (tmp_path / "log").read_text() == "built\n"


def test_waiting_for_another_build_ends(tmp_path) -> None:
    cache = EngineCache(tmp_path)
    started, done = threading.Event(), threading.Event()

    def build(_: bytes) -> tuple[bytes, bytes]:
        started.set()
        done.wait(120)
        return b"engine", b""

    thread = threading.Thread(target=cache.get, args=(KEY, build))
    thread.start()
    assert started.wait(120)
    with pytest.raises(BackendError, match="another process"):
        cache.get(KEY, build, wait_s=0.1)
    done.set()
    thread.join(120)


def test_a_damaged_note_is_a_miss(tmp_path) -> None:
    cache = EngineCache(tmp_path)
    cache.get(KEY, _made)
    for text in ("{", "[]", json.dumps({"key": None})):
        cache.note_of(KEY).write_text(text)
        assert cache.find(KEY) is None


@pytest.mark.skipif(has_driver(), reason="there is a driver")
def test_without_a_driver_nothing_is_loaded(monkeypatch) -> None:
    def forbidden(name: str) -> None:
        raise AssertionError(f"{name} was imported without a driver")

    monkeypatch.setattr(tensorrt_flavours.importlib, "import_module", forbidden)
    with pytest.raises(BackendError, match=r"no NVIDIA driver here \(.*\); install NVIDIA's driver, or use --engine"):
        tensorrt_flavours.check_driver()


def test_flavours_are_chosen_by_compute_capability(monkeypatch) -> None:
    rtx_facts, full_facts = FLAVOURS
    small = tensorrt_flavours.Flavour(rtx_facts, None, "1.7")
    full = tensorrt_flavours.Flavour(full_facts, None, "11.4")
    gpu = GpuInfo("H200", (9, 0), "580", 140000)
    monkeypatch.setattr(tensorrt_flavours, "installed_flavours", lambda: [small, full])
    assert flavour_for(gpu) is full
    assert flavour_for(dataclasses.replace(gpu, compute_capability=(12, 0))) is small
    monkeypatch.setattr(tensorrt_flavours, "installed_flavours", lambda: [small])
    with pytest.raises(BackendError, match=r"TensorRT-RTX 1\.7 has no kernels for compute capability 9\.0 \(H200\)"):
        flavour_for(gpu)
    monkeypatch.setattr(tensorrt_flavours, "installed_flavours", list)
    with pytest.raises(BackendError, match=r"pip install .*\[tensorrt\]"):
        flavour_for(gpu)


class _Driver:
    """A driver library that answers cuInit as told."""

    def __init__(self, code: int) -> None:
        self.code = code

    def cuInit(self, flags: int) -> int:  # noqa: N802, ARG002
        return self.code


@pytest.mark.parametrize(
    ("code", "text"), [(100, "finds no GPU"), (35, "restart the computer"), (999, r"does not start \(CUDA error 999\)")]
)
def test_each_way_a_driver_fails_has_its_words(monkeypatch, code, text) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: _Driver(code))
    load_driver.cache_clear()
    try:
        with pytest.raises(BackendError, match=text):
            load_driver()
    finally:
        load_driver.cache_clear()


def test_the_cache_lies_with_the_users_models(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TOONFILTER_HOME", str(tmp_path))
    assert EngineCache().folder == tmp_path / "engines"
    (tmp_path / "engines").write_text("in the way")
    with pytest.raises(BackendError, match="cannot be kept"):
        EngineCache().get(KEY, _made)
