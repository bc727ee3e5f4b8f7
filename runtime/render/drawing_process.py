"""Drawing in a process of its own, so that a frame is drawn while the next one is tracked.

Python runs one thread at a time, and drawing is many short calls: two threads of one process hardly gain on one. Fields
go over and pictures come back through memory that both processes share. Until the other process has started, and where
it does not answer or dies, frames are drawn in this one, as they would be there.
"""

import itertools
import pickle
import shutil
import sys
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ToonfilterError
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.platform.child_process import obey_parent, spawning
from toonfilter.runtime.render.drawing import Extent, LayeredRenderer
from toonfilter.runtime.render.ground import Ground
from toonfilter.runtime.render.people import People
from toonfilter.runtime.render.people_reader import Prepared
from toonfilter.runtime.render.renderer import AlignedFace
from toonfilter.runtime.render.scene import SceneFields
from toonfilter.runtime.styles.style import Style

_MEMORY_BYTES = 40 << 20
"""Shared by both processes; pages that nobody used cost nothing. A frame of 3840 x 2160 and its fields fit in."""
_MEMORY_FOLDER = Path("/dev/shm")
_ALIGNMENT = 64
_ANSWER_S = 5.0
_LARGEST_BLOCK_BYTES = 31 << 20
"""Blocks of memory up to this are used again where that is glibc's doing, which knows no more than 32 MiB; it keeps
twice as much at most. Lowering it gives memory of large frames back to the system in every frame."""
_keys = itertools.count()


class _LostError(Exception):
    """The other process is gone or does not answer."""


class DrawingProcess:
    """The other process. Ends when nobody holds this any more. Thread safe."""

    def __init__(self, answer_s: float = _ANSWER_S) -> None:
        """Start it; it is ready some time later.

        answer_s: how long a frame may take to be drawn before the process is given up.

        Raises:
            OSError: it cannot be started, or there is no memory to share but a file's on a disk.
        """
        if not _stays_in_memory():
            raise OSError("pictures could only be shared through a file")
        context = spawning()
        self._memory = context.RawArray("B", _MEMORY_BYTES)
        self._bytes: NDArray[np.uint8] = np.frombuffer(self._memory, np.uint8)
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._memory), name="drawing", daemon=True)
        self._process.start()
        theirs.close()
        self._lock = threading.RLock()
        self._has_started = False
        self._answer_s = answer_s
        self._dropped: deque[int] = deque()
        # Without its pipe it ends by itself.
        weakref.finalize(self, self._pipe.close)

    @property
    def process(self) -> Any:
        """The process, see `multiprocessing`."""
        return self._process

    def is_ready(self) -> bool:
        """Whether it has started; does not wait for that."""
        with self._lock:
            try:
                if not self._has_started and self._pipe.poll():
                    self._pipe.recv()
                    self._has_started = True
            except (OSError, EOFError):
                # It died before: whoever draws there is told so.
                self._has_started = True
            return self._has_started

    def drop(self, key: int) -> None:
        """Forget a renderer, soon. May be called while another call is at work."""
        self._dropped.append(key)

    def tell(self, *message: Any) -> None:
        """Say something that needs no answer.

        Raises:
            _LostError: the process is gone.
        """
        with self._lock:
            try:
                while self._dropped:
                    self._pipe.send(("drop", self._dropped.popleft()))
                self._pipe.send(message)
            except OSError as error:
                raise _LostError(str(error)) from error

    def render(self, key: int, image: Image, time_s: float | None, packed: "_Packed", *, sees_frame: bool) -> None:
        """Draw a frame there. image: uint8 [H, W, 3], in place. sees_frame: whether its pixels are drawn upon.

        Raises:
            _LostError: see there; the image is as it was. ToonfilterError: drawing failed.
        """
        buffers: list[pickle.PickleBuffer] = []
        plain = pickle.dumps((time_s, packed), protocol=5, buffer_callback=buffers.append)
        with self._lock:
            end = image.nbytes
            if end + sum(one.raw().nbytes + _ALIGNMENT for one in buffers) > _MEMORY_BYTES:
                raise _LostError("the frame is too large")
            canvas = self._bytes[:end].reshape(image.shape)
            if sees_frame:
                np.copyto(canvas, image)
            places = []
            for one in buffers:
                raw = one.raw()
                start = -(-end // _ALIGNMENT) * _ALIGNMENT
                end = start + raw.nbytes
                self._bytes[start:end] = np.frombuffer(raw, np.uint8)
                places.append((start, end))
            self.tell("render", key, image.shape, plain, places)
            failure = self._answer()
            if failure is not None:
                raise ToonfilterError(failure)
            np.copyto(image, canvas)

    def _answer(self) -> str | None:
        try:
            if not self._pipe.poll(self._answer_s):
                self._process.kill()
                raise _LostError("no answer")
            answer: str | None = self._pipe.recv()
        except (OSError, EOFError) as error:
            raise _LostError(str(error)) from error
        return answer


def _stays_in_memory() -> bool:
    """Whether what processes share is never written to a disk: `multiprocessing` takes a file where all else fails."""
    if sys.platform != "linux":
        return sys.platform == "win32"
    return _MEMORY_FOLDER.is_dir() and shutil.disk_usage(_MEMORY_FOLDER).free >= _MEMORY_BYTES


_shared: "weakref.ref[DrawingProcess] | None" = None
_shared_lock = threading.Lock()


def shared_process() -> DrawingProcess:
    """The process that draws for this one; a new one where there is none.

    Raises:
        OSError: it cannot be started.
    """
    global _shared
    with _shared_lock:
        process = _shared() if _shared is not None else None
        if process is None or not process.process.is_alive():
            process = DrawingProcess()
            _shared = weakref.ref(process)
        return process


class ProcessRenderer:
    """As the `LayeredRenderer` it is made of, but drawing in another process. See `FrameRenderer`."""

    def __init__(
        self, renderer: LayeredRenderer, style: Style, extent: Extent, ground: Ground, process: DrawingProcess
    ) -> None:
        """style, extent, ground: those of the renderer."""
        self._renderer = renderer
        self._key = next(_keys)
        self._process: DrawingProcess | None = process
        self._sent: list[SceneFields] = []
        weakref.finalize(self, process.drop, self._key)
        self._tell("open", style, extent, ground)

    @property
    def draws_whole_frame(self) -> bool:
        """See `FrameRenderer`."""
        return self._renderer.draws_whole_frame

    def prepare(
        self, image: Image, faces: Sequence[AlignedFace], time_s: float | None = None, places: Sequence[Box] = ()
    ) -> Prepared:
        """See `LayeredRenderer.prepare`."""
        return self._renderer.prepare(image, faces, time_s, places)

    def render(
        self, image: Image, faces: Sequence[AlignedFace], time_s: float | None = None, prepared: Prepared | None = None
    ) -> None:
        """See `LayeredRenderer.render`."""
        prepared = prepared or self.prepare(image, faces, time_s)
        if self._process is not None and self._process.is_ready():
            try:
                sees_frame = not self._renderer.draws_whole_frame
                packed, self._sent = _packed(prepared, self._sent)
                self._process.render(self._key, image, time_s, packed, sees_frame=sees_frame)
            except _LostError:
                self._process = None
            else:
                return
        self._renderer.render(image, faces, time_s, prepared)

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._renderer.forget()
        self._sent = []
        self._tell("forget")

    def close(self) -> None:
        """See `FrameRenderer`."""
        self._renderer.close()

    def _tell(self, kind: str, *details: Any) -> None:
        if self._process is not None:
            try:
                self._process.tell(kind, self._key, *details)
            except _LostError:
                self._process = None


@dataclass(frozen=True, slots=True)
class _Packed:
    """No more of a frame than drawing needs. scenes: of known people in order and then of strangers, if any, who have
    none in `prepared`; a number for the one of the frame before at that place, which is the same."""

    prepared: Prepared
    scenes: list[SceneFields | int]


_NOWHERE = SceneFields(np.empty((0, 0, 3), np.uint8), {}, 1.0)


def _packed(prepared: Prepared, before: Sequence[SceneFields]) -> tuple[_Packed, list[SceneFields]]:
    """The frame, and its scenes. before: those of the frame before."""
    people = prepared.people
    scenes = [one.scene for one in people.known]
    scenes += [] if people.strangers is None else [people.strangers]
    places = {id(scene): place for place, scene in enumerate(before)}
    new = [_whole(scene) if id(scene) not in places else places[id(scene)] for scene in scenes]
    known = [replace(one, scene=_NOWHERE) for one in people.known]
    people = People(known, None if people.strangers is None else _NOWHERE)
    scene = replace(prepared.scene, planes={"person": prepared.scene.planes["person"]})
    return _Packed(replace(prepared, scene=scene, faces=(), people=people), new), scenes


def _unpacked(packed: _Packed, before: Sequence[SceneFields]) -> tuple[Prepared, list[SceneFields]]:
    """The reverse of `_packed`, in the other process."""
    scenes = [before[scene] if isinstance(scene, int) else scene for scene in packed.scenes]
    people = packed.prepared.people
    known = [replace(one, scene=scene) for one, scene in zip(people.known, scenes, strict=False)]
    strangers = None if people.strangers is None else scenes[-1]
    return replace(packed.prepared, people=People(known, strangers)), scenes


def _whole(scene: SceneFields) -> SceneFields:
    """The scene in one piece each."""
    planes = {name: np.ascontiguousarray(plane) for name, plane in scene.planes.items()}
    return replace(scene, photo=np.ascontiguousarray(scene.photo), planes=planes)


class _NoNetwork:
    """Stands for the network where only prepared frames are drawn."""

    def translate(self, crops: Any, guidance: Any) -> Any:
        raise NotImplementedError("fields are read in the other process")

    def warm_up(self, size: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """There is nothing to free."""

    def describe(self) -> Any:
        raise NotImplementedError


def _serve(pipe: Any, memory: Any) -> None:
    """The other process: draw until the pipe is closed."""
    obey_parent()
    # The other cores are for tracking.
    cv2.setNumThreads(1)
    # Once so large a block was freed, the C library keeps freed ones: new pages cost more than what is done in them.
    np.empty(_LARGEST_BLOCK_BYTES, np.uint8)
    pipe.send("ready")
    shared: NDArray[np.uint8] = np.frombuffer(memory, np.uint8)
    renderers: dict[int, LayeredRenderer] = {}
    scenes: dict[int, list[SceneFields]] = {}
    while True:
        try:
            kind, key, *rest = pipe.recv()
        except (EOFError, OSError):
            return
        if kind == "open":
            style, extent, ground = rest
            renderers[key] = LayeredRenderer(_NoNetwork(), style, extent=extent, ground=ground)
        elif kind == "drop":
            renderers.pop(key, None)
            scenes.pop(key, None)
        elif kind == "forget":
            renderers[key].forget()
        else:
            try:
                shape, plain, places = rest
                time_s, packed = pickle.loads(plain, buffers=_copies(shared, places))
                prepared, scenes[key] = _unpacked(packed, scenes.get(key, ()))
                image = shared[: int(np.prod(shape))].reshape(shape)
                renderers[key].render(image, (), time_s, prepared)
                answer = None
            except Exception as error:
                answer = f"{type(error).__name__}: {error}"
            pipe.send(answer)


def _copies(shared: NDArray[np.uint8], places: Sequence[tuple[int, int]]) -> list[bytearray]:
    """Copies: what is remembered of a frame must not change with the next."""
    return [bytearray(shared[start:end]) for start, end in places]
