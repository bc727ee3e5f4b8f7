"""The device layer and the chain on it; test_device.py runs this over an imagined driver and on a real GPU."""

import ctypes
import os
from collections.abc import Callable

import numpy as np
import pytest

from toonfilter.runtime.backends import EngineOptions, Opened
from toonfilter.runtime.backends.translator import Crops, Description
from toonfilter.runtime.bundle import Bundle, InputSpec, OutputSpec, Training
from toonfilter.runtime.cuda import reference
from toonfilter.runtime.cuda.device import LAYERS, open_device
from toonfilter.runtime.cuda.kernels import shipped_ptx
from toonfilter.runtime.cuda.regions import plan_regions
from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.faces.detection import face_from
from toonfilter.runtime.geometry.alignment import CropTransform, crop_transform, mean_face
from toonfilter.runtime.geometry.warp import FaceWarp
from toonfilter.runtime.render.gpu_chain import GpuChain, StandIn
from toonfilter.runtime.render.gpu_renderer import GpuRenderer
from toonfilter.runtime.render.opening import open_renderer
from toonfilter.runtime.render.renderer import Renderer

IS_IMAGINED = "FAKE_CUDA" in os.environ
SIZE = 128
GRID = 48


@pytest.fixture(params=list(LAYERS))
def device(request):
    pytest.importorskip("cuda.bindings" if request.param == "cuda-python" else "pycuda", exc_type=ImportError)
    opened = open_device(request.param)
    yield opened
    opened.close()


def picture(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Smooth, with an edge."""
    x, y = np.meshgrid(np.linspace(0, 9, width), np.linspace(0, 7, height))
    waves = [127 + 120 * np.sin(x * random.uniform(0.5, 2) + y * random.uniform(0.5, 2) + n) for n in range(3)]
    image = np.dstack(waves).astype(np.uint8)
    image[height // 2 :, width // 2 : width // 2 + 5] = (240, 30, 60)
    return image


def face_at(x: float, y: float, height: float, face_id: int = 0):
    """A frontal face, `height` px from brow to chin."""
    landmarks = (mean_face() * height + [x, y, 0]).astype(np.float32)
    face = face_from(landmarks, face_id)
    assert face is not None
    return face


def aligned(faces, size: int = SIZE):
    return [(face, crop_transform(face.landmarks, size, face.fit)) for face in faces]


def bundle(channels: int, guidance: int = 3, geometry: bool = True) -> Bundle:
    factors = FaceWarp().to_dict() if geometry else {}
    training = Training("toon", "0", "", 0)
    return Bundle("b", "1", "MIT", "", training, InputSpec([SIZE], guidance), OutputSpec(channels), [], warp=factors)


class ToldTranslator:
    """See `Translator`. draw: what stands in for the generator."""

    def __init__(self, draw: Callable[[Crops, Crops | None], Crops]) -> None:
        self.draw = draw

    def translate(self, crops: Crops, guidance: Crops | None) -> Crops:
        return self.draw(crops, guidance)

    def warm_up(self, size: int) -> None:
        self.draw(np.zeros((1, size, size, 3), np.uint8), np.zeros((1, size, size, 3), np.uint8))

    def close(self) -> None:
        """Nothing to free."""

    def describe(self) -> Description:
        return Description("told", "1", "uint8", "CPU")


def negative(channels: int) -> ToldTranslator:
    """What StandIn draws, on the CPU."""

    def draw(crops, guidance):  # noqa: ARG001
        drawn = np.bitwise_not(crops)
        return drawn if channels == 3 else np.concatenate([drawn, np.full_like(drawn[..., :1], 255)], -1)

    return ToldTranslator(draw)


def gpu_painter(device, about: Bundle, region="head", *, use_graph=True, engine=StandIn) -> GpuRenderer:
    def chain(size: int) -> GpuChain:
        channels = about.output.channels
        generator = engine(device, size, channels)
        guidance = about.input.guidance_channels > 0
        return GpuChain(device, generator, size=size, channels=channels, has_guidance=guidance, use_graph=use_graph)

    return GpuRenderer(about, device, chain, region)


def test_copies_events_and_what_it_says(device) -> None:
    assert device.layer in LAYERS
    assert device.info.compute_capability >= (5, 0)
    with device.current():
        address = device.allocate(1000)
        assert address % 256 == 0
        there, back = device.allocate_pinned(1000), device.allocate_pinned(1000)
        there[:] = np.arange(1000) % 251
        start = device.event()
        device.upload(address, there)
        device.download(back, address)
        assert device.elapsed_ms(start, device.event()) >= 0
        device.synchronize()
    np.testing.assert_array_equal(there, back)
    device.close()
    device.close()


@pytest.mark.parametrize("seed", range(3))
def test_kernels_draw_what_the_reference_draws(device, seed) -> None:
    random = np.random.default_rng(seed)
    image = picture(random, 240, 320)
    transforms = [
        CropTransform(
            *random.uniform(0, [320, 240]), float(random.uniform(40, 500)), float(random.uniform(-3, 3)), SIZE
        )
        for _ in range(3)
    ]
    plan = plan_regions(transforms, 240, 320)
    pool = np.concatenate([region.of(image).ravel() for region in plan.regions])
    fields = random.uniform(-4, 4, (3, GRID, GRID, 2)).astype(np.float32)
    cartoons = random.integers(0, 256, (3, SIZE, SIZE, 4)).astype(np.uint8)
    window, hulls = picture(random, SIZE, SIZE)[..., 0].copy(), np.stack([picture(random, SIZE, SIZE)[..., 1]] * 3)
    with device.current():
        kernels = device.load_kernels(shipped_ptx(), ("crop_faces", "blend_face"))

        def there(array: np.ndarray) -> ctypes.c_void_p:
            address, staged = device.allocate(array.nbytes), device.allocate_pinned(array.nbytes)
            staged[:] = np.ascontiguousarray(array).view(np.uint8).ravel()
            device.upload(address, staged)
            return ctypes.c_void_p(address)

        def back(address: ctypes.c_void_p, shape: tuple[int, ...], kind: type = np.uint8) -> np.ndarray:
            staged = device.allocate_pinned(int(np.prod(shape)) * np.dtype(kind).itemsize)
            device.download(staged, address.value)
            device.synchronize()
            return staged.view(kind).reshape(shape)

        faces, pool_there, cartoons_there = there(plan.faces), there(pool), there(cartoons)
        crops = there(np.zeros((3, SIZE, SIZE, 3), np.uint8))
        number = ctypes.c_int
        tiles = SIZE // 16
        device.launch(
            kernels["crop_faces"],
            (tiles, tiles, 3),
            (16, 16, 1),
            (faces, pool_there, there(fields), number(GRID), number(SIZE), crops),
        )
        cropped = back(crops, (3, SIZE, SIZE, 3)).copy()
        window_there, hulls_there = there(window), there(hulls)
        for index in range(3):
            matte = ctypes.c_void_p(cartoons_there.value + 3)
            arguments = (
                faces, number(index), pool_there, cartoons_there, number(4), matte, number(4), number(4 * SIZE * SIZE),
                window_there, hulls_there, number(SIZE),
            )  # fmt: skip
            device.launch(kernels["blend_face"], (64, 1, 1), (256, 1, 1), arguments)
        blended = back(pool_there, pool.shape)
    expected = reference.crop_faces(plan.faces, pool, fields, SIZE)
    assert np.abs(cropped.astype(int) - expected).max() <= 1
    for index in range(3):
        reference.blend_face(plan.faces[index], pool, cartoons[index], cartoons[index, ..., 3], window, hulls[index])
    assert np.abs(blended.astype(int) - pool).max() <= 1


def test_a_recorded_graph_repeats_the_work_with_new_contents(device) -> None:
    with device.current():
        address = device.allocate(64)
        there, back = device.allocate_pinned(64), device.allocate_pinned(64)

        def work() -> None:
            device.upload(address, there)
            device.download(back, address)

        back[:] = 0
        graph = device.record(work)
        device.synchronize()
        assert (back == 0).all()
        for value in (3, 9):
            there[:] = value
            graph.launch()
            device.synchronize()
            assert (back == value).all()

        def fails() -> None:
            raise BackendError("in the middle")

        with pytest.raises(BackendError, match="in the middle"):
            device.record(fails)
        work()
        device.synchronize()


@pytest.mark.parametrize(
    ("channels", "region", "geometry"),
    [(4, "head", True), (3, "head", False), (4, "face", False), (3, "face", True)],
)
def test_the_chain_draws_what_the_cpu_draws(device, channels, region, geometry) -> None:
    random = np.random.default_rng(1)
    about = bundle(channels, geometry=geometry)
    renderer = gpu_painter(device, about, region)
    plain = Renderer(about, negative(channels), region)
    for frame, faces in enumerate(
        (
            [face_at(200, 150, 100)],
            [face_at(205, 152, 101), face_at(420, 200, 60, 1)],
            [face_at(210, 150, 130), face_at(300, 170, 90, 1)],
            [face_at(30, 40, 120)],
            [face_at(100 + 110 * n, 150, 50 + 9 * n, n) for n in range(5)],
        )
    ):
        image = picture(random, 360, 640)
        expected, result = image.copy(), image.copy()
        plain.render(expected, aligned(faces))
        renderer.render(result, aligned(faces))
        error = np.abs(result.astype(int) - expected)
        assert np.abs(result.astype(int) - image).mean() > 1, frame
        assert error.mean() < 0.25, frame
        assert np.percentile(error, 99.5) <= 10, frame


def test_graphs_change_nothing_but_the_time(device) -> None:
    random = np.random.default_rng(2)
    about = bundle(4)
    with_graph, without = gpu_painter(device, about), gpu_painter(device, about, use_graph=False)
    for step in range(6):
        image = picture(random, 240, 320)
        faces = aligned([face_at(150 + 3 * step, 120, 60 + step)] + [face_at(60, 60, 40, 1)] * (step % 2))
        one, other = image.copy(), image.copy()
        with_graph.render(one, faces)
        without.render(other, faces)
        np.testing.assert_array_equal(one, other)


def test_large_faces_and_large_frames(device) -> None:
    random = np.random.default_rng(3)
    about = bundle(4)
    renderer, plain = gpu_painter(device, about), Renderer(about, negative(4))
    for height, width, tall in ((240, 320, 100), (720, 1280, 360), (240, 320, 90)):
        image = picture(random, height, width)
        faces = aligned([face_at(width / 2, height / 2, tall)])
        expected, result = image.copy(), image.copy()
        plain.render(expected, faces)
        renderer.render(result, faces)
        error = np.abs(result.astype(int) - expected)
        assert error.mean() < 0.6
        assert np.percentile(error, 99) <= 12


def test_no_memory_is_taken_per_frame(device, monkeypatch) -> None:
    taken = []
    for name in ("allocate", "allocate_pinned"):
        original = getattr(device, name)
        monkeypatch.setattr(device, name, lambda size, original=original: (taken.append(size), original(size))[1])
    renderer = gpu_painter(device, bundle(4))
    random = np.random.default_rng(4)
    counts = []
    for step in range(5):
        renderer.render(picture(random, 240, 320), aligned([face_at(150 + step, 120, 80 - step)]))
        counts.append(len(taken))
    assert counts[0] > 0
    assert counts[-1] == counts[0]


class Broken(StandIn):
    """Fails as an engine does."""

    def enqueue(self, *args) -> None:  # noqa: ARG002
        raise BackendError("engine lost")


class Silent(StandIn):
    """Draws nothing: what lies in memory stays."""

    def enqueue(self, batch: int, crops: int, guidance: int, cartoons: int) -> None:
        super().enqueue(batch, crops, guidance, cartoons)
        super().enqueue(batch, cartoons, guidance, cartoons)


class Darker(StandIn):
    """Draws its input, darker: other levels, the same face."""

    def enqueue(self, batch: int, crops: int, guidance: int, cartoons: int) -> None:  # noqa: ARG002
        staged = self._device.allocate_pinned(3 * batch * self._size**2)
        self._device.download(staged, crops)
        self._device.synchronize()
        staged[:] = 0.7 * staged
        self._device.upload(cartoons, staged)
        self._device.synchronize()


def test_a_failing_engine_leaves_the_frame_alone(device) -> None:
    image = picture(np.random.default_rng(5), 240, 320)
    before = image.copy()
    with pytest.raises(BackendError, match="engine lost"):
        gpu_painter(device, bundle(4), engine=Broken).render(image, aligned([face_at(150, 120, 80)]))
    np.testing.assert_array_equal(image, before)


def test_a_drawing_that_is_none_is_refused(device) -> None:
    flat = np.full((240, 320, 3), 90, np.uint8)
    with pytest.raises(BackendError, match="flat picture"):
        gpu_painter(device, bundle(4)).render(flat, aligned([face_at(150, 120, 80)]))
    assert (flat == 90).all()
    image = picture(np.random.default_rng(6), 240, 320)
    before = image.copy()
    for engine in (Silent, Darker):
        with pytest.raises(BackendError, match="its input unchanged"):
            gpu_painter(device, bundle(3), engine=engine).render(image, aligned([face_at(150, 120, 80)]))
        np.testing.assert_array_equal(image, before)


class GpuStandInTranslator(ToldTranslator):
    """An engine whose frames stay on the device, as the TensorRT one does."""

    def __init__(self, device) -> None:
        super().__init__(negative(4).draw)
        self.device = device

    def device_engine(self, size: int) -> StandIn:
        return StandIn(self.device, size, 4)

    def close(self) -> None:
        self.device.close()


def test_the_painter_of_the_translator_is_taken(device) -> None:
    assert isinstance(open_renderer(bundle(4), GpuStandInTranslator(device)), GpuRenderer)
    assert isinstance(open_renderer(bundle(4), negative(4)), Renderer)


@pytest.mark.skipif(not IS_IMAGINED, reason="asks the imagined driver for its failures")
class TestFailures:
    """What the imagined driver can do and a real one hopefully does not."""

    def test_out_of_memory_says_what_to_do(self, monkeypatch) -> None:
        monkeypatch.setenv("FAKE_CUDA_FAIL", "cuMemAlloc:2:1")
        device = open_device("cuda-python")
        with device.current(), pytest.raises(BackendError, match="out of memory; close other programs"):
            device.allocate(10)
        device.close()

    def test_everything_is_given_back(self, device) -> None:
        library = ctypes.CDLL("libcuda.so.1")
        before = library.fakeLiveAllocations()
        renderer = gpu_painter(device, bundle(4))
        renderer.render(picture(np.random.default_rng(7), 240, 320), aligned([face_at(150, 120, 80)]))
        assert library.fakeLiveAllocations() > before
        device.close()
        assert library.fakeLiveAllocations() == before

    def test_a_lost_device_covers_reopens_and_ends_on_the_cpu(self, monkeypatch) -> None:
        from toonfilter.runtime.faces.tracker import TrackingResult
        from toonfilter.runtime.filter import style_engine
        from toonfilter.runtime.filter.filter_settings import FilterSettings
        from toonfilter.runtime.filter.toon_filter import ToonFilter
        from toonfilter.runtime.frames import Frame, PrivacyState
        from toonfilter.runtime.live.supervisor import FilterSupervisor

        about = bundle(4)
        monkeypatch.setattr(style_engine, "find_bundle", lambda style: about)  # noqa: ARG005
        opened: list[str] = []
        told: list[str] = []

        def opener(_: Bundle, engine: str, options: EngineOptions) -> Opened:  # noqa: ARG001
            opened.append(engine)
            if engine == "tensorrt":
                return Opened(GpuStandInTranslator(open_device("cuda-python")), {})
            return Opened(negative(4), {})

        class Tracker:
            def track(self, image, time_s):  # noqa: ARG002
                return TrackingResult(faces=[face_at(150, 120, 80)])

            def reset(self) -> None: ...

            def close(self) -> None: ...

        settings = FilterSettings(engine="tensorrt", size=SIZE)
        toon = ToonFilter(settings, tracker=Tracker(), opener=opener)
        supervisor = FilterSupervisor(lambda: toon, told.append)
        supervisor.open()
        random = np.random.default_rng(8)
        states = []
        for index in range(12):
            if index == 3:
                monkeypatch.setenv("FAKE_CUDA_FAIL", "cuGraphLaunch:719:1")
            frame = Frame(picture(random, 240, 320), index, index / 30)
            try:
                states.append(toon.process(frame).state)
                supervisor.succeeded()
            except BackendError as error:
                states.append(toon.cover(frame, str(error)).state)
                supervisor.failed(error)
        supervisor.close()
        ctypes.CDLL("libcuda.so.1").fakeRepair()
        assert states[:3] == [PrivacyState.PROTECTED] * 3
        assert states[3] == PrivacyState.COVERED
        assert PrivacyState.EXPOSED not in states
        assert states[-1] == PrivacyState.PROTECTED
        assert opened[-1] == "onnxruntime"
        assert "CUDA_ERROR_LAUNCH_FAILED" in " ".join(told)

    @pytest.mark.parametrize("has_runtime_cache", [True, False])
    def test_the_tensorrt_translator_over_an_imagined_tensorrt(self, monkeypatch, tmp_path, has_runtime_cache) -> None:
        from toonfilter.runtime.backends import tensorrt_backend
        from toonfilter.runtime.backends.engine_cache import EngineCache, EngineKey
        from toonfilter.runtime.backends.tensorrt_flavours import FLAVOURS, Flavour

        facts = next(facts for facts in FLAVOURS if facts.has_runtime_cache == has_runtime_cache)
        flavour = Flavour(facts, ImaginedTensorRt(has_runtime_cache), "0.1")
        key = EngineKey("a", "g", "8.9", "d", "f", "fp16", SIZE, 4)
        monkeypatch.setattr(tensorrt_backend, "flavour_for", lambda gpu: flavour)  # noqa: ARG005
        monkeypatch.setattr(tensorrt_backend, "engine_of", lambda *_, **__: (key, b"plan", True))
        real_open = tensorrt_backend.open_device

        def opened_device(layer):
            ImaginedTensorRt.device = real_open(layer)
            return ImaginedTensorRt.device

        monkeypatch.setattr(tensorrt_backend, "open_device", opened_device)
        told: list[str] = []
        cache = EngineCache(tmp_path)
        tmp_path.mkdir(exist_ok=True)
        translator = tensorrt_backend.TensorRtTranslator(
            bundle(4), size=SIZE, cache=cache, progress=lambda text, part: told.append(f"{text} {part}")
        )
        assert any("built in" in text for text in told)
        translator.warm_up(SIZE)
        assert cache.runtime_cache(key) == (b"kernels" if has_runtime_cache else b"")
        random = np.random.default_rng(9)
        for count in (1, 3, 4, 6):
            crops = np.stack([picture(random, SIZE, SIZE) for _ in range(count)])
            drawn = translator.translate(crops, np.zeros_like(crops))
            assert drawn.shape == (count, SIZE, SIZE, 4)
            np.testing.assert_array_equal(drawn[..., :3], np.bitwise_not(crops))
        about = translator.describe()
        assert (about.engine, about.device) == ("tensorrt-rtx" if has_runtime_cache else "tensorrt", "Imagined GPU")
        renderer, plain = open_renderer(bundle(4), translator), Renderer(bundle(4), negative(4))
        for step in range(3):
            image = picture(random, 240, 320)
            faces = aligned([face_at(150 + step, 120, 80), face_at(60, 60, 40, 1)])
            expected, result = image.copy(), image.copy()
            plain.render(expected, faces)
            renderer.render(result, faces)
            assert np.abs(result.astype(int) - expected).mean() < 0.25
        ImaginedTensorRt.fails = True
        with pytest.raises(BackendError, match="failed to run the engine"):
            translator.translate(crops[:1], np.zeros_like(crops[:1]))
        ImaginedTensorRt.fails = False
        translator.close()
        translator.close()
        with pytest.raises(BackendError, match="closed"):
            translator.translate(crops, None)


class ImaginedTensorRt:
    """As much of TensorRT's Python interface as loading and running an engine touches; runs the stand-in."""

    device = None
    fails = False

    def __init__(self, has_runtime_cache: bool) -> None:
        self.is_rtx = has_runtime_cache

    class ILogger:
        ERROR, INTERNAL_ERROR = 1, 0

    class TensorIOMode:
        INPUT, OUTPUT = "input", "output"

    class DataType:
        UINT8 = "uint8"

    class DynamicShapesKernelSpecializationStrategy:
        EAGER = "eager"

    def Runtime(self, logger):  # noqa: ARG002, N802
        return self

    def deserialize_cuda_engine(self, plan):
        return None if plan != b"plan" else ImaginedEngine(self)


class ImaginedEngine:
    num_io_tensors = 3
    _channels: dict[str, int] = {"image": 3, "guidance": 3, "cartoon": 4}  # noqa: RUF012

    def __init__(self, trt) -> None:
        self.trt = trt

    def get_tensor_name(self, index: int) -> str:
        return list(self._channels)[index]

    def get_tensor_mode(self, name: str) -> str:
        return "output" if name == "cartoon" else "input"

    def get_tensor_dtype(self, name: str) -> str:  # noqa: ARG002
        return "uint8"

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return -1, SIZE, SIZE, self._channels[name]

    def create_runtime_config(self):
        return ImaginedConfig()

    def create_execution_context(self, config=None):
        assert (config is not None) == self.trt.is_rtx
        return ImaginedContext()


class ImaginedConfig:
    dynamic_shapes_kernel_specialization_strategy = "lazy"

    def create_runtime_cache(self):
        return self

    def set_runtime_cache(self, cache) -> None: ...

    def deserialize(self, blob: bytes) -> bool:
        return blob == b"kernels"

    def serialize(self) -> bytes:
        return b"kernels"


class ImaginedContext:
    def __init__(self) -> None:
        self.batch, self.addresses = 0, {}
        self.generator = StandIn(ImaginedTensorRt.device, SIZE, 4)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> None:  # noqa: ARG002
        self.batch = shape[0]

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def is_stream_capturable(self, stream: int) -> bool:
        return stream == ImaginedTensorRt.device.stream

    def execute_async_v3(self, stream: int) -> bool:  # noqa: ARG002
        if not ImaginedTensorRt.fails:
            self.generator.enqueue(self.batch, self.addresses["image"], 0, self.addresses["cartoon"])
        return not ImaginedTensorRt.fails
