"""The writer on its own: very short files, in every codec that ships."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from toonfilter.runtime.video.colour import Colour
from toonfilter.runtime.video.writer import VideoWriter, choose_encoder

# x265 left stamps unset in one such file out of six.
TRIES = 8


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1"])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_file_of_few_pictures_keeps_them_and_their_stamps(codec: str, frames: int, tmp_path: Path) -> None:
    encoder = choose_encoder(codec, "normal", ".mp4", 64, 64)
    for attempt in range(TRIES if codec == "hevc" else 1):
        path = tmp_path / f"{attempt}.mp4"
        writer = VideoWriter(
            path,
            encoder,
            width=64,
            height=64,
            time_base=Fraction(1, 1000),
            frame_rate=Fraction(25),
            colour=Colour(),
            pixel_aspect=None,
        )
        for number in range(frames):
            picture = np.full((64, 64, 3), 40 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts = 40 * number
            writer.write(frame)
        writer.close()
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            stamps = [frame.pts * stream.time_base for frame in container.decode(stream) if frame.pts is not None]
        assert stamps == [Fraction(40 * number, 1000) for number in range(frames)]
