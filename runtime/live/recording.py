"""A video file of what was sent. Whatever ends the program, what was recorded so far can be played."""

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import OutputError, ToonfilterError
from toonfilter.runtime.files.file_kinds import MP4_KINDS
from toonfilter.runtime.files.whole_files import check_outputs, move_into_place, new_part, replacing
from toonfilter.runtime.frames import SafeFrame
from toonfilter.runtime.live.sinks import fitted, image_of

_TICKS = Fraction(1, 90_000)


class Recording:
    """Each picture with the time when it was sent, without sound. It appears under its name when `close` is called.

    Until then it is `NAME.unfinished-...` beside it: a file in fragments of a second, which plays and stays when the
    program is killed or the disk is full.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float, *, overwrite: bool = False) -> None:
        """
        Raises:
            OutputError: the file exists, or cannot be written. ConfigError: its ending is unknown.
        """
        from toonfilter.runtime.video.colour import BT709, ColourConverter, Orientation
        from toonfilter.runtime.video.writer import VideoWriter, choose_encoder

        check_outputs([path], [], overwrite=overwrite)
        self._path = path
        self._colours = ColourConverter(BT709, Orientation(), width, height)
        coded = self._colours.coded.width, self._colours.coded.height
        encoder = choose_encoder("vp9" if path.suffix.lower() == ".webm" else "h264", "normal", path.suffix, *coded)
        self._unfinished = _new_unfinished(path)
        with _removed_when_failing(self._unfinished):
            self._writer: VideoWriter | None = VideoWriter(
                self._unfinished,
                encoder,
                width=coded[0],
                height=coded[1],
                time_base=_TICKS,
                frame_rate=Fraction(fps).limit_denominator(1001),
                colour=BT709,
                pixel_aspect=None,
                plays_unfinished=True,
            )
        self._start_s: float | None = None
        self._last_pts = -1
        self._has_pictures = False

    def send(self, safe: SafeFrame, now_s: float) -> None:
        if self._writer is None:
            raise OutputError(f"{self._path}: the recording is closed")
        self._has_pictures = self._has_pictures or safe.index >= 0
        self._start_s = now_s if self._start_s is None else self._start_s
        frame = self._colours.stored_frame(fitted(image_of(safe), self._colours.width, self._colours.height))
        frame.pts = max(self._last_pts + 1, round((now_s - self._start_s) / _TICKS))
        self._last_pts = frame.pts
        try:
            self._writer.write(frame)
        except OutputError as error:
            self._break_off(error)

    def keys(self) -> str:
        return ""

    def close(self) -> None:
        """Finish the file under its name.

        Raises:
            OutputError: it cannot be finished; says where what was recorded lies.
        """
        writer = self._writer
        if writer is None:
            return
        # Where the camera never came and the run ends by an error, covers alone are no recording.
        if writer.frames == 0 or (not self._has_pictures and sys.exc_info()[0] is not None):
            self._writer = None
            writer.abandon()
            return
        try:
            writer.close()
        except OutputError as error:
            self._break_off(error)
        self._writer = None
        with suppress(OutputError):
            _without_fragments(self._unfinished, self._path)
            self._unfinished.unlink(missing_ok=True)
            return
        # Fragments play as well; there is no room for a second copy.
        move_into_place(self._unfinished, self._path)

    def _break_off(self, error: OutputError) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon(keep=True)
        reason = str(error).replace(str(self._unfinished), str(self._path))
        if _plays(self._unfinished):
            raise OutputError(f"{reason}; what was recorded so far: {self._unfinished}") from error
        self._unfinished.unlink(missing_ok=True)
        raise OutputError(reason) from error


def _new_unfinished(path: Path) -> Path:
    """A name that tells what it is, for a file that did not exist."""
    part = new_part(path)
    unfinished = path.with_name(f"{path.stem[:100]}.unfinished-{secrets.token_hex(4)}{path.suffix}")
    move_into_place(part, unfinished)
    return unfinished


@contextmanager
def _removed_when_failing(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _plays(path: Path) -> bool:
    import av

    from toonfilter.runtime.video.media_files import open_recording

    try:
        with open_recording(path) as container:
            return any(packet.size for packet in container.demux(video=0))
    except (ToonfilterError, av.FFmpegError, OSError, IndexError):
        return False


def _without_fragments(source: Path, target: Path) -> None:
    """Copy the packets into a plain file, which every player can wind.

    Raises:
        OutputError: the disk refuses.
    """
    import av

    from toonfilter.runtime.video.media_files import open_recording, open_video_output, reason_of

    with replacing(target) as part:
        try:
            with open_recording(source) as recorded:
                _copy(recorded.streams.video[0], recorded, open_video_output(part, _plain_options(target)))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise OutputError(f"{target}: cannot be written ({reason_of(error)})") from error


def _plain_options(target: Path) -> dict[str, str]:
    if target.suffix.lower() not in MP4_KINDS:
        return {}
    scale = str(_TICKS.denominator)
    return {"movflags": "faststart", "video_track_timescale": scale, "movie_timescale": scale}


def _copy(pictures: Any, recorded: Any, output: Any) -> None:
    from toonfilter.runtime.video.pyav_versions import add_copied_track, hand_over

    with output:
        track = add_copied_track(output, pictures)
        start = None
        for packet in recorded.demux(pictures):
            if packet.size:
                # Fragments begin with the encoder's delay.
                start = packet.pts if start is None else start
                packet.pts, packet.dts = packet.pts - start, packet.dts - start
                hand_over(packet, track)
                output.mux_one(packet)
