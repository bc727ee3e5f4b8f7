"""A long class in short: memory and threads stay as they are."""

import gc
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest
from told_engine import ToldEngine

from toonfilter.runtime.backends import Opened
from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.faces.detection import Face, box_around
from toonfilter.runtime.faces.tracker import TrackingResult
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.frames import Frame, PrivacyState
from toonfilter.runtime.geometry.alignment import fit_head, mean_face
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.live.controls import Controls
from toonfilter.runtime.live.output import LiveOutput

FRAMES = 30_000


class Clock:
    time_s = 0.0

    def now_s(self):
        return self.time_s

    def sleep(self, duration_s):
        self.time_s += duration_s


class Tracker:
    """Faces come, go, get lost and fail, with ever new identities."""

    calls = 0

    def track(self, *_):
        self.calls += 1
        if self.calls % 997 == 0:
            raise RuntimeError("graph failed")
        if self.calls % 50 < 5:
            return TrackingResult(lost=[Box(10, 10, 20, 20)])
        landmarks = (mean_face() * 20 + np.array([32 + self.calls % 7, 24, 0])).astype(np.float32)
        face = Face(landmarks, box_around(landmarks), fit_head(landmarks), self.calls // 50, 1.0)
        return TrackingResult([face])

    def reset(self):
        pass

    def close(self):
        pass


class Engine(ToldEngine):
    calls = 0

    def translate(self, crops, _):
        self.calls += 1
        if self.calls % 1009 == 0:
            raise BackendError("device lost")
        return super().translate(crops, _)


class Sink:
    sent = 0

    def send(self, safe, _):
        self.sent += 1
        assert safe.state is not PrivacyState.EXPOSED

    def keys(self):
        return ""

    def close(self):
        pass


def memory_mb():
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6


def soak(bundle, audit):
    """Run all frames. Returns memory in MB and threads after a fifth and at the end, and what was sent."""
    engine, clock, sink = Engine(), Clock(), Sink()
    settings = FilterSettings(style=bundle, size=64)
    toon = ToonFilter(settings, tracker=Tracker(), opener=lambda *_: Opened(engine, {}))
    output = LiveOutput(sink, Controls(), clock, width=64, height=48, fps=30, audit=Path(audit))
    photo = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    marks, failed = [], 0
    for number in range(FRAMES):
        clock.time_s += 1 / 30
        try:
            output.step((0, toon.process(Frame(photo.copy(), number, clock.time_s))))
        except (BackendError, RuntimeError):
            # The live loop goes on with the next frame.
            failed += 1
        if number in (FRAMES // 5, FRAMES - 1):
            marks.append((memory_mb(), threading.active_count()))
    protected = output.statistics.states["protected"]
    output.close()
    return {"marks": marks, "failed": failed, "sent": sink.sent, "protected": protected}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_thirty_thousand_frames_leave_memory_and_threads_flat(tiny_bundle, tmp_path):
    # In a process of its own: what other tests left behind in this one comes and goes.
    command = [sys.executable, __file__, str(tiny_bundle.folder), str(tmp_path / "audit.jsonl")]
    run = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    (early_mb, early_threads), (late_mb, late_threads) = found["marks"]
    assert found["failed"] > FRAMES // 1100
    assert found["sent"] == FRAMES - found["failed"]
    assert late_threads <= early_threads
    assert late_mb - early_mb < 12, f"{early_mb:.0f} MB after a fifth, {late_mb:.0f} MB at the end"
    assert found["protected"] > 0.85 * FRAMES


if __name__ == "__main__":
    sys.stdout.write(json.dumps(soak(*sys.argv[1:])))
