"""Distance of pretrained features, and the networks that give them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError, require

# (mean, spread) of RGB in 0..1; caffe networks take BGR.
_SCALINGS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "caffe": ((104 / 255, 117 / 255, 123 / 255), (1 / 255, 1 / 255, 1 / 255)),
}


@dataclass(frozen=True)
class FeatureSettings:
    """A network of torchvision that has `features` (VGG, SqueezeNet), and which of their layers are compared.

    weights: a .pth, .safetensors or .onnx file of that network; empty: torchvision's loader and its cache.
    """

    network: str = "vgg19"
    layers: tuple[int, ...] = (25,)
    weights: str = ""
    scaling: Literal["imagenet", "caffe"] = "imagenet"


class FeatureNetwork(nn.Module):
    """Pictures [N, 3, H, W] in -1..1 to the features of the chosen layers, shallow ones first. Never trained."""

    def __init__(self, settings: FeatureSettings) -> None:
        super().__init__()
        network = _load(settings)
        self.layers = nn.ModuleList(list(network.features)[: max(settings.layers) + 1])
        for layer in self.layers:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False
        self._chosen = frozenset(settings.layers)
        self._is_bgr = settings.scaling == "caffe"
        mean, spread = _SCALINGS[settings.scaling]
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("spread", torch.tensor(spread).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Features of each chosen layer, [N, C, h, w]."""
        if self.mean.device != pictures.device:
            self.to(pictures.device)
        x = pictures * 0.5 + 0.5
        x = ((x.flip(1) if self._is_bgr else x) - self.mean) / self.spread
        found = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self._chosen:
                found.append(x)
        return found


def perceptual_loss(features: nn.Module, result: Tensor, target: Tensor) -> Tensor:
    """Sum over layers of mean |f(result) - f(target)| / mean |f(target)|: the feature reconstruction loss of Johnson et
    al. 2016, section 3.2, with L1, each layer on a scale of its own. The target sends no gradient."""
    with torch.no_grad():
        wanted = [layer.float() for layer in features(target)]
    found: Sequence[Tensor] = features(result)
    return torch.stack(
        [(a.float() - b).abs().mean() / (b.abs().mean() + 1e-6) for a, b in zip(found, wanted, strict=True)]
    ).sum()


def _load(settings: FeatureSettings) -> Any:
    models = require("torchvision.models", extra="train")
    try:
        entry = models.get_model_weights(settings.network).IMAGENET1K_V1
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"torchvision has no network {settings.network!r} with ImageNet weights") from error
    network = models.get_model(settings.network, weights=None)
    if not hasattr(network, "features"):
        raise ConfigError(f"{settings.network}: only networks with `features` serve here: vgg16, vgg19, squeezenet1_0")
    try:
        state = _read(Path(settings.weights), network) if settings.weights else entry.get_state_dict(check_hash=True)
        network.load_state_dict(state)
    except OSError as error:
        raise ConfigError(
            f"the weights of {settings.network} are neither in torch's cache nor to be fetched ({error}); "
            f"give a file: --perceptual-weights {Path(entry.url).name}"
        ) from error
    except RuntimeError as error:
        raise ConfigError(f"{settings.weights}: not the weights of {settings.network}") from error
    return network


def _read(path: Path, network: Any) -> dict[str, Tensor]:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file of pretrained weights")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    if path.suffix == ".onnx":
        return _from_onnx(path, network)
    return cast(dict[str, Tensor], torch.load(path, map_location="cpu", weights_only=True))


def _from_onnx(path: Path, network: Any) -> dict[str, Tensor]:
    """The initialisers of the same network in ONNX: in the order of the layers, as exporters write them."""
    onnx = require("onnx", extra="export")
    numpy_helper = require("onnx.numpy_helper", extra="export")
    tensors = [torch.from_numpy(numpy_helper.to_array(t).copy()) for t in onnx.load(str(path)).graph.initializer]
    wanted = network.state_dict()
    shapes = [(tuple(t.shape), tuple(w.shape)) for t, w in zip(tensors, wanted.values(), strict=False)]
    if len(tensors) != len(wanted) or any(found != expected for found, expected in shapes):
        raise ConfigError(f"{path}: {len(tensors)} tensors that are not the layers of the network, in their order")
    return dict(zip(wanted, tensors, strict=True))
