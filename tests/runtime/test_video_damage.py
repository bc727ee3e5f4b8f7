"""Damaged files: whatever the bytes are, a conversion ends with a playable file or with one of our errors."""

from fractions import Fraction

import av
import numpy as np
import pytest
from covering_filter import CoveringFilter

from toonfilter.runtime.errors import ToonfilterError
from toonfilter.runtime.video.convert import ConvertOptions, convert

OPTIONS = ConvertOptions(codec="h264", segment_s=0.4, overwrite=True)


@pytest.fixture(scope="module", params=["mp4", "mkv", "ts", "avi"])
def whole(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / f"in.{request.param}"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4" if request.param == "avi" else "libx264", rate=30, options={"g": "10"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("mp2" if request.param in ("ts", "avi") else "aac", rate=48000)
        size = 1152 if request.param in ("ts", "avi") else 1024
        kind = sound.codec_context.format.name
        y, x = np.mgrid[:48, :64]
        for number in range(40):
            picture = np.stack([x * 3 + 5 * number, y * 5, x + y + number], -1).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for number in range(50):
            silence = np.zeros((2, size), np.float32) if kind == "fltp" else np.zeros((1, 2 * size), np.int16)
            block = av.AudioFrame.from_ndarray(silence, format=kind, layout="stereo")
            block.sample_rate, block.pts = 48000, number * size
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return path


def damaged(content, kind, seed):
    random = np.random.default_rng(seed)
    noisy = np.frombuffer(content, np.uint8).copy()
    if kind == "flipped bytes":
        noisy[random.integers(0, len(noisy), 20)] = random.integers(0, 256, 20)
    elif kind == "a hole":
        start = int(random.integers(0, len(noisy) // 2))
        noisy[start : start + len(noisy) // 6] = 0
    elif kind == "cut off":
        noisy = noisy[: int(random.integers(1, len(noisy)))]
    elif kind == "a piece missing":
        start = int(random.integers(100, len(noisy) // 2))
        noisy = np.delete(noisy, slice(start, start + 997))
    return noisy.tobytes()


@pytest.mark.parametrize("kind", ["flipped bytes", "a hole", "cut off", "a piece missing"])
def test_damage_never_crashes_or_leaks_threads(whole, kind, tmp_path):
    av.logging.set_level(av.logging.PANIC)
    outcomes = []
    for seed in range(6):
        source, target = tmp_path / f"{seed}{whole.suffix}", tmp_path / f"{seed}.out.mkv"
        source.write_bytes(damaged(whole.read_bytes(), kind, seed))
        try:
            report = convert(source, target, CoveringFilter, OPTIONS)
        except ToonfilterError as error:
            outcomes.append("one line" if "\n" not in str(error) and not target.exists() else repr(error))
            continue
        outcomes.append(report.status)
        with av.open(str(target)) as container:
            stamps = [frame.pts for frame in container.decode(video=0)]
        assert len(stamps) == report.frames > 0
        assert stamps == sorted(set(stamps))
        assert report.states["covered"] == report.frames
    assert set(outcomes) <= {"complete", "partial", "one line"}
