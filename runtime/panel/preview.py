"""What the page shows of the camera: the newest picture that left, and nothing before it was safe."""

import io
import threading

import cv2
from PIL import Image as Picture

from toonfilter.runtime.frames import Image, PrivacyState, SafeFrame
from toonfilter.runtime.live.sinks import image_of

_JPEG_QUALITY = 82
"""Of the preview, 0 to 100. Raising it sends more."""
_GREATEST_WIDTH_PX = 1280
"""Of the preview. Raising it costs more for each tab."""
_HELD_S = 0.2
"""A protected picture that is older is told as held. Raising it tells so later."""


class PreviewSink:
    """Keeps the newest safe frame for any number of watchers; a `LiveSink`.

    Frames are encoded when somebody asks, by the thread that asks, once for all of them: sending costs the live loop
    one reference.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._newest: SafeFrame | None = None
        self._number = 0
        self._sent_at_s = self._fresh_at_s = float("-inf")
        self._encoding = threading.Lock()
        self._encoded: tuple[int, int, bytes] = (0, 0, b"")

    def send(self, safe: SafeFrame, now_s: float) -> None:
        image_of(safe)
        with self._changed:
            self._sent_at_s = now_s
            if safe is not self._newest:
                self._newest, self._fresh_at_s = safe, now_s
                self._number += 1
                self._changed.notify_all()

    def keys(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing to let go of: the last picture, which is covered, stays."""

    @property
    def shown(self) -> tuple[PrivacyState | None, str, float]:
        """What was sent last: its state, why, and when by the pipeline's clock. None before the first."""
        with self._changed:
            safe, fresh_at_s, sent_at_s = self._newest, self._fresh_at_s, self._sent_at_s
        if safe is None:
            return None, "", sent_at_s
        # A camera slower than the pace is repeated between its pictures; that is not a face that was lost.
        is_held = safe.state is PrivacyState.PROTECTED and sent_at_s - fresh_at_s > _HELD_S
        return (PrivacyState.HOLDING if is_held else safe.state), safe.reason, sent_at_s

    def wait_newer(self, number: int, timeout_s: float) -> int:
        """The number of the newest picture; waits until it is greater than `number`, or for timeout_s."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number, timeout_s)
            return self._number

    def jpeg(self, width_px: int) -> tuple[int, bytes]:
        """The newest picture's number and JPEG file, at most `width_px` wide; (0, b"") before the first."""
        with self._encoding:
            with self._changed:
                number, safe = self._number, self._newest
            if safe is None:
                return 0, b""
            width_px = max(16, min(width_px, _GREATEST_WIDTH_PX))
            if self._encoded[:2] != (number, width_px):
                self._encoded = (number, width_px, encoded(image_of(safe), width_px))
            return number, self._encoded[2]


def encoded(image: Image, width_px: int) -> bytes:
    """A JPEG file of the picture, at most `width_px` wide. image: uint8 [H, W, 3] RGB; is not changed."""
    height, width = image.shape[:2]
    if width > width_px:
        size = width_px, max(1, round(height * width_px / width))
        # Slower than encoding, unless the picture becomes much smaller.
        how = cv2.INTER_AREA if width >= 2 * width_px else cv2.INTER_LINEAR
        image = cv2.resize(image, size, interpolation=how)
    # Not OpenCV: the encoder in 4.9 takes five times as long.
    file = io.BytesIO()
    Picture.fromarray(image).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()
