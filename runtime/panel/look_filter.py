"""The live filter of the panel: any look, changed while it runs, and the person's own face in the other styles."""

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from typing import Any

import numpy as np

from toonfilter.runtime import privacy
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.filter.toon_filter import ToonFilter, TrackedFrame
from toonfilter.runtime.frames import Frame, Image, PrivacyState, SafeFrame
from toonfilter.runtime.panel.looks import Look, filter_settings
from toonfilter.runtime.panel.preview import encoded

OpenLook = Callable[[Look], ToonFilter]

_THUMBNAIL_PX = 320
"""Width of the pictures of styles. Raising it takes longer to send."""
_THUMBNAIL_HEADS = 2.1
"""Side of a thumbnail in heights of the face."""
_LOOKS_AT_A_STILL = 4
"""Times that a still is shown before it is drawn: faces are found by and by. Raising it takes longer for each style."""
_KEPT_LOOKS = 64
"""Looks that are remembered, so that the filter finds them. Raising it takes memory."""


def open_look(look: Look) -> ToonFilter:
    """The filter that draws this look."""
    return ToonFilter(filter_settings(look))


class Looks:
    """Looks by their keys: the live loop knows a wish by one word."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[str, Look] = {}

    def keep(self, look: Look) -> str:
        """Remember the look; its key."""
        with self._lock:
            self._by_key.pop(look.key, None)
            self._by_key[look.key] = look
            if len(self._by_key) > _KEPT_LOOKS:
                del self._by_key[next(iter(self._by_key))]
        return look.key

    def find(self, key: str) -> Look:
        """
        Raises:
            ConfigError: it was never kept.
        """
        with self._lock:
            if key not in self._by_key:
                raise ConfigError("a look that is not known was asked for")
            return self._by_key[key]


class LookFilter:
    """A `LiveFilter` whose style names are keys of looks. See `ToonFilter` for who may call what from where."""

    def __init__(self, looks: Looks, key: str, sampler: "StyleSampler", open_filter: OpenLook = open_look) -> None:
        self._looks, self._sampler, self._open_filter = looks, sampler, open_filter
        self._in_use = threading.Lock()
        self._effort: tuple[int, int] | None = None
        self._look = looks.find(key)
        self._inner = open_filter(self._look)

    @property
    def full_effort(self) -> tuple[list[int], int]:
        """See `ToonFilter`."""
        return self._inner.full_effort

    def set_effort(self, size: int, detect_every: int) -> None:
        """See `ToonFilter`."""
        self._effort = (size, detect_every)
        self._inner.set_effort(size, detect_every)

    def track(self, frame: Frame) -> tuple[ToonFilter, TrackedFrame]:
        """Find the faces; what is returned knows which filter found them."""
        self._sampler.offer(frame)
        with self._in_use:
            return self._inner, self._inner.track(frame)

    def draw(self, found: tuple[ToonFilter, TrackedFrame]) -> SafeFrame:
        """Draw and guard; a frame tracked before the look changed is covered."""
        inner, tracked = found
        if inner is not self._inner:
            return privacy.cover(tracked.frame, "settings change")
        return inner.draw(tracked)

    def cover(self, frame: Frame, reason: str) -> SafeFrame:
        return self._inner.cover(frame, reason)

    def set_style(self, style: str) -> None:
        """Draw the look of this key from the next frame on; the old one stays when this raises."""
        look, old_look = self._looks.find(style), self._look
        if look.motion == old_look.motion:
            self._inner.set_rendering(filter_settings(look).rendering)
            if look.style != old_look.style:
                self._inner.set_style(look.style)
            self._look = look
            return
        fresh = self._open_filter(look)
        if self._effort is not None:
            fresh.set_effort(*self._effort)
        with self._in_use:
            old, self._inner = self._inner, fresh
        self._look = look
        old.close()

    def reopen_engine(self, *, fallback: bool) -> None:
        """See `ToonFilter`."""
        self._inner.reopen_engine(fallback=fallback)

    def close(self) -> None:
        with self._in_use:
            self._inner.close()


class StyleSampler:
    """Draws one live frame in every style, when asked to, in a thread of its own.

    The frame is copied on its way into the filter and forgotten afterwards; what comes out are pictures of safe frames
    alone. A style that cannot protect the frame gets no picture.
    """

    def __init__(self, open_filter: OpenLook = open_look) -> None:
        self._open_filter = open_filter
        self._lock = threading.Lock()
        self._wanted: list[Look] = []
        self._worker: threading.Thread | None = None
        self._pictures: dict[str, tuple[int, bytes]] = {}
        self._round = 0
        self._is_closed = False

    def ask(self, looks: Sequence[Look]) -> None:
        """The next live frame shall be drawn in these looks, which differ in style alone; nothing happens while the
        last request is at work.
        """
        with self._lock:
            if not self.is_drawing:
                self._wanted = list(looks)

    def offer(self, frame: Frame) -> None:
        """A frame of the camera, before anything is drawn on it; taken only when somebody asked."""
        with self._lock:
            if not self._wanted or self._is_closed:
                return
            wanted, self._wanted = self._wanted, []
            self._round += 1
            still = frame.image.copy()
            self._worker = threading.Thread(
                target=self._draw_all, args=(still, wanted, self._round), name="panel-styles", daemon=True
            )
            self._worker.start()

    @property
    def is_drawing(self) -> bool:
        """Whether a frame is at work in its styles."""
        return self._worker is not None and self._worker.is_alive()

    @property
    def rounds(self) -> dict[str, int]:
        """By style: the number of the round its picture is from."""
        with self._lock:
            return {style: number for style, (number, _) in self._pictures.items()}

    def picture(self, style: str) -> bytes | None:
        """The newest JPEG file of this style."""
        with self._lock:
            return self._pictures.get(style, (0, None))[1]

    def forget(self) -> None:
        """Drop all pictures: the camera was stopped."""
        with self._lock:
            self._pictures, self._wanted = {}, []
            self._round += 1

    def close(self) -> None:
        """End; waits for the style at work."""
        with self._lock:
            self._is_closed = True
            worker = self._worker
        if worker is not None:
            worker.join()

    def _draw_all(self, still: Image, wanted: Sequence[Look], number: int) -> None:
        inner: ToonFilter | None = None
        times = count()
        for look in wanted:
            if self._is_closed or number != self._round:
                break
            try:
                inner = self._turned(inner, look)
                picture = _drawn(inner, still, times)
            except Exception:
                # What failed may fail again: the next look gets a filter of its own.
                if inner is not None:
                    inner.close()
                    inner = None
                continue
            with self._lock:
                if picture is not None and number == self._round:
                    self._pictures[look.style] = (number, picture)
        if inner is not None:
            inner.close()

    def _turned(self, inner: ToonFilter | None, look: Look) -> ToonFilter:
        """The filter, drawing in this look from now on. A look differs from the one before in style alone."""
        if inner is None:
            return self._open_filter(look)
        inner.set_style(look.style)
        return inner


def _drawn(inner: ToonFilter, still: Image, times: Iterator[int]) -> bytes | None:
    """The face in the still as a JPEG file; None where the filter does not protect it."""
    for index in islice(times, _LOOKS_AT_A_STILL):
        tracked = inner.track(Frame(still.copy(), index, index / 30))
        faces = tracked.tracking.faces
        place = faces[0].landmarks[:, :2] if faces else None
        safe = inner.draw(tracked)
        if safe.state is PrivacyState.PROTECTED and place is not None:
            return encoded(_around(safe.image, place), _THUMBNAIL_PX)
    return None


def _around(image: Image, landmarks: Any) -> Image:
    """The square around a face. landmarks: float [N, 2], px."""
    low, high = landmarks.min(0), landmarks.max(0)
    side = int(min(_THUMBNAIL_HEADS * (high[1] - low[1]), *image.shape[:2]))
    middle = (low + high) / 2
    left, top = (int(np.clip(middle[axis] - side / 2, 0, image.shape[1 - axis] - side)) for axis in (0, 1))
    return np.ascontiguousarray(image[top : top + side, left : left + side])
