"""The benchmark itself, run briefly with a tiny bundle on a portrait that moves."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.benchmarks.clip import load_clip, there_and_back, write_video
from toonfilter.benchmarks.latency import BenchOptions, planned, run_bench
from toonfilter.benchmarks.measure import MeasureOptions, measure
from toonfilter.benchmarks.scaling import Load, measure_scaling
from toonfilter.benchmarks.scenarios import Scenario
from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.errors import CaptureError, ConfigError
from toonfilter.runtime.platform.cores import usable_cores
from toonfilter.runtime.progress import Progress


@pytest.fixture(scope="module")
def clip(astronaut: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures, 320x240, of a face that moves sideways."""
    path = tmp_path_factory.mktemp("clip") / "face.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 30)
        for number in range(6):
            matrix = np.float32([[0.8, 0, 20 + 2 * number], [0, 0.8, 0]])
            picture = cv2.warpAffine(astronaut, matrix, (320, 240), borderMode=cv2.BORDER_REPLICATE)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def options_for(bundle: Bundle, clip: Path) -> MeasureOptions:
    return MeasureOptions(str(bundle.folder), clip, frames=24, warm_up=4, threads=1)


def test_clip_is_tiled_to_faces(clip: Path) -> None:
    one = load_clip(clip, 320, 240, faces=1, count=3)
    assert one.images.shape == (3, 240, 320, 3)
    four = load_clip(clip, 320, 240, faces=4, count=1).images[0]
    assert np.array_equal(four[:120, :160], four[120:, 160:])
    none = load_clip(clip, 320, 240, faces=0, count=1).images[0]
    assert none.std() < one.images[0].std()
    with pytest.raises(CaptureError):
        load_clip(clip.with_name("none.mp4"), 320, 240, faces=1, count=1)


@pytest.mark.parametrize("frames", [4, 10, 37])
def test_a_file_shows_the_clip_there_and_back_however_long_it_is(frames: int, clip: Path, tmp_path: Path) -> None:
    pictures, path = load_clip(clip, 320, 240, faces=1, count=6), tmp_path / "long.mp4"
    write_video(path, pictures, frames, 30)
    with av.open(str(path)) as container:
        shown = list(container.decode(video=0))
        assert container.streams.video[0].frames == frames
    assert [frame.time for frame in shown] == pytest.approx([number / 30 for number in range(frames)], abs=1e-4)
    for number, frame in enumerate(shown):
        errors = [np.abs(frame.to_ndarray(format="rgb24").astype(int) - picture).mean() for picture in pictures.images]
        assert int(np.argmin(errors)) == there_and_back(number, 6)


def test_cam_path_is_measured(clip: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine a picture comes too late, and in the second of cover after it all that are measured would pass.
    monkeypatch.setattr("toonfilter.runtime.live.output_policy.LEAST_COVER_S", 0.0)
    found = measure(Scenario("x", width=320, height=240, size=64), options_for(tiny_bundle, clip))
    # How many frames the live loop leaves out depends on who else uses the machine: they have to be counted.
    finished = len(found.finished_s)
    assert 1 <= finished == len(found.end_to_end_s) == 24 - found.usage.dropped
    assert found.states == {"protected": finished}
    assert found.faces_covered >= 1
    assert set(found.stages) == {"capture", "track", "translate", "draw"}
    assert finished - 1 <= len(found.stages["draw"]) <= 25
    assert found.usage.process_cpu_s > 0
    assert found.memory.extra_bytes > 320 * 240


def test_video_path_is_measured(clip: Path, tiny_bundle: Bundle) -> None:
    found = measure(Scenario("x", path="video", width=320, height=240, size=64), options_for(tiny_bundle, clip))
    assert found.states["protected"] == 24
    assert len(found.finished_s) == 24
    assert found.finished_s == sorted(found.finished_s)
    assert found.finished_s[-1] - found.finished_s[0] < found.usage.wall_s


@pytest.mark.slow
def test_batch_by_cores_and_workers(clip: Path, tiny_bundle: Bundle) -> None:
    before, seen = usable_cores(), []

    def note(progress: Progress) -> None:
        seen.append((progress.done, progress.total, usable_cores()))

    loads = [Load(1, 1), Load(len(before), 2)]
    found = measure_scaling(str(tiny_bundle.folder), clip, frames=20, loads=loads, progress=note)
    assert [(one["cores"], one["workers"], one["frames"], one["failures"]) for one in found] == [
        (1, 1, 40, 0),
        (len(before), 2, 40, 0),
    ]
    assert found[0]["to_first"] == 1.0
    assert seen == [(1, 2, before), (2, 2, before)]


@pytest.mark.slow
def test_a_whole_run_with_cold_start(clip: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    scenarios = tmp_path / "scenarios.toml"
    scenarios.write_text(
        "[paced]\nwidth = 320\nheight = 240\nsize = 64\ncamera_fps = 10\n[wrong]\nengine = 'abacus'\nsize = 64\n"
    )
    names: list[str] = []
    kept: list[tuple[int, bool]] = []
    content = run_bench(
        BenchOptions(str(tiny_bundle.folder), scenarios=scenarios, clip=clip, frames=20),
        lambda one: names.append(f"{one.words} {one.done} {one.total}"),
        lambda so_far: kept.append((len(so_far["results"]), "cold_start" in so_far)),
    )
    assert kept == [(1, False), (2, False), (2, True)]
    assert names == ["paced 0 2", "wrong 1 2", "cold start 2 3"]
    assert content["results"][0].get("error") is None
    assert content["results"][0]["frames"] > 0
    assert content["results"][0]["machine_speed"]["factor"] > 0
    assert "unknown engine 'abacus'" in content["results"][1]["error"]
    assert (
        0
        < content["cold_start"]["measured"]["first_safe_frame_s"]
        < content["cold_start"]["measured"]["first_cartoon_s"]
    )
    assert content["bundle"]["sha256"] == {"tiny.onnx": tiny_bundle.files[0].sha256}


def test_what_cannot_run_is_refused_before_anything_runs(clip: Path, tiny_bundle: Bundle) -> None:
    style = str(tiny_bundle.folder)
    with pytest.raises(ConfigError, match="20 or more"):
        run_bench(BenchOptions(style, frames=5, clip=clip))
    with pytest.raises(ConfigError, match="no such clip"):
        run_bench(BenchOptions(style, clip=clip.with_name("none.mp4")))


def test_sizes_a_bundle_lacks_are_left_out(tiny_bundle: Bundle) -> None:
    names = [one.name for one in planned(BenchOptions(str(tiny_bundle.folder)), tiny_bundle)]
    assert "cam-480p" in names
    assert "cam-720p-256" not in names
