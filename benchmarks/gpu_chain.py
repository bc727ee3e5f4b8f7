"""Latency of crop + translate + blend on a GPU: what the GPU path costs around a generator, and with one.

    python -m toonfilter.benchmarks.gpu_chain --style cartoon

writes benchmarks/results/gpu-chain-GPU.json. Each case: warm-up, then `--frames` frames; times in ms as p50, p95, p99
and max. `end_to_end_ms` is wall time from a frame in host memory to the drawn frame in host memory; of it `device_ms`
lies between events around kernels and engine, and `cpu_inputs_ms` is the faces' geometry, guidance and hull on the CPU.
The stand-in draws the negative in a generator's place: its cases are the cost of everything around one.
"""

import argparse
import importlib.metadata
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.backends.translator import DeviceEngine
from toonfilter.runtime.bundle import Bundle, InputSpec, OutputSpec, Training, find_bundle
from toonfilter.runtime.cuda.device import LAYERS, Device, open_device
from toonfilter.runtime.errors import BackendError, ToonfilterError
from toonfilter.runtime.faces.detection import Face, face_from
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.geometry.alignment import CropTransform, crop_transform, mean_face
from toonfilter.runtime.geometry.warp import FaceWarp
from toonfilter.runtime.render.gpu_chain import GpuChain, StandIn
from toonfilter.runtime.render.gpu_renderer import GpuRenderer

RESOLUTIONS = {"720p": (720, 1280), "1080p": (1080, 1920), "4K": (2160, 3840)}
FACES = (1, 2, 4)
_WARM_UP = 20

AlignedFace = list[tuple[Face, CropTransform]]
EngineMaker = Callable[[Device, int], DeviceEngine]


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table. engine: "stand-in" or what TensorRT says of itself."""

    layer: str
    engine: str
    size: int
    resolution: str
    faces: int
    graph: bool
    frames: int
    end_to_end_ms: Percentiles
    device_ms: Percentiles
    cpu_inputs_ms: Percentiles


def percentiles(times_ms: Sequence[float]) -> Percentiles:
    """Nearest-rank percentiles."""
    ordered = sorted(times_ms)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(np.ceil(share * len(ordered))) - 1)], 4)

    return Percentiles(at(0.5), at(0.95), at(0.99), round(ordered[-1], 4))


def faces_in(height: int, width: int, count: int, size: int) -> AlignedFace:
    """Frontal faces side by side: one of 40 % of the frame's height, more of them smaller."""
    tall = height * (0.4 if count == 1 else 0.28)
    aligned: AlignedFace = []
    for index in range(count):
        x = width * (index + 1) / (count + 1)
        landmarks = (mean_face() * tall + [x, 0.45 * height, 0]).astype(np.float32)
        face = face_from(landmarks, index)
        if face is not None:
            aligned.append((face, crop_transform(face.landmarks, size, face.fit)))
    return aligned


def _noise(height: int, width: int) -> NDArray[np.uint8]:
    picture = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3)).astype(np.uint8)
    return np.ascontiguousarray(picture.repeat(8, 0).repeat(8, 1))


def run_case(
    device: Device,
    bundle: Bundle,
    make_engine: EngineMaker,
    *,
    engine: str,
    resolution: str,
    faces: int,
    size: int,
    graph: bool,
    frames: int,
) -> Case:
    """Measure one case."""
    height, width = RESOLUTIONS[resolution]
    source = _noise(height, width)
    aligned = faces_in(height, width, faces, size)

    def chain(side: int) -> GpuChain:
        return _TimedChain(
            device,
            make_engine(device, side),
            size=side,
            channels=bundle.output.channels,
            has_guidance=bundle.input.guidance_channels > 0,
            use_graph=graph,
        )

    renderer = GpuRenderer(bundle, device, chain)
    whole, inputs, on_device = [], [], []
    for index in range(_WARM_UP + frames):
        image = source.copy()
        started = time.perf_counter()
        renderer.render(image, aligned)
        ended = time.perf_counter()
        if index >= _WARM_UP:
            whole.append((ended - started) * 1e3)
            inputs.append((_TimedChain.began_s - started) * 1e3)
            on_device.append(_TimedChain.device_ms)
    return Case(
        device.layer,
        engine,
        size,
        resolution,
        faces,
        graph,
        frames,
        percentiles(whole),
        percentiles(on_device),
        percentiles(inputs),
    )


class _TimedChain(GpuChain):
    """Events around the whole stream's work; the newest call's times."""

    began_s = 0.0
    device_ms = 0.0

    def draw(self, *arguments: Any) -> Any:
        _TimedChain.began_s = time.perf_counter()
        return super().draw(*arguments)

    def _run(self, count: int, region: Any) -> None:
        start = self._device.event()
        super()._run(count, region)
        self._marks = (start, self._device.event())

    def _drawn(self, count: int) -> Any:
        _TimedChain.device_ms = self._device.elapsed_ms(*self._marks)
        return super()._drawn(count)


def stand_in_bundle(size: int) -> Bundle:
    """What the stand-in pretends to be: guidance in, RGBA out, the default warp."""
    training = Training("none", "", "", 0)
    output, warp = OutputSpec(4), FaceWarp().to_dict()
    return Bundle("stand-in", "0", "MIT", "", training, InputSpec([size], 3), output, [], warp=warp)


def surroundings(device: Device) -> dict[str, str]:
    """What the figures depend on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    major, minor = device.info.compute_capability
    return {
        "gpu": device.info.name,
        "compute_capability": f"{major}.{minor}",
        "driver": device.info.driver,
        "cpu": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "toonfilter": importlib.metadata.version("toonfilter"),
        "commit": commit,
    }


def measure(style: str, layers: Sequence[str], sizes: Sequence[int], frames: int) -> dict[str, Any]:
    """Every case that runs here; what does not run is in `skipped` with its reason.

    Raises:
        BackendError: no GPU.
    """
    cases: list[Case] = []
    skipped: dict[str, str] = {}
    about: dict[str, str] = {}
    for layer in layers:
        try:
            device = open_device(layer)
        except BackendError as error:
            skipped[layer] = str(error)
            continue
        about = surroundings(device)
        try:
            for name, bundle, maker in _engines(style, device, skipped):
                for size in sizes:
                    for resolution in RESOLUTIONS:
                        for faces in FACES:
                            for graph in (True, False):
                                wanted = bundle or stand_in_bundle(size)
                                case = run_case(
                                    device,
                                    wanted,
                                    maker,
                                    engine=name,
                                    resolution=resolution,
                                    faces=faces,
                                    size=size,
                                    graph=graph,
                                    frames=frames,
                                )
                                cases.append(case)
        finally:
            device.close()
    if not about:
        raise BackendError("; ".join(f"{layer}: {reason}" for layer, reason in skipped.items()))
    return {"about": about, "skipped": skipped, "cases": [asdict(case) for case in cases]}


def _engines(style: str, device: Device, skipped: dict[str, str]) -> list[tuple[str, Bundle | None, EngineMaker]]:
    found: list[tuple[str, Bundle | None, EngineMaker]] = [
        ("stand-in", None, lambda gpu, size: StandIn(gpu, size, 4)),
    ]
    try:
        from toonfilter.runtime.backends.engine_cache import EngineCache
        from toonfilter.runtime.backends.tensorrt_backend import TensorRtEngine
        from toonfilter.runtime.backends.tensorrt_engines import engine_of
        from toonfilter.runtime.backends.tensorrt_flavours import flavour_for

        bundle = find_bundle(style)
        flavour = flavour_for(device.info)

        def make(gpu: Device, size: int) -> DeviceEngine:
            _, plan, _ = engine_of(bundle, size, flavour, gpu.info, EngineCache())
            return TensorRtEngine(flavour, plan, b"", gpu, size)

        with device.current():
            make(device, bundle.input.sizes[0])
        found.append((flavour.title, bundle, make))
    except ToonfilterError as error:
        skipped["tensorrt"] = str(error)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the JSON; exit status 1 without a GPU."""
    parser = argparse.ArgumentParser(description="Latency of the GPU path.")
    parser.add_argument("--style", default="cartoon")
    parser.add_argument("--layers", nargs="+", default=list(LAYERS), choices=list(LAYERS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512])
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results"))
    options = parser.parse_args(arguments)
    try:
        result = measure(options.style, options.layers, options.sizes, options.frames)
    except ToonfilterError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    name = "".join(c if c.isalnum() else "-" for c in result["about"]["gpu"].lower())
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / f"gpu-chain-{name}.json"
    write_whole(path, json.dumps(result, indent=1) + "\n")
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
