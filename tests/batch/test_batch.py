import json
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from covering_filter import CoveringFilter
from dying_filters import DarkDeathFilter, DyingFilterOpener

from toonfilter.runtime.errors import CaptureError, ConfigError
from toonfilter.runtime.progress import Progress
from toonfilter.runtime.video.archive import MANIFEST, find_recordings
from toonfilter.runtime.video.batch import BatchOptions, run_batch
from toonfilter.runtime.video.convert import ConvertOptions, convert
from toonfilter.runtime.video.local_workers import LocalWorkers
from toonfilter.runtime.video.segment_workers import OpenerNames

SEGMENTS = BatchOptions(segment_s=1.0)


def make_recording(path: Path, seconds: int = 1, *, is_black: bool = False) -> Path:
    """10 frames a second, a key frame every second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seconds)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 10)
        for number in range(10 * seconds):
            tiles = rng.integers(0, 1 if is_black else 255, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            frame = av.VideoFrame.from_ndarray(tiles, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def workers():
    pool = LocalWorkers(1)
    yield pool
    pool.close()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    make_recording(folder / "long.mp4", 3)
    make_recording(folder / "term" / "short.mkv")
    (folder / "notes.txt").write_text("not a video")
    (folder / "broken.mp4").write_bytes(b"nothing of the kind" * 100)
    return folder


def pictures(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


def test_finds_recordings_largest_first(archive: Path, tmp_path: Path) -> None:
    make_recording(archive / ".hidden" / "a.mp4")
    make_recording(archive / "out" / "a.mp4")
    (archive / "old.avi").write_bytes(b"x")
    (archive / "old.MPG").write_bytes(b"x")
    (archive / "phone.3gp").write_bytes(b"x")
    found = find_recordings(archive, archive / "out")
    assert {one.name: one.target.relative_to(archive / "out").as_posix() for one in found} == {
        "long.mp4": "long.mp4",
        "broken.mp4": "broken.mp4",
        "term/short.mkv": "term/short.mkv",
        "old.avi": "old.avi.mp4",
        "old.MPG": "old.MPG.mp4",
        "phone.3gp": "phone.mkv",
    }
    sizes = [one.source.stat().st_size for one in found]
    assert sizes == sorted(sizes, reverse=True)
    with pytest.raises(ConfigError, match="archive itself"):
        find_recordings(archive, archive)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaptureError, match="no video files"):
        find_recordings(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(CaptureError, match="no such folder"):
        find_recordings(tmp_path / "nowhere", tmp_path / "out")


def test_converts_all_reports_failures_and_goes_on_where_it_was(archive: Path, tmp_path: Path, workers) -> None:
    output, seen = tmp_path / "out", list[Progress]()
    report = run_batch(archive, output, CoveringFilter, workers, SEGMENTS, filter_identity="a", progress=seen.append)
    assert report.frames == 40
    assert list(report.failures) == ["broken.mp4"]
    assert "not a video file" in report.failures["broken.mp4"].reason
    assert report.states["covered"] == 40
    assert (seen[-1].done, seen[-1].total) == (40, 40)
    assert "3 of 3 recordings, 1 failed" in seen[-1].words
    assert sorted(path.name for path in output.rglob("*") if path.is_file()) == ["long.mp4", "short.mkv", MANIFEST]
    manifest = json.loads((output / MANIFEST).read_text())
    assert {name: one["status"] for name, one in manifest["recordings"].items()} == {
        "broken.mp4": "failed",
        "long.mp4": "done",
        "term/short.mkv": "done",
    }

    make_recording(archive / "broken.mp4", 1)
    make_recording(archive / "term" / "short.mkv", 2)
    stamp = (output / "long.mp4").stat().st_mtime_ns
    again = run_batch(archive, output, CoveringFilter, workers, SEGMENTS, filter_identity="a")
    assert (again.kept, again.frames, again.failures) == (1, 30, {})
    assert (output / "long.mp4").stat().st_mtime_ns == stamp

    with pytest.raises(ConfigError, match="another style"):
        run_batch(archive, output, CoveringFilter, workers, SEGMENTS, filter_identity="b")


def test_segments_give_the_same_bytes_as_one_conversion(archive: Path, tmp_path: Path, workers) -> None:
    run_batch(archive, tmp_path / "out", CoveringFilter, workers, SEGMENTS)
    whole = tmp_path / "whole.mp4"
    convert(archive / "long.mp4", whole, CoveringFilter, ConvertOptions(segment_s=1.0))
    assert pictures(whole) == pictures(tmp_path / "out" / "long.mp4")


def test_files_of_others_are_not_replaced(archive: Path, tmp_path: Path, workers) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "long.mp4").write_text("mine")
    for _ in range(2):
        report = run_batch(archive, output, CoveringFilter, workers, SEGMENTS)
        assert "exists already, not from this batch" in report.failures["long.mp4"].reason
        assert (output / "long.mp4").read_text() == "mine"


def test_an_overwriting_run_that_was_stopped_goes_on_without_overwriting_again(archive: Path, tmp_path: Path, workers):
    output, stop = tmp_path / "out", threading.Event()
    make_recording(archive / "broken.mp4")
    make_recording(archive / "never begun.mp4")
    run_batch(archive, output, CoveringFilter, workers, SEGMENTS)
    options = BatchOptions(segment_s=1.0, overwrite=True)

    def stop_after_the_first(progress: Progress) -> None:
        if "0 of" not in progress.words:
            stop.set()

    first = run_batch(archive, output, CoveringFilter, workers, options, progress=stop_after_the_first, stop=stop)
    statuses = [outcome.status for outcome in first.outcomes.values()]
    assert set(statuses) == {"done", "interrupted"}
    second = run_batch(archive, output, CoveringFilter, workers, SEGMENTS)
    assert (second.kept, second.failures) == (statuses.count("done"), {})
    assert {outcome.status for outcome in second.outcomes.values()} == {"done"}


def test_another_quality_needs_another_place(archive: Path, tmp_path: Path, workers) -> None:
    (archive / "broken.mp4").unlink()
    run_batch(archive, tmp_path / "out", CoveringFilter, workers, BatchOptions(quality="small", segment_s=1.0))
    with pytest.raises(ConfigError, match="another style or other settings"):
        run_batch(archive, tmp_path / "out", CoveringFilter, workers, BatchOptions(quality="high", segment_s=1.0))


def test_workers_get_paths_that_hold_everywhere(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[Path] = []

    class Elsewhere:
        count = 1

        def map(self, batch):
            places.extend((batch.job.info.path, batch.job.folder.path))
            raise ConfigError("only looking")

    (archive / "broken.mp4").unlink()
    monkeypatch.chdir(tmp_path)
    run_batch(Path("archive"), Path("out"), CoveringFilter, Elsewhere(), SEGMENTS)
    assert len(places) == 4
    assert all(place.is_absolute() for place in places)


def test_stopped_at_once_leaves_nothing_done(archive: Path, tmp_path: Path, workers) -> None:
    stop = threading.Event()
    stop.set()
    report = run_batch(archive, tmp_path / "out", CoveringFilter, workers, SEGMENTS, stop=stop)
    assert report.outcomes == {}
    assert report.frames == 0


def test_openers_have_names_to_compare_them_by():
    mine, others = OpenerNames(), OpenerNames()
    first, same_kind = DyingFilterOpener(Path("a")), DyingFilterOpener(Path("a"))
    names = [mine.name(opener) for opener in (first, same_kind, CoveringFilter, first, CoveringFilter)]
    assert names[0] == names[3]
    assert names[2] == names[4]
    assert len({*names, others.name(first)}) == 4


def test_a_segment_whose_process_dies_is_converted_again(tmp_path: Path) -> None:
    make_recording(tmp_path / "archive" / "lecture.mp4", 4)
    workers = LocalWorkers(2)
    try:
        report = run_batch(
            tmp_path / "archive", tmp_path / "out", DyingFilterOpener(tmp_path / "died"), workers, SEGMENTS
        )
    finally:
        workers.close()
    assert not [one.reason for one in report.failures.values()]
    assert (tmp_path / "died").exists()
    assert workers.deaths == 1
    assert not [one.reason for one in report.failures.values()]
    assert len(pictures(tmp_path / "out" / "lecture.mp4")) == 40


@pytest.mark.slow
def test_a_segment_that_kills_every_process_is_a_failure(tmp_path: Path) -> None:
    make_recording(tmp_path / "archive" / "lecture.mp4", 1)
    workers = LocalWorkers(1)
    try:
        report = run_batch(
            tmp_path / "archive", tmp_path / "out", DyingFilterOpener(tmp_path / "no" / "died"), workers, SEGMENTS
        )
    finally:
        workers.close()
    assert "workers died on segment 0" in report.failures["lecture.mp4"].reason


@pytest.mark.slow
def test_a_recording_that_kills_its_processes_does_not_fail_the_others(tmp_path: Path) -> None:
    make_recording(tmp_path / "archive" / "lecture.mp4", 6)
    make_recording(tmp_path / "archive" / "deadly.mp4", 1, is_black=True)
    workers = LocalWorkers(2)
    try:
        report = run_batch(tmp_path / "archive", tmp_path / "out", DarkDeathFilter, workers, SEGMENTS)
    finally:
        workers.close()
    assert list(report.failures) == ["deadly.mp4"]
    assert "4 workers died on segment 0" in report.failures["deadly.mp4"].reason
    assert report.outcomes["lecture.mp4"].frames == 60


def test_needs_a_worker() -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        LocalWorkers(0)
