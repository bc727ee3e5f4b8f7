"""The pictures that benchmarks run on: a real face clip, scaled, tiled to several faces, and looped without a jump."""

import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import toonfilter
from toonfilter.runtime.errors import CaptureError, ConfigError, OutputError
from toonfilter.runtime.frames import Image

_TICKS_PER_S = 90_000
_TILES = {0: (1, 1), 1: (1, 1), 2: (2, 1), 4: (2, 2)}


class Clip:
    """Some consecutive pictures in memory, shown forwards and backwards in turn.

    images: uint8 [N, H, W, 3] RGB.
    """

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.images = images

    def take(self, number: int) -> Image:
        """A copy of the picture shown at this place, the caller's own."""
        image: Image = self.images[there_and_back(number, len(self.images))].copy()
        return image


def there_and_back(number: int, count: int) -> int:
    """0, 1, ... count - 1, count - 2, ... 1, 0, 1, ..."""
    if count == 1:
        return 0
    place = number % (2 * (count - 1))
    return place if place < count else 2 * (count - 1) - place


def example_clip() -> Path:
    """The clip that comes with the source.

    Raises:
        ConfigError: this installation has none.
    """
    path = Path(toonfilter.__file__).parent / "examples" / "astronaut.mp4"
    if not path.is_file():
        raise ConfigError(f"{path} is not there; name a clip with a face: --clip FILE")
    return path


def load_clip(path: Path, width: int, height: int, *, faces: int, count: int) -> Clip:
    """Read up to `count` pictures from the beginning of a video with one face.

    faces: 0 blurs the face away, 2 and 4 show the clip so many times side by side.

    Raises:
        CaptureError: the file has no pictures that can be decoded.
    """
    columns, rows = _TILES[faces]
    images = np.empty((count, height, width, 3), np.uint8)
    found = 0
    for image in _pictures(path):
        tile = _filled(image, width // columns, height // rows)
        if faces == 0:
            tile = cv2.blur(tile, (width // 5, width // 5))
        whole = np.tile(tile, (rows, columns, 1))
        images[found] = cv2.resize(whole, (width, height)) if whole.shape != images.shape[1:] else whole
        found += 1
        if found == count:
            break
    if found == 0:
        raise CaptureError(f"{path}: no picture of it can be decoded")
    return Clip(images[:found])


def write_video(path: Path, clip: Clip, frames: int, fps: float) -> None:
    """Encode so many pictures of the clip, H.264, with a key frame every two seconds at least.

    Once there and back is encoded, and its packets are repeated: an hour takes seconds.

    Raises:
        OutputError: the file cannot be written.
    """
    import av

    lap = max(1, 2 * (len(clip.images) - 1))
    with tempfile.TemporaryDirectory(prefix="toonfilter-clip-") as folder:
        whole, rest = Path(folder) / "whole.mp4", Path(folder) / "rest.mp4"
        laps = [whole] * (frames // lap) + [rest] * (frames % lap > 0)
        for part, count in ((whole, lap), (rest, frames % lap)):
            if part in laps:
                _encode(part, clip, count, fps)
        try:
            with av.open(str(path), "w") as container:
                _join(container, laps, round(lap / fps * _TICKS_PER_S))
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error


def _join(container: Any, parts: Sequence[Path], part_ticks: int) -> None:
    """Copy the packets of files with the same encoding, each beginning part_ticks after the one before."""
    import av

    from toonfilter.runtime.video.pyav_versions import add_copied_track, hand_over

    stream = None
    for number, part in enumerate(parts):
        with av.open(str(part)) as source:
            pictures = source.streams.video[0]
            stream = stream or add_copied_track(container, pictures)
            for packet in source.demux(pictures):
                if packet.dts is None:
                    continue
                packet.pts += number * part_ticks
                packet.dts += number * part_ticks
                hand_over(packet, stream)
                container.mux(packet)


def _encode(path: Path, clip: Clip, frames: int, fps: float) -> None:
    import av

    from toonfilter.runtime.video.colour import Colour
    from toonfilter.runtime.video.writer import Encoder, VideoWriter

    height, width = clip.images.shape[1:3]
    encoder = Encoder("libx264", {"preset": "superfast", "crf": "20", "g": str(round(2 * fps))}, 2)
    writer = VideoWriter(
        path,
        encoder,
        width=width,
        height=height,
        time_base=Fraction(1, _TICKS_PER_S),
        frame_rate=Fraction(fps).limit_denominator(1001),
        colour=Colour(),
        pixel_aspect=None,
    )
    for number in range(frames):
        frame = av.VideoFrame.from_ndarray(clip.take(number), format="rgb24").reformat(format="yuv420p")
        frame.pts = round(number / fps * _TICKS_PER_S)
        writer.write(frame)
    writer.close()


def _pictures(path: Path) -> Iterator[Image]:
    from toonfilter.runtime.video.reader import VideoFile, inspect_video
    from toonfilter.runtime.video.segment_pipeline import make_converter

    info = inspect_video(path)
    colours = make_converter(info)
    with VideoFile(info) as file:
        for frame in file.frames():
            yield colours.upright_rgb(frame)


def _filled(image: Image, width: int, height: int) -> Image:
    """Scaled so that it fills the area, cut at the sides (and more at the bottom than at the top)."""
    factor = max(width / image.shape[1], height / image.shape[0])
    size = (max(width, round(image.shape[1] * factor)), max(height, round(image.shape[0] * factor)))
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 3
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])
