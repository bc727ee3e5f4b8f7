"""The training loop: any recipe, on a CPU, one GPU, several, or several machines, through Lightning Fabric."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from torch import Tensor

from toonfilter.runtime.errors import ConfigError, TrainingError
from toonfilter.train.checkpoint import (
    BEST,
    Checkpoint,
    epoch_folder,
    keep_weights,
    read_checkpoint,
    write_checkpoint,
)
from toonfilter.train.data.datasets import open_data, warp_of
from toonfilter.train.feed import Feed
from toonfilter.train.held_out import HeldOut, check_validation
from toonfilter.train.interruption import Interruption
from toonfilter.train.monitor import Monitor
from toonfilter.train.optimisation import Average, Optimisers, step_factor
from toonfilter.train.random_state import random_state, set_random_state
from toonfilter.train.recipe import Recipe
from toonfilter.train.start import first_weights, open_fabric
from toonfilter.train.systems import System, build_system, sample_titles
from toonfilter.train.validation import Measurer
from toonfilter.train.validation_record import Best, read_best

# Progress is reported at least as often as this, however long a step takes.
REPORT_EVERY_S = 1.0


@dataclass(frozen=True)
class TrainOptions:
    """Where to train, and where from."""

    data: Path
    out: Path
    # Go on from the newest checkpoint in `out`.
    resume: bool = False
    # Begin with the weights of another run of the same networks, as a new run.
    weights_from: Path | None = None
    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    # What measures the held-out pictures; needed where `run.validate_every_steps` is not 0.
    measurer: Measurer | None = None


@dataclass(frozen=True)
class Progress:
    """Reported every second or so, by the first process only. scalars: the last ones that were logged."""

    step: int
    total_steps: int
    pictures_per_s: float
    scalars: Mapping[str, float]
    # At the mean speed of this run.
    left_s: float = 0.0


@dataclass(frozen=True)
class TrainResult:
    """How a run ended. `checkpoint` is the newest one; `unreadable` counts samples that were left out.

    is_interrupted: Ctrl-C came before the last step; the checkpoint is of the step at which it stopped.
    """

    steps: int
    seconds: float
    checkpoint: Path
    scalars: Mapping[str, float]
    unreadable: int = 0
    is_interrupted: bool = False
    best: Best | None = None


def train(recipe: Recipe, options: TrainOptions, report: Callable[[Progress], None] | None = None) -> TrainResult:
    """Train a recipe to its end; checkpoints, samples and curves go to `options.out`.

    Raises:
        ConfigError: the recipe and the options do not fit together.
        DataError: the data folder lacks what the recipe needs.
        TrainingError: NaN (the last good checkpoint stays), out of memory (names a batch size), a foreign checkpoint.
    """
    fabric = open_fabric(recipe, options.accelerator, options.devices, options.nodes)
    resumed = read_checkpoint(options.out, with_state=True) if options.resume else None
    if resumed is None and (options.out / "checkpoints").is_dir():
        raise ConfigError(f"{options.out}: there is a run here already; give --resume, or another folder")
    run = _Run(fabric, recipe, options, resumed)
    try:
        with _memory_advice(recipe):
            return run.to_the_end(report or (lambda _: None))
    finally:
        run.close()


class _Run:
    """One run: everything between the recipe and its last checkpoint."""

    def __init__(
        self, fabric: lightning.Fabric, recipe: Recipe, options: TrainOptions, resumed: Checkpoint | None
    ) -> None:
        self.fabric, self.recipe, self.options = fabric, recipe, options
        torch.manual_seed(recipe.run.seed + fabric.global_rank)
        self.system: System = build_system(recipe)
        data = open_data(options.data, recipe.data, "train", seed=recipe.run.seed)
        self.steps_per_epoch = max(1, len(data) // (recipe.data.batch_size * fabric.world_size))
        self.total_steps = recipe.total_steps(self.steps_per_epoch)
        best = read_best(options.out / BEST) if options.resume else None
        check_validation(recipe, self.system, options.measurer)
        self.first_step = 0 if resumed is None else resumed.step
        if self.first_step >= self.total_steps:
            raise ConfigError(
                f"{options.out}: at step {self.first_step} of {self.total_steps}; nothing is left to train"
            )
        first_weights(fabric, recipe, self.system, options.weights_from, resumed)
        self.optimisers = Optimisers(fabric, recipe, self.system)
        self.average = Average(self.system, recipe.run.ema_decay)
        self.feed = Feed(fabric, recipe, data, range(self.first_step, self.total_steps))
        if resumed is not None:
            self._restore(resumed)
        self.monitor: Monitor | None = None
        if fabric.is_global_zero:
            options.out.mkdir(parents=True, exist_ok=True)
            self.monitor = Monitor(options.out, self.first_step)
        self.held_out = HeldOut(options.data, recipe, fabric.device, best)

    def to_the_end(self, report: Callable[[Progress], None]) -> TrainResult:
        """Train until the last step."""
        settings = self.recipe.run
        started = reported = time.perf_counter()
        values: dict[str, float] = {}
        last = self.first_step
        with Interruption() as interruption:
            for step in range(self.first_step, self.total_steps):
                scalars = self._step(step)
                done = step + 1
                is_interrupted = interruption.is_asked(self.fabric.world_size)
                is_last = done == self.total_steps or is_interrupted
                is_logged = done % settings.log_every_steps == 0 or step == 0 or done == self.total_steps
                if is_logged:
                    values = self._log(done, scalars)
                now = time.perf_counter()
                if self.monitor is not None and (is_logged or now - reported >= REPORT_EVERY_S):
                    pictures = (done - last) * self.recipe.data.batch_size * self.fabric.world_size
                    left_s = (now - started) / (done - self.first_step) * (self.total_steps - done)
                    report(Progress(done, self.total_steps, pictures / (now - reported), values, left_s))
                    reported, last = now, done
                self._look_and_keep(done, is_last, is_interrupted)
                if done % settings.checkpoint_every_steps == 0 or is_last:
                    path = self._write(done)
                if is_interrupted:
                    break
        seconds = time.perf_counter() - started
        is_whole = done == self.total_steps
        return TrainResult(done, seconds, path, values, len(self.feed.unreadable), not is_whole, self.held_out.best)

    def _look_and_keep(self, done: int, is_last: bool, is_interrupted: bool) -> None:
        """What is due after `done` steps: samples, measures, weights kept by epoch."""
        settings = self.recipe.run
        if done % settings.sample_every_steps == 0 or (is_last and not is_interrupted):
            self._sample(done)
        if settings.validate_every_steps and (
            done % settings.validate_every_steps == 0 or (is_last and not is_interrupted)
        ):
            self._validate(done)
        epochs, rest = divmod(done, self.steps_per_epoch)
        if settings.save_every_epochs and rest == 0 and epochs % settings.save_every_epochs == 0:
            self._keep(done, epoch_folder(self.options.out, epochs))

    def close(self) -> None:
        """Finish curves and logs; the checkpoints are whole at any time."""
        if self.monitor is not None:
            self.monitor.close()

    def _step(self, step: int) -> dict[str, Tensor]:
        batch = self.feed.next()
        self.optimisers.begin(step, self.total_steps, step_factor(self.recipe.schedule, step, self.total_steps))
        with self.fabric.autocast():
            scalars = self.system.step(batch, self.optimisers)
        self.average.update(self.system, step)
        return scalars

    def _log(self, step: int, scalars: Mapping[str, Tensor]) -> dict[str, float]:
        values = {name: float(value) for name, value in scalars.items()}
        bad = sorted(name for name, value in values.items() if value != value or abs(value) == float("inf"))
        if bad:
            raise TrainingError(
                f"{bad[0]} is {values[bad[0]]} at step {step}; stopped. The last good checkpoint stays in "
                f"{self.options.out}: go on from it with --resume and a lower learning rate or --set run.clip_norm=1.0"
            )
        values["learning_rate_factor"] = step_factor(self.recipe.schedule, step - 1, self.total_steps)
        if self.monitor is not None:
            self.monitor.scalars(step, values)
        return values

    def _sample(self, step: int) -> None:
        if self.monitor is None:
            return
        self.monitor.samples(step, self.held_out.samples(self.system, self.average), sample_titles(self.system))
        self.monitor.curves()

    def _validate(self, step: int) -> None:
        """Measure the held-out pictures, and keep the weights where they are the best so far."""
        if self.monitor is None or self.options.measurer is None:
            return
        figures = self.held_out.figures(self.system, self.average, self.options.measurer)
        self.monitor.scalars(step, {f"val_{name}": value for name, value in figures.items()})
        if self.held_out.is_best(step, figures):
            self._keep(step, self.options.out / BEST, self.held_out.best)

    def _keep(self, step: int, folder: Path, best: Best | None = None) -> None:
        """Keep the weights alone, for good."""
        if self.fabric.is_global_zero:
            keep_weights(
                folder,
                step=step,
                recipe=self.recipe,
                data=self.options.data.resolve().name,
                warp=warp_of(self.options.data),
                weights=self.system.networks.state_dict(),
                averaged=self.average.weights,
                best=best,
            )

    def _write(self, step: int) -> Path:
        weights = self.system.networks.state_dict()
        if any(not torch.isfinite(value).all() for value in weights.values() if value.is_floating_point()):
            raise TrainingError(f"a weight is not finite at step {step}; stopped. The last good checkpoint stays")
        state = {
            "optimisers": self.optimisers.state(),
            "ranks": self._from_all({"random": random_state(), "system": self.system.state()}),
        }
        folder = self.options.out / "checkpoints" / f"step-{step:07d}"
        if self.fabric.is_global_zero:
            folder = write_checkpoint(
                self.options.out,
                step=step,
                recipe=self.recipe,
                data=self.options.data.resolve().name,
                warp=warp_of(self.options.data),
                weights=weights,
                averaged=self.average.weights,
                state=state,
                keep=self.recipe.run.checkpoints_kept,
            )
        self.fabric.barrier()
        return folder

    def _restore(self, resumed: Checkpoint) -> None:
        state = cast(Mapping[str, Any], resumed.state)
        ranks = state["ranks"]
        if len(ranks) != self.fabric.world_size:
            raise TrainingError(f"{resumed.path}: from {len(ranks)} processes; now there are {self.fabric.world_size}")
        self.optimisers.load_state(state["optimisers"])
        self.average.load(resumed.averaged)
        own = ranks[self.fabric.global_rank]
        self.system.load_state(own["system"])
        set_random_state(own["random"])

    def _from_all(self, value: Any) -> list[Any]:
        if self.fabric.world_size == 1:
            return [value]
        gathered: list[Any] = [None] * self.fabric.world_size
        torch.distributed.all_gather_object(gathered, value)
        return gathered


@contextmanager
def _memory_advice(recipe: Recipe) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text):
            raise
        batch, size = recipe.data.batch_size, recipe.data.size_px
        advice = f"--set data.batch_size={batch // 2}" if batch > 1 else f"--set data.size_px={size // 2}"
        raise TrainingError(f"out of memory at batch size {batch}, {size} px; try {advice}") from error
