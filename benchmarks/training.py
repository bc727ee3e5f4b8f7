"""Training speed: our cyclegan recipe beside a plain, faithful CycleGAN loop, in one process, in turns.

The plain loop is what the published code does (Zhu et al. 2017): fp32, no compilation, one pass for each use of a
network, Adam as it comes. Ours is the recipe as the training loop runs it: Fabric, mixed precision, fused Adam, the
pictures that go through the same network in one pass, and on a GPU channels_last. Both have the same networks, the same
batch and the same pictures, which lie in memory: loading is not measured. The two take turns, so that other work on the
machine slows both alike; the ratio is of the medians.
"""

import itertools
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from toonfilter.benchmarks.results import commit
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.train.image_pool import ImagePool
from toonfilter.train.networks.discriminators import PatchDiscriminator
from toonfilter.train.networks.resnet import ResnetGenerator
from toonfilter.train.optimisation import Optimisers
from toonfilter.train.recipe import Recipe, load_recipe
from toonfilter.train.systems import System, build_system

Step = Callable[[], None]


@dataclass(frozen=True)
class TrainingBenchOptions:
    """width: channels of the first layer of all networks (64 as published). steps: measured, of each loop.

    device: "auto", "cpu" or "cuda". precision: of our loop; "" takes bf16-mixed. threads: of the CPU, 0 leaves torch's.
    """

    size_px: int = 256
    width: int = 64
    batch_size: int = 1
    steps: int = 10
    warm_up: int = 2
    device: str = "auto"
    precision: str = ""
    compile: bool = False
    threads: int = 0


def compare_training(options: TrainingBenchOptions, progress: ShowProgress | None = None) -> dict[str, Any]:
    """Time both loops; the result is ready for JSON.

    Returns:
        Seconds per step of each loop (wall clock and, on a CPU, processor time), and `ratio`: how many times faster
        ours is by wall clock; `ratio_processor` is the same by processor time, which other work disturbs less.

    Raises:
        ConfigError: cuda is asked for and not there, or too few steps.
    """
    if options.steps < 3:
        raise ConfigError(f"--steps is {options.steps}; must be 3 or more")
    device = _device(options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    loops = {"plain": PlainLoop(options, device).step, "ours": our_loop(options, device)}
    walls: dict[str, list[float]] = {name: [] for name in loops}
    processors: dict[str, list[float]] = {name: [] for name in loops}
    total = options.warm_up + options.steps
    for number in range(total):
        for name, step in loops.items():
            wall, processor = _timed(step, device)
            if number >= options.warm_up:
                walls[name].append(wall)
                processors[name].append(processor)
        if progress is not None:
            progress(Progress(number + 1, total, "steps"))
    return _result(options, device, walls, processors)


class PlainLoop:
    """The published training step, written plainly: the reference that ours is measured against."""

    def __init__(self, options: TrainingBenchOptions, device: torch.device) -> None:
        def generator() -> ResnetGenerator:
            return ResnetGenerator(width=options.width).to(device)

        def discriminator() -> PatchDiscriminator:
            return PatchDiscriminator(width=options.width).to(device)

        self.g, self.f = generator(), generator()
        self.d_x, self.d_y = discriminator(), discriminator()
        self.pool_x, self.pool_y = ImagePool(50), ImagePool(50)
        generators = itertools.chain(self.g.parameters(), self.f.parameters())
        discriminators = itertools.chain(self.d_x.parameters(), self.d_y.parameters())
        self.adam_g = torch.optim.Adam(generators, lr=2e-4, betas=(0.5, 0.999))
        self.adam_d = torch.optim.Adam(discriminators, lr=2e-4, betas=(0.5, 0.999))
        self.x, self.y = _pictures(options, device)

    def step(self) -> None:
        """Equations 1 to 4 with lambda = 10 and the identity loss: generators, then discriminators."""
        x, y = self.x, self.y
        fake_y, fake_x = self.g(x), self.f(y)
        self._train_discriminators(False)
        self.adam_g.zero_grad()
        loss = _towards(self.d_y(fake_y), 1.0) + _towards(self.d_x(fake_x), 1.0)
        loss = loss + 10 * (F.l1_loss(self.f(fake_y), x) + F.l1_loss(self.g(fake_x), y))
        loss = loss + 5 * (F.l1_loss(self.f(x), x) + F.l1_loss(self.g(y), y))
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam_g.step()
        self._train_discriminators(True)
        self.adam_d.zero_grad()
        for network, real, pool, fake in ((self.d_x, x, self.pool_x, fake_x), (self.d_y, y, self.pool_y, fake_y)):
            loss = 0.5 * (_towards(network(real), 1.0) + _towards(network(pool.exchange(fake)), 0.0))
            loss.backward()  # type: ignore[no-untyped-call]
        self.adam_d.step()

    def _train_discriminators(self, on: bool) -> None:
        for network in (self.d_x, self.d_y):
            network.requires_grad_(on)


def our_loop(options: TrainingBenchOptions, device: torch.device) -> Step:
    """One step of the cyclegan recipe, as toonfilter.train.loop makes it."""
    import lightning

    recipe = _recipe(options, device)
    fabric = lightning.Fabric(accelerator=device.type, devices=1, precision=recipe.run.precision)
    system: System = build_system(recipe)
    system.networks.to(fabric.device)
    if recipe.run.channels_last:
        system.networks.to(memory_format=torch.channels_last)
    if recipe.run.compile:
        for network in system.networks.values():
            network.compile()
    system.networks.train()
    optimisers = Optimisers(fabric, recipe, system)
    x, y = _pictures(options, fabric.device)
    if recipe.run.channels_last:
        x, y = (picture.to(memory_format=torch.channels_last) for picture in (x, y))
    numbers = itertools.count()

    def step() -> None:
        optimisers.begin(next(numbers), 1_000_000, 1.0)
        with fabric.autocast():
            system.step({"source": x, "target": y}, optimisers)

    return step


def _recipe(options: TrainingBenchOptions, device: torch.device) -> Recipe:
    """The published recipe with the settings of run that are the user's choice."""
    # On a CPU channels_last gains nothing here: instance normalisation has no fast path for it.
    settings = {
        "run.precision": options.precision or "bf16-mixed",
        "run.channels_last": device.type == "cuda",
        "run.compile": options.compile,
        "data.size_px": options.size_px,
        "data.batch_size": options.batch_size,
        "generator.options.width": options.width,
        "discriminator.options.width": options.width,
    }
    return load_recipe("cyclegan", [f"{key}={str(value).lower()}" for key, value in settings.items()])


def _pictures(options: TrainingBenchOptions, device: torch.device) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (2, options.batch_size, 3, options.size_px, options.size_px)
    x, y = (torch.rand(shape, generator=generator) * 2 - 1).to(device)
    return x, y


def _towards(logits: Tensor, label: float) -> Tensor:
    return F.mse_loss(logits, torch.full_like(logits, label))


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device is cuda; torch finds no GPU here")
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"--device is {name!r}; must be auto, cpu or cuda")
    return torch.device(name)


def _timed(step: Step, device: torch.device) -> tuple[float, float]:
    if device.type == "cuda":
        torch.cuda.synchronize()
    wall, processor = time.perf_counter(), time.process_time()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - processor


def _result(
    options: TrainingBenchOptions,
    device: torch.device,
    walls: dict[str, list[float]],
    processors: dict[str, list[float]],
) -> dict[str, Any]:
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    content: dict[str, Any] = {
        "benchmark": "training",
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit(),
        "os": platform.platform(),
        "recipe": "cyclegan",
        "device": name,
        "torch": torch.__version__,
        "options": asdict(options),
        "loops": {
            loop: {
                "median_s": statistics.median(walls[loop]),
                "median_processor_s": statistics.median(processors[loop]),
                "steps_s": walls[loop],
            }
            for loop in walls
        },
    }
    for key, times in (("ratio", walls), ("ratio_processor", processors)):
        content[key] = statistics.median(times["plain"]) / statistics.median(times["ours"])
    return content
