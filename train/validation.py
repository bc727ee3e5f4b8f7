"""Pictures for measures on held-out pictures while a run goes on."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import default_collate

from toonfilter.train.data.datasets import BAD, FolderData, to_floats
from toonfilter.train.recipe import Recipe
from toonfilter.train.systems import Batch, ExportSpec

Pictures = NDArray[np.uint8]
Measurer = Callable[[Pictures, Pictures, bool], Mapping[str, float]]
"""Takes results and targets, uint8 [N, H, W, 3] RGB each, and whether they are pairs; gives figures by measure."""


@torch.no_grad()
def draw(network: nn.Module, spec: ExportSpec, batch: Batch) -> Tensor:
    """What the generator that is exported makes of the sources of a batch: float [N, 3, H, W] in -1..1."""
    x = batch["source"]
    if spec.guidance_channels:
        x = torch.cat([x, batch["guidance"]], dim=1)
    out: Tensor = network(x)
    return out[:, :3].float().clamp(-1, 1)


def spread(total: int, most: int) -> list[int]:
    """At most so many places out of `total`, evenly: names begin with where pictures come from, and the first of them
    would be of one source."""
    count = min(total, most)
    return [place * total // count for place in range(count)]


def held_out_batches(held: FolderData, recipe: Recipe, device: torch.device) -> Iterator[Batch]:
    """Batches of at most `run.validation_pictures` held-out pictures, whole, always the same ones, spread over all.

    Unpaired sides of different length: as many of each as the shorter one has. A picture that came twice would be its
    own nearest neighbour.
    """
    others = len(held.others) or len(held)
    most = min(len(held), others, recipe.run.validation_pictures)
    places = list(zip(spread(len(held), most), spread(others, most), strict=True))
    for first in range(0, len(places), recipe.data.batch_size):
        read = default_collate([held.at(*both) for both in places[first : first + recipe.data.batch_size]])
        del read[BAD]
        yield to_floats(read, device)


def drawn(network: nn.Module, spec: ExportSpec, batches: Iterable[Batch]) -> tuple[Pictures, Pictures]:
    """Results and targets of batches."""
    made, targets = [], []
    for batch in batches:
        made.append(draw(network, spec, batch))
        targets.append(batch["target"])
    return as_pictures(made), as_pictures(targets)


def as_pictures(batches: Sequence[Tensor]) -> Pictures:
    """float [N, 3, H, W] in -1..1 as uint8 [N, H, W, 3]."""
    whole = torch.cat([batch.detach().float().cpu() for batch in batches])
    return np.ascontiguousarray((whole * 127.5 + 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy())
