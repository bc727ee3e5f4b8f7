"""Videos as the field sends them: clocks, joins, slips, sizes, lines of two moments, captions, RGB, tags, lists."""

import json
import shutil
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np
import pytest
from covering_filter import CoveringFilter

from toonfilter.runtime import privacy
from toonfilter.runtime.errors import CaptureError, OutputError
from toonfilter.runtime.frames import Frame, SafeFrame
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.video import convert as converting
from toonfilter.runtime.video.convert import ConvertOptions, ConvertReport, convert
from toonfilter.runtime.video.mux import join_segments
from toonfilter.runtime.video.pyav_versions import copies_chapters
from toonfilter.runtime.video.reader import inspect_video, scan_video

SOMEBODY = privacy.HiddenFace(Box(-100, -100, -90, -90))
"""Outside the picture, so that nothing has to hide it."""
OPTIONS = ConvertOptions(codec="h264", segment_s=0.5, overwrite=True)
FRAMES = 30


class Unchanged(CoveringFilter):
    """Lets pictures through: these tests look at files, not at faces."""

    def draw(self, frame: Frame) -> SafeFrame:
        return privacy.Guard().release(frame, frame.image.copy(), frame.image, [SOMEBODY])


def gradient(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 3 + number, y * 4, 0 * x + number * 2], -1).astype(np.uint8)


def make_clip(
    path: Path,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sound: str = "aac",
    height: int = 48,
    **options: str,
) -> Path:
    """A second of a moving gradient with a tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=30, options={"g": "10", **options})
        video.width, video.height, video.pix_fmt = 64, height, pix_fmt
        track = container.add_stream(sound, rate=48000) if sound else None
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(gradient(number, height=height), format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if track is not None:
            for number in range(46):
                wave = np.sin(np.arange(number * 1024, (number + 1) * 1024) / 20).astype(np.float32)
                block = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
                block.sample_rate, block.pts = 48000, number * 1024
                container.mux(track.encode(block))
            container.mux(track.encode(None))
    return path


def remux(source: Path, target: Path, change: Callable[[Any], Sequence[Any]], repeat: int = 1) -> Path:
    """Copy all packets; `change` may alter, drop or double them."""
    with av.open(str(target), "w") as output:
        tracks: dict[int, Any] = {}
        for _ in range(repeat):
            with av.open(str(source)) as container:
                for stream in container.streams:
                    if stream.index not in tracks:
                        tracks[stream.index] = output.add_stream_from_template(stream, opaque=True)
                for packet in container.demux():
                    if packet.size:
                        for changed in change(packet):
                            changed.stream = tracks[packet.stream_index]
                            output.mux_one(changed)
    return target


def stamps(path: Path, kind: str = "video") -> list[float]:
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        found = [float(p.pts * p.time_base) for p in container.demux(stream) if p.size and not p.is_discard]
    return sorted(found)


def converted(source: Path, target: Path, options: ConvertOptions = OPTIONS) -> ConvertReport:
    return convert(source, target, Unchanged, options)


def movie_duration_s(path: Path) -> float:
    """What players show: of the movie header."""
    content = path.read_bytes()
    at = content.index(b"mvhd") + 4
    if content[at] == 0:
        scale, units = struct.unpack(">II", content[at + 12 : at + 20])
    else:
        scale, units = struct.unpack(">IQ", content[at + 20 : at + 32])
    return float(units / scale)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "in.mp4")


@pytest.fixture(scope="module")
def stream(clip: Path) -> Path:
    return remux(clip, clip.with_suffix(".ts"), lambda packet: [packet])


@pytest.mark.parametrize("offset_s", [40_000, 95_400])
def test_a_clock_that_does_not_begin_at_zero(clip: Path, tmp_path: Path, offset_s: float) -> None:
    def late(packet: Any) -> list[Any]:
        ticks = round(offset_s / packet.time_base)
        packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
        return [packet]

    source = remux(clip, tmp_path / "late.ts", late)
    report = converted(source, tmp_path / "out.mp4")
    assert report.status == "complete"
    assert "begins at 0" in report.notes[0]
    assert movie_duration_s(tmp_path / "out.mp4") < 1.3
    pictures, sound = stamps(tmp_path / "out.mp4"), stamps(tmp_path / "out.mp4", "audio")
    before = [stamps(source), stamps(source, "audio")]
    assert len(pictures) == FRAMES
    assert min(pictures[0], sound[0]) == pytest.approx(0, abs=0.034)
    assert pictures[0] - sound[0] == pytest.approx(before[0][0] - before[1][0], abs=0.002)


def test_the_clock_of_33_bits_overflows(clip: Path, tmp_path: Path) -> None:
    def wrapped(packet: Any) -> list[Any]:
        ticks = round((2**33 / 90_000 - 0.5) / packet.time_base)
        packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
        return [packet]

    source = remux(clip, tmp_path / "wrap.ts", wrapped)
    assert converted(source, tmp_path / "out.mp4").frames == FRAMES
    assert movie_duration_s(tmp_path / "out.mp4") < 1.3
    assert np.diff(stamps(tmp_path / "out.mp4")) == pytest.approx(1 / 30, abs=1e-3)


@pytest.mark.parametrize("second_at_s", [0.0, 7000.0])
def test_joined_streams_go_on_where_the_first_ends(clip: Path, tmp_path: Path, second_at_s: float) -> None:
    def later(packet: Any) -> list[Any]:
        ticks = round(second_at_s / packet.time_base)
        packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
        return [packet]

    first = remux(clip, tmp_path / "first.ts", lambda packet: [packet])
    second = remux(clip, tmp_path / "second.ts", later)
    source = tmp_path / "joined.ts"
    source.write_bytes(first.read_bytes() + second.read_bytes())
    report = converted(source, tmp_path / "out.mp4")
    assert (report.status, report.frames) == ("complete", 2 * FRAMES)
    assert any("jumps once" in note for note in report.notes)
    pictures, sound = stamps(tmp_path / "out.mp4"), stamps(tmp_path / "out.mp4", "audio")
    assert np.diff(pictures).min() > 0.03
    assert pictures[-1] < 2.3
    # Picture and sound of the second half are as far apart as those of the first.
    gaps = [pictures[0] - sound[0], pictures[FRAMES] - sound[len(sound) // 2]]
    assert gaps[1] == pytest.approx(gaps[0], abs=0.03)


def test_one_doubled_sound_stamp_costs_nothing(clip: Path, tmp_path: Path) -> None:
    last: dict[str, int] = {}

    def slip(packet: Any) -> list[Any]:
        if packet.stream.type == "audio":
            last["count"] = last.get("count", 0) + 1
            if last["count"] == 20:
                packet.pts = packet.dts = last["dts"]
            last["dts"] = packet.dts
        return [packet]

    source = remux(clip, tmp_path / "slip.mkv", slip)
    for target in ("out.mp4", "out.mkv"):
        report = converted(source, tmp_path / target)
        assert (report.status, report.frames) == ("complete", FRAMES)
        assert any("1 time stamp does not grow" in note for note in report.notes)
        # What an encoder puts before the sound lies before 0 since PyAV 19, and MP4 marks it as not to be heard.
        after, before = ([at for at in stamps(path, "audio") if at >= 0] for path in (tmp_path / target, source))
        assert len(after) == len(before)


def boxes(content: bytes, start: int, end: int) -> dict[bytes, tuple[int, int]]:
    found = {}
    while start < end:
        size, kind = struct.unpack(">I4s", content[start : start + 8])
        found.setdefault(kind, (start + 8, start + size))
        start += size
    return found


def test_a_trimmed_file_is_whole(clip: Path, tmp_path: Path) -> None:
    content = bytearray(clip.read_bytes())
    movie = boxes(content, *boxes(content, 0, len(content))[b"moov"])
    scale = struct.unpack(">I", content[movie[b"mvhd"][0] + 12 : movie[b"mvhd"][0] + 16])[0]
    content[movie[b"mvhd"][0] + 16 : movie[b"mvhd"][0] + 20] = struct.pack(">I", scale // 2)
    at, end = boxes(content, 0, len(content))[b"moov"]
    while at < end:
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        if kind == b"trak":
            track = boxes(content, at + 8, at + size)
            header = boxes(content, *track[b"mdia"])[b"mdhd"][0]
            ticks = struct.unpack(">I", content[header + 12 : header + 16])[0]
            content[track[b"tkhd"][0] + 20 : track[b"tkhd"][0] + 24] = struct.pack(">I", scale // 2)
            edits = boxes(content, *track[b"edts"])[b"elst"][0]
            start = struct.unpack(">i", content[edits + 12 : edits + 16])[0]
            content[edits + 8 : edits + 16] = struct.pack(">Ii", scale // 2, start + ticks // 4)
        at += size
    (tmp_path / "trimmed.mp4").write_bytes(content)
    report = converted(tmp_path / "trimmed.mp4", tmp_path / "out.mp4")
    assert report.status == "complete"
    assert 12 <= report.frames <= 18
    # What was cut away is not in the result either.
    assert stamps(tmp_path / "out.mp4", "audio")[-1] < 0.75
    with av.open(str(tmp_path / "out.mp4")) as result:
        heard_s = sum(p.duration * p.time_base for p in result.demux(result.streams.audio[0]) if p.size)
    assert float(heard_s) < 0.75


def test_a_truncated_file_is_not_whole(clip: Path, tmp_path: Path) -> None:
    content = remux(clip, tmp_path / "whole.mkv", lambda packet: [packet]).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 3])
    assert converted(tmp_path / "cut.mkv", tmp_path / "out.mkv").status == "partial"


def test_sound_that_the_container_refuses_is_told_before_the_first_frame(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", sound="libopus")
    drawn = []

    class Counting(Unchanged):
        def draw(self, frame: Frame) -> SafeFrame:
            drawn.append(frame.index)
            return super().draw(frame)

    with pytest.raises(OutputError, match="--audio drop"):
        convert(clip, tmp_path / "out.mov", Counting, OPTIONS)
    assert drawn == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv"]
    report = converted(clip, tmp_path / "out.mov", ConvertOptions("h264", sound="drop"))
    assert report.frames == FRAMES


def test_sound_of_a_coding_that_nobody_knows_is_told_before_the_first_frame(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv")
    clip.write_bytes(clip.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    with pytest.raises(OutputError, match=r"audio unknown.* --audio drop"):
        converted(clip, tmp_path / "out.mkv")
    assert converted(clip, tmp_path / "out.mkv", ConvertOptions("h264", sound="drop")).frames == FRAMES


def test_pictures_are_kept_when_the_end_fails(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OutputError("the sound is refused")

    monkeypatch.setattr(converting, "join_segments", fail)
    with pytest.raises(OutputError, match="All pictures are converted and kept"):
        converted(clip, tmp_path / "out.mp4")
    monkeypatch.setattr(converting, "join_segments", join_segments)

    class Broken(Unchanged):
        def draw(self, frame: Frame) -> SafeFrame:
            raise AssertionError(f"frame {frame.index} is drawn again")

    report = convert(clip, tmp_path / "out.mp4", Broken, ConvertOptions("h264", segment_s=0.5, sound="drop"))
    assert report.frames == FRAMES


@pytest.mark.parametrize("sound", ["keep", "drop", "disguise"])
def test_sound_is_kept_dropped_or_disguised(clip: Path, tmp_path: Path, sound: Any) -> None:
    report = converted(clip, tmp_path / "out.mp4", ConvertOptions("h264", sound=sound))
    assert any("voice is a person" in note for note in report.notes) == (sound == "keep")

    def heard(path: Path) -> np.ndarray:
        with av.open(str(path)) as container:
            return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])

    if sound == "drop":
        with av.open(str(tmp_path / "out.mp4")) as result:
            assert not result.streams.audio
        return
    before, after = heard(clip), heard(tmp_path / "out.mp4")
    assert abs(len(before) - len(after)) < 4800

    def pitch_hz(wave: np.ndarray) -> float:
        middle = wave[8000:32000]
        return float(np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).argmax() * 48000 / len(middle))

    assert pitch_hz(after) / pitch_hz(before) == pytest.approx(0.78 if sound == "disguise" else 1.0, abs=0.02)


def test_sizes_that_change_are_fitted_into_the_largest(tmp_path: Path) -> None:
    parts = []
    for number, (width, height) in enumerate(((32, 24), (48, 96), (96, 48))):
        path = tmp_path / f"{number}.webm"
        with av.open(str(path), "w") as container:
            video = container.add_stream("libvpx", rate=10)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            for index in range(10):
                frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 200, np.uint8), format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 10)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        parts.append(path)
    source = tmp_path / "sizes.webm"
    with av.open(str(source), "w") as output:
        track = None
        for number, path in enumerate(parts):
            with av.open(str(path)) as container:
                track = track or output.add_stream_from_template(container.streams.video[0])
                for packet in container.demux(video=0):
                    if packet.size:
                        packet.pts, packet.dts = packet.pts + 1000 * number, packet.dts + 1000 * number
                        packet.stream = track
                        output.mux(packet)
    report = converted(source, tmp_path / "out.mp4")
    assert "size of the picture changes" in report.notes[0]
    with av.open(str(tmp_path / "out.mp4")) as result:
        pictures = [frame.to_ndarray(format="rgb24") for frame in result.decode(video=0)]
    assert {picture.shape for picture in pictures} == {(48, 96, 3)}
    small, tall, wide = (pictures[number].max(2) > 120 for number in (5, 15, 25))
    assert small[:, 18:78].mean() > 0.9
    assert small[:, :10].mean() < 0.1
    assert tall[:, 41:55].mean() > 0.9
    assert tall[:, :30].mean() < 0.1
    assert wide.mean() > 0.95


def test_interlaced_pictures_become_whole_ones(tmp_path: Path) -> None:
    source = tmp_path / "inter.ts"
    graph = av.filter.Graph()
    steps = [
        graph.add_buffer(width=96, height=64, format="yuv420p", time_base=Fraction(1, 25)),
        graph.add("setfield", "tff"),
        graph.add("buffersink"),
    ]
    for before, after in pairwise(steps):
        before.link_to(after)
    graph.configure()

    def flagged(frame: Any) -> Any:
        graph.push(frame)
        return graph.pull()

    with av.open(str(source), "w") as container:
        video = container.add_stream(
            "libx264", rate=25, options={"flags": "+ilme+ildct", "x264-params": "tff=1", "crf": "8"}
        )
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for number in range(20):
            picture = np.full((64, 96, 3), 60, np.uint8)
            for field in (0, 1):
                left = 4 * number + 8 * field
                picture[field::2, left : left + 16] = 220
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(flagged(frame)))
        container.mux(video.encode(None))

    def comb(path: Path) -> float:
        with av.open(str(path)) as opened:
            levels = [frame.to_ndarray(format="gray").astype(int) for frame in opened.decode(video=0)]
        assert len(levels) == 20
        return float(np.mean([((a[1:-1] - a[:-2]) * (a[1:-1] - a[2:]) > 400).mean() for a in levels[2:-2]]))

    assert inspect_video(source).format.is_interlaced
    report = converted(source, tmp_path / "out.mp4")
    assert any("interlaced" in note for note in report.notes)
    assert comb(tmp_path / "out.mp4") < 0.2 * comb(source)


def test_captions_are_told(tmp_path: Path) -> None:
    source = tmp_path / "plain.h264"
    with av.open(str(source), "w", format="h264") as container:
        video = container.add_stream(
            "libx264", rate=25, options={"bf": "0", "x264-params": "slices=1:repeat-headers=1"}
        )
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(gradient(number), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    body = bytes([0xB5, 0, 0x31]) + b"GA94" + bytes([3, 0x41, 0xFF, 0xFC, 0x94, 0x20, 0xFF])
    message = b"\0\0\0\1\x06" + bytes([4, len(body)]) + body + b"\x80"
    units = (
        source.read_bytes()
        .replace(b"\0\0\1\x65", message + b"\0\0\1\x65")
        .replace(b"\0\0\1\x41", message + b"\0\0\1\x41")
    )
    source.write_bytes(units)
    assert inspect_video(source).format.has_captions
    assert any("captions" in note for note in converted(source, tmp_path / "out.mkv").notes)


@pytest.mark.parametrize(("target", "codec"), [("out.mp4", "h264"), ("out.webm", "vp9"), ("out.mkv", "av1")])
def test_rgb_becomes_yuv_with_a_label_that_is_true(tmp_path: Path, target: str, codec: str) -> None:
    # The encoder of AV1 in PyAV 14 takes no side under 64.
    clip = make_clip(tmp_path / "in.mkv", codec="libx264rgb", pix_fmt="rgb24", sound="", height=64, crf="0")
    assert inspect_video(clip).format.colour.is_rgb
    converted(clip, tmp_path / target, ConvertOptions(codec, "high"))
    with av.open(str(clip)) as before, av.open(str(tmp_path / target)) as after:
        pairs = list(zip(before.decode(video=0), after.decode(video=0), strict=True))
    assert len(pairs) == FRAMES
    for one, other in pairs:
        assert (other.colorspace, other.color_range) == (1, 1)
        found = other.reformat(format="rgb24", src_colorspace=1, src_color_range=1, dst_color_range=2).to_ndarray()
        assert np.abs(one.to_ndarray(format="rgb24").astype(int) - found).mean() < 8


def test_only_the_language_of_tags_stays(clip: Path, tmp_path: Path) -> None:
    source = tmp_path / "tagged.mkv"
    with av.open(str(clip)) as container, av.open(str(source), "w") as output:
        tracks = {one.index: output.add_stream_from_template(one, opaque=True) for one in container.streams}
        for name in ("title", "artist", "comment", "serial_number", "METADATA_BLOCK_PICTURE", "PURL", "com.apple.x"):
            output.metadata[name] = "REALNAME"
        for track in tracks.values():
            track.metadata.update({"title": "REALNAME", "language": "deu", "handler_name": "REALNAME"})
        if copies_chapters():
            output.set_chapters(
                [{"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "REALNAME"}}]
            )
        for packet in container.demux():
            if packet.size:
                packet.stream = tracks[packet.stream_index]
                output.mux_one(packet)
    assert b"REALNAME" in source.read_bytes()
    for target in ("out.mkv", "out.mp4"):
        converted(source, tmp_path / target)
        assert b"REALNAME" not in (tmp_path / target).read_bytes()
        with av.open(str(tmp_path / target)) as result:
            # Chapters of .mp4 are a track of their own.
            kept = [*result.streams.video, *result.streams.audio]
            assert {one.metadata.get("language") for one in kept} == {"deu"}
            assert not copies_chapters() or len(result.chapters()) == 1


@pytest.mark.parametrize("content", ["ffconcat version 1.0\nfile in.mp4\n", "#EXTM3U\n#EXTINF:1,\nin.mp4\n"])
def test_lists_of_other_files_are_no_recordings(clip: Path, tmp_path: Path, content: str) -> None:
    shutil.copy(clip, tmp_path / "in.mp4")
    (tmp_path / "list.mp4").write_text(content)
    with pytest.raises(CaptureError, match="not a video file"):
        converted(tmp_path / "list.mp4", tmp_path / "out.mp4")


def test_names_are_files_never_addresses(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source, target = Path("10:30 lecture 100%.mp4"), Path("data:out?.mp4")
    shutil.copy(clip, source)
    assert converted(source, target).frames == FRAMES
    assert target.is_file()


def test_names_as_long_as_the_disk_takes(clip: Path, tmp_path: Path) -> None:
    source, target = tmp_path / ("x" * 246 + ".mp4"), tmp_path / ("y" * 246 + ".mp4")
    shutil.copy(clip, source)
    assert converted(source, target).frames == FRAMES
    assert sorted(path.name[:1] for path in tmp_path.iterdir()) == ["x", "y"]


def test_a_folder_of_others_with_our_folders_name_is_left_alone(clip: Path, tmp_path: Path) -> None:
    foreign = tmp_path / ".out.mp4.toonfilter"
    foreign.mkdir()
    (foreign / "mine.txt").write_text("precious")
    assert converted(clip, tmp_path / "out.mp4").frames == FRAMES
    assert (foreign / "mine.txt").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.mp4.toonfilter", "out.mp4"]


def test_audit_and_extra_pictures_never_replace_the_source(clip: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    shutil.copy(clip, source)
    with pytest.raises(OutputError, match="input"):
        converted(source, tmp_path / "out.mp4", ConvertOptions("h264", overwrite=True, audit=source))
    with pytest.raises(OutputError, match="input"):
        converted(source, tmp_path / "out.mp4", ConvertOptions("h264", overwrite=True, also_written=(source,)))
    (tmp_path / "notes.part").write_text("precious")
    converted(source, tmp_path / "out.mp4", ConvertOptions("h264", audit=tmp_path / "notes"))
    assert (tmp_path / "notes.part").read_text() == "precious"
    assert len([json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]) == FRAMES
    assert source.read_bytes() == clip.read_bytes()


def test_plain_files_have_nothing_to_mend(clip: Path) -> None:
    index = scan_video(inspect_video(clip))
    assert index.timeline.notes() == []
    assert index.damage is None
    assert index.survey.sizes.keys() == {(64, 48)}
