"""The heart: a frame goes in, a safe frame comes out. No clock; time comes with the frame."""

import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from toonfilter.runtime.backends import EngineOptions, Opened, open_translator
from toonfilter.runtime.bundle import Bundle, Precision, find_bundle
from toonfilter.runtime.cores import usable_cores
from toonfilter.runtime.errors import BackendError, ConfigError
from toonfilter.runtime.faces.config import TrackingConfig
from toonfilter.runtime.faces.lookback import SeenFrame, look_back
from toonfilter.runtime.faces.smoothing import OneEuroSettings
from toonfilter.runtime.faces.tracker import FaceTracker, TrackingResult
from toonfilter.runtime.frames import Frame, Image, SafeFrame
from toonfilter.runtime.geometry.pixelate import cover_softly
from toonfilter.runtime.head_crops import CropSizes, HeadCrops
from toonfilter.runtime.privacy import Guard, HiddenFace, LostPolicy, check_drawings_only
from toonfilter.runtime.render.opening import RenderOptions, open_renderer
from toonfilter.runtime.render.renderer import AlignedFace, FrameRenderer
from toonfilter.runtime.render.scene import LIVE_CROP_PX

_ENGINE_TRIES = 3
_TRACKER_TRIES = 3
_GAP_S = 0.7
_SLOW_S = 5.0
"""A frame after a gap is looked at thoroughly, which is work. Gaps that follow each other sooner than this come from a
slow machine, which thorough looks would keep slow."""
_SMALL_CROP_PX = 256
_FEW_CORES = 2


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """What to draw and how.

    style: a bundle's name or path. size: crop size in px; None chooses between the bundle's sizes by the face's size,
    up to max_size. most_crops: the faces of a frame share the pixels of so many crops of max_size, so that a crowd is
    drawn at smaller sizes. threads: of the engine; 0 chooses. on_error: `cover` covers the frame and re-opens the
    engine (live), `raise` stops (files). on_drawings: the frames show cartoons; styles that make people are allowed.
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
    on_error: Literal["cover", "raise"] = "cover"
    on_drawings: bool = False


@dataclass(slots=True)
class Tracked:
    """A frame and what the tracker saw in it; error is what went wrong instead.

    aligned: the followed faces and their steadied crops. prepared: by `renderer`, of them. seen: for `look_back`.
    """

    frame: Frame
    tracking: TrackingResult
    aligned: list[AlignedFace] = field(default_factory=list)
    renderer: FrameRenderer | None = None
    prepared: Any = None
    seen: SeenFrame | None = None
    error: Exception | None = None


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
    """Tracks, draws and guards. `process` is `draw(track(frame))`.

    One thread may `track` the next frame while another draws this one; each is used from one thread at a time, with
    frames in order. A third looks for faces and follows the motion of the picture meanwhile. `draw` writes into the
    frame's image.
    """

    def __init__(
        self,
        settings: FilterSettings | None = None,
        *,
        tracker: FaceTracker | None = None,
        opener: Callable[[Bundle, str, EngineOptions], Opened] = open_translator,
        notify: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    ) -> None:
        """tracker, opener: stand-ins for tests. notify: gets one line when something changes that the user should know.

        Raises:
            BundleError, BackendError, ConfigError: the style or the engine cannot be opened.
        """
        self._settings = settings or FilterSettings()
        self._opener = opener
        self._notify = notify
        self._bundle = find_bundle(self._settings.style)
        self._check(self._bundle)
        self._opened = self._open(self._settings.engine)
        self._renderer = open_renderer(self._bundle, self._opened.translator, self._settings.rendering)
        self._beside = ThreadPoolExecutor(1, "beside")
        self._threads_beside = [self._beside.submit(threading.get_native_id).result()]
        self._tracker = tracker or FaceTracker(self._settings.tracker, self._beside)
        self._guard = Guard(self._settings.lost)
        self._crops = HeadCrops(self._settings.smoothing)
        self._sizes = CropSizes(self._settings.max_size, self._settings.most_crops, self._settings.size)
        self._continuity = _Continuity()
        self._original: Image = np.empty((0, 0, 3), np.uint8)
        self._engine_failures = self._tracking_failures = 0
        self.is_hidden = False

    @property
    def opened(self) -> Opened:
        """The engine that runs, and why others do not."""
        return self._opened

    @property
    def threads_beside(self) -> Sequence[int]:
        """Native ids of the threads that work while a frame is tracked and drawn."""
        return self._threads_beside

    @property
    def _greatest_size(self) -> int:
        # Live planes are no finer than that.
        most = LIVE_CROP_PX if self._settings.rendering.is_live and self._bundle.style is not None else math.inf
        return int(min(self._settings.max_size, most))

    @property
    def full_effort(self) -> tuple[list[int], int]:
        """Crop sizes that the settings allow, and frames between looks for newcomers."""
        sizes = [size for size in self._bundle.input.sizes if size <= self._greatest_size]
        fixed = self._settings.size
        return [fixed] if fixed else sizes or [min(self._bundle.input.sizes)], self._settings.tracker.detect_every

    def set_effort(self, size: int, detect_every: int) -> None:
        """From the next frame on: crops of at most `size` px, a look for newcomers at least every so many frames."""
        self._sizes.limit_px = size
        self._tracker.set_interval(detect_every)

    def process(self, frame: Frame) -> SafeFrame:
        """Track and draw one frame."""
        return self.draw(self.track(frame))

    def track(self, frame: Frame) -> Tracked:
        """Find the faces. With on_error `cover` a failure is kept for `draw` to cover."""
        try:
            if self._continuity.is_broken_by(frame):
                self._tracker.reset()
            moving = self._crops.followed(frame.image, self._beside)
            tracking = self._tracker.track(frame.image, frame.captured_at_s)
            crops = self._crops.steadied(tracking.faces, frame, moving)
            renderer = self._renderer
            if not crops and not renderer.draws_whole_frame:
                return Tracked(frame, tracking)
            aligned = self._sized(list(zip(tracking.faces, crops, strict=True)))
            places = [*tracking.unmeshed, *tracking.lost]
            prepared = renderer.prepare(frame.image, aligned, frame.captured_at_s, places)
            return Tracked(frame, tracking, aligned, renderer, prepared)
        except Exception as error:
            if self._settings.on_error == "raise":
                raise
            return Tracked(frame, TrackingResult(), error=error)

    def look_back(self, waiting: Sequence[Tracked], newest: Tracked | None) -> None:
        """Cover faces in frames that wait to be drawn, the oldest first, from what was found in the last of them.

        newest: the frame after it, which is tracked already, so that nothing is pending in the others; None at the end.
        Called for every frame.
        """
        if newest is not None and newest.error is None:
            newest.seen = SeenFrame(newest.frame.image, [], is_cut=newest.tracking.is_cut)
        seen = waiting[-1].seen if waiting else None
        if seen is None:
            return
        tracking = waiting[-1].tracking
        places = [face.box for face in tracking.faces] + tracking.unmeshed + tracking.lost
        seen.places += places + tracking.pending_detections()
        look_back([one.seen for one in waiting[:-1] if one.seen is not None], seen)

    def draw(self, tracked: Tracked) -> SafeFrame:
        """Draw the faces found and let the guard decide what may leave."""
        frame, tracking = tracked.frame, tracked.tracking
        if self.is_hidden:
            return self._guard.cover(frame, "hidden by the user")
        if tracked.error is not None:
            return self._untracked(frame, tracked.error)
        faces = tracking.faces
        elsewhere = [*tracking.unmeshed, *tracking.lost]
        elsewhere += tracked.seen.comes_from if tracked.seen is not None else []
        if not faces and (tracked.prepared is None or tracked.renderer is not self._renderer):
            self._tracking_failures = 0
            for box in elsewhere:
                cover_softly(frame.image, box)
            return self._guard.lost(frame, "no face found")
        original = self._kept(frame.image)
        try:
            aligned, prepared = tracked.aligned, tracked.prepared
            if tracked.renderer is not self._renderer:
                # The style changed since the frame was tracked.
                aligned, prepared = self._sized(aligned), None
            self._renderer.render(frame.image, aligned, frame.captured_at_s, prepared)
            self._engine_failures = 0
        except Exception as error:
            if self._settings.on_error == "raise":
                raise
            self._recover(error)
            return self._guard.cover(frame, f"drawing failed: {error}", faces_found=len(faces))
        try:
            # The detector looked on meanwhile.
            elsewhere += tracking.pending_detections()
        except Exception as error:
            if self._settings.on_error == "raise":
                raise
            return self._untracked(frame, error, faces_found=len(faces))
        self._tracking_failures = 0
        if self._bundle.takes_drawings:
            return self._guard.exposed(frame, frame.image, f"style {self._bundle.name} hides nobody")
        hidden = [HiddenFace.drawn(face) for face in faces] + [HiddenFace(box) for box in elsewhere]
        if not faces:
            return self._guard.lost(frame, "no face found", drawn=(original, frame.image), places=hidden)
        return self._guard.release(frame, original, frame.image, hidden)

    def _kept(self, image: Image) -> Image:
        """A copy to measure against; valid until the next one."""
        if self._original.shape != image.shape:
            self._original = np.empty_like(image)
        np.copyto(self._original, image)
        return self._original

    def _untracked(self, frame: Frame, error: Exception, *, faces_found: int = 0) -> SafeFrame:
        """The cover for a frame whose faces are not known.

        Raises:
            the error itself, when there were too many in a row: opening the filter anew may help.
        """
        self._tracking_failures += 1
        if self._tracking_failures > _TRACKER_TRIES:
            raise error
        if self._tracking_failures == 1:
            self._notify(f"face tracking failed ({error}); the frame is covered")
        return self._guard.cover(frame, f"tracking failed: {error}", faces_found=faces_found)

    def cover(self, frame: Frame, reason: str) -> SafeFrame:
        """The frame covered whole, whatever is in it."""
        return self._guard.cover(frame, reason)

    def set_rendering(self, rendering: RenderOptions) -> None:
        """Change what of the frame is drawn and how, in the style that is open, from the next frame on."""
        renderer = open_renderer(self._bundle, self._opened.translator, rendering)
        self._settings = replace(self._settings, rendering=rendering)
        self._renderer = renderer
        self._guard.forget()

    def set_style(self, style: str) -> None:
        """Change the bundle; the old one stays when the new one cannot be opened.

        Raises:
            BundleError, BackendError, ConfigError: the new style cannot be opened.
        """
        bundle = find_bundle(style)
        self._check(bundle)
        opened = self._opened
        # Styles of one network differ in rules only: nothing is opened, nobody waits.
        if bundle.style is None or (bundle.folder, bundle.files) != (self._bundle.folder, self._bundle.files):
            opened = self._opener(bundle, self._settings.engine, self._options(bundle))
        try:
            renderer = open_renderer(bundle, opened.translator, self._settings.rendering)
        except Exception:
            if opened is not self._opened:
                opened.translator.close()
            raise
        if opened is not self._opened:
            self._opened.translator.close()
        self._bundle, self._opened = bundle, opened
        # Last: who takes the new renderer must find the new bundle's sizes.
        self._renderer = renderer
        self._guard.forget()

    def reset(self) -> None:
        """Forget all earlier frames, for another piece of a file: faces, held pictures, drawings, sizes."""
        self._tracker.reset()
        self._guard = Guard(self._settings.lost)
        self._renderer.forget()
        self._crops.forget()
        self._sizes.forget()
        self._continuity.forget()

    def close(self) -> None:
        """Free tracker and engine."""
        self._beside.shutdown()
        self._tracker.close()
        self._opened.translator.close()

    def _sized(self, aligned: list[AlignedFace]) -> list[AlignedFace]:
        return self._sizes.sized(aligned, self._bundle.input.sizes, self._greatest_size)

    def _check(self, bundle: Bundle) -> None:
        if bundle.takes_drawings:
            check_drawings_only(bundle, is_file=self._settings.on_drawings, confirmed=self._settings.lost.confirmed)
        size = self._settings.size
        if size is not None and size not in bundle.input.sizes:
            raise ConfigError(f"size is {size}; bundle {bundle.name} takes {', '.join(map(str, bundle.input.sizes))}")

    def _options(self, bundle: Bundle) -> EngineOptions:
        size = self._settings.size or min(bundle.input.sizes)
        # Two threads wait for each other over small crops; on few cores tracking needs the second.
        threads = 1 if size <= _SMALL_CROP_PX or len(usable_cores()) <= _FEW_CORES else 2
        return EngineOptions(size, self._settings.precision, self._settings.threads or threads)

    def _open(self, engine: str) -> Opened:
        opened = self._opener(self._bundle, engine, self._options(self._bundle))
        opened.translator.warm_up(self._settings.size or min(self._bundle.input.sizes))
        return opened

    def _recover(self, error: Exception) -> None:
        """After a failed drawing: the same engine again, then whatever runs.

        Raises:
            the error itself, when there were too many in a row.
        """
        self._engine_failures += 1
        self._notify(f"drawing failed ({error}); the frame is covered")
        if self._engine_failures > 2 * _ENGINE_TRIES:
            raise error
        if not isinstance(error, BackendError):
            return
        engine = self._settings.engine if self._engine_failures <= _ENGINE_TRIES else "onnxruntime"
        try:
            self._opened.translator.close()
            self._opened = self._open(engine)
            self._renderer = open_renderer(self._bundle, self._opened.translator, self._settings.rendering)
        except Exception as again:
            self._notify(f"the engine could not be opened again ({again})")
