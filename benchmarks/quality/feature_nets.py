"""Nets whose features stand for what a picture looks like: torchvision's, or any ONNX file."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.pictures import Image
from toonfilter.runtime.errors import ConfigError, DataError, require

Vector = NDArray[np.float32]

_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_IMAGENET_SPREAD = np.array([0.229, 0.224, 0.225], np.float32)
_CAFFE_MEAN = np.array([104, 117, 123], np.float32)

SCALINGS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "signed": lambda rgb: rgb / np.float32(127.5) - np.float32(1),
    "unit": lambda rgb: rgb / np.float32(255),
    "imagenet": lambda rgb: (rgb / np.float32(255) - _IMAGENET_MEAN) / _IMAGENET_SPREAD,
    "caffe": lambda rgb: rgb[..., ::-1] - _CAFFE_MEAN,
    "raw": lambda rgb: rgb,
}
"""From float32 [H, W, 3] RGB 0..255 to what a net was trained on; caffe is BGR."""

_KNOWN_SCALINGS = {"mobilenet_v2_float": "signed", "squeezenet10_dc": "caffe"}
_ALL_MEASURES = ("mmd", "nn", "fid", "kid", "pr")


class FeatureNet(Protocol):
    """name: for the report. measures: of `_ALL_MEASURES`, those that are taken in these features. Thread safe."""

    @property
    def name(self) -> str: ...

    @property
    def measures(self) -> tuple[str, ...]: ...

    def vector(self, image: Image) -> Vector:
        """One feature vector, float32 [D]. image: uint8 [H, W, 3] RGB of any size."""
        ...


@dataclass(frozen=True, slots=True)
class MissingNet:
    """A net whose weights are not here, in one line."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Weights:
    """path: the file. state: tensors by name."""

    path: Path
    state: Mapping[str, Any]


class OnnxFeatures:
    """An ONNX file with one picture input [N, 3, H, W] or [N, H, W, 3].

    It is fed at its input's own size, or at 224 px where that is open. The vector is the output that was asked for, or
    its output [N, D] with the most numbers that is not called logits; without one, its deepest feature map. A feature
    map is averaged over the picture.
    """

    measures = _ALL_MEASURES

    def __init__(self, text: str, *, side: int = 224, threads: int = 1) -> None:
        """text: FILE.onnx, FILE.onnx:SCALING or FILE.onnx:SCALING:OUTPUT.

        Raises:
            ConfigError: the scaling is not known and not given.
            DataError: no such file, or outputs that are no features.
        """
        import onnxruntime

        file, scaling, asked = _parts(text)
        path = Path(file)
        scaling = scaling or _KNOWN_SCALINGS.get(path.stem, "")
        if scaling not in SCALINGS:
            raise ConfigError(f"features {path.name}: unknown input scaling; give FILE.onnx:SCALING, one of {_names()}")
        if not path.is_file():
            raise DataError(f"feature net {path} does not exist; give an ONNX file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        taken = self._session.get_inputs()[0]
        self._input, self._is_nhwc = taken.name, len(taken.shape) == 4 and taken.shape[3] == 3
        own_side = taken.shape[1 if self._is_nhwc else 2] if len(taken.shape) == 4 else None
        self._scale, self.name = SCALINGS[scaling], path.stem
        self._side = own_side if isinstance(own_side, int) else side
        outputs = self._session.get_outputs()
        if asked and asked not in [output.name for output in outputs]:
            names = ", ".join(output.name for output in outputs)
            raise ConfigError(f"features {path.name}: no output {asked!r}; there are: {names}")
        flat = [output for output in outputs if len(output.shape) == 2 and output.name != "logits"]
        self.map_names = [output.name for output in outputs if len(output.shape) == 4]
        if not flat and not self.map_names:
            raise DataError(f"feature net {path.name} has no output [N, D] or [N, C, H, W] that is not its logits")
        widest = max(flat, key=lambda output: _width(output.shape)).name if flat else self.map_names[-1]
        self._vector_name = asked or widest

    def vector(self, image: Image) -> Vector:
        """One feature vector, float32 [D]."""
        found: NDArray[np.float32] = self._session.run([self._vector_name], {self._input: self._planes(image)})[0][0]
        vector: Vector = found if found.ndim == 1 else found.mean((1, 2))
        return vector

    def maps(self, image: Image) -> list[NDArray[np.float32]]:
        """Feature maps float32 [C, H, W], shallow ones first."""
        return [found[0] for found in self._session.run(self.map_names, {self._input: self._planes(image)})]

    def _planes(self, image: Image) -> NDArray[np.float32]:
        scaled = self._scale(_resized(image, self._side).astype(np.float32))
        return np.ascontiguousarray((scaled if self._is_nhwc else scaled.transpose(2, 0, 1))[None])


class TorchvisionFeatures:
    """ResNet-34 or Inception v3 of torchvision, up to the average pooling, on ImageNet weights.

    scaling: of `SCALINGS`; Inception v3 was trained on -1..1, the ResNets on ImageNet's mean and spread.
    """

    def __init__(self, name: str, network: Any, side: int, measures: tuple[str, ...], scaling: str) -> None:
        self.name, self.measures = name, measures
        self.network, self._side, self._scale = network, side, SCALINGS[scaling]

    def vector(self, image: Image) -> Vector:
        """One feature vector, float32 [D]."""
        torch = require("torch", extra="train")
        scaled = self._scale(_resized(image, self._side).astype(np.float32))
        with torch.inference_mode():
            found = self.network(torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])))
        vector: Vector = found[0].numpy()
        return vector


def imagenet_weights(name: str, entry: Any, folder: Path | None, *, download: bool) -> Weights | MissingNet:
    """Weights from the folder, from torch's cache where none is given, or fetched where that is allowed.

    name: of the net, for the report. entry: torchvision's own for these weights.

    Raises:
        ConfigError: torch is not installed.
    """
    torch = require("torch", extra="train")
    folder = folder or Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / Path(entry.url).name
    try:
        if path.is_file():
            return Weights(path, torch.load(path, map_location="cpu", weights_only=True))
        if download:
            return Weights(path, entry.get_state_dict(progress=False, check_hash=True))
    except OSError as error:
        return MissingNet(name, f"{path.name} could not be fetched ({error})")
    return MissingNet(name, f"no {path.name} in {folder}; put it there, or allow --download")


def open_torchvision(
    kind: str, measures: tuple[str, ...], weights: Path | None = None, *, download: bool = False
) -> TorchvisionFeatures | MissingNet:
    """ "resnet34" or "inception_v3" with the weights in the folder, in torch's cache, or fetched where that is allowed.

    Raises:
        ConfigError: torchvision is not installed.
        DataError: the weights file is not of this net.
    """
    torch, models = require("torch", extra="train"), require("torchvision.models", extra="train")
    found = imagenet_weights(kind, models.get_model_weights(kind).IMAGENET1K_V1, weights, download=download)
    if isinstance(found, MissingNet):
        return found
    options = {"aux_logits": True, "init_weights": False} if kind == "inception_v3" else {}
    network = models.get_model(kind, weights=None, **options)
    try:
        network.load_state_dict(found.state)
    except RuntimeError as error:
        raise DataError(f"{found.path} does not hold the weights of {kind}") from error
    network.fc = torch.nn.Identity()
    network.eval()
    if kind == "inception_v3":
        return TorchvisionFeatures("inception_v3 (torchvision)", network, 299, measures, "signed")
    return TorchvisionFeatures(kind, network, 224, measures, "imagenet")


class FidelityFeatures:
    """Inception v3 with the weights of the published FIDs (Heusel et al. 2017), as torch-fidelity runs it."""

    name = "inception-2015-12-05"

    def __init__(self, network: Any, measures: tuple[str, ...]) -> None:
        self.measures, self.network = measures, network

    def vector(self, image: Image) -> Vector:
        """One feature vector, float32 [2048]; the network scales the picture itself, as TensorFlow 1 did."""
        torch = require("torch", extra="train")
        levels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)[None]))
        with torch.inference_mode():
            vector: Vector = self.network(levels)[0][0].numpy()
        return vector


def open_inception(
    measures: tuple[str, ...], weights: Path | None = None, *, download: bool = False
) -> FeatureNet | MissingNet:
    """The network of the published FIDs where its weights are; else torchvision's Inception v3, whose distances
    cannot be compared with published ones; the net's name says which it is.

    Raises:
        ConfigError: torchvision is not installed.
        DataError: a weights file is not of its net.
    """
    torch = require("torch", extra="train")
    fidelity = require("torch_fidelity.feature_extractor_inceptionv3", extra="train")
    folder = weights or Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / Path(fidelity.URL_INCEPTION_V3).name
    if download and not path.is_file():
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(fidelity.URL_INCEPTION_V3, str(path), progress=False)
    if path.is_file():
        return FidelityFeatures(_fidelity_network(fidelity, path), measures)
    fallback = open_torchvision("inception_v3", measures, weights, download=download)
    if isinstance(fallback, MissingNet):
        return MissingNet("inception-2015-12-05", f"no {path.name} in {folder}; put it there, or allow --download")
    return fallback


def _fidelity_network(fidelity: Any, path: Path) -> Any:
    torch = require("torch", extra="train")
    try:
        # The package loads the file without this precaution; a file that passes here holds nothing but tensors.
        torch.load(path, map_location="cpu", weights_only=True)
        return fidelity.FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(path))
    except Exception as error:
        raise DataError(f"{path} does not hold the Inception weights of the FID") from error


def perceptual_distance(first: Sequence[NDArray[np.float32]], second: Sequence[NDArray[np.float32]]) -> float:
    """Distance of two pictures by their feature maps: 0 for equal ones.

    Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric", eq. 1 with all
    weights 1: channels are normalised at every place, squared differences summed over channels and layers and
    averaged over places.
    """
    total = 0.0
    for one, other in zip(first, second, strict=True):
        difference = _normalised(one) - _normalised(other)
        total += float((difference**2).sum(0).mean())
    return total


def _normalised(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = maps / (np.sqrt((maps**2).sum(0, keepdims=True)) + 1e-10)
    return result


def _resized(image: Image, side: int) -> Image:
    if image.shape[:2] == (side, side):
        return image
    shrinks = max(image.shape[:2]) > side
    resized: Image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized


def _parts(text: str) -> tuple[str, str, str]:
    """File, scaling and output of FILE[:SCALING[:OUTPUT]]; a file may have colons in its name."""
    file, _, scaling = text.rpartition(":")
    if scaling in SCALINGS:
        return file, scaling, ""
    before, _, middle = file.rpartition(":")
    return (before, middle, scaling) if middle in SCALINGS else (text, "", "")


def _width(shape: Sequence[Any]) -> int:
    return shape[1] if isinstance(shape[1], int) else 0


def _names() -> str:
    return ", ".join(SCALINGS)
