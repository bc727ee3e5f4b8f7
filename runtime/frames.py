"""What travels through the pipeline: frames of the camera, and frames that are safe to show."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError

Image = NDArray[np.uint8]
"""uint8 [H, W, 3], RGB."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a camera or file, not safe to show.

    image: uint8 [H, W, 3] RGB, owned by the frame until it is handed on.
    captured_at_s: the pipeline clock's time right after the picture was taken or decoded.
    pts: presentation time stamp in the stream's time base; None for live pictures.
    """

    image: Image
    index: int
    captured_at_s: float = 0.0
    pts: int | None = None


class PrivacyState(StrEnum):
    """What a viewer can see of the people in a frame."""

    PROTECTED = "protected"
    """Every face that was found is drawn or covered, which was measured in this very frame."""
    HOLDING = "holding"
    """A face was lost for a moment: the last safe picture stays."""
    COVERED = "covered"
    """No trustworthy cartoon: the whole frame is pixelated or replaced."""
    EXPOSED = "exposed"
    """The raw picture, or a style that hides nobody, because the user asked for it in this run."""


_GUARD = object()


class SafeFrame:
    """A picture that may leave the process. Only `toonfilter.runtime.privacy` makes one.

    image: uint8 [H, W, 3] RGB; sinks must not write into it.
    state: what the picture shows. Of the faces that were found, faces_drawn are cartoons, faces_covered have a cover.
    """

    __slots__ = (
        "captured_at_s",
        "faces_covered",
        "faces_drawn",
        "faces_found",
        "image",
        "index",
        "pts",
        "reason",
        "state",
    )

    def __init__(
        self,
        image: Image,
        source: Frame,
        state: PrivacyState,
        *,
        faces_found: int = 0,
        faces_drawn: int = 0,
        faces_covered: int = 0,
        reason: str = "",
        _guard: Any = None,
    ) -> None:
        if _guard is not _GUARD:
            raise ConfigError("SafeFrame was made outside the privacy guard; ask toonfilter.runtime.privacy for one")
        self.image = image
        self.index = source.index
        self.captured_at_s = source.captured_at_s
        self.pts = source.pts
        self.state = state
        self.faces_found = faces_found
        self.faces_drawn = faces_drawn
        self.faces_covered = faces_covered
        self.reason = reason
