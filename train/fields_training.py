"""Training of the fields network: one loop on the CPU or one GPU, resumable, from a store of labels."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.runtime.fields import FIELDS, MASKS
from toonfilter.runtime.files.whole_files import replacing
from toonfilter.train.checkpoint import current_commit
from toonfilter.train.data.fields.composition import Composer, Sample, plain_sample
from toonfilter.train.data.fields.hands import SIDE_PX
from toonfilter.train.data.fields.labels import UNKNOWN
from toonfilter.train.data.fields.second_labels import Predict
from toonfilter.train.data.fields.store import LabelStore
from toonfilter.train.data.splits import split_of
from toonfilter.train.losses.fields import fields_loss, overlap
from toonfilter.train.networks.fields import (
    HALF_LEVELS,
    MIDDLE_LEVEL,
    FieldsNetwork,
    is_exported,
    load_exported,
    load_imagenet,
    settle_norms,
)
from toonfilter.train.optimisation import Follower

CHECKPOINT: Final = "checkpoint.pt"
LOG: Final = "log.jsonl"
_LARGEST_HELD = 0.03
_MEASURED_SAMPLES = 48
"""Samples from which norms get their statistics again where training goes on from exported weights."""


@dataclass(frozen=True, slots=True)
class FieldsRecipe:
    """steps, small_steps: all, and those on small samples before the large ones. learning_rate: of the decoder; the
    encoder's is `encoder_rate` times that. average: decay of the moving average of the weights.
    frozen_stages: how many of the encoder's stages, from the stem on, keep their weights, which saves time.
    validation_pictures: how many held-out pictures a validation reads.
    """

    steps: int = 8000
    small_steps: int = 6000
    small_px: int = 192
    large_px: int = 256
    batch_size: int = 12
    large_batch_size: int = 7
    learning_rate: float = 1.5e-3
    encoder_rate: float = 0.3
    warm_up_steps: int = 150
    weight_decay: float = 1e-4
    average: float = 0.997
    frozen_stages: int = 0
    save_every: int = 100
    validate_every: int = 500
    validation_pictures: int = 120
    bfloat16: bool = True
    seed: int = 18


GOING_ON: Final = FieldsRecipe(steps=3000, small_steps=2000, learning_rate=6e-4, frozen_stages=3)
"""From an exported network on, which keeps most of what it knows."""


Report = Callable[[dict[str, Any]], None]


def split_indices(store: LabelStore) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pictures for training and for validation: a cluster of look-alikes, and so an identity, is on one side.

    A cluster of more than `_LARGEST_HELD` of the pictures is for training: it would be most of the validation.
    """
    sizes = Counter(entry.cluster for entry in store.entries)
    largest = _LARGEST_HELD * len(store)
    held = [sizes[entry.cluster] <= largest and split_of(entry.cluster) == "validation" for entry in store.entries]
    return np.flatnonzero(~np.array(held, bool)), np.flatnonzero(held)


def usable(store: LabelStore, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the pictures that have labels."""
    return indices[[store.entries[index].labelled != UNKNOWN for index in indices]]


def to_batch(samples: list[Sample]) -> tuple[Tensor, Tensor, Tensor]:
    """Input [N, 4, H, W] as the network takes it, planes [N, 9, H, W] 0..1 and known [N, 9]."""
    images = torch.from_numpy(np.stack([sample.image for sample in samples])).permute(0, 3, 1, 2).float()
    images = (images - MIDDLE_LEVEL) / HALF_LEVELS
    planes = torch.from_numpy(np.stack([sample.planes for sample in samples])).permute(0, 3, 1, 2).float() / 255
    return images.contiguous(), planes.contiguous(), torch.from_numpy(np.stack([s.known for s in samples]))


def predictor(run: Path) -> Predict:
    """The averaged network of a run. Each answer is the mean of the photo's answer and its mirror image's.

    Raises:
        DataError: no checkpoint in the run.
    """
    path = run / CHECKPOINT
    if not path.is_file():
        raise DataError(f"{run} holds no {CHECKPOINT}; train first")
    network = FieldsNetwork()
    network.load_state_dict(torch.load(path, weights_only=True)["average"])
    network.eval()

    def predict(photo: NDArray[np.uint8], mesh: NDArray[np.uint8]) -> NDArray[np.float32]:
        levels = torch.from_numpy(np.dstack([photo, mesh])).permute(2, 0, 1).float()
        planes = (levels - MIDDLE_LEVEL) / HALF_LEVELS
        with torch.inference_mode():
            answer = torch.sigmoid(network(torch.stack([planes, planes.flip(-1)])))
        both: NDArray[np.float32] = ((answer[0] + answer[1].flip(-1)) / 2).permute(1, 2, 0).numpy()
        return both

    return predict


def read_hands(labels: Path) -> NDArray[np.uint8]:
    """The hands of a folder of labels, uint8 [N, 160, 160, 4]; none where none were cut out."""
    path = labels / "hands.npy"
    hands: NDArray[np.uint8] = np.load(path) if path.is_file() else np.zeros((0, SIDE_PX, SIDE_PX, 4), np.uint8)
    return hands


def _has_bfloat16() -> bool:
    """Whether this CPU computes with bfloat16; others imitate it, ten times as slowly."""
    # Older versions of torch do not tell.
    told: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return not told or bool(told.get("avx512_bf16") or told.get("amx_bf16"))


class FieldsTraining:
    """A run in a folder. `run` goes on from the checkpoint there, if any, until the recipe's steps are done.

    The folder holds checkpoint.pt (weights, moving average, optimiser, step; read with weights_only) and log.jsonl.
    """

    def __init__(self, labels: Path, folder: Path, recipe: FieldsRecipe, first_weights: Path | None) -> None:
        """first_weights: of a new run: MobileNetV2 from ImageNet, or an exported fields network to go on with; ONNX."""
        self.recipe, self.folder = recipe, folder
        self.store = LabelStore(labels)
        self._train, held = split_indices(self.store)
        self.validation = usable(self.store, held)
        self._composer = Composer(self.store, self._train, read_hands(labels))
        self._commit = current_commit()
        torch.manual_seed(recipe.seed)
        # Channels last: half the time on a CPU.
        self.network = FieldsNetwork().to(memory_format=torch.channels_last)
        self.step = 0
        self._optimiser = self._make_optimiser()
        if (folder / CHECKPOINT).is_file():
            self._resume()
        elif first_weights is None:
            raise ConfigError("a new run of the fields network needs the ImageNet weights of MobileNetV2")
        else:
            self._begin(first_weights)
            self._follower = Follower(self.network, recipe.average)
        self.average.eval()

    def _begin(self, path: Path) -> None:
        if not is_exported(path):
            load_imagenet(self.network.features, path)
            return
        load_exported(self.network, path)
        samples = [self._composer.sample(k, self.recipe.small_px, self.recipe.seed) for k in range(_MEASURED_SAMPLES)]
        settle_norms(self.network, to_batch(samples)[0])

    @property
    def average(self) -> nn.Module:
        """The averaged network."""
        return self._follower.network

    def _make_optimiser(self) -> torch.optim.AdamW:
        self.network.features.freeze(self.recipe.frozen_stages)
        encoder = list(self.network.features.parameters())
        inside = {id(parameter) for parameter in encoder}
        decoder = [parameter for parameter in self.network.parameters() if id(parameter) not in inside]
        groups = [{"params": decoder, "share": 1.0}, {"params": encoder, "share": self.recipe.encoder_rate}]
        return torch.optim.AdamW(groups, lr=self.recipe.learning_rate, weight_decay=self.recipe.weight_decay)

    def _rate(self) -> float:
        recipe = self.recipe
        if self.step < recipe.warm_up_steps:
            return (self.step + 1) / recipe.warm_up_steps
        done = (self.step - recipe.warm_up_steps) / max(recipe.steps - recipe.warm_up_steps, 1)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1))) * 0.98 + 0.02

    def run(self, report: Report | None = None) -> None:
        """Train until the recipe's steps are done. report: called with each logged row."""
        recipe = self.recipe
        while self.step < recipe.steps:
            began = time.perf_counter()
            parts = self.one_step()
            self.step += 1
            row: dict[str, Any] = {"step": self.step, "rate": round(self._rate(), 4), **parts}
            row["seconds"] = round(time.perf_counter() - began, 3)
            if self.step % 20 == 0:
                self._log(row, report)
            if self.step % recipe.save_every == 0 or self.step == recipe.steps:
                self.save()
            if self.step % recipe.validate_every == 0 or self.step == recipe.steps:
                self._log({"step": self.step, "validation": self.validate()}, report)

    def one_step(self) -> dict[str, float]:
        """Train on one batch; the parts of its loss. The caller counts `step`."""
        recipe = self.recipe
        small = self.step < recipe.small_steps
        side, count = (recipe.small_px, recipe.batch_size) if small else (recipe.large_px, recipe.large_batch_size)
        first = self.step * recipe.batch_size
        images, planes, known = to_batch([self._composer.sample(first + k, side, recipe.seed) for k in range(count)])
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16 and _has_bfloat16()):
            logits = self.network(images.contiguous(memory_format=torch.channels_last))
        loss, parts = fields_loss(logits.float(), planes, known)
        if not torch.isfinite(loss):
            raise DataError(f"the loss is {float(loss)} at step {self.step}; the last checkpoint is whole")
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.learning_rate * group["share"] * self._rate()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self._optimiser.step()
        self._follower.update(self.network, self.step)
        return {"loss": round(loss.item(), 4), **{name: round(float(value), 4) for name, value in parts.items()}}

    @torch.no_grad()
    def validate(self, *, told: bool = True) -> dict[str, float]:
        """Intersection over union of the masks, and mean differences of tone and ink, on held-out pictures.

        told: with the mesh plane. Over all pixels of all pictures; without masks that do not occur.
        """
        chosen = np.random.default_rng(1).permutation(self.validation)[: self.recipe.validation_pictures]
        both, either = torch.zeros(len(MASKS)), torch.zeros(len(MASKS))
        levels = torch.zeros(2)
        for index in chosen:
            sample = plain_sample(self.store, int(index), self.recipe.large_px, told=told)
            images, planes, known = to_batch([sample])
            found = torch.sigmoid(self.average(images))
            common, union = overlap(found, planes)
            both += (common * known[:, : len(MASKS)])[0]
            either += (union * known[:, : len(MASKS)])[0]
            person = planes[:, :1] > 0.5
            levels += torch.stack([(found[:, k] - planes[:, k]).abs()[person[:, 0]].mean() for k in (7, 8)])
        there = [(k, name) for k, name in enumerate(MASKS) if either[k] > 0]
        answer: dict[str, float] = {name: round(float(both[k] / either[k]), 4) for k, name in there}
        return answer | {FIELDS[7 + k]: round(float(levels[k] / max(len(chosen), 1)), 4) for k in range(2)}

    def _log(self, row: dict[str, Any], report: Report | None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOG).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        if report is not None:
            report(row)

    def save(self) -> None:
        """Write the checkpoint from which a later run goes on, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {
            "step": self.step,
            "commit": self._commit,
            "recipe": asdict(self.recipe),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }
        with replacing(self.folder / CHECKPOINT) as part:
            torch.save(content, part)

    def _resume(self) -> None:
        content = torch.load(self.folder / CHECKPOINT, weights_only=True)
        self.network.load_state_dict(content["network"])
        self._follower = Follower(self.network, self.recipe.average)
        self.average.load_state_dict(content["average"])
        self._optimiser.load_state_dict(content["optimiser"])
        self.step = int(content["step"])
