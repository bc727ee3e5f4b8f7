"""Reading the camera, and opening it again when it was lost."""

import threading
from collections.abc import Callable

from toonfilter.runtime.errors import CaptureError
from toonfilter.runtime.frames import Frame
from toonfilter.runtime.latency import RateMeter
from toonfilter.runtime.live.sources import Camera
from toonfilter.runtime.queues import LatestSlot, QueueClosed

_RETRY_S = 0.5
"""Between two tries to open a lost camera. Raising it finds it later."""
_EARLY = 0.75
"""Share of a period after which the next picture is taken. Lowering it lets more through than the rate that was
asked for."""


class CaptureStage:
    """Reads the camera into a slot; a lost camera is opened again and again until it is back.

    fps: pictures beyond this rate are left out before any work is done on them.
    """

    def __init__(
        self,
        camera: Camera,
        slot: LatestSlot[Frame],
        stop: threading.Event,
        *,
        fps: float,
        notify: Callable[[str], None],
        retry_s: float = _RETRY_S,
    ) -> None:
        self._camera, self._slot, self._stop = camera, slot, stop
        self._period_s, self._notify, self._retry_s = 1 / fps, notify, retry_s
        self.rate = RateMeter()
        self.description = "camera is being opened"
        self.is_connected = False
        self.reconnections = 0
        self._frames = 0
        self._next_s = float("-inf")

    def run(self) -> None:
        """Until `stop` is set.

        Raises:
            CaptureError: the camera did not open the first time.
        """
        was_open = False
        try:
            while not self._stop.is_set():
                try:
                    self.description = self._camera.open()
                    self.is_connected = True
                    self.reconnections += was_open
                    self._notify(f"camera: {self.description}")
                    was_open = True
                    self._read()
                except CaptureError as error:
                    self._camera.close()
                    if not was_open:
                        raise
                    if self.is_connected:
                        self._notify(f"camera lost ({error}); the picture is covered until it is back")
                    self.is_connected = False
                    self._stop.wait(self._retry_s)
        except QueueClosed:
            pass
        finally:
            self._camera.close()

    def _read(self) -> None:
        while not self._stop.is_set():
            image, captured_at_s = self._camera.read()
            self.rate.add(captured_at_s)
            if captured_at_s < self._next_s:
                continue
            # Cameras jitter: one that comes a little early still counts.
            self._next_s = max(self._next_s + self._period_s, captured_at_s + _EARLY * self._period_s)
            self._slot.put(Frame(image, self._frames, captured_at_s))
            self._frames += 1
