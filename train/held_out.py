"""The held-out pictures of a run: sample grids, and measures that tell which weights are the best so far."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import default_collate

from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.train.data.datasets import BAD, FolderData, open_data, to_floats
from toonfilter.train.optimisation import Average
from toonfilter.train.recipe import Recipe
from toonfilter.train.systems import System
from toonfilter.train.validation import Measurer, drawn, held_out_batches, spread
from toonfilter.train.validation_record import Best, check_measure, is_better, value_of

SAMPLES = 6


def check_validation(recipe: Recipe, system: System, measurer: Measurer | None) -> None:
    """Raises: ConfigError: the recipe asks for measures that cannot be had."""
    settings = recipe.run
    if not settings.validate_every_steps:
        return
    check_measure(settings.best_measure)
    if recipe.data.layout == "single" or system.export_spec() is None:
        raise ConfigError(f"{recipe.name}: this method translates no pictures; nothing can be validated")
    if measurer is None:
        raise ConfigError("run.validate_every_steps is set; TrainOptions.measurer must be given")


class HeldOut:
    """Looks at a run's held-out pictures, whole, with the averaged weights; looking does not change the run.

    best: the best weights so far, by `run.best_measure`.
    """

    def __init__(self, folder: Path, recipe: Recipe, device: torch.device, best: Best | None) -> None:
        """folder: the data folder.

        Raises:
            DataError: no pictures are held out, and the recipe asks for measures.
        """
        self._recipe, self._device = recipe, device
        self._pictures = _held_out(folder, recipe)
        self._samples = self._sample_batch()
        self.best = best

    def samples(self, system: System, average: Average) -> list[Tensor]:
        """What the networks make of pictures held out, the columns of a grid: see `System.samples`."""
        # A system may draw random numbers for its samples; looking must not change the run.
        with torch.random.fork_rng(), average.in_use(system) as networks, torch.no_grad():
            networks.eval()
            made = system.samples(self._samples, networks)
            networks.train()
        return made

    def figures(self, system: System, average: Average, measurer: Measurer) -> Mapping[str, float]:
        """The measures of what the network that is exported makes, by name."""
        spec = system.export_spec()
        assert spec is not None  # see check_validation
        with torch.random.fork_rng(), average.in_use(system) as networks:
            networks.eval()
            batches = held_out_batches(self._pictures, self._recipe, self._device)
            made, targets = drawn(networks[spec.network], spec, batches)
            networks.train()
        return measurer(made, targets, self._recipe.data.layout == "paired")

    def is_best(self, step: int, figures: Mapping[str, float]) -> bool:
        """Whether these figures are the best so far; then they are `best`.

        Raises:
            ConfigError: `run.best_measure` is not among them.
        """
        measure = self._recipe.run.best_measure
        value = value_of(figures, measure)
        if value is None:
            raise ConfigError(f"run.best_measure is {measure!r}; measured were: {', '.join(figures) or 'none'}")
        if not is_better(value, self.best):
            return False
        self.best = Best(step, value, measure)
        return True

    def _sample_batch(self) -> dict[str, Tensor]:
        held = self._pictures
        read = default_collate([held[place] for place in spread(len(held), SAMPLES)])
        del read[BAD]
        return to_floats(read, self._device)


def _held_out(folder: Path, recipe: Recipe) -> FolderData:
    data = recipe.data
    whole = replace(data, augment="none", size_px=data.sample_px or data.size_px)
    try:
        return open_data(folder, whole, "validation", seed=recipe.run.seed)
    except DataError:
        if recipe.run.validate_every_steps:
            raise
        # Too few pictures to hold some out: then grids show trained ones.
        return open_data(folder, whole, "train", seed=recipe.run.seed)
