"""What differs between the PyAV releases that are allowed (14.2 to 19)."""

from contextlib import suppress
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


def duration_of(frame: Any) -> int:
    """How long a decoded picture is shown, in units of its stamps; 0 where nothing says it (never before PyAV 14.4)."""
    return getattr(frame, "duration", None) or 0


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


def add_copied_track(output: Any, template: Any) -> Any:
    """A track in `output` for packets of `template` as they are.

    Raises:
        ValueError: the coding of `template` is not known (newer PyAV says so itself, 14 and 15 end the process), or
            the container does not take it.
    """
    if template.codec_context is None:
        raise ValueError(f"the coding of track {template.index} is not known")
    return output.add_stream_from_template(template, opaque=True)


def hand_over(packet: Any, track: Any) -> None:
    """Make a picture's packet one of a copied track.

    FFmpeg 7 (PyAV 14 and 15) does not guess how long the last picture of a file is shown: without a duration it is not
    shown at all.
    """
    packet.stream = track
    packet.duration = packet.duration or 1


def set_time_unit(stream: Any, unit: Fraction) -> None:
    """The unit of the stamps of a copied track; PyAV 14 leaves it to the container, which then takes a fine one."""
    with suppress(RuntimeError):
        stream.time_base = unit


def copies_chapters() -> bool:
    """Whether chapter marks can be read and written (PyAV 16)."""
    from av.container import OutputContainer

    return hasattr(OutputContainer, "set_chapters")


def copy_chapter_times(source: Any, target: Any, start_s: Fraction) -> None:
    """Chapter marks, numbered instead of titled, `start_s` earlier; none where PyAV cannot copy them."""
    if not copies_chapters():
        return
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
