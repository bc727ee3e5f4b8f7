"""What a style decides: a file of rules, without any training."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from toonfilter.runtime.errors import BundleError
from toonfilter.runtime.geometry.proportions import Proportions
from toonfilter.runtime.render.features.rules import FeatureRules
from toonfilter.runtime.strict import Problem, parse


@dataclass(frozen=True, slots=True)
class BaseRules:
    """Lines in units of the distance of the pupils (u). shade: 0 none to 1.

    hair_tones: from which relief on (L*) a tone is drawn, and its step in L*.
    """

    outer_line_u: float = 0.032
    hair_line_u: float = 0.020
    inner_line_u: float = 0.017
    fold_ink: float = 0.5
    shade: float = 0.62
    neck_shadow_u: float = 0.5
    stubble: float = 0.35
    beard_tones: tuple[tuple[float, float], ...] = ((-6.0, -8.0), (6.0, 8.0))
    hair_tones: tuple[tuple[float, float], ...] = ((-4.0, -9.0), (4.0, 8.0), (9.0, 17.0))


@dataclass(frozen=True, slots=True)
class Style:
    """name, version, description: for people. network: the fields network that it draws with."""

    name: str
    version: str = "1.0"
    description: str = ""
    network: str = "fields"
    base: BaseRules = field(default_factory=BaseRules)
    features: FeatureRules = field(default_factory=FeatureRules)
    proportions: Proportions = field(default_factory=Proportions)


def read_style(path: Path) -> Style:
    """The style of a TOML file; its name is the file's.

    Raises:
        BundleError: it cannot be read, or a key or value is wrong; the text names key, value and what is allowed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BundleError(f"{path} cannot be read as a style ({error}); a style is a TOML file") from error
    content.setdefault("name", path.stem)
    try:
        style: Style = parse(Style, content)
    except Problem as problem:
        raise BundleError(f"{path.name}: {problem}") from None
    return style
