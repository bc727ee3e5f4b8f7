"""The training loop: any recipe, on a CPU, one GPU, several, or several machines, through Lightning Fabric."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from toonfilter.runtime.errors import ConfigError, DataError, TrainingError
from toonfilter.train.checkpoint import (
    BEST,
    Checkpoint,
    epoch_folder,
    keep_weights,
    load_weights,
    read_checkpoint,
    write_checkpoint,
)
from toonfilter.train.data.datasets import BAD, FolderData, RunOrder, exaggeration_of, open_data, to_floats
from toonfilter.train.interruption import Interruption
from toonfilter.train.monitor import Monitor
from toonfilter.train.optimisation import Average, Optimisers, step_factor
from toonfilter.train.random_state import random_state, set_random_state
from toonfilter.train.recipe import Recipe
from toonfilter.train.systems import System, build_system, sample_titles
from toonfilter.train.validation import Measurer, drawn, held_out_batches
from toonfilter.train.validation_record import Best, check_measure, is_better, read_best, value_of

SAMPLES = 6
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
    fabric = _open_fabric(recipe, options)
    resumed = read_checkpoint(options.out, with_state=True) if options.resume else None
    if resumed is None and (options.out / "checkpoints").is_dir():
        raise ConfigError(f"{options.out}: there is a run here already; give --resume, or another folder")
    run = _Run(fabric, recipe, options, resumed)
    try:
        with _memory_advice(recipe):
            return run.to_the_end(report or (lambda _: None))
    finally:
        run.close()


def _open_fabric(recipe: Recipe, options: TrainOptions) -> lightning.Fabric:
    several = options.devices > 1 or options.nodes > 1
    fabric = lightning.Fabric(
        accelerator=options.accelerator,
        devices=options.devices,
        num_nodes=options.nodes,
        strategy="ddp" if several else "auto",
        precision=recipe.run.precision,
    )
    fabric.launch()
    return fabric


class _Run:
    """One run: everything between the recipe and its last checkpoint."""

    def __init__(
        self, fabric: lightning.Fabric, recipe: Recipe, options: TrainOptions, resumed: Checkpoint | None
    ) -> None:
        self.fabric, self.recipe, self.options = fabric, recipe, options
        torch.manual_seed(recipe.run.seed + fabric.global_rank)
        self.system: System = build_system(recipe)
        self.data = open_data(options.data, recipe.data, "train", seed=recipe.run.seed)
        per_step = recipe.data.batch_size * fabric.world_size
        self.steps_per_epoch = max(1, len(self.data) // per_step)
        self.total_steps = recipe.total_steps(self.steps_per_epoch)
        self.best: Best | None = read_best(options.out / BEST) if options.resume else None
        self._check_validation()
        self.first_step = 0 if resumed is None else resumed.step
        if self.first_step >= self.total_steps:
            raise ConfigError(
                f"{options.out}: at step {self.first_step} of {self.total_steps}; nothing is left to train"
            )
        self._first_weights(resumed)
        self.optimisers = Optimisers(fabric, recipe, self.system)
        self.average = Average(self.system, recipe.run.ema_decay)
        loader = iter(self._loader())
        if resumed is not None:
            self._restore(resumed)
        self.batches = loader
        # (0 for the source, 1 for the other domain; number of the picture) of those that cannot be read.
        self.unreadable: set[tuple[int, int]] = set()
        self.monitor: Monitor | None = None
        if fabric.is_global_zero:
            options.out.mkdir(parents=True, exist_ok=True)
            self.monitor = Monitor(options.out, self.first_step)
        self.look = self._validation_batch()

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
        return TrainResult(done, seconds, path, values, len(self.unreadable), not is_whole, self.best)

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
        read = next(self.batches)
        self.unreadable |= {(side, n) for side, found in enumerate(read.pop(BAD).T.tolist()) for n in found if n >= 0}
        batch = to_floats(read, self.fabric.device)
        if self.recipe.run.channels_last:
            batch = {k: v.to(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in batch.items()}
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
        # A system may draw random numbers for its samples; looking must not change the run.
        with torch.random.fork_rng(), self.average.in_use(self.system) as networks, torch.no_grad():
            networks.eval()
            self.monitor.samples(step, self.system.samples(self.look, networks), sample_titles(self.system))
            networks.train()
        self.monitor.curves()

    def _validate(self, step: int) -> None:
        """Measure the held-out pictures, and keep the weights where they are the best so far."""
        if self.monitor is None or self.options.measurer is None:
            return
        spec = self.system.export_spec()
        assert spec is not None  # checked when the run was opened
        with torch.random.fork_rng(), self.average.in_use(self.system) as networks:
            networks.eval()
            batches = held_out_batches(self.held_out, self.recipe, self.fabric.device)
            made, targets = drawn(networks[spec.network], spec, batches)
            networks.train()
        figures = self.options.measurer(made, targets, self.recipe.data.layout == "paired")
        self.monitor.scalars(step, {f"val_{name}": value for name, value in figures.items()})
        value = value_of(figures, self.recipe.run.best_measure)
        if value is None:
            raise ConfigError(
                f"run.best_measure is {self.recipe.run.best_measure!r}; measured were: {', '.join(figures) or 'none'}"
            )
        if is_better(value, self.best):
            self.best = Best(step, value, self.recipe.run.best_measure)
            self._keep(step, self.options.out / BEST, self.best)

    def _check_validation(self) -> None:
        settings = self.recipe.run
        if not settings.validate_every_steps:
            return
        check_measure(settings.best_measure)
        if self.recipe.data.layout == "single" or self.system.export_spec() is None:
            raise ConfigError(f"{self.recipe.name}: this method translates no pictures; nothing can be validated")
        if self.options.measurer is None:
            raise ConfigError("run.validate_every_steps is set; TrainOptions.measurer must be given")

    def _keep(self, step: int, folder: Path, best: Best | None = None) -> None:
        """Keep the weights alone, for good."""
        if self.fabric.is_global_zero:
            keep_weights(
                folder,
                step=step,
                recipe=self.recipe,
                data=self.options.data.resolve().name,
                geometry=exaggeration_of(self.options.data),
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
                geometry=exaggeration_of(self.options.data),
                weights=weights,
                averaged=self.average.weights,
                state=state,
                keep=self.recipe.run.checkpoints_kept,
            )
        self.fabric.barrier()
        return folder

    def _first_weights(self, resumed: Checkpoint | None) -> None:
        networks = self.system.networks
        if resumed is None and self.options.weights_from is not None:
            start = read_checkpoint(self.options.weights_from)
            load_weights(networks, {**start.weights, **start.averaged}, str(start.path))
        if resumed is not None:
            load_weights(networks, resumed.weights, str(resumed.path))
        networks.to(self.fabric.device)
        if self.recipe.run.channels_last:
            networks.to(memory_format=torch.channels_last)
        if self.fabric.world_size > 1:
            for value in networks.state_dict().values():
                value.copy_(self.fabric.broadcast(value))
        if self.recipe.run.compile:
            for network in networks.values():
                network.compile()
        networks.train()

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

    def _loader(self) -> DataLoader[Any]:
        settings, fabric = self.recipe.data, self.fabric
        order = RunOrder(
            self.data.weights,
            settings.batch_size,
            self.total_steps,
            seed=self.recipe.run.seed,
            first_step=self.first_step,
            rank=fabric.global_rank,
            processes=fabric.world_size,
        )
        return DataLoader(
            self.data,
            batch_sampler=order,
            num_workers=settings.workers,
            pin_memory=fabric.device.type == "cuda",
            prefetch_factor=4 if settings.workers else None,
            # Its own generator: starting a loader must not move the global one, or a resumed run would differ.
            generator=torch.Generator(),
            worker_init_fn=_prepare_worker,
        )

    def _validation_batch(self) -> dict[str, Tensor]:
        """The pictures of the sample grids: the first ones held out, whole."""
        data = self.recipe.data
        whole = replace(data, augment="none", size_px=data.sample_px or data.size_px)
        try:
            held: FolderData = open_data(self.options.data, whole, "validation", seed=self.recipe.run.seed)
        except DataError:
            if self.recipe.run.validate_every_steps:
                raise
            # Too few pictures to hold some out: then grids show trained ones.
            held = open_data(self.options.data, whole, "train", seed=self.recipe.run.seed)
        self.held_out = held
        count = min(SAMPLES, len(held))
        chosen = [held[index * len(held) // count] for index in range(count)]
        read = default_collate(chosen)
        del read[BAD]
        return to_floats(read, self.fabric.device)

    def _from_all(self, value: Any) -> list[Any]:
        if self.fabric.world_size == 1:
            return [value]
        gathered: list[Any] = [None] * self.fabric.world_size
        torch.distributed.all_gather_object(gathered, value)
        return gathered


def _prepare_worker(_: int) -> None:
    import cv2

    # Ctrl-C reaches every process of the terminal; the trainer finishes its step and ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


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
