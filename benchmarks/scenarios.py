"""What is measured: the scenarios of scenarios.toml."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, get_args

from toonfilter.runtime.bundle import Bundle, Precision
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.files.toml_text import read_table
from toonfilter.runtime.render.drawing import Extent

TARGETS = ("fps", "p50_ms", "p95_ms", "p99_ms", "memory_mb")
"""What a scenario may have a target for; `fps` is a least value, the others are greatest ones."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One measurement. size: crop size in px, None lets the filter choose. camera_fps: None runs unpaced. extent: what
    of the frame is drawn.

    path: panel is cam watched on the page. frames_factor: so many times the frames of other scenarios, for files,
    which have a start and an end.
    """

    name: str
    path: Literal["cam", "panel", "video"] = "cam"
    width: int = 1280
    height: int = 720
    faces: int = 1
    size: int | None = None
    engine: str = "auto"
    precision: Precision | None = None
    camera_fps: float | None = None
    extent: Extent = "whole"
    frames_factor: int = 1
    targets: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.faces not in (0, 1, 2, 4):
            raise ConfigError(f"scenario {self.name}: faces is {self.faces}; must be 0, 1, 2 or 4")
        if self.path not in ("cam", "panel", "video"):
            raise ConfigError(f"scenario {self.name}: path is {self.path!r}; must be cam, panel or video")
        if not (64 <= self.width <= 7680 and 64 <= self.height <= 4320) or self.width % 2 or self.height % 2:
            raise ConfigError(f"scenario {self.name}: {self.width}x{self.height}; must be even, from 64x64 on")
        if self.extent not in get_args(Extent):
            raise ConfigError(f"scenario {self.name}: extent is {self.extent!r}; must be whole, person or head")
        if not 1 <= self.frames_factor <= 100:
            raise ConfigError(f"scenario {self.name}: frames_factor is {self.frames_factor}; must be 1 to 100")
        if self.camera_fps is not None and not 1 <= self.camera_fps <= 240:
            raise ConfigError(f"scenario {self.name}: camera_fps is {self.camera_fps}; must be 1 to 240")
        if unknown := sorted(set(self.targets) - set(TARGETS)):
            raise ConfigError(f"scenario {self.name}: unknown target {unknown[0]!r}; known: {', '.join(TARGETS)}")


def load_scenarios(path: Path | None = None) -> list[Scenario]:
    """Read scenarios.toml, in its order. path: None reads the one that comes with the package.

    Raises:
        ConfigError: not readable, unknown keys, or values out of range.
    """
    path = path or Path(__file__).with_name("scenarios.toml")
    return [_scenario(path, name, values) for name, values in read_table(path).items()]


def chosen(scenarios: list[Scenario], patterns: tuple[str, ...]) -> list[Scenario]:
    """Those whose name matches one of the patterns (`*` and `?` as in file names); all without patterns.

    Raises:
        ConfigError: a pattern matches none.
    """
    for pattern in patterns:
        if not any(fnmatch(scenario.name, pattern) for scenario in scenarios):
            raise ConfigError(f"no scenario {pattern!r}; there are: {', '.join(one.name for one in scenarios)}")
    return [one for one in scenarios if not patterns or any(fnmatch(one.name, pattern) for pattern in patterns)]


def paced(scenarios: list[Scenario], camera_fps: float) -> list[Scenario]:
    """The camera scenarios, paced; targets of throughput do not apply then."""
    return [
        replace(one, camera_fps=camera_fps, targets={key: least for key, least in one.targets.items() if key != "fps"})
        for one in scenarios
        if one.path != "video"
    ]


def camera_rate(text: str) -> float:
    """The frames per second of `camera=30fps`.

    Raises:
        ConfigError: anything else.
    """
    found = re.fullmatch(r"camera=(\d+(?:\.\d+)?)(?:fps)?", text.strip())
    if not found:
        raise ConfigError(f"cannot simulate {text!r}; write camera=30fps")
    return float(found[1])


def by_engine(scenarios: list[Scenario], bundle: Bundle, engines: tuple[str, ...]) -> list[Scenario]:
    """Scenarios of `engine = "each"` become one for each engine and precision; precisions they cannot run are left out.

    engines: those to expect here.
    """
    expanded: list[Scenario] = []
    for one in scenarios:
        if one.engine != "each":
            expanded.append(one)
            continue
        expanded += [
            replace(one, name=f"{one.name}-{engine}-{precision}", engine=engine, precision=precision)
            for engine in engines
            for precision in ("int8", "fp32", "fp16")
            if precision in bundle.precisions and (precision != "fp16" or engine == "tensorrt")
        ]
    return expanded


def _scenario(path: Path, name: str, values: Any) -> Scenario:
    known = {one.name for one in fields(Scenario)} - {"name"}
    if not isinstance(values, dict) or not set(values) <= known:
        odd = sorted(set(values) - known) if isinstance(values, dict) else [name]
        raise ConfigError(f"{path}: {name}: unknown key {odd[0]!r}; known: {', '.join(sorted(known))}")
    try:
        return Scenario(name=name, **values)
    except TypeError as error:
        raise ConfigError(f"{path}: {name}: {error}") from error
