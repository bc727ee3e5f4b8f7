"""The pictures that benchmarks run on: a real face clip, scaled, tiled to several faces, and looped without a jump."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import toonfilter
from toonfilter.runtime.errors import CaptureError, ConfigError
from toonfilter.runtime.frames import Image

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
    """Encode so many pictures of the clip, H.264, with a key frame every two seconds.

    Raises:
        OutputError: the file cannot be written.
    """
    import av

    from toonfilter.runtime.video_colour import Colour
    from toonfilter.runtime.video_encoding import Encoder, VideoWriter

    height, width = clip.images.shape[1:3]
    rate = Fraction(fps).limit_denominator(1001)
    encoder = Encoder("libx264", {"preset": "superfast", "crf": "20", "g": str(round(2 * fps))}, 2)
    writer = VideoWriter(
        path,
        encoder,
        width=width,
        height=height,
        time_base=1 / rate,
        frame_rate=rate,
        colour=Colour(),
        pixel_aspect=None,
    )
    for number in range(frames):
        frame = av.VideoFrame.from_ndarray(clip.take(number), format="rgb24").reformat(format="yuv420p")
        frame.pts = number
        writer.write(frame)
    writer.close()


def _pictures(path: Path) -> Iterator[Image]:
    from toonfilter.runtime.piece_runner import make_converter
    from toonfilter.runtime.video_files import VideoFile, inspect_video

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
