"""Bundles side by side on each CPU engine: time and CPU time of one call, and how far each is from the first's fp32.

    python -m toonfilter.benchmarks.engines cartoon FOLDER --sizes 256 384 --threads 1 2

All take turns call by call, so that other work on the machine slows all alike; use the figures as ratios.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from toonfilter.runtime.backends import Crops, EngineOptions, open_translator
from toonfilter.runtime.bundle import Bundle, Precision, find_bundle, load_bundle
from toonfilter.runtime.errors import ToonfilterError

ENGINES = ("onnxruntime", "openvino")
PRECISIONS: tuple[Precision, ...] = ("int8", "fp32")
_WARM_UP_CALLS = 5


@dataclass
class Timed:
    """Calls of one file on one engine. times_ms on the clock, cpu_ms of all threads; error in levels of 255."""

    bundle: str
    engine: str
    precision: Precision
    size: int
    threads: int
    mean_abs_error: float
    times_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.size} px, {self.threads} threads, {self.engine} {self.precision}, {self.bundle}: "
            f"{median(self.times_ms):.2f} ms, CPU {median(self.cpu_ms):.2f} ms, mean error {self.mean_abs_error:.2f}"
        )


def compare_engines(
    bundles: Sequence[Bundle], crops: Callable[[int], tuple[Crops, Crops | None]], size: int, threads: int, rounds: int
) -> Iterator[Timed]:
    """Time every file of every bundle on every engine at this size.

    crops: from a size to a picture uint8 [1, S, S, 3] and its guidance.

    Raises:
        BackendError, ConfigError: an engine cannot be opened.
    """
    picture, guidance = crops(size)
    reference = open_translator(bundles[0], "onnxruntime", EngineOptions(size, "fp32", threads)).translator
    expected = reference.translate(picture, guidance).astype(np.int16)
    reference.close()
    runs = []
    for index, bundle in enumerate(bundles):
        name = f"{index + 1} {bundle.name} {bundle.version}"
        for engine in ENGINES:
            for precision in PRECISIONS:
                if precision not in bundle.precisions:
                    continue
                translator = open_translator(bundle, engine, EngineOptions(size, precision, threads)).translator
                translator.warm_up(size)
                drawn = [translator.translate(picture, guidance) for _ in range(_WARM_UP_CALLS)]
                error = float(np.abs(drawn[-1] - expected).mean())
                runs.append((translator, Timed(name, engine, precision, size, threads, error)))
    for _ in range(rounds):
        for translator, timed in runs:
            cpu, start = time.process_time(), time.perf_counter()
            translator.translate(picture, guidance)
            timed.times_ms.append((time.perf_counter() - start) * 1e3)
            timed.cpu_ms.append((time.process_time() - cpu) * 1e3)
    for translator, timed in runs:
        translator.close()
        yield timed


def _portrait(bundle: Bundle) -> Callable[[int], tuple[Crops, Crops | None]]:
    """The portrait that scikit-image carries, as the runtime crops it."""
    from toonfilter.export.crops import load_crops
    from toonfilter.runtime.geometry.warp import FaceWarp

    warp = FaceWarp.from_dict(dict(bundle.warp)) if bundle.warp else None
    with_guidance = bundle.input.guidance_channels > 0
    taken = load_crops(None, with_guidance=with_guidance, warp=warp, size=512, count=1)

    def at(size: int) -> tuple[Crops, Crops | None]:
        feed = taken.feeds(size)[0]
        return feed["image"], feed.get("guidance")

    return at


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each; exit status 1 where something cannot be opened."""
    parser = argparse.ArgumentParser(description="Bundles side by side on each CPU engine.")
    parser.add_argument("bundles", nargs="+", help="names or folders; the first one's fp32 file is what is right")
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 320, 384])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args(arguments)
    try:
        bundles = [load_bundle(Path(name)) if Path(name).is_dir() else find_bundle(name) for name in options.bundles]
        crops = _portrait(bundles[0])
        for size in options.sizes:
            for threads in options.threads:
                for timed in compare_engines(bundles, crops, size, threads, options.rounds):
                    sys.stdout.write(f"{timed}\n")
    except ToonfilterError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
