"""What a filter draws and how."""

from dataclasses import dataclass, field

from toonfilter.runtime.bundle import Precision
from toonfilter.runtime.faces.config import TrackingConfig
from toonfilter.runtime.faces.smoothing import OneEuroSettings
from toonfilter.runtime.privacy import LostPolicy
from toonfilter.runtime.render.opening import RenderOptions


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """What to draw and how.

    style: a bundle's name or path. size: crop size in px; None chooses between the bundle's sizes by the face's size,
    up to max_size. most_crops: the faces of a frame share the pixels of so many crops of max_size, so that a crowd is
    drawn at smaller sizes. threads: of the engine; 0 chooses. on_drawings: the frames show cartoons; styles that make
    people are allowed.
    """

    style: str = "cartoon"
    engine: str = "auto"
    precision: Precision | None = None
    threads: int = 0
    size: int | None = None
    max_size: int = 320
    most_crops: float = 2.0
    rendering: RenderOptions = field(default_factory=RenderOptions)
    lost: LostPolicy = field(default_factory=LostPolicy)
    tracker: TrackingConfig = field(default_factory=TrackingConfig)
    smoothing: OneEuroSettings = field(default_factory=OneEuroSettings)
    on_drawings: bool = False
