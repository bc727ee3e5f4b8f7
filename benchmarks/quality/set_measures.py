"""Measures of two sets of pictures in memory: while a run goes on, and by epoch afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.distribution import NetOptions, measure_distribution, open_nets
from toonfilter.benchmarks.quality.feature_nets import FeatureNet, MissingNet, Vector
from toonfilter.benchmarks.quality.learned_perceptual import LearnedPerceptual, open_lpips
from toonfilter.benchmarks.quality.paired import l1, psnr, ssim
from toonfilter.benchmarks.quality.pictures import Image

Pictures = NDArray[np.uint8]
"""uint8 [N, H, W, 3] RGB."""


class PixelFeatures:
    """Where no feature net is at hand: the picture at 16 x 16. Told from the others by its name in every table."""

    name = "pixels16"
    measures = ("mmd", "nn")

    def vector(self, image: Image) -> Vector:
        """float32 [768] in 0..1."""
        small = cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA)
        vector: Vector = small.astype(np.float32).reshape(-1) / np.float32(255)
        return vector


@dataclass(frozen=True, slots=True)
class SetMeasurer:
    """Figures of results against targets by "MEASURE" or "MEASURE:NET".

    Of pairs: l1 (0 to 1), psnr (dB), ssim and, where its weights are, lpips. Of both sets, in each net: kernel MMD,
    1-NN accuracy, FID, KID, precision and recall, as far as there are enough pictures. The targets' features are kept:
    a run is measured against the same ones again and again.
    """

    nets: Sequence[FeatureNet]
    lpips: LearnedPerceptual | None = None
    _known: dict[str, tuple[bytes, NDArray[np.float32]]] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, made: Pictures, targets: Pictures, is_paired: bool) -> Mapping[str, float]:
        """made, targets: of one size where they are pairs."""
        figures: dict[str, float] = {}
        if is_paired:
            rows = [self._of_pair(result, target) for result, target in zip(made, targets, strict=True)]
            figures |= {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for net in self.nets:
            found, _ = measure_distribution(net.measures, self._of_targets(net, targets), _vectors(net, made))
            figures |= {f"{key}:{net.name}": estimate.value for key, estimate in found.items()}
        return figures

    def _of_targets(self, net: FeatureNet, targets: Pictures) -> NDArray[np.float32]:
        digest = sha256(targets.tobytes()).digest()
        if self._known.get(net.name, (b"",))[0] != digest:
            self._known[net.name] = digest, _vectors(net, targets)
        return self._known[net.name][1]

    def _of_pair(self, result: Image, target: Image) -> dict[str, float]:
        row = {"l1": l1(result, target), "psnr": psnr(result, target), "ssim": ssim(result, target)}
        if self.lpips is not None:
            row["lpips"] = self.lpips.distance(result, target)
        return row


def _vectors(net: FeatureNet, pictures: Pictures) -> NDArray[np.float32]:
    """float32 [N, D]."""
    return np.stack([net.vector(picture) for picture in pictures])


def open_measurer(options: NetOptions) -> tuple[SetMeasurer, list[MissingNet]]:
    """A measurer with every net that is here, and those that are not.

    Raises:
        ConfigError, DataError: a net that was asked for cannot be used.
    """
    nets, missing = open_nets(options)
    lpips = open_lpips(options.weights, download=options.download)
    if isinstance(lpips, MissingNet):
        return SetMeasurer([*nets, PixelFeatures()]), [*missing, lpips]
    return SetMeasurer([*nets, PixelFeatures()], lpips), missing
