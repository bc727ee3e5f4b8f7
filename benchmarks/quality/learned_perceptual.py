"""LPIPS with the weights that people's judgements gave it (Zhang et al. 2018), as the package `lpips` has it."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from toonfilter.benchmarks.quality.feature_nets import MissingNet
from toonfilter.benchmarks.quality.pictures import Image
from toonfilter.runtime.errors import DataError, require

NAME = "lpips-alex"
"""AlexNet below, version 0.1: what papers report where they say no more."""


class LearnedPerceptual:
    """Thread safe."""

    name = NAME

    def __init__(self, network: Any) -> None:
        self._network = network

    def distance(self, first: Image, second: Image) -> float:
        """0 for equal pictures; uint8 [H, W, 3] RGB of one size."""
        torch = require("torch", extra="train")
        pair = [
            torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)[None]).astype(np.float32)) / 127.5 - 1
            for image in (first, second)
        ]
        with torch.inference_mode():
            return float(self._network(*pair))


def open_lpips(weights: Path | None = None, *, download: bool = False) -> LearnedPerceptual | MissingNet:
    """LPIPS, or what is missing: its linear weights come with the package, AlexNet's are looked for in the folder, else
    in torch's cache.

    Raises:
        ConfigError: the package or torchvision is not installed.
        DataError: the file is not AlexNet's.
    """
    torch, lpips = require("torch", extra="train"), require("lpips", extra="train")
    models = require("torchvision.models", extra="train")
    entry = models.AlexNet_Weights.IMAGENET1K_V1
    folder = weights or Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / Path(entry.url).name
    try:
        if path.is_file():
            state = torch.load(path, map_location="cpu", weights_only=True)
        elif download:
            state = entry.get_state_dict(progress=False, check_hash=True)
        else:
            return MissingNet(NAME, f"no {path.name} in {folder}; put it there, or allow --download")
    except OSError as error:
        return MissingNet(NAME, f"{path.name} could not be fetched ({error})")
    with warnings.catch_warnings():
        # The package names torchvision's options as they once were.
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    own = network.net.state_dict()
    try:
        # The same layers, cut into slices: features.3.weight is slice2.3.weight.
        network.net.load_state_dict({name: state[f"features.{name.partition('.')[2]}"] for name in own})
    except (KeyError, RuntimeError) as error:
        raise DataError(f"{path} does not hold the weights of AlexNet") from error
    return LearnedPerceptual(network.eval().requires_grad_(False))
