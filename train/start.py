"""What stands before the first step of a run: its processes, and the weights that it begins with."""

from pathlib import Path

import lightning
import torch

from toonfilter.train.checkpoint import Checkpoint, load_weights, read_checkpoint
from toonfilter.train.recipe import Recipe
from toonfilter.train.systems import System


def open_fabric(recipe: Recipe, accelerator: str, devices: int, nodes: int) -> lightning.Fabric:
    """The launched processes of a run. devices: on each of the machines, whose number is `nodes`."""
    fabric = lightning.Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices > 1 or nodes > 1 else "auto",
        precision=recipe.run.precision,
    )
    fabric.launch()
    return fabric


def first_weights(
    fabric: lightning.Fabric, recipe: Recipe, system: System, weights_from: Path | None, resumed: Checkpoint | None
) -> None:
    """Fill the system's networks, on the device and the same in all processes, and compile them where that is asked.

    weights_from: another run of the same networks, for a new run. resumed: the checkpoint of the run that goes on.

    Raises:
        TrainingError: the weights belong to other networks.
    """
    networks = system.networks
    if resumed is None and weights_from is not None:
        start = read_checkpoint(weights_from)
        load_weights(networks, {**start.weights, **start.averaged}, str(start.path))
    if resumed is not None:
        load_weights(networks, resumed.weights, str(resumed.path))
    networks.to(fabric.device)
    if recipe.run.channels_last:
        networks.to(memory_format=torch.channels_last)
    if fabric.world_size > 1:
        for value in networks.state_dict().values():
            value.copy_(fabric.broadcast(value))
    if recipe.run.compile:
        for network in networks.values():
            network.compile()
    networks.train()
