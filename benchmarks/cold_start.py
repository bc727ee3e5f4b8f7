"""How long a fresh process takes to its first safe frame and its first cartoon, and the command to its help text."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from toonfilter.benchmarks.results import Result
from toonfilter.runtime.errors import BackendError

_RUNS = 3
_TARGETS = {"first_safe_frame_s": 0.5, "first_cartoon_s": 2.5, "help_s": 0.5}
_TIMEOUT_S = 60


def measure_cold_start(style: str, clip: Path) -> Result:
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


def _stamps(style: str, clip: Path) -> dict[str, float]:
    """What `cam` does at its start: frames are covered until the filter, opened in a thread, is there."""
    from toonfilter.runtime.frames import Frame, Image, PrivacyState
    from toonfilter.runtime.privacy import cover

    image = _first_picture(clip)
    opened: list[object] = []

    def open_filter() -> None:
        from toonfilter.runtime.filter import FilterSettings, ToonFilter

        opened.append(ToonFilter(FilterSettings(style=style, on_error="raise")))

    opener = threading.Thread(target=open_filter)
    cover(Frame(image, 0, time.monotonic()), "starting")
    safe_s = time.monotonic()
    opener.start()
    opener.join()

    def draw(picture: Image, number: int) -> PrivacyState:
        state: PrivacyState = opened[0].process(Frame(picture.copy(), number, time.monotonic())).state  # type: ignore[attr-defined]
        return state

    for number in range(1, 300):
        if draw(image, number) is PrivacyState.PROTECTED:
            return {"safe": safe_s, "cartoon": time.monotonic()}
    raise BackendError("no frame of the clip was drawn")


def _first_picture(clip: Path) -> "Image":  # type: ignore[name-defined]  # noqa: F821
    from toonfilter.benchmarks.clip import load_clip

    return load_clip(clip, 1280, 720, faces=1, count=1).images[0]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_stamps(sys.argv[1], Path(sys.argv[2]))) + "\n")
