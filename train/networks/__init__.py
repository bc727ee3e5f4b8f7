"""Generators, discriminators and encoders: each file one family, found here by name."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.recipe import NetworkSettings

if TYPE_CHECKING:
    from torch import nn

# Name in the recipe -> (module in this folder, class). Every generator takes (in_channels, out_channels, **options) and
# maps [N, in, H, W] to [N, out, H, W]; every discriminator takes (in_channels, **options). Pictures are in -1..1.
GENERATORS: Mapping[str, tuple[str, str]] = {
    "toon": ("toon", "ToonGenerator"),
    "unet": ("pix2pix", "UNetGenerator"),
    "resnet": ("resnet", "ResnetGenerator"),
    "ugatit": ("ugatit", "UgatitGenerator"),
}
DISCRIMINATORS: Mapping[str, tuple[str, str]] = {
    "patch": ("discriminators", "PatchDiscriminator"),
    "coarse-fine": ("discriminators", "CoarseFineDiscriminator"),
    "residual": ("discriminators", "ResidualDiscriminator"),
    "edge": ("discriminators", "EdgeDiscriminator"),
}
# Networks that are not picture to picture: each takes its options only, and says what goes in and comes out.
NETWORKS: Mapping[str, tuple[str, str]] = {
    "dcgan-generator": ("dcgan", "DcganGenerator"),
    "dcgan-discriminator": ("dcgan", "DcganDiscriminator"),
    "xgan": ("xgan", "XganAutoencoders"),
    "xgan-discriminator": ("xgan", "XganDiscriminator"),
    "content-style": ("content_style", "ContentStyleNetwork"),
    "caricature-appearance": ("caricature", "AppearanceNetwork"),
    "landmark-regressor": ("landmark_regressor", "LandmarkRegressor"),
}


def build_generator(settings: NetworkSettings, in_channels: int, out_channels: int) -> "nn.Module":
    """Make a generator [N, in_channels, H, W] -> [N, out_channels, H, W].

    Raises:
        ConfigError: an unknown kind or option.
    """
    make = _checked(GENERATORS, settings, "generator")
    return make(in_channels, out_channels, **_options(settings))


def build_discriminator(settings: NetworkSettings, in_channels: int) -> "nn.Module":
    """Make a discriminator [N, in_channels, H, W] -> scores.

    Raises:
        ConfigError: an unknown kind or option.
    """
    make = _checked(DISCRIMINATORS, settings, "discriminator")
    return make(in_channels, **_options(settings))


def build_network(settings: NetworkSettings) -> "nn.Module":
    """Make a network of `NETWORKS`.

    Raises:
        ConfigError: an unknown kind or option.
    """
    return _checked(NETWORKS, settings, "network")(**_options(settings))


def _checked(table: Mapping[str, tuple[str, str]], settings: NetworkSettings, what: str) -> Callable[..., "nn.Module"]:
    if settings.kind not in table:
        raise ConfigError(f"unknown {what} {settings.kind!r}; there are: {', '.join(table)}")
    module, name = table[settings.kind]
    make = cast(Callable[..., "nn.Module"], getattr(import_module(f"toonfilter.train.networks.{module}"), name))
    known = [p.name for p in inspect.signature(make).parameters.values() if p.kind is p.KEYWORD_ONLY]
    unknown = sorted(set(settings.options) - set(known))
    if unknown:
        raise ConfigError(f"{what} {settings.kind!r}: unknown option {unknown[0]!r}; known: {', '.join(known)}")
    return make


def _options(settings: NetworkSettings) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in settings.options.items()}
