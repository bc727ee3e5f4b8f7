"""Where live pictures go: a window, a file, nowhere, or several of these. Sinks take nothing but a `SafeFrame`."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import numpy as np

from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.frames import Image, SafeFrame
from toonfilter.runtime.platform.graphics_libraries import missing


class LiveSink(Protocol):
    """Takes safe pictures. All calls come from the thread that made it."""

    def send(self, safe: SafeFrame, now_s: float) -> None:
        """Show or store the picture; must not write into it. now_s: the pipeline clock's time.

        Raises:
            OutputError: it cannot; the program should end.
        """
        ...

    def keys(self) -> str:
        """Keys pressed since the last call; empty where there is no keyboard."""
        ...

    def close(self) -> None:
        """Let go of it. Idempotent."""
        ...


def image_of(safe: SafeFrame) -> Image:
    """The picture of a safe frame.

    Raises:
        OutputError: it is not one.
    """
    if not isinstance(safe, SafeFrame):
        raise OutputError(f"a sink got a {type(safe).__name__}; only a SafeFrame may leave")
    return safe.image


def fitted(image: Image, width: int, height: int) -> Image:
    """The picture in the given size, whole, with black bars where the shape differs; the same array if it fits.

    image: uint8 [H, W, 3]. Returns uint8 [height, width, 3], C-contiguous.
    """
    import cv2

    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    factor = min(width / image.shape[1], height / image.shape[0])
    inner_width, inner_height = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    inner: Image = cv2.resize(image, (inner_width, inner_height), interpolation=how)
    if (inner_width, inner_height) == (width, height):
        return inner
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + inner_height, left : left + inner_width] = inner
    return canvas


class Preview:
    """A window with the picture and the privacy state in it; closing the window or Esc counts as the key q."""

    def __init__(self, title: str = "toonfilter") -> None:
        """Raises: OutputError: there is no display; the window's library would end the program."""
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise OutputError("no preview window can be opened: no display; use --output virtual or a file's name")
        self._title = title
        self._is_open = self._was_closed = False

    def send(self, safe: SafeFrame, now_s: float) -> None:  # noqa: ARG002
        import cv2

        picture = cv2.cvtColor(image_of(safe), cv2.COLOR_RGB2BGR)
        if self._was_closed:
            return
        words = f"{safe.state.value}   h hide  s style  q quit"
        for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):
            cv2.putText(picture, words, (12, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, thickness, cv2.LINE_AA)
        if missing:
            raise OutputError(
                f"no preview window can be opened: this machine lacks {', '.join(sorted(missing))}; "
                "apt install libgl1 libegl1 libglib2.0-0 libsm6 libxext6, or use --output virtual or a file's name"
            )
        try:
            if not self._is_open:
                cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
                cv2.resizeWindow(self._title, picture.shape[1], picture.shape[0])
                self._is_open = True
            cv2.imshow(self._title, picture)
        except cv2.error as error:
            raise OutputError(
                "no preview window can be opened (no display, or OpenCV without windows); "
                "use --output virtual or a file's name"
            ) from error

    def keys(self) -> str:
        import cv2

        if not self._is_open:
            return ""
        key = cv2.waitKey(1) & 0xFF
        try:
            is_shown = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            # So does OpenCV with Qt answer for a window that was closed.
            is_shown = False
        self._was_closed = not is_shown
        if key == 27 or self._was_closed:
            return "q"
        return chr(key).lower() if key < 128 else ""

    def close(self) -> None:
        import cv2

        if self._is_open:
            with suppress(cv2.error):
                cv2.destroyWindow(self._title)
            self._is_open = False


class SeveralSinks:
    """Sends every picture to all of its sinks."""

    def __init__(self, sinks: Sequence[LiveSink]) -> None:
        self._sinks = tuple(sinks)

    def send(self, safe: SafeFrame, now_s: float) -> None:
        for sink in self._sinks:
            sink.send(safe, now_s)

    def keys(self) -> str:
        return "".join(sink.keys() for sink in self._sinks)

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()
