"""Figures of every kept epoch of a run, measured once and written beside the weights."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch

from toonfilter.benchmarks.quality.set_measures import Pictures, SetMeasurer
from toonfilter.runtime.errors import DataError
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.train.checkpoint import list_epochs, load_generator, read_checkpoint
from toonfilter.train.data.datasets import FolderData, open_data
from toonfilter.train.recipe import Recipe
from toonfilter.train.systems import Batch
from toonfilter.train.translation import noise_samples
from toonfilter.train.validation import as_pictures, drawn, held_out_batches, spread

FILE_NAME = "measures.json"


@dataclass(frozen=True)
class HeldOut:
    """The pictures that a study measures on: a data folder, at most `pictures` of its validation part."""

    data: Path
    pictures: int = 256

    def open(self, recipe: Recipe) -> tuple[FolderData, Recipe]:
        """The held-out pictures as a recipe sees them, whole, and that recipe for `held_out_batches`."""
        whole = replace(recipe.data, augment="none", size_px=recipe.data.sample_px or recipe.data.size_px)
        run = replace(recipe.run, validation_pictures=self.pictures)
        return open_data(self.data, whole, "validation"), replace(recipe, data=whole, run=run)


def measure_epochs(run: Path, held_out: HeldOut, measurer: SetMeasurer) -> dict[int, Mapping[str, float]]:
    """Figures by epoch; those that were measured on the same pictures with the same nets are read.

    A pair is compared as a pair where the data has both pictures under one name, whether the method uses that or not.
    """
    conditions: dict[str, object] = {
        "pictures": f"{held_out.pictures}, spread",
        "data": str(held_out.data.resolve()),
        "nets": _names(measurer),
    }
    found: dict[int, Mapping[str, float]] = {}
    for epoch, folder in list_epochs(run).items():
        known = _read(folder / FILE_NAME)
        if known is None or known.get("conditions") != conditions:
            made, targets, is_paired = _results(folder, held_out)
            known = {"conditions": conditions, "figures": dict(measurer(made, targets, is_paired))}
            write_whole(folder / FILE_NAME, json.dumps(known, indent=1) + "\n")
        found[epoch] = cast(Mapping[str, float], known["figures"])
    return found


def _results(folder: Path, held_out: HeldOut) -> tuple[Pictures, Pictures, bool]:
    recipe = read_checkpoint(folder).recipe
    if recipe.system == "dcgan":
        held, _ = held_out.open(recipe)
        targets = [held.at(place)["source"].numpy() for place in spread(len(held), held_out.pictures)]
        real = np.ascontiguousarray(np.stack(targets).transpose(0, 2, 3, 1))
        return np.stack([image for _, image in noise_samples(folder, len(real), 0)]), real, False
    network, spec, _ = load_generator(folder)
    batches, is_paired = _batches(held_out, recipe)
    with torch.inference_mode():
        made, targets_drawn = drawn(network, spec, batches)
    return made, targets_drawn, is_paired


def measure_references(recipe: Recipe, held_out: HeldOut, measurer: SetMeasurer) -> dict[str, Mapping[str, float]]:
    """What needs no training: the sources as they are, and one half of the targets against the other half, the least
    that a set of half the pictures can differ by. None for a method that takes no pictures."""
    if recipe.data.layout == "single":
        return {}
    batches, is_paired = _batches(held_out, recipe)
    sides = [(batch["source"], batch["target"]) for batch in batches]
    sources, targets = (as_pictures([pair[side] for pair in sides]) for side in (0, 1))
    found = {"source as it is": measurer(sources, targets, is_paired)}
    if len(targets) > 1:
        found["half the targets"] = measurer(targets[1::2], targets[::2], False)
    return found


def _batches(held_out: HeldOut, recipe: Recipe) -> tuple[Iterator[Batch], bool]:
    """The held-out pictures, and whether they are pairs: unpaired methods are compared in pairs where these exist."""
    is_paired = True
    try:
        held, chosen = held_out.open(replace(recipe, data=replace(recipe.data, layout="paired")))
    except DataError:
        held, chosen = held_out.open(recipe)
        is_paired = recipe.data.layout == "paired"
    return held_out_batches(held, chosen, torch.device("cpu")), is_paired


def _names(measurer: SetMeasurer) -> list[str]:
    return [*(net.name for net in measurer.nets), *([measurer.lpips.name] if measurer.lpips else [])]


def _read(path: Path) -> dict[str, object] | None:
    try:
        known: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and "figures" in known else None
