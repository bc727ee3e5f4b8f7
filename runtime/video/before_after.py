"""A picture of one moment before and after, for the user who wants to see what was done."""

from pathlib import Path

import cv2
import numpy as np

from toonfilter.runtime.errors import CaptureError
from toonfilter.runtime.files.image_files import write_image
from toonfilter.runtime.frames import Image
from toonfilter.runtime.video.colour import ColourConverter
from toonfilter.runtime.video.reader import VideoFile, inspect_video

_PLACE = 0.4
"""Of the moment that is pictured, in lengths of the recording: people are there by then."""


def write_before_after(source: Path, target: Path, picture: Path) -> None:
    """Put the same frame of both videos side by side. It shows the real face: made only when asked for.

    Raises:
        CaptureError: one of the videos cannot be read. OutputError: the picture cannot be written.
    """
    at_s = _PLACE * (inspect_video(source).declared.duration_s or 0.0)
    before, after = picture_at(source, at_s), picture_at(target, at_s)
    height, width = after.shape[:2]
    write_image(picture, np.hstack([cv2.resize(before, (width, height), interpolation=cv2.INTER_AREA), after]))


def picture_at(path: Path, at_s: float) -> Image:
    """The first frame at or after this time, else the last one; uint8 [H, W, 3] RGB, upright.

    Raises:
        CaptureError: the video cannot be read.
    """
    info = inspect_video(path)
    found = None
    with VideoFile(info) as video:
        for frame in video.frames():
            found = frame
            if float(frame.pts * info.time_base) >= at_s:
                break
    if found is None:
        raise CaptureError(f"{path}: no picture can be decoded")
    converter = ColourConverter(info.format.colour, info.orientation, info.width, info.height)
    return converter.upright_rgb(found)
