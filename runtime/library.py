"""The filter for other programs: pictures in, safe pictures out. What `toonfilter` exports, and nothing private."""

import time
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np

from toonfilter.runtime.bundle import known_bundles
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.frames import Frame, Image, SafeFrame
from toonfilter.runtime.privacy import LostPolicy
from toonfilter.runtime.render.drawing import Extent
from toonfilter.runtime.render.ground import Ground
from toonfilter.runtime.render.opening import RenderOptions
from toonfilter.runtime.styles.style import Sliders


@dataclass(frozen=True, slots=True)
class Drawing:
    """How people and the room are drawn.

    extent: `whole` draws people and room, `person` people alone, `head` heads alone; what is not drawn stays as the
    camera sees it. background: what is behind people; None takes what fits the extent. sliders: see there.
    """

    extent: Extent = "whole"
    background: Ground | None = None
    sliders: Sliders = field(default_factory=Sliders)


class Filter:
    """Makes cartoons of the frames of one camera or one file, in order. Used from one thread at a time.

    A result whose `state` is PROTECTED shows every face that was found as a drawing or under a cover, which was
    measured. Whatever raises lets nothing out: show `cover(image)` then, and go on with the next frame.
    """

    def __init__(
        self,
        style: str = "cartoon",
        *,
        drawing: Drawing | None = None,
        lost: LostPolicy | None = None,
        engine: str = "auto",
        is_live: bool = False,
    ) -> None:
        """style: a name of `styles()`, or the path of a style file or bundle folder.

        lost: what becomes of a frame without a face. is_live: frames come from a camera, and the next one must be drawn
        in time; costs detail.

        Raises:
            BundleError: there is no such style, or it is damaged. BackendError: no engine runs it.
            ConfigError: the engine's package is not installed, or the style is made for cartoons, not for people.
        """
        drawing = drawing or Drawing()
        background = drawing.background or Ground("drawn" if drawing.extent == "whole" else "keep")
        rendering = RenderOptions(drawing.extent, background, sliders=drawing.sliders, is_live=is_live)
        settings = FilterSettings(style, engine, rendering=rendering, lost=lost or LostPolicy())
        self._filter = ToonFilter(settings)
        self._frames = 0

    def __call__(self, image: Image, time_s: float | None = None) -> SafeFrame:
        """The next frame as a cartoon.

        image: uint8 [H, W, 3] RGB, not changed. time_s: when it was taken, in seconds that only grow; None: now. The
        result's `image`, uint8 [H, W, 3] RGB, may be kept and must not be written into: it may be shown again.

        Raises:
            ConfigError: the image has another shape or type. BackendError: the engine failed.
        """
        return self._filter.process(self._frame(image, time_s))

    def cover(self, image: Image, reason: str = "asked for") -> SafeFrame:
        """The frame pixelated whole, or the placeholder of `lost`; works after anything failed.

        Raises:
            ConfigError: the image has another shape or type.
        """
        return self._filter.cover(self._frame(image, None), reason)

    def set_style(self, style: str) -> None:
        """Draw in another style from the next frame on; the old one stays when this raises. Raises: see `Filter`."""
        self._filter.set_style(style)

    def reset(self) -> None:
        """The next frame has nothing to do with the last: another file, another camera."""
        self._filter.reset()

    def close(self) -> None:
        """Free the networks. Leaving a `with` block does it, too."""
        self._filter.close()

    def __enter__(self) -> "Filter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _frame(self, image: Image, time_s: float | None) -> Frame:
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            found = f"{image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ConfigError(f"image is {found}; must be uint8 [H, W, 3] in RGB")
        self._frames += 1
        return Frame(image.copy(), self._frames - 1, time.perf_counter() if time_s is None else time_s)


def styles() -> list[str]:
    """Names of the styles that are installed, the user's own first."""
    return list(known_bundles())
