"""A picture of one moment before and after, for the user who wants to see what was done."""

from pathlib import Path

import cv2
import numpy as np

from toonfilter.runtime.errors import CaptureError
from toonfilter.runtime.frames import Image
from toonfilter.runtime.stills import write_image

_PLACE = 0.4


def write_before_after(source: Path, target: Path, picture: Path) -> None:
    """Put the same frame of both videos side by side. It shows the real face: made only when asked for.

    Raises:
        CaptureError: one of the videos cannot be read. OutputError: the picture cannot be written.
    """
    before, at_s = _frame_near(source, None)
    after, _ = _frame_near(target, at_s)
    height, width = after.shape[:2]
    before = cv2.resize(before, (width, height), interpolation=cv2.INTER_AREA)
    write_image(picture, np.hstack([before, after]))


def _frame_near(path: Path, at_s: float | None) -> tuple[Image, float]:
    """The first frame at or after a time, or at a place of the duration; uint8 [H, W, 3] RGB, upright, and its time."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            if at_s is None:
                at_s = _PLACE * float((container.duration or 0) / av.time_base)
            image, found_s = None, 0.0
            for frame in container.decode(stream):
                image, found_s = frame, float(frame.time or 0.0)
                if found_s >= at_s:
                    break
            if image is None:
                raise CaptureError(f"{path} holds no frame that can be shown")
            turns = round(-float(image.rotation) / 90) % 4
            picture: Image = np.ascontiguousarray(np.rot90(image.to_ndarray(format="rgb24"), -turns))
            return picture, found_s
    except (av.FFmpegError, IndexError) as error:
        raise CaptureError(f"{path} cannot be read for the before/after picture ({error})") from error
