"""A look: everything about how people are drawn that can be chosen in the panel, and what there is to choose from."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from toonfilter.runtime.bundle import Bundle, find_bundle, known_bundles, measured_identity
from toonfilter.runtime.command_line.command_options import DrawingOptions, Extent, Region
from toonfilter.runtime.errors import ConfigError, ToonfilterError
from toonfilter.runtime.faces.smoothing import OneEuroSettings
from toonfilter.runtime.files.strict import Problem, parse
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.privacy import LostPolicy
from toonfilter.runtime.styles.identity import Identity
from toonfilter.runtime.styles.style import SLIDER_RANGES, Sliders

SWATCHES = ("#d6dee2", "#f3e3cf", "#cfe3d8", "#c9d8f0", "#e6d3e8", "#2f3a46")
"""Colours offered for the background."""
DEFAULT_STYLE = "cartoon"
_MOTION = {"steady": OneEuroSettings(), "responsive": OneEuroSettings(min_cutoff_hz=1.0, beta=8.0)}


@dataclass(frozen=True, slots=True)
class Slider:
    """One number of a style that people may change; values from low to high."""

    name: str
    low: float = 0.0
    high: float = 1.0
    usual: float = 0.5


@dataclass(frozen=True, slots=True)
class StyleCard:
    """A style to choose. sliders, backgrounds, extents: what it lets people change; empty where it does not.

    identity: how far a recogniser knows people in it, by likeness; empty where that was not measured.
    """

    name: str
    description: str
    sliders: tuple[Slider, ...] = ()
    backgrounds: tuple[str, ...] = ()
    extents: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    identity: tuple[Identity, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """background: drawn, blur, keep, #rrggbb or a picture's path. region: for styles that know no extents.

    sliders: values by name. motion: `steady` removes more of the wobble, `responsive` follows faster.
    """

    style: str = DEFAULT_STYLE
    extent: Extent = "whole"
    background: str = "drawn"
    region: Region = "head"
    motion: Literal["steady", "responsive"] = "steady"
    sliders: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The same text for the same look; different for different ones."""
        return json.dumps(asdict(self), sort_keys=True)


def look_from(content: Any, cards: Sequence[StyleCard], pictures: Path) -> Look:
    """The look of parsed JSON, checked against the styles and, in the folder `pictures`, the backgrounds there are.

    Raises:
        ConfigError: unknown keys, values out of range, or a style that is not there.
    """
    try:
        look: Look = parse(Look, content)
    except Problem as problem:
        raise ConfigError(f"look: {problem}") from None
    card = next((card for card in cards if card.name == look.style), None)
    if card is None:
        raise ConfigError(f"look: style is {look.style!r}, which is not installed or not for cameras")
    if look.background not in ("drawn", "blur", "keep") and not look.background.startswith("#"):
        path = Path(look.background)
        if path.parent != pictures or not path.is_file():
            raise ConfigError(
                f"look: background is {look.background!r}; must be drawn, blur, keep, #rrggbb or taken in"
            )
    if unknown := sorted(set(look.sliders) - {slider.name for slider in card.sliders}):
        raise ConfigError(f"look: style {look.style} has no slider {unknown[0]}")
    _drawing(look).rendering()
    return look


def filter_settings(look: Look, *, on_drawings: bool = False) -> FilterSettings:
    """How the filter draws this look."""
    settings = _drawing(look).filter_settings(LostPolicy(), is_live=not on_drawings)
    return replace(settings, smoothing=_MOTION[look.motion])


def _drawing(look: Look) -> DrawingOptions:
    sliders = {name: value for name, value in look.sliders.items() if name in SLIDER_RANGES}
    return DrawingOptions(look.style, "auto", look.extent, look.background, look.region, **sliders)


def style_cards() -> list[StyleCard]:
    """Every installed style that hides people, in order of name with the one that ships first."""
    cards = []
    for name in sorted(known_bundles(), key=lambda name: (name != DEFAULT_STYLE, name)):
        try:
            bundle = find_bundle(name)
        except ToonfilterError:
            # `doctor` tells of damaged ones.
            continue
        if bundle.input.domain == "photo":
            cards.append(_card(name, bundle))
    return cards


def _card(name: str, bundle: Bundle) -> StyleCard:
    if bundle.style is None:
        return StyleCard(name, bundle.description, regions=("head", "face"))
    usual = asdict(Sliders())
    return StyleCard(
        name,
        bundle.description,
        sliders=tuple(Slider(one, low, high, usual[one]) for one, (low, high) in SLIDER_RANGES.items()),
        backgrounds=("drawn", "blur", "keep", "colour", "picture"),
        extents=("whole", "person", "head"),
        identity=measured_identity(name),
    )
