import hashlib
import json
import re
import struct
import threading
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from covering_filter import CoveringFilter

from toonfilter.runtime.errors import CaptureError, ConfigError, OutputError
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.privacy import Guard, HiddenFace
from toonfilter.runtime.video import mux, segment_pipeline
from toonfilter.runtime.video.colour import Colour
from toonfilter.runtime.video.convert import ConvertOptions, convert
from toonfilter.runtime.video.local_workers import LocalWorkers
from toonfilter.runtime.video.pyav_versions import copies_chapters, stores_rotation
from toonfilter.runtime.video.reader import inspect_video

SOMEBODY = HiddenFace(Box(-100, -100, -90, -90))
"""Outside the picture, so that nothing has to hide it."""

TICKS = 90_000


class InvertingFilter:
    """Shows frames inverted and remembers how many it has seen: a stand-in with state."""

    def __init__(self, fail_at=None, seen=None):
        self.guard = Guard()
        self.count = 0
        self.total = 0
        self.fail_at = fail_at
        self.seen = seen if seen is not None else []
        self.is_closed = False

    def track(self, frame):
        return frame

    def draw(self, frame):
        self.total += 1
        if self.total == self.fail_at:
            raise RuntimeError("engine failed")
        self.seen.append((frame.index, frame.pts, frame.image.shape, frame.captured_at_s))
        self.count += 1
        image = 255 - frame.image
        image[:2] = self.count % 256
        return self.guard.release(frame, frame.image, image, [SOMEBODY])

    def cover(self, frame, reason):
        return self.guard.cover(frame, reason)

    def look_back(self, waiting, newest):
        pass

    def reset(self):
        self.count = 0

    def close(self):
        self.is_closed = True


def make_clip(path, *, frames=60, size=(64, 48), codec="libx264", pix_fmt="yuv420p", gop=10, vfr=True, sound="aac",
              matrix=None, aspect=None, colour=None, time_base=Fraction(1, TICKS), sounds=1):  # fmt: skip
    """A small clip: a moving gradient, a different tone on every sound track."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=30, options={"g": str(gop), "sc_threshold": "0"})
        video.width, video.height, video.pix_fmt = *size, pix_fmt
        context = video.codec_context
        context.time_base = time_base
        if aspect:
            context.sample_aspect_ratio = aspect
        if colour:
            context.color_range, context.colorspace, context.color_primaries, context.color_trc = colour
        tracks = [container.add_stream(sound, rate=48000) for _ in range(sounds if sound else 0)]
        step = int(1 / (30 * time_base))
        y, x = np.mgrid[: size[1], : size[0]]
        pts = 0
        for number in range(frames):
            picture = np.stack([x * 3 + number, y * 4, 0 * x + number * 2], -1).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = pts, time_base
            pts += step + (number % 4) * (step // 7) * vfr
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for track_number, track in enumerate(tracks):
            for number in range(int(float(pts * time_base) * 48000) // 1024):
                times = np.arange(number * 1024, (number + 1) * 1024) / 48000
                wave = np.sin(times * 2000 * (track_number + 1)).astype(np.float32)
                samples = np.stack([wave] * track.codec_context.layout.nb_channels)
                kind = track.codec_context.format.name
                if kind == "s16":
                    samples = (samples.T.reshape(1, -1) * 20000).astype(np.int16)
                block = av.AudioFrame.from_ndarray(samples, format=kind, layout=track.codec_context.layout.name)
                block.sample_rate, block.pts = 48000, number * 1024
                container.mux(track.encode(block))
            container.mux(track.encode(None))
    if matrix:
        turn_track(path, matrix)
    return path


def turn_track(path, matrix):
    """Puts the display matrix into the first track's header, which not every PyAV can."""
    content = bytearray(path.read_bytes())
    # ISO/IEC 14496-12, 8.3.2: version 0 of the box has it 40 bytes after its version and flags.
    start = content.index(b"tkhd") + 4 + 40
    assert content[start : start + 36] == struct.pack(">9i", *rotation(1, 0, 0, 1))
    content[start : start + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(content)


def packets_of(path, kind):
    """(pts, dts, duration, sha) of every packet, by track."""
    with av.open(str(path)) as container:
        tracks = {stream.index: [] for stream in container.streams if stream.type == kind}
        for packet in container.demux(*[container.streams[index] for index in tracks]):
            if packet.size:
                digest = hashlib.sha256(bytes(packet)).hexdigest()
                tracks[packet.stream_index].append((packet.pts, packet.dts, packet.duration, digest))
    return list(tracks.values())


def stamps_of(path):
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def pictures_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


FAST = ConvertOptions(codec="h264", segment_s=0.5)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "in.mp4", aspect=Fraction(4, 3), sounds=2)


def test_sound_stamps_and_aspect_are_kept(clip, tmp_path):
    report = convert(clip, tmp_path / "out.mp4", InvertingFilter, FAST)
    assert report.status == "complete"
    assert report.frames == report.states["protected"] == 60
    assert report.states.get("exposed", 0) == 0
    assert stamps_of(tmp_path / "out.mp4") == stamps_of(clip)
    assert len(packets_of(clip, "audio")) == 2
    assert packets_of(tmp_path / "out.mp4", "audio") == packets_of(clip, "audio")
    with av.open(str(tmp_path / "out.mp4")) as out, av.open(str(clip)) as source:
        assert out.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        assert out.streams.video[0].frames == 60
        assert abs(out.streams.video[0].duration - source.streams.video[0].duration) < TICKS / 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4"]


def test_the_pictures_are_the_filters(clip, tmp_path):
    convert(clip, tmp_path / "out.mp4", InvertingFilter, ConvertOptions(codec="h264", quality="high"))
    for before, after in zip(pictures_of(clip), pictures_of(tmp_path / "out.mp4"), strict=True):
        assert np.abs(255 - before[8:].astype(int) - after[8:]).mean() < 4


def test_a_first_stamp_that_is_no_whole_millisecond_stays(tmp_path):
    plain = make_clip(tmp_path / "plain.mp4", time_base=Fraction(1, 30000), frames=12)
    late = tmp_path / "late.mp4"
    with (
        av.open(str(plain)) as source,
        av.open(str(late), "w", options={"video_track_timescale": "30000", "movie_timescale": "30000"}) as target,
    ):
        # The sound track first, as FLV files have it.
        order = sorted(source.streams, key=lambda stream: stream.type)
        streams = {stream.index: target.add_stream_from_template(stream, opaque=True) for stream in order}
        for packet in source.demux():
            if packet.size:
                if packet.stream.type == "video":
                    packet.pts, packet.dts = packet.pts + 2002, packet.dts + 2002
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    assert stamps_of(late)[0] == 2002 / 30000
    convert(late, tmp_path / "out.mp4", InvertingFilter, FAST)
    assert stamps_of(tmp_path / "out.mp4") == stamps_of(late)
    assert packets_of(tmp_path / "out.mp4", "audio") == packets_of(late, "audio")


def test_matroska_to_matroska_keeps_sound_and_stamps(tmp_path):
    clip = make_clip(tmp_path / "in.mkv", sound="libopus", time_base=Fraction(1, 1000))
    convert(clip, tmp_path / "out.mkv", InvertingFilter, FAST)
    assert stamps_of(tmp_path / "out.mkv") == stamps_of(clip)
    assert packets_of(tmp_path / "out.mkv", "audio") == packets_of(clip, "audio")


def test_uncompressed_sound_in_mov(tmp_path):
    clip = make_clip(tmp_path / "in.mov", sound="pcm_s16le")
    convert(clip, tmp_path / "out.mov", InvertingFilter, FAST)
    assert stamps_of(tmp_path / "out.mov") == stamps_of(clip)
    assert packets_of(tmp_path / "out.mov", "audio") == packets_of(clip, "audio")


def test_subtitles_language_and_chapters_are_kept(tmp_path):
    text = tmp_path / "words.srt"
    text.write_text("1\n00:00:00,200 --> 00:00:00,900\nHello\n\n2\n00:00:01,000 --> 00:00:01,500\nclass\n")
    clip = make_clip(tmp_path / "plain.mp4")
    titled = tmp_path / "titled.mkv"
    with av.open(str(clip)) as source, av.open(str(text)) as words, av.open(str(titled), "w") as target:
        streams = {s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams}
        subtitle = target.add_stream_from_template(words.streams.subtitles[0], opaque=True)
        subtitle.metadata["language"] = "deu"
        target.metadata["title"] = "Lecture 3"
        target.metadata["location"] = "+48.1+11.5/"
        if copies_chapters():
            target.set_chapters(
                [{"id": 1, "start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "Intro"}}]
            )
        for container, select in ((words, lambda _: subtitle), (source, lambda packet: streams[packet.stream_index])):
            for packet in container.demux():
                if packet.size:
                    packet.stream = select(packet)
                    target.mux_one(packet)
    report = convert(titled, tmp_path / "out.mkv", InvertingFilter, FAST)
    assert any("chapter marks" in note for note in report.notes) != copies_chapters()
    assert packets_of(tmp_path / "out.mkv", "subtitle") == packets_of(titled, "subtitle")
    with av.open(str(tmp_path / "out.mkv")) as out:
        assert out.streams.subtitles[0].metadata["language"] == "deu"
        if copies_chapters():
            assert [(chapter["start"], chapter["end"]) for chapter in out.chapters()] == [(0, 1_000_000_000)]
            assert [chapter["metadata"]["title"] for chapter in out.chapters()] == ["Chapter 1"]
        assert {key.lower() for key in out.metadata} <= {"encoder", "duration"}
    with pytest.raises(OutputError, match=r"\.mkv"):
        convert(titled, tmp_path / "out.mp4", InvertingFilter, FAST)
    assert not (tmp_path / "out.mp4").exists()


def rotation(a, b, c, d):
    return (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize("matrix", [rotation(0, -1, 1, 0), rotation(-1, 0, 0, -1), rotation(0, 1, -1, 0),
                                    rotation(-1, 0, 0, 1), rotation(0, 1, 1, 0)])  # fmt: skip
def test_rotated_recordings_are_upright_for_the_filter_and_keep_their_matrix(tmp_path, matrix):
    clip = make_clip(tmp_path / "in.mp4", matrix=matrix, frames=3, vfr=False, sound=None)
    shown = {}

    class Watching(InvertingFilter):
        def draw(self, frame):
            shown.setdefault("first", frame.image.copy())
            return super().draw(frame)

    convert(clip, tmp_path / "out.mp4", Watching, FAST)
    written = inspect_video(tmp_path / "out.mp4")
    if stores_rotation():
        assert written.display_matrix == matrix
        assert (written.width, written.height) == (64, 48)
    stored = pictures_of(clip)[0].astype(int)
    height, width = stored.shape[:2]
    a, b, c, d = (value >> 16 for value in (matrix[0], matrix[1], matrix[3], matrix[4]))
    upright = shown["first"]
    for x, y in ((5, 9), (50, 30), (20, 40)):
        right, down = a * x + c * y, b * x + d * y
        right += (width if a < 0 else height if c < 0 else 0) - (a < 0 or c < 0)
        down += (width if b < 0 else height if d < 0 else 0) - (b < 0 or d < 0)
        assert np.abs(upright[down, right] - stored[y, x]).max() < 12
    shown_after = written.orientation.upright(pictures_of(tmp_path / "out.mp4")[0])
    assert shown_after.shape == upright.shape
    inner = slice(8, -8), slice(8, -8)
    assert np.abs(255 - upright.astype(int) - shown_after)[inner].mean() < 6


def test_a_file_that_cannot_say_how_to_turn_gets_upright_pictures(tmp_path, monkeypatch):
    for module in (mux, segment_pipeline):
        monkeypatch.setattr(module, "stores_rotation", lambda: False)
    clip = make_clip(tmp_path / "in.mp4", matrix=rotation(0, 1, -1, 0), frames=3, size=(64, 46), aspect=Fraction(4, 3))
    convert(clip, tmp_path / "out.mp4", InvertingFilter, FAST)
    written = inspect_video(tmp_path / "out.mp4")
    assert (written.display_matrix, written.width, written.height) == (None, 46, 64)
    assert written.format.aspect == Fraction(3, 4)
    expected = 255 - np.rot90(pictures_of(clip)[0], -1).astype(int)
    assert np.abs(expected - pictures_of(tmp_path / "out.mp4")[0])[8:-8, 8:-8].mean() < 6


@pytest.mark.parametrize("colour", [(1, 1, 1, 1), (2, 5, 1, 1), (1, 6, 6, 6), (0, 2, 2, 2)])
def test_colour_labels_and_levels_are_kept(tmp_path, colour):
    clip = make_clip(tmp_path / "in.mp4", colour=colour, frames=4, sound=None)

    class Unchanged(InvertingFilter):
        def draw(self, frame):
            return self.guard.release(frame, frame.image.copy(), frame.image, [SOMEBODY])

    convert(clip, tmp_path / "out.mp4", Unchanged, ConvertOptions(codec="h264", quality="high"))
    with av.open(str(clip)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        for one, other in zip(before.decode(video=0), after.decode(video=0), strict=True):
            assert (other.color_range, other.colorspace) == colour[:2]
            difference = one.to_ndarray(format="yuv420p").astype(int) - other.to_ndarray(format="yuv420p")
            assert np.abs(difference).mean() < 3
    assert inspect_video(tmp_path / "out.mp4").format.colour == Colour(*colour)


def test_resumed_parallel_and_straight_results_are_the_same_bytes(clip, tmp_path):
    audit = tmp_path / "straight.jsonl"
    options = ConvertOptions(codec="h264", segment_s=0.5, audit=audit)
    all_seen = []
    straight = convert(clip, tmp_path / "straight.mp4", lambda: InvertingFilter(seen=all_seen), options)
    assert straight.frames == 60

    with pytest.raises(RuntimeError, match="engine failed"):
        convert(clip, tmp_path / "again.mp4", lambda: InvertingFilter(fail_at=60), FAST)
    assert not (tmp_path / "again.mp4").exists()
    seen = []
    resumed = convert(
        clip,
        tmp_path / "again.mp4",
        lambda: InvertingFilter(seen=seen),
        ConvertOptions(codec="h264", segment_s=0.5, resume=True, audit=tmp_path / "again.jsonl"),
    )
    assert 0 < len(seen) < len(all_seen)
    assert resumed.states == straight.states
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "straight.mp4").read_bytes()
    assert (tmp_path / "again.jsonl").read_text() == audit.read_text()
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(60))
    assert [line["time_s"] for line in lines] == pytest.approx(stamps_of(clip), abs=1e-6)
    assert {line["state"] for line in lines} == {"protected"}


def test_segments_in_processes_give_the_same_bytes(clip, tmp_path):
    convert(clip, tmp_path / "one.mp4", CoveringFilter, FAST)
    progress = []
    workers = LocalWorkers(2)
    report = convert(clip, tmp_path / "two.mp4", CoveringFilter, FAST, workers=workers, progress=progress.append)
    workers.close()
    assert report.states["covered"] == 60
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_a_segment_starts_from_a_fresh_filter_with_warm_up_frames(clip, tmp_path):
    seen = []
    convert(clip, tmp_path / "out.mp4", lambda: InvertingFilter(seen=seen), FAST)
    starts = [number for number, entry in enumerate(seen) if entry[0] == 0]
    assert len(starts) > 2
    for start in starts[1:]:
        assert [entry[0] for entry in seen[start : start + 13]] == list(range(13))
        assert seen[start][1] == seen[start - 12][1]


@pytest.mark.parametrize(("segment_s", "beside"), [(20.0, set()), (0.5, {".out.mp4.toonfilter"})])
def test_only_what_is_worth_going_on_with_lies_beside_the_target(clip, tmp_path, segment_s, beside):
    found = set()

    class Looking(InvertingFilter):
        def draw(self, frame):
            found.update(path.name for path in tmp_path.iterdir())
            return super().draw(frame)

    convert(clip, tmp_path / "out.mp4", Looking, ConvertOptions(segment_s=segment_s))
    assert found == beside
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_stopping_keeps_segments_and_leaves_no_target(clip, tmp_path):
    before = set(threading.enumerate())
    stop = threading.Event()

    class Stopping(InvertingFilter):
        def draw(self, frame):
            if self.total == 40:
                stop.set()
            return super().draw(frame)

    report = convert(clip, tmp_path / "out.mp4", Stopping, FAST, stop=stop)
    assert report.status == "interrupted"
    assert re.search(r"stopped after \d+ frames; the same command goes on after frame \d+", report.notes[0])
    assert not (tmp_path / "out.mp4").exists()
    assert set(threading.enumerate()) <= before
    seen, all_seen = [], []
    resumed = convert(clip, tmp_path / "out.mp4", lambda: InvertingFilter(seen=seen), FAST)
    convert(clip, tmp_path / "straight.mp4", lambda: InvertingFilter(seen=all_seen), FAST)
    assert 0 < len(seen) < len(all_seen)
    assert resumed.status == "complete"
    assert stamps_of(tmp_path / "out.mp4") == stamps_of(clip)


def test_resume_with_other_options_or_another_source_is_refused(clip, tmp_path):
    with pytest.raises(RuntimeError):
        convert(clip, tmp_path / "out.mp4", lambda: InvertingFilter(fail_at=60), FAST)
    with pytest.raises(ConfigError, match="without --resume"):
        convert(clip, tmp_path / "out.mp4", InvertingFilter, ConvertOptions("h264", "high", segment_s=0.5, resume=True))
    other = make_clip(tmp_path / "other.mp4", frames=30)
    with pytest.raises(ConfigError, match="without --resume"):
        convert(other, tmp_path / "out.mp4", InvertingFilter, ConvertOptions("h264", segment_s=0.5, resume=True))


@pytest.mark.parametrize("stage", ["track", "draw", "reset"])
@pytest.mark.parametrize("fail_at", [1, 30])
def test_an_error_of_any_stage_ends_all_threads_and_comes_out(clip, tmp_path, stage, fail_at):
    before = set(threading.enumerate())

    class Failing(InvertingFilter):
        calls = 0

    def fail(self, *args):
        Failing.calls += 1
        if Failing.calls >= (min(fail_at, 2) if stage == "reset" else fail_at):
            raise ValueError("boom")
        return getattr(InvertingFilter, stage)(self, *args)

    setattr(Failing, stage, fail)
    with pytest.raises(ValueError, match="boom"):
        convert(clip, tmp_path / "out.mp4", Failing, FAST)
    assert set(threading.enumerate()) <= before
    assert not (tmp_path / "out.mp4").exists()


def test_only_safe_frames_of_the_same_shape_are_written(clip, tmp_path):
    class Raw(InvertingFilter):
        def draw(self, frame):
            return frame

    class Smaller(InvertingFilter):
        def draw(self, frame):
            return self.guard.release(frame, frame.image.copy(), frame.image[::2], [SOMEBODY])

    with pytest.raises(OutputError, match="SafeFrame"):
        convert(clip, tmp_path / "out.mp4", Raw, FAST)
    with pytest.raises(OutputError, match="shape"):
        convert(clip, tmp_path / "out.mp4", Smaller, FAST)
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_up_to_the_end(clip, tmp_path):
    seen = []
    convert(clip, tmp_path / "out.mp4", InvertingFilter, FAST, progress=seen.append)
    assert seen
    assert all(step.total == 60 for step in seen)
    assert [step.done for step in seen] == sorted(step.done for step in seen)


def test_the_target_is_protected(clip, tmp_path):
    target = tmp_path / "out.mp4"
    target.write_text("precious")
    with pytest.raises(OutputError, match="--overwrite"):
        convert(clip, target, InvertingFilter, FAST)
    assert target.read_text() == "precious"
    link = tmp_path / "link.mp4"
    link.symlink_to(clip)
    with pytest.raises(OutputError, match="same file"):
        convert(clip, link, InvertingFilter, ConvertOptions("h264", overwrite=True))
    with pytest.raises(OutputError, match="folder"):
        convert(clip, tmp_path, InvertingFilter, FAST)
    with pytest.raises(OutputError, match="cannot be made"):
        convert(clip, target / "out.mp4", InvertingFilter, FAST)
    convert(clip, tmp_path / "new" / "folder" / "out.mp4", InvertingFilter, FAST)
    assert len(stamps_of(tmp_path / "new" / "folder" / "out.mp4")) == 60
    with pytest.raises(OutputError, match="no such folder"):
        convert(clip, tmp_path / "a.mp4", InvertingFilter, ConvertOptions("h264", audit=tmp_path / "gone" / "a.jsonl"))
    convert(clip, target, InvertingFilter, ConvertOptions("h264", overwrite=True))
    assert len(stamps_of(target)) == 60


def test_a_full_disk_is_told_before_the_work(clip, tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10, used=10, free=0))
    with pytest.raises(OutputError, match=r"MB free, about .* MB needed"):
        convert(clip, tmp_path / "out.mp4", InvertingFilter, FAST)
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_pictures(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        track = container.add_stream("aac", rate=48000)
        block = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        block.sample_rate = 48000
        container.mux(track.encode(block))
        container.mux(track.encode(None))
    with pytest.raises(CaptureError, match="no video track"):
        convert(tmp_path / "sound.mp4", tmp_path / "out.mp4", InvertingFilter, FAST)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("gone.mp4", None, "no such file"), ("empty.mp4", b"", "0 bytes"), ("notes.mp4", b"words\n" * 99, "not a video")],
)
def test_what_is_no_video_gets_one_clear_line(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CaptureError, match=words) as caught:
        convert(tmp_path / name, tmp_path / "out.mp4", InvertingFilter, FAST)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.mp4").exists()


def cut(path: Path, target: Path, share: float) -> Path:
    content = path.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])
    return target


def test_a_truncated_recording_is_converted_as_far_as_it_goes(tmp_path):
    whole = make_clip(tmp_path / "in.mkv", frames=90, sound="libopus", time_base=Fraction(1, 1000))
    short = cut(whole, tmp_path / "short.mkv", 0.6)
    report = convert(short, tmp_path / "out.mkv", InvertingFilter, FAST)
    assert report.status == "partial"
    assert "not whole" in report.notes[0]
    assert 20 < report.frames < 90
    assert stamps_of(tmp_path / "out.mkv") == stamps_of(whole)[: report.frames]


def test_a_truncated_mp4_with_its_index_in_front(tmp_path):
    plain = make_clip(tmp_path / "in.mp4", frames=90)
    front = tmp_path / "front.mp4"
    with av.open(str(plain)) as source, av.open(str(front), "w", options={"movflags": "faststart"}) as target:
        streams = {s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                target.mux_one(packet)
    report = convert(cut(front, tmp_path / "short.mp4", 0.6), tmp_path / "out.mp4", InvertingFilter, FAST)
    assert report.status == "partial"
    assert 20 < report.frames < 90
    with pytest.raises(CaptureError, match="lost its index"):
        convert(cut(plain, tmp_path / "no_index.mp4", 0.6), tmp_path / "out2.mp4", InvertingFilter, FAST)


@pytest.mark.parametrize("size", [(65, 47), (1, 1), (2, 2), (17, 130)])
def test_odd_and_tiny_sizes(tmp_path, size):
    clip = make_clip(tmp_path / "in.mkv", size=size, codec="ffv1", frames=4, sound=None, time_base=Fraction(1, 1000))
    shapes = []
    report = convert(clip, tmp_path / "out.mp4", lambda: InvertingFilter(seen=shapes), FAST)
    assert report.frames == 4
    assert {shape[2] for shape in shapes} == {(size[1], size[0], 3)}
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert out.streams.video[0].width == size[0] + size[0] % 2
    assert any("odd size" in note for note in report.notes) == any(side % 2 for side in size)


def test_ten_bits_become_eight_and_are_told(tmp_path):
    clip = make_clip(tmp_path / "in.mp4", codec="libx265", pix_fmt="yuv420p10le", frames=5, sound=None)
    report = convert(clip, tmp_path / "out.mp4", InvertingFilter, FAST)
    assert any("10 bits" in note for note in report.notes)
    assert stamps_of(tmp_path / "out.mp4") == stamps_of(clip)


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_becomes_ordinary_colour(tmp_path, transfer):
    clip = make_clip(tmp_path / "in.mp4", codec="libx265", pix_fmt="yuv420p10le", frames=3, sound=None,
                     colour=(1, 9, 9, transfer))  # fmt: skip
    report = convert(clip, tmp_path / "out.mp4", InvertingFilter, FAST)
    assert any("HDR" in note for note in report.notes)
    colour = inspect_video(tmp_path / "out.mp4").format.colour
    assert (colour.matrix, colour.primaries, colour.transfer) == (1, 1, 1)


def test_cover_pictures_and_second_cameras_are_left_out(tmp_path):
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        cameras = [container.add_stream("libx264", rate=30) for _ in range(2)]
        for camera in cameras:
            camera.width, camera.height, camera.pix_fmt = 64, 48, "yuv420p"
        for camera in cameras:
            for number in range(3):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
                frame.pts = number
                container.mux(camera.encode(frame))
            container.mux(camera.encode(None))
    report = convert(tmp_path / "in.mkv", tmp_path / "out.mkv", InvertingFilter, FAST)
    assert any("second video track" in note for note in report.notes)
    with av.open(str(tmp_path / "out.mkv")) as out:
        assert len(out.streams.video) == 1


def test_webm_gets_vp9(tmp_path):
    clip = make_clip(tmp_path / "in.mkv", sound="libopus", frames=12, time_base=Fraction(1, 1000))
    report = convert(clip, tmp_path / "out.webm", InvertingFilter, ConvertOptions(codec="auto"))
    assert report.encoder == "libvpx-vp9"
    assert packets_of(tmp_path / "out.webm", "audio") == packets_of(clip, "audio")
    assert stamps_of(tmp_path / "out.webm") == stamps_of(clip)


@pytest.mark.parametrize("codec", ["hevc", "vp9", "av1"])
def test_other_codecs_keep_stamps_over_joints(tmp_path, codec):
    # The smallest that older SVT-AV1 takes.
    clip = make_clip(tmp_path / "in.mp4", size=(64, 64))
    report = convert(clip, tmp_path / "out.mp4", InvertingFilter, ConvertOptions(codec=codec, segment_s=0.5))
    assert report.frames == 60
    assert stamps_of(tmp_path / "out.mp4") == pytest.approx(stamps_of(clip), abs=1e-9)


def test_unknown_names_list_the_known_ones(clip, tmp_path):
    with pytest.raises(ConfigError, match="known: auto, h264, hevc, vp9, av1"):
        convert(clip, tmp_path / "out.mp4", InvertingFilter, ConvertOptions(codec="h265x"))
    with pytest.raises(ConfigError, match="small, normal, high"):
        convert(clip, tmp_path / "out.mp4", InvertingFilter, ConvertOptions(quality="best"))
    with pytest.raises(ConfigError, match=r"\.mkv"):
        convert(clip, tmp_path / "out.avi", InvertingFilter, ConvertOptions())
    with pytest.raises(OutputError, match="h264_nvenc does not open"):
        convert(clip, tmp_path / "out.mp4", InvertingFilter, ConvertOptions(codec="h264_nvenc"))


def test_a_busy_work_folder_is_respected_whatever_the_clock_says(clip, tmp_path, monkeypatch):
    inner = []

    class Meanwhile(InvertingFilter):
        def draw(self, frame):
            if not inner:
                # Another run, after the machine's clock was set.
                monkeypatch.setattr(time, "time", lambda: 0.0)
                inner.append(None)
                with pytest.raises(OutputError, match="is converting to this target now"):
                    convert(clip, tmp_path / "out.mp4", InvertingFilter, FAST)
            return super().draw(frame)

    assert convert(clip, tmp_path / "out.mp4", Meanwhile, FAST).frames == 60
    assert inner
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
