"""The heart: a frame goes in, a safe frame comes out. No clock; time comes with the frame."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toonfilter.runtime.backends import Opened, open_translator
from toonfilter.runtime.faces.lookback import SeenFrame, look_back
from toonfilter.runtime.faces.tracker import FaceTracker, TrackingResult
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.head_crops import CropSizes, HeadCrops
from toonfilter.runtime.filter.style_engine import Opener, StyleEngine
from toonfilter.runtime.frames import Frame, Image, SafeFrame
from toonfilter.runtime.geometry.pixelate import cover_softly
from toonfilter.runtime.privacy import Guard, HiddenFace
from toonfilter.runtime.render.opening import RenderOptions
from toonfilter.runtime.render.people_reader import drawn_faces
from toonfilter.runtime.render.renderer import AlignedFace, FrameRenderer

_GAP_S = 0.7
"""Frames further apart have nothing to do with each other. Raising it carries faces over longer gaps."""
_SLOW_S = 5.0
"""A frame after a gap is looked at thoroughly, which is work. Gaps that follow each other sooner than this come from a
slow machine, which thorough looks would keep slow."""


@dataclass(slots=True)
class TrackedFrame:
    """A frame and what the tracker saw in it.

    aligned: the followed faces and their steadied crops. prepared: by `renderer`, of them. seen: for `look_back`.
    """

    frame: Frame
    tracking: TrackingResult
    aligned: list[AlignedFace] = field(default_factory=list)
    renderer: FrameRenderer | None = None
    prepared: Any = None
    seen: SeenFrame | None = None


class _Continuity:
    """Whether frames belong together."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._seen_at_s = 0.0
        self._broken_at_s = -math.inf

    def is_broken_by(self, frame: Frame) -> bool:
        """Whether what was seen before tells nothing of this frame."""
        gap_s = frame.captured_at_s - self._seen_at_s
        is_broken = frame.image.shape != self._shape or not gap_s >= 0
        is_broken = is_broken or (gap_s > _GAP_S and frame.captured_at_s - self._broken_at_s > _SLOW_S)
        if is_broken:
            self._broken_at_s = frame.captured_at_s
        self._shape, self._seen_at_s = frame.image.shape, frame.captured_at_s
        return is_broken

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._shape = ()


class ToonFilter:
    """Tracks, draws and guards. `process` is `draw(track(frame))`. What fails raises; whoever calls covers the frame.

    One thread may `track` the next frame while another draws this one; each is used from one thread at a time, with
    frames in order. A third looks for faces and follows the motion of the picture meanwhile, and live a fourth reads
    who is in it, see `PeopleReader`. `draw` writes into the frame's image.
    """

    def __init__(
        self,
        settings: FilterSettings | None = None,
        *,
        tracker: FaceTracker | None = None,
        opener: Opener = open_translator,
    ) -> None:
        """tracker, opener: stand-ins for tests.

        Raises:
            BundleError, BackendError, ConfigError: the style or the engine cannot be opened.
        """
        self._settings = settings or FilterSettings()
        self._engine = StyleEngine(self._settings, opener)
        self._beside = ThreadPoolExecutor(1, "beside")
        self._tracker = tracker or FaceTracker(self._settings.tracker, self._beside)
        self._guard = Guard(self._settings.lost)
        self._crops = HeadCrops(self._settings.smoothing, self._settings.tracker.head_motion)
        self._sizes = CropSizes(self._settings.max_size, self._settings.most_crops, self._settings.size)
        self._continuity = _Continuity()
        self._original: Image = np.empty((0, 0, 3), np.uint8)

    @property
    def opened(self) -> Opened:
        """The engine that runs, and why others do not."""
        return self._engine.opened

    @property
    def full_effort(self) -> tuple[list[int], int]:
        """Crop sizes that the settings allow, and frames between looks for newcomers."""
        return self._engine.allowed_sizes, self._settings.tracker.search.detect_every

    def set_effort(self, size: int, detect_every: int) -> None:
        """From the next frame on: crops of at most `size` px, a look for newcomers at least every so many frames."""
        self._sizes.limit_px = size
        self._tracker.set_interval(detect_every)

    def process(self, frame: Frame) -> SafeFrame:
        """Track and draw one frame."""
        return self.draw(self.track(frame))

    def track(self, frame: Frame) -> TrackedFrame:
        """Find the faces.

        Raises:
            BackendError: a network failed.
        """
        if self._continuity.is_broken_by(frame):
            self._tracker.reset()
        moving = self._crops.followed(frame.image, self._beside)
        tracking = self._tracker.track(frame.image, frame.captured_at_s)
        crops = self._crops.steadied(tracking.faces, frame, moving)
        renderer = self._engine.renderer
        if not crops and not renderer.draws_whole_frame:
            return TrackedFrame(frame, tracking)
        aligned = self._sized(list(zip(tracking.faces, crops, strict=True)))
        places = [*tracking.unmeshed, *tracking.lost]
        prepared = renderer.prepare(frame.image, aligned, frame.captured_at_s, places)
        return TrackedFrame(frame, tracking, aligned, renderer, prepared)

    def look_back(self, waiting: Sequence[TrackedFrame], newest: TrackedFrame | None) -> None:
        """Cover faces in frames that wait to be drawn, the oldest first, from what was found in the last of them.

        newest: the frame after it, which is tracked already, so that nothing is pending in the others; None at the end.
        Called for every frame.
        """
        if newest is not None:
            newest.seen = SeenFrame(newest.frame.image, [], is_cut=newest.tracking.is_cut)
        seen = waiting[-1].seen if waiting else None
        if seen is None:
            return
        tracking = waiting[-1].tracking
        places = [face.box for face in tracking.faces] + tracking.unmeshed + tracking.lost
        seen.places += places + tracking.pending_detections()
        earlier = [one.seen for one in waiting[:-1] if one.seen is not None]
        look_back(earlier, seen, self._settings.tracker.lookback)

    def draw(self, tracked: TrackedFrame) -> SafeFrame:
        """Draw the faces found and let the guard decide what may leave.

        Raises:
            BackendError: the engine failed, or what came back is no drawing of its input.
        """
        frame, tracking = tracked.frame, tracked.tracking
        faces, renderer = tracking.faces, self._engine.renderer
        elsewhere = [*tracking.unmeshed, *tracking.lost]
        elsewhere += tracked.seen.comes_from if tracked.seen is not None else []
        if not faces and (tracked.prepared is None or tracked.renderer is not renderer):
            for box in elsewhere:
                cover_softly(frame.image, box)
            return self._guard.lost(frame, "no face found")
        original = self._kept(frame.image)
        aligned, prepared = tracked.aligned, tracked.prepared
        if tracked.renderer is not renderer:
            # The style changed since the frame was tracked.
            aligned = self._sized(aligned)
            prepared = renderer.prepare(frame.image, aligned, frame.captured_at_s, elsewhere)
        renderer.render(frame.image, aligned, frame.captured_at_s, prepared)
        # The detector looked on meanwhile.
        elsewhere += tracking.pending_detections()
        bundle = self._engine.bundle
        if bundle.input.domain == "drawing":
            return self._guard.exposed(frame, frame.image, f"style {bundle.name} hides nobody")
        drawn, not_drawn = drawn_faces(prepared, faces)
        elsewhere += [face.box for face in not_drawn]
        hidden = [HiddenFace.drawn(face) for face in drawn] + [HiddenFace(box) for box in elsewhere]
        if not faces:
            return self._guard.lost(frame, "no face found", drawn=(original, frame.image), places=hidden)
        return self._guard.release(frame, original, frame.image, hidden)

    def _kept(self, image: Image) -> Image:
        """A copy to measure against; valid until the next one."""
        if self._original.shape != image.shape:
            self._original = np.empty_like(image)
        np.copyto(self._original, image)
        return self._original

    def cover(self, frame: Frame, reason: str) -> SafeFrame:
        """The frame covered whole, whatever is in it."""
        return self._guard.cover(frame, reason)

    def set_rendering(self, rendering: RenderOptions) -> None:
        """Change what of the frame is drawn and how, in the style that is open, from the next frame on."""
        self._engine.set_rendering(rendering)
        self._guard.forget()

    def set_style(self, style: str) -> None:
        """Change the bundle; the old one stays when the new one cannot be opened.

        Raises:
            BundleError, BackendError, ConfigError: the new style cannot be opened.
        """
        self._engine.set_style(style)
        self._guard.forget()

    def reopen_engine(self, *, fallback: bool) -> None:
        """Close the engine and open it again, after it failed. fallback: the one that runs on every machine.

        Raises:
            BackendError, ConfigError: it does not open.
        """
        self._engine.reopen(fallback=fallback)

    def reset(self) -> None:
        """Forget all earlier frames, for another segment of a file: faces, held pictures, drawings, sizes."""
        self._tracker.reset()
        self._guard = Guard(self._settings.lost)
        self._engine.renderer.forget()
        self._crops.forget()
        self._sizes.forget()
        self._continuity.forget()

    def close(self) -> None:
        """Free tracker and engine."""
        self._beside.shutdown()
        self._tracker.close()
        self._engine.close()

    def _sized(self, aligned: list[AlignedFace]) -> list[AlignedFace]:
        return self._sizes.sized(aligned, self._engine.bundle.input.sizes, self._engine.greatest_size)
