"""Pictures that show nobody: what is sent before the first frame, and a test card."""

import numpy as np

from toonfilter.runtime import privacy
from toonfilter.runtime.frames import Frame, Image, SafeFrame

UPPER, LOWER = (230, 120, 40), (30, 60, 200)
"""The colours of the test card's halves, RGB."""


def cover_picture(width: int, height: int) -> Image:
    """A plain grey figure before a dark wall, uint8 [H, W, 3]."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = (x - width / 2) / height, y / height
    head = (u / 0.13) ** 2 + ((v - 0.40) / 0.16) ** 2 < 1
    shoulders = ((u / 0.34) ** 2 + ((v - 0.98) / 0.36) ** 2 < 1) & (v > 0.5)
    wall = 46 - 14 * v - 8 * np.abs(u)
    grey = np.where(head | shoulders, 112 - 20 * v, wall)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


class CoverPictures:
    """What is sent where no picture may be: the placeholder, or else the grey figure, made once for each reason."""

    def __init__(self, width: int, height: int, placeholder: Image | None = None) -> None:
        self._width, self._height, self._placeholder = width, height, placeholder
        self._made: dict[str, SafeFrame] = {}

    def of(self, reason: str, now_s: float) -> SafeFrame:
        """The cover for this reason."""
        if reason not in self._made:
            empty = Frame(np.zeros((self._height, self._width, 3), np.uint8), -1, now_s)
            picture = self._placeholder if self._placeholder is not None else cover_picture(self._width, self._height)
            self._made[reason] = privacy.cover(empty, reason, picture)
        return self._made[reason]


def two_tone_frame(width: int, height: int) -> SafeFrame:
    """The test card: UPPER above LOWER."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2], picture[height // 2 :] = UPPER, LOWER
    return privacy.cover(Frame(np.zeros_like(picture), 0), "test card", picture)
