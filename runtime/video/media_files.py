"""Opening recordings: as files and never as addresses, and only in the formats that recordings have.

FFmpeg takes `10:30 lecture.mp4` for an address, and a text file with the right first line for a list of other files.
"""

import errno
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import CaptureError
from toonfilter.runtime.video.pyav_versions import open_input

_DEMUXERS = (
    *("3g2", "3gp", "apng", "asf", "av1", "avi", "dv", "flv", "gif", "gxf", "h261", "h263", "h264", "hevc", "ivf"),
    *("m4a", "m4v", "matroska", "mj2", "mjpeg", "mov", "mp4", "mpeg", "mpegts", "mpegvideo", "mxf", "nsv", "nut"),
    *("obu", "ogg", "rm", "vc1", "vvc", "webm", "wtv", "yuv4mpegpipe"),
)
_READ_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(_DEMUXERS)}


def file_address(path: Path) -> str:
    """The path as an address that FFmpeg takes for nothing but a file."""
    return f"file:{path}"


def open_recording(path: Path) -> Any:
    """The file opened for reading, an `av.container.InputContainer`; the caller closes it.

    Raises:
        CaptureError: missing, empty, no ordinary file, or not a recording; with the reason.
    """
    import av

    _check_file(path)
    try:
        return open_input(file_address(path), _READ_OPTIONS)
    except PermissionError as error:
        raise CaptureError(f"{path}: no permission to read it") from error
    except (av.FFmpegError, ValueError, OSError) as error:
        # Its class has another name before PyAV 17.
        if getattr(error, "errno", None) == errno.EINVAL:
            raise CaptureError(f"{path}: not a video file that can be read (its content is no recording)") from error
        raise CaptureError(
            f"{path}: not a video file that can be read ({reason_of(error)}); "
            "a recording that was cut off may have lost its index"
        ) from error


def _check_file(path: Path) -> None:
    if not path.exists():
        raise CaptureError(f"{path}: no such file")
    if path.is_dir():
        raise CaptureError(f"{path}: a folder, not a video file; for a folder use: toonfilter batch")
    if not path.is_file():
        raise CaptureError(f"{path}: no ordinary file")
    if path.stat().st_size == 0:
        raise CaptureError(f"{path}: the file is empty (0 bytes)")


def open_video_output(path: Path, options: dict[str, str] | None = None) -> Any:
    """A file opened for writing, an `av.container.OutputContainer`; its suffix chooses the format.

    Raises:
        av.FFmpegError, ValueError, OSError: it cannot be opened.
    """
    import av

    return av.open(file_address(path), "w", options=options or {})


def reason_of(error: BaseException) -> str:
    """FFmpeg's or the system's reason, in words."""
    return str(getattr(error, "strerror", None) or error)
