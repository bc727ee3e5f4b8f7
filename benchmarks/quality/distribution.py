"""Distances between the results of a model and real target pictures as two sets, in the features of several nets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.bootstrap import Estimate
from toonfilter.benchmarks.quality.feature_nets import (
    FeatureNet,
    MissingNet,
    OnnxFeatures,
    open_inception,
    open_torchvision,
)
from toonfilter.benchmarks.quality.feature_store import Features, FeatureStore
from toonfilter.benchmarks.quality.frechet import fid
from toonfilter.benchmarks.quality.kernel_distance import kernel_mmd, kid
from toonfilter.benchmarks.quality.nearest_neighbour import nearest_neighbour
from toonfilter.benchmarks.quality.pictures import Image
from toonfilter.benchmarks.quality.precision_recall import precision_recall

MIN_PICTURES = {"mmd": 20, "nn": 20, "fid": 50, "kid": 50, "pr": 50}

_TITLES = {
    "mmd": {"mmd": "kernel MMD"},
    "nn": {"nn": "1-NN accuracy", "nn_real": "1-NN accuracy, real part", "nn_fake": "1-NN accuracy, fake part"},
    "fid": {"fid": "Frechet distance (FID)"},
    "kid": {"kid": "kernel distance (KID)"},
    "pr": {"precision": "precision", "recall": "recall"},
}


def _nn(real: Features, fake: Features) -> dict[str, Estimate]:
    found = nearest_neighbour(real, fake)
    return {"nn": found.both, "nn_real": found.real, "nn_fake": found.fake}


def _pr(real: Features, fake: Features) -> dict[str, Estimate]:
    found = precision_recall(real, fake)
    return {"precision": found.precision, "recall": found.recall}


_MEASURES: dict[str, Callable[[Features, Features], dict[str, Estimate]]] = {
    "mmd": lambda real, fake: {"mmd": kernel_mmd(real, fake)},
    "nn": _nn,
    "fid": lambda real, fake: {"fid": fid(real, fake)},
    "kid": lambda real, fake: {"kid": kid(real, fake)},
    "pr": _pr,
}


@dataclass(frozen=True, slots=True)
class NetOptions:
    """features: ONNX files as `OnnxFeatures` takes them. weights: folder of torchvision's files; None is torch's cache.

    download: torchvision may fetch what is not there.
    """

    features: tuple[str, ...] = ()
    weights: Path | None = None
    download: bool = False


def open_nets(options: NetOptions) -> tuple[list[FeatureNet], list[MissingNet]]:
    """The nets that are here, and those that are not.

    Raises:
        ConfigError, DataError: an ONNX file that was asked for cannot be used.
    """
    nets: list[FeatureNet] = [OnnxFeatures(text) for text in options.features]
    missing: list[MissingNet] = []
    for opened in (
        open_torchvision("resnet34", ("mmd", "nn"), options.weights, download=options.download),
        open_inception(("fid", "kid", "pr"), options.weights, download=options.download),
    ):
        if isinstance(opened, MissingNet):
            missing.append(opened)
        else:
            nets.append(opened)
    return nets, missing


def measure_distribution(
    measures: Sequence[str], real: Features, fake: Features
) -> tuple[dict[str, Estimate], dict[str, str]]:
    """Figures by key, and by key what is missing. real, fake: [N, D] and [M, D]; memory stays bounded for any N."""
    found: dict[str, Estimate] = {}
    missing: dict[str, str] = {}
    for measure in measures:
        needed = MIN_PICTURES[measure]
        if min(len(real), len(fake)) < needed:
            for key in _TITLES[measure]:
                missing[key] = f"{len(fake)} results and {len(real)} target pictures, needs {needed} of each"
        else:
            found |= _MEASURES[measure](real, fake)
    return found, missing


@dataclass(slots=True)
class DistributionPass:
    """Collects features while pictures go by, in files; then measures."""

    nets: list[FeatureNet]
    model_count: int
    _real: list[FeatureStore] = field(init=False)
    _fake: list[list[FeatureStore]] = field(init=False)

    def __post_init__(self) -> None:
        self._real = [FeatureStore() for _ in self.nets]
        self._fake = [[FeatureStore() for _ in self.nets] for _ in range(self.model_count)]

    def vectors(self, image: Image) -> list[NDArray[np.float32]]:
        """One vector per net. Thread safe."""
        return [net.vector(image) for net in self.nets]

    def add_real(self, vectors: Sequence[NDArray[np.float32]]) -> None:
        """Take in a target picture."""
        for store, vector in zip(self._real, vectors, strict=True):
            store.append(vector)

    def add_fake(self, model: int, vectors: Sequence[NDArray[np.float32]]) -> None:
        """Take in a result of the model of this number."""
        for store, vector in zip(self._fake[model], vectors, strict=False):
            store.append(vector)

    @property
    def titles(self) -> dict[str, str]:
        """Headings by key, in order."""
        return {
            f"{key}:{net.name}": f"{title} in {net.name}"
            for net in self.nets
            for measure in net.measures
            for key, title in _TITLES[measure].items()
        }

    def measure(self, model: int) -> tuple[dict[str, Estimate], dict[str, str]]:
        """All figures of one model, and by key what is missing."""
        figures: dict[str, Estimate] = {}
        missing: dict[str, str] = {}
        for index, net in enumerate(self.nets):
            real, fake = self._real[index].array(), self._fake[model][index].array()
            found, absent = measure_distribution(net.measures, real, fake)
            figures |= {f"{key}:{net.name}": value for key, value in found.items()}
            missing |= {f"{key}:{net.name}": why for key, why in absent.items()}
        return figures, missing

    def close(self) -> None:
        """Free the files."""
        for store in [*self._real, *(store for stores in self._fake for store in stores)]:
            store.close()
