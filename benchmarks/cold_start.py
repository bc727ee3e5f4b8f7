"""How long a fresh process takes to its first safe frame and its first cartoon, and the command to its help text."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toonfilter.runtime.errors import BackendError

if TYPE_CHECKING:
    from toonfilter.runtime.filter.toon_filter import ToonFilter
    from toonfilter.runtime.frames import Image, SafeFrame

_RUNS = 3
_TARGETS = {"first_safe_frame_s": 0.5, "first_cartoon_s": 2.5, "help_s": 0.5}
_TIMEOUT_S = 60


def measure_cold_start(style: str, clip: Path) -> dict[str, Any]:
    """Seconds from starting the process, the median of three starts, with targets.

    Raises:
        BackendError: the started process failed.
    """
    starts = [_start_once(style, clip) for _ in range(_RUNS)]
    measured = {name: round(sorted(start[name] for start in starts)[_RUNS // 2], 3) for name in starts[0]}
    return {
        "measured": measured,
        "targets": {
            name: {"target": target, "measured": measured[name], "met": measured[name] <= target}
            for name, target in _TARGETS.items()
        },
    }


def _start_once(style: str, clip: Path) -> dict[str, float]:
    # The monotonic clock is the same in all processes of a machine.
    start_s = time.monotonic()
    command = [sys.executable, "-m", "toonfilter.benchmarks.cold_start", style, str(clip)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if child.returncode != 0:
        reason = child.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise BackendError(f"the cold start failed: {reason[0]}")
    stamps = json.loads(child.stdout.splitlines()[-1])
    help_start_s = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", "from toonfilter.cli import main; main()", "--help"],
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=True,
    )
    return {
        "first_safe_frame_s": stamps["safe"] - start_s,
        "first_cartoon_s": stamps["cartoon"] - start_s,
        "help_s": time.monotonic() - help_start_s,
    }


class _ClipCamera:
    """The first pictures of a clip at 30 frames a second. See `toonfilter.runtime.live.sources.Camera`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0

    def open(self) -> str:
        from toonfilter.benchmarks.clip import load_clip

        self._clip = load_clip(self._path, 1280, 720, faces=1, count=8)
        return "clip"

    def read(self) -> "tuple[Image, float]":
        time.sleep(1 / 30)
        self._number += 1
        return self._clip.take(self._number), time.perf_counter()

    def close(self) -> None:
        """Nothing to let go of."""


class _StampingSink:
    """Notes when the first picture and the first cartoon come. See `toonfilter.runtime.live.sinks.LiveSink`."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.stamps: dict[str, float] = {}

    def send(self, safe: "SafeFrame", now_s: float) -> None:  # noqa: ARG002
        self.stamps.setdefault("safe", time.monotonic())
        if safe.state == "protected" and "cartoon" not in self.stamps:
            self.stamps["cartoon"] = time.monotonic()
            self._stop.set()

    def keys(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing to let go of."""


def _stamps(style: str, clip: Path) -> dict[str, float]:
    """What `cam` does at its start: covered pictures go out while camera and model are opened."""
    from toonfilter.runtime.live.pipeline import run_live

    stop = threading.Event()
    timer = threading.Timer(_TIMEOUT_S / 2, stop.set)
    timer.daemon = True
    timer.start()
    sink = _StampingSink(stop)

    def open_filter() -> "ToonFilter":
        from toonfilter.runtime.filter.filter_settings import FilterSettings
        from toonfilter.runtime.filter.toon_filter import ToonFilter

        return ToonFilter(FilterSettings(style=style))

    run_live(_ClipCamera(clip), open_filter, sink, stop=stop)
    if "cartoon" not in sink.stamps:
        raise BackendError("no frame of the clip was drawn in time")
    return sink.stamps


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_stamps(sys.argv[1], Path(sys.argv[2]))) + "\n")
