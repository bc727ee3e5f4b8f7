"""What differs between the PyAV releases that are allowed (16 to 19)."""

from fractions import Fraction
from typing import Any


def open_input(address: str, options: dict[str, str]) -> Any:
    """`av.open` for reading; text in the file that is no UTF-8 does not fail it.

    Raises:
        av.FFmpegError, ValueError, OSError: as `av.open` does.
    """
    import av

    # From 19 on such bytes come back as surrogates and are written as they were; the option is gone.
    given = {"metadata_errors": "replace"} if _major() < 19 else {}
    return av.open(address, options=options, **given)


def type_of(stream: Any) -> str:
    """video, audio, subtitle, data, attachment, or unknown; asking PyAV 16 for the last one ends the process."""
    from av.stream import Stream

    return "unknown" if type(stream) is Stream else str(stream.type)


def stores_rotation() -> bool:
    """Whether a display matrix can be written (PyAV 17); older ones get pictures that are stored upright."""
    from av.video.stream import VideoStream

    return hasattr(VideoStream, "set_display_matrix")


def primaries_and_transfer(frame: Any, codec_context: Any) -> tuple[int, int]:
    """Code points of ITU-T H.273 of a decoded picture; before PyAV 17 only its codec context knows them."""
    known = frame if hasattr(frame, "color_primaries") else codec_context
    return int(known.color_primaries), int(known.color_trc)


def set_primaries_and_transfer(frame: Any, primaries: int, transfer: int) -> None:
    """Label a picture for the encoder; before PyAV 17 only the codec context carries these labels."""
    if hasattr(frame, "color_primaries"):
        frame.color_primaries, frame.color_trc = primaries, transfer


def matrix_of_rgb(matrix: int) -> int:
    """A matrix for RGB, which has none, in a conversion from or to YUV of this matrix (libswscale's numbers)."""
    # Before 17 PyAV sets libswscale up only where source and destination differ.
    return matrix if _major() >= 17 else (1 if matrix != 1 else 5)


def copy_chapter_times(source: Any, target: Any, start_s: Fraction) -> None:
    """Chapter marks, numbered instead of titled, `start_s` earlier."""
    moved = []
    for number, chapter in enumerate(source.chapters(), 1):
        start = round(start_s / chapter["time_base"])
        times = {key: max(0, chapter[key] - start) for key in ("start", "end")}
        moved.append(
            {
                "id": chapter["id"],
                "time_base": chapter["time_base"],
                **times,
                "metadata": {"title": f"Chapter {number}"},
            }
        )
    target.set_chapters(moved)


def _major() -> int:
    import av

    return int(av.__version__.partition(".")[0])
