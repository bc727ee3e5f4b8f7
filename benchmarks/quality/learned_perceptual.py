"""LPIPS with the weights that people's judgements gave it (Zhang et al. 2018), as the package `lpips` has it."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from toonfilter.benchmarks.quality.feature_nets import MissingNet, imagenet_weights
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
    lpips = require("lpips", extra="train")
    models = require("torchvision.models", extra="train")
    found = imagenet_weights(NAME, models.AlexNet_Weights.IMAGENET1K_V1, weights, download=download)
    if isinstance(found, MissingNet):
        return found
    with warnings.catch_warnings():
        # The package names torchvision's options as they once were.
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    own = network.net.state_dict()
    try:
        # The same layers, cut into slices: features.3.weight is slice2.3.weight.
        network.net.load_state_dict({name: found.state[f"features.{name.partition('.')[2]}"] for name in own})
    except (KeyError, RuntimeError) as error:
        raise DataError(f"{found.path} does not hold the weights of AlexNet") from error
    return LearnedPerceptual(network.eval().requires_grad_(False))
