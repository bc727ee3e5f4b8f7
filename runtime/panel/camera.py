"""The camera of the panel: the live loop in a thread of its own, which the page starts, hides, restyles and stops."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.live.controls import Controls
from toonfilter.runtime.live.pipeline import LiveOptions, LiveStatus, run_live
from toonfilter.runtime.live.quality_control import EffortSettings
from toonfilter.runtime.live.sinks import LiveSink, SeveralSinks
from toonfilter.runtime.live.sources import Camera, CameraRequest, open_source, wished_path
from toonfilter.runtime.live.supervisor import LiveFilter
from toonfilter.runtime.live.virtual_camera import VirtualCamera
from toonfilter.runtime.panel.devices import Trouble, why
from toonfilter.runtime.panel.look_filter import LookFilter, Looks, StyleSampler
from toonfilter.runtime.panel.looks import Look
from toonfilter.runtime.panel.preview import PreviewSink

Phase = Literal["off", "starting", "running", "stopping"]

_END_S = 15.0
"""How long the camera may take to end. Raising it keeps the program longer where a driver hangs."""
_KEPT_NOTES = 6
"""Lines of what happened that the page shows. Raising it makes the list longer."""
_STALE_S = 1.5
"""A state older than this is not shown as if it held: the loop sends at least once in a frame's time."""
NO_VIRTUAL_CAMERA = "none"


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """What to open. camera, output: as `--camera` and `--device` take them; empty takes the first.

    output `none`: nothing but the page. width, height in px, fps: what the camera is asked for.
    """

    camera: str = ""
    output: str = ""
    width: int = 1280
    height: int = 720
    fps: float = 30.0


@dataclass(frozen=True, slots=True)
class CameraParts:
    """Where pictures come from and go to; tests put their own in."""

    open_camera: Callable[[CameraRequest, str], Camera] = lambda request, avoid: open_source(request, avoid=avoid)
    open_virtual: Callable[[CameraChoice], VirtualCamera] = lambda choice: VirtualCamera(
        choice.width, choice.height, choice.fps, device=choice.output, avoid=wished_path(choice.camera)
    )
    open_filter: Callable[[Looks, str, StyleSampler], LiveFilter] = LookFilter


@dataclass(slots=True)
class _Run:
    """One run of the loop. thread: None before the first."""

    choice: CameraChoice = field(default_factory=CameraChoice)
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


class _Report:
    """What the loop tells while it runs, and what went wrong. Guarded by its owner's lock.

    status: the newest, None before the first. trouble: that ended the run. virtual: the virtual camera's device, empty
    without one, for which virtual_trouble is the reason.
    """

    def __init__(self) -> None:
        self.status: LiveStatus | None = None
        self.trouble: Trouble | None = None
        self.virtual = ""
        self.virtual_trouble: Trouble | None = None
        self._notes: deque[tuple[float, str]] = deque(maxlen=_KEPT_NOTES)

    def begin(self) -> None:
        """A run begins."""
        self.status, self.trouble = None, None
        self._notes.clear()

    def end(self, trouble: Trouble | None) -> None:
        """A run ended, well or with trouble."""
        self.status, self.trouble, self.virtual = None, trouble, ""

    def note(self, text: str) -> None:
        """Something happened that the person should know."""
        self._notes.append((time.time(), text))

    def as_plain(self) -> dict[str, Any]:
        """What is told in every phase."""
        return {
            "trouble": _plain(self.trouble),
            "virtual": self.virtual,
            "virtual_trouble": _plain(self.virtual_trouble),
            "notes": [text for _, text in self._notes],
        }


class CameraControl:
    """Starts and stops the live loop. All methods may be called from any thread and return at once.

    Closing covers: the loop's last picture is always the covered one.
    """

    def __init__(self, look: Look, parts: CameraParts | None = None) -> None:
        self._parts = parts or CameraParts()
        self._lock = threading.RLock()
        self._look = look
        self._looks = Looks()
        self.sampler = StyleSampler()
        self.preview = PreviewSink()
        self.controls = Controls((self._looks.keep(look),))
        self._run = _Run()
        self._phase: Phase = "off"
        self._again: CameraChoice | None = None
        self._report = _Report()

    @property
    def is_on(self) -> bool:
        """Whether the camera is in use, or about to be."""
        return self._phase != "off"

    def start(self, choice: CameraChoice) -> None:
        """Open camera and virtual camera; with another choice than the running one, everything is opened anew."""
        with self._lock:
            if self._phase == "off":
                self._begin(choice)
            elif choice != self._run.choice or self._phase == "stopping":
                self._again = choice
                self._end()

    def stop(self) -> None:
        """Cover and close both."""
        with self._lock:
            self._again = None
            if self._phase != "off":
                self._end()

    def hide(self, is_hidden: bool) -> None:
        """Cover at once, or show the cartoon again."""
        self.controls.set_hidden(is_hidden)

    def show(self, look: Look) -> None:
        """Draw in this look from now on."""
        with self._lock:
            is_near = (look.style, look.motion) == (self._look.style, self._look.motion)
            self._look = look
            self.controls.set_style(self._looks.keep(look), keeps_pictures=is_near)

    def sample_styles(self, styles: Sequence[str]) -> None:
        """Make new pictures of the person in these styles, if the camera runs and shows the cartoon."""
        with self._lock:
            if self._phase == "running" and not self.controls.state.is_hidden:
                plain = replace(self._look, sliders={}, background="drawn")
                self.sampler.ask([replace(plain, style=style) for style in styles])

    def close(self) -> None:
        """Stop, and wait until the covered picture went out."""
        self.stop()
        thread = self._run.thread
        if thread is not None:
            thread.join(_END_S)
        self.sampler.close()

    def snapshot(self) -> dict[str, Any]:
        """What the page shows, as plain data. Nothing is claimed that was not measured just now."""
        with self._lock:
            status, phase = self._report.status, self._phase
            state, reason, sent_at_s = self.preview.shown
            content: dict[str, Any] = {
                "phase": phase,
                "choice": asdict(self._run.choice),
                "hidden": self.controls.state.is_hidden,
                "thumbnails": self.sampler.rounds,
                "state": None,
            }
            content |= self._report.as_plain()
        if phase in ("starting", "running") and state is not None:
            is_fresh = time.perf_counter() - sent_at_s < _STALE_S
            content["state"] = state.value if is_fresh else "unknown"
            content["reason"] = reason
            content["why"] = why(reason)
        if phase == "running" and status is not None:
            content |= {
                "name": status.camera.description,
                "is_connected": status.camera.is_connected,
                "is_loaded": status.is_model_loaded,
                "fps": round(status.fps, 1),
                "camera_fps": round(status.camera.fps, 1),
                "latency_ms": round(status.latency_p50_ms),
                "latency_p95_ms": round(status.latency_p95_ms),
                "dropped": status.dropped,
                "faces": status.faces,
            }
        return content

    def _begin(self, choice: CameraChoice) -> None:
        self._phase, self._again = "starting", None
        self._report.begin()
        is_hidden = self.controls.state.is_hidden
        self.controls = Controls((self._looks.keep(self._look),))
        self.controls.set_hidden(is_hidden)
        self.preview = PreviewSink()
        self._run = _Run(choice)
        self._run.thread = threading.Thread(
            target=self._carry, args=(choice, self._run.stop), name="panel-camera", daemon=True
        )
        self._run.thread.start()

    def _end(self) -> None:
        self._phase = "stopping"
        self._run.stop.set()

    def _carry(self, choice: CameraChoice, stop: threading.Event) -> None:
        trouble = None
        try:
            self._run_loop(choice, stop)
        except Exception as error:
            trouble = Trouble.of(str(error) or type(error).__name__)
        with self._lock:
            self._report.end(trouble)
            self.sampler.forget()
            self._phase = "off"
            if self._again is not None and trouble is None:
                self._begin(self._again)

    def _run_loop(self, choice: CameraChoice, stop: threading.Event) -> None:
        sink = self._sink(choice)
        device = self._report.virtual
        request = CameraRequest(choice.camera, choice.width, choice.height, choice.fps)
        run_live(
            self._parts.open_camera(request, device),
            lambda: self._parts.open_filter(self._looks, self.controls.state.style, self.sampler),
            sink,
            LiveOptions(choice.width, choice.height, choice.fps, effort=EffortSettings()),
            controls=self.controls,
            on_status=self._note_status,
            notify=self._note,
            stop=stop,
        )

    def _sink(self, choice: CameraChoice) -> LiveSink:
        """The page, and the virtual camera where there is one; without it people see why on the page."""
        virtual, trouble = None, None
        if choice.output != NO_VIRTUAL_CAMERA:
            try:
                virtual = self._parts.open_virtual(choice)
            except OutputError as error:
                trouble = Trouble.of(str(error), is_virtual=True)
        with self._lock:
            self._report.virtual = virtual.device if virtual is not None else ""
            self._report.virtual_trouble = trouble
        return self.preview if virtual is None else SeveralSinks([virtual, self.preview])

    def _note_status(self, status: LiveStatus) -> None:
        with self._lock:
            self._report.status = status
            if self._phase == "starting":
                self._phase = "running"

    def _note(self, text: str) -> None:
        with self._lock:
            self._report.note(text)


def _plain(trouble: Trouble | None) -> dict[str, str] | None:
    return asdict(trouble) if trouble is not None else None
