"""Every part of a conversion fails in every way; a file that is not whole never appears under its name."""

import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from told_engine import ToldEngine

from toonfilter.runtime.backends import Opened
from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.faces.detection import Face, box_around
from toonfilter.runtime.faces.tracker import TrackingResult
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.geometry.alignment import fit_head, mean_face
from toonfilter.runtime.render import renderer
from toonfilter.runtime.video import segment_pipeline as segment_runner
from toonfilter.runtime.video.convert import ConvertOptions, convert

FRAMES = 24
PARTS = ("source", "tracker", "engine", "blend", "sink")
MOMENTS = {"first": 0, "middle": FRAMES // 2, "last": FRAMES - 1}
LANDMARKS = (mean_face() * 40 + np.array([48, 40, 0])).astype(np.float32)
FACE = Face(LANDMARKS, box_around(LANDMARKS), fit_head(LANDMARKS), 0, 1.0)
RED = 230


class FaultyError(Exception):
    pass


class Fault:
    def __init__(self, part, way, at):
        self.part, self.way, self.at = part, way, at
        self.calls = dict.fromkeys(PARTS, 0)
        self.released = threading.Event()

    def __call__(self, part, result, garbage=None):
        call = self.calls[part]
        self.calls[part] += 1
        if (part, call) != (self.part, self.at):
            return result
        if self.way == "raise":
            raise FaultyError(f"{part} failed")
        if self.way == "hang":
            threading.Timer(0.3, self.released.set).start()
            assert self.released.wait(120)
        if self.way == "slow":
            time.sleep(0.05)
        return garbage if self.way == "garbage" else result


class Engine(ToldEngine):
    def __init__(self, fault):
        self.fault = fault

    def translate(self, crops, _):
        drawn = super().translate(crops, _)
        return self.fault("engine", drawn, np.zeros_like(drawn))


class Tracker:
    def __init__(self, fault):
        self.fault = fault

    def track(self, *_):
        return self.fault("tracker", TrackingResult([FACE]), "no tracking")

    def reset(self):
        pass

    def close(self):
        pass


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A reddish, flickering clip, 96x80."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", Fraction(25), options={"preset": "ultrafast", "qp": "4"})
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv444p"
        for number in range(FRAMES):
            image = np.full((80, 96, 3), (RED, 40, 10 + 5 * number), np.uint8)
            image[::8] //= 2
            for packet in stream.encode(av.VideoFrame.from_ndarray(image)):
                output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)
    return path


@pytest.fixture
def run(clip, tmp_path, tiny_bundle, monkeypatch):
    def go(part, way, moment):
        fault = Fault(part, way, MOMENTS[moment])
        blend, write, frames = renderer.paste, segment_runner.SegmentOutput.write, segment_runner.VideoFile.frames

        def decoded(self, *arguments):
            for frame in frames(self, *arguments):
                yield fault("source", frame)

        def paste(*arguments):
            blend(*arguments)
            fault("blend", None)

        def written(self, *arguments):
            fault("sink", None)
            write(self, *arguments)

        monkeypatch.setattr(segment_runner.VideoFile, "frames", decoded)
        monkeypatch.setattr(renderer, "paste", paste)
        monkeypatch.setattr(segment_runner.SegmentOutput, "write", written)

        def open_filter():
            settings = FilterSettings(style=str(tiny_bundle.folder))
            return ToonFilter(settings, tracker=Tracker(fault), opener=lambda *_: Opened(Engine(fault), {}))

        return convert(clip, tmp_path / "out.mp4", open_filter, ConvertOptions())

    yield go
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("convert-")] == []


def uncovered_frames(path):
    columns, rows = np.rint(LANDMARKS[:, :2]).astype(int).T
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == FRAMES
    return sum(bool((picture[rows, columns][:, 0] > RED // 2).mean() > 0.05) for picture in pictures)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("part", PARTS)
def test_the_first_error_comes_out_and_no_file_is_left(run, tmp_path, part, moment):
    with pytest.raises(FaultyError, match=f"{part} failed"):
        run(part, "raise", moment)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("part", ["tracker", "engine"])
def test_garbage_is_an_error_too(run, tmp_path, part, moment):
    with pytest.raises((BackendError, AttributeError)):
        run(part, "garbage", moment)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("way", ["slow", "hang"])
@pytest.mark.parametrize("part", PARTS)
def test_waiting_for_a_part_loses_nothing(run, tmp_path, part, way, moment):
    report = run(part, way, moment)
    assert (report.status, report.frames, report.states["protected"]) == ("complete", FRAMES, FRAMES)
    assert uncovered_frames(tmp_path / "out.mp4") == 0
