"""The batches of a run: read by processes beside it, in an order that a resumed run continues."""

import signal
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from toonfilter.train.data.datasets import BAD, FolderData, RunOrder, to_floats
from toonfilter.train.recipe import Recipe


class Feed:
    """One batch for each step.

    unreadable: samples that were left out: (0 for the source, 1 for the other domain; number of the picture).
    """

    def __init__(self, fabric: lightning.Fabric, recipe: Recipe, data: FolderData, steps: range) -> None:
        """steps: from the first one of this run to the last of all."""
        self._device = fabric.device
        self._has_channels_last = recipe.run.channels_last
        self._batches = iter(_loader(fabric, recipe, data, steps))
        self.unreadable: set[tuple[int, int]] = set()

    def next(self) -> dict[str, Tensor]:
        """The next step's batch, as floats on the run's device."""
        read = next(self._batches)
        self.unreadable |= {(side, n) for side, found in enumerate(read.pop(BAD).T.tolist()) for n in found if n >= 0}
        batch = to_floats(read, self._device)
        if self._has_channels_last:
            batch = {k: v.to(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in batch.items()}
        return batch


def _loader(fabric: lightning.Fabric, recipe: Recipe, data: FolderData, steps: range) -> DataLoader[Any]:
    settings = recipe.data
    order = RunOrder(
        data.weights,
        settings.batch_size,
        steps.stop,
        seed=recipe.run.seed,
        first_step=steps.start,
        rank=fabric.global_rank,
        processes=fabric.world_size,
    )
    return DataLoader(
        data,
        batch_sampler=order,
        num_workers=settings.workers,
        pin_memory=fabric.device.type == "cuda",
        prefetch_factor=4 if settings.workers else None,
        # Its own generator: starting a loader must not move the global one, or a resumed run would differ.
        generator=torch.Generator(),
        worker_init_fn=_prepare_worker,
    )


def _prepare_worker(_: int) -> None:
    import cv2

    # Ctrl-C reaches every process of the terminal; the trainer finishes its step and ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
