"""One file per published method: its training step.

What a file of this folder gives, and what the loop (toonfilter.train.loop) does for it:

* `Options`: a frozen dataclass with the method's own hyper-parameters, read from the `[method]` table of the recipe.
* `build(recipe) -> System`: makes the networks on the CPU. The loop moves them to the device, broadcasts the weights of
  the first process to the others, and restores a checkpoint.
* `System.step(batch, context)`: reads like the paper. Losses become updates: `context.update("generator", loss)` clears
  the gradients of that optimiser's parameters, runs backward, averages gradients over processes, clips,
  steps. Networks are not wrapped by DistributedDataParallel (which forbids most of what adversarial training does
  between two optimisers); gradients are averaged in `update` instead, so a step needs no thought about processes.

Inside `step` autocast is on: networks may answer in bfloat16 or float16; losses take `.float()` first.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.recipe import OptimiserSettings, Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

# Name in the recipe -> module in this folder.
SYSTEMS: Mapping[str, str] = {
    "toon": "toon",
    "pix2pix": "pix2pix",
    "gan": "gan",
    "cyclegan": "cyclegan",
    "landmark-cyclegan": "landmark_cyclegan",
    "content-style": "content_style",
    "cartoongan": "cartoongan",
    "caricature": "caricature",
    "dcgan": "dcgan",
    "xgan": "xgan",
    "cut": "cut",
    "ugatit": "ugatit",
}

# Pictures float32 [N, C, H, W]. Keys, as far as the data has them:
#   source    [N, 3, H, W] -1..1, the picture that is translated (the photo, unless the recipe's direction is turned)
#   target    [N, 3, H, W] -1..1, the other domain; the same face where the data is paired
#   matte     [N, 1, H, W] 0..1, the head in `target` (paired data with RGBA cartoons)
#   guidance  [N, 3, H, W] 0..1, drawn from the landmarks
#   again, again_guidance, shift [N, 2] int64: a second view of source for temporal losses (augment = "toon")
#   edges     [N, 3, H, W] -1..1, edge-smoothed cartoons
#   landmarks, target_landmarks  [N, P, 2] crop pixels (x, y)
Batch = dict[str, "Tensor"]


@dataclass(frozen=True)
class OptimiserPlan:
    """The parameters of one optimiser, and its settings."""

    parameters: Sequence["nn.Parameter"]
    settings: OptimiserSettings


@dataclass(frozen=True)
class ExportSpec:
    """What leaves as a bundle: `network(x [N, in_channels, H, W]) -> [N, out_channels, H, W]`.

    x is the picture in -1..1, then, with guidance, the guidance in 0..1. The answer is RGB in -1..1 and, with four
    channels, the matte in -1..1 as well. Height and width are multiples of `size_multiple`; `sizes_px` are those it
    was made for.
    """

    network: str
    guidance_channels: int = 0
    out_channels: int = 3
    sizes_px: tuple[int, ...] = (256,)
    size_multiple: int = 32
    # Extra export heads by name -> key in `networks` (the way back of a cycle, for instance).
    others: Mapping[str, str] = field(default_factory=dict)


class StepContext(Protocol):
    """What a step knows and may do besides its batch."""

    @property
    def step(self) -> int:
        """Steps done before this one, from 0."""

    @property
    def total_steps(self) -> int: ...

    @property
    def progress(self) -> float:
        """Part of the run that is done, 0..1."""

    def update(self, optimiser: str, loss: "Tensor") -> None:
        """Clear gradients, run backward from the scalar `loss`, average over processes, clip, step `optimiser`."""


class System(Protocol):
    """A method in training."""

    # Every network with weights that are trained or kept, by the name of the paper.
    networks: "nn.ModuleDict"
    # Names in `networks` of which a moving average is kept (when the recipe asks for one).
    averaged: tuple[str, ...]

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """Called once, when the networks are on their device."""

    def step(self, batch: Batch, context: StepContext) -> dict[str, "Tensor"]:
        """One training step; returns detached scalars to be logged ("loss_g", "d_real", ...)."""

    def samples(self, batch: Batch, networks: "nn.ModuleDict") -> list["Tensor"]:
        """Columns of a sample grid, each [N, 3, H, W] in -1..1: source, result, ... `networks` holds the averaged
        weights where there are some. Called in eval mode without gradients."""

    def export_spec(self) -> ExportSpec | None:
        """None: this method has no exportable generator."""

    def state(self) -> dict[str, Any]:
        """What lives outside the networks and must survive a checkpoint (image pools): plain values and tensors."""

    def load_state(self, state: Mapping[str, Any]) -> None: ...


def build_system(recipe: Recipe) -> System:
    """Make the system of a recipe.

    Raises:
        ConfigError: an unknown system, options that it does not have, or a size that its networks cannot halve.
    """
    if recipe.system not in SYSTEMS:
        raise ConfigError(f"{recipe.name}: unknown system {recipe.system!r}; there are: {', '.join(SYSTEMS)}")
    from toonfilter.train.stabilisers import stabilise

    module = importlib.import_module(f"toonfilter.train.systems.{SYSTEMS[recipe.system]}")
    system = cast(System, module.build(recipe))
    stabilise(system.networks, recipe.stabilisers)
    multiple = max(getattr(part, "size_multiple", 1) for part in system.networks.modules())
    for key, size in (("size_px", recipe.data.size_px), ("sample_px", recipe.data.sample_px)):
        if size % multiple:
            raise ConfigError(
                f"{recipe.name}: data.{key} is {size}; this generator needs a multiple of {multiple}"
                " (with fewer generator.options.downs, where it has them, a smaller one)"
            )
    return system


def sample_titles(system: System) -> tuple[str, ...]:
    """What stands above the columns of a system's sample grid; none where it does not say."""
    return tuple(getattr(system, "sample_titles", ()))


@contextmanager
def frozen(*networks: "nn.Module") -> Iterator[None]:
    """Gradients pass through these networks, but none is computed for their weights."""
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
