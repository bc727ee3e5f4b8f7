"""A look before a file is made: pictures of doubtful frames, and regions that the user wants covered.

`write_review` makes a folder with pictures and `covers.toml`; what the user adds there is read by `read_covers`, what
is drawn on the panel's page by `covers_from`, and `CoveringOpener` draws it over what the filter makes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.files.image_files import write_image
from toonfilter.runtime.files.strict import Problem, parse
from toonfilter.runtime.files.toml_text import read_table
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.filter.frame_filter import ResettableFilter
from toonfilter.runtime.frames import Frame, PrivacyState, SafeFrame
from toonfilter.runtime.geometry.pixelate import pixelated

COVERS = "covers.toml"
MOST_PICTURES = 200
"""That a person is asked to look at. Raising it shows more of a long recording."""
_NEAR_S = 1.0
"""Doubtful frames closer together are one picture. Raising it shows fewer."""
_TILES = 4
"""Along a covered region. Raising it lets more of it be recognised."""
_EXAMPLE = """# Regions to cover. Times are seconds; a box is left, top, right, bottom in pixels of the upright picture.
# Take away the marks in front, change the numbers, add as many as needed. Then:
#   toonfilter video {source} --covers {covers}
#
# [[cover]]
# from = 62.0
# to = 65.5
# box = [400, 120, 520, 260]
"""


@dataclass(frozen=True, slots=True)
class Doubt:
    """The first frame of a stretch that a person should look at. number: of the result, from 0.

    until_s: the time of the stretch's last frame.
    """

    number: int
    time_s: float
    reason: str
    until_s: float

    @property
    def picture(self) -> str:
        """The name of its file in the folder of a review."""
        return f"{self.time_s:09.2f}s-{self.reason}.jpg"


@dataclass(frozen=True, slots=True)
class Cover:
    """A region that is pixelated from `from_s` to `to_s`, in seconds of the result. box: left, top, right, bottom."""

    from_s: float
    to_s: float
    box: tuple[int, int, int, int]


def doubts_in(audit: Sequence[dict[str, Any]]) -> list[Doubt]:
    """The first frame of every stretch that may be wrong: not drawn, held, a face fewer than before, or more.

    audit: the lines of a conversion's audit.
    """
    found: list[Doubt] = []
    faces: int | None = None
    open_stretches: dict[str, int] = {}
    for number, line in enumerate(audit):
        reason, time_s = _reason(line, faces), line["time_s"]
        faces = line["faces_found"]
        if reason is None:
            continue
        place = open_stretches.get(reason)
        if place is None or time_s - found[place].until_s > _NEAR_S:
            open_stretches[reason] = len(found)
            found.append(Doubt(number, time_s, reason, time_s))
        else:
            found[place] = replace(found[place], until_s=time_s)
    if len(found) > MOST_PICTURES:
        step = len(found) / MOST_PICTURES
        found = [found[int(place * step)] for place in range(MOST_PICTURES)]
    return found


def _reason(line: dict[str, Any], faces_before: int | None) -> str | None:
    if line["state"] != PrivacyState.PROTECTED:
        return str(line["state"])
    if line["faces_covered"]:
        return "face-not-drawn"
    if faces_before is not None and line["faces_found"] != faces_before:
        return "fewer-faces" if line["faces_found"] < faces_before else "more-faces"
    return "no-face" if line["faces_found"] == 0 else None


def write_review(video: Path, doubts: Sequence[Doubt], folder: Path, source: Path) -> int:
    """Write pictures of these frames of a converted video, and an empty list of covers unless there is one.

    Returns the number of pictures. Raises: OutputError: the disk refuses. CaptureError: the video cannot be read.
    """
    from toonfilter.runtime.video.colour import ColourConverter
    from toonfilter.runtime.video.reader import VideoFile, inspect_video

    info = inspect_video(video)
    colours = ColourConverter(info.format.colour, info.orientation, info.width, info.height)
    wanted = {doubt.number: doubt for doubt in doubts}
    # A face may be seen in them.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with VideoFile(info) as file:
        for number, frame in enumerate(file.frames()):
            if number in wanted:
                write_image(folder / wanted[number].picture, colours.upright_rgb(frame))
    covers = folder / COVERS
    if not covers.exists():
        write_whole(covers, _EXAMPLE.format(source=source, covers=covers))
    return len(wanted)


def read_covers(path: Path) -> tuple[Cover, ...]:
    """The regions that a user listed.

    Raises:
        ConfigError: the file cannot be read, or an entry is wrong; with its number.
    """
    content = read_table(path)
    unknown = sorted(set(content) - {"cover"})
    if unknown:
        raise ConfigError(f"{path}: unknown table {unknown[0]}; known: [[cover]]")
    return covers_from(content.get("cover", []), str(path))


def covers_from(entries: Any, where: str) -> tuple[Cover, ...]:
    """Regions of parsed TOML or JSON: a list of tables with from, to and box. where: the beginning of an error's text.

    Raises:
        ConfigError: an entry is wrong; with its number.
    """
    if not isinstance(entries, list):
        raise ConfigError(f"{where}: regions must be a list")
    covers = []
    for number, entry in enumerate(entries, 1):
        try:
            names = {"from": "from_s", "to": "to_s"}
            plain = {names.get(key, key): value for key, value in entry.items()}
            cover: Cover = parse(Cover, plain)
        except (Problem, AttributeError) as problem:
            raise ConfigError(f"{where}: cover {number}: {problem}") from None
        left, top, right, bottom = cover.box
        if not (cover.from_s <= cover.to_s and left < right and top < bottom):
            raise ConfigError(
                f"{where}: cover {number} is empty: from must be before to, left of right, top above bottom"
            )
        covers.append(cover)
    return tuple(covers)


def covers_within(covers: Sequence[Cover], from_s: float, to_s: float) -> tuple[Cover, ...]:
    """The regions that cover something between these times, in seconds of the result."""
    return tuple(one for one in covers if one.from_s <= to_s and one.to_s >= from_s)


@dataclass(frozen=True, slots=True)
class CoveringOpener:
    """Opens a filter whose pictures are pixelated in the user's regions; can be sent to another process."""

    open_filter: Callable[[], ResettableFilter]
    covers: tuple[Cover, ...]

    def __call__(self) -> ResettableFilter:
        return _CoveredRegions(self.open_filter(), self.covers)


class _CoveredRegions:
    """See `CoveringOpener`."""

    def __init__(self, inner: ResettableFilter, covers: tuple[Cover, ...]) -> None:
        self._inner, self._covers = inner, covers

    def track(self, frame: Frame) -> Any:
        return self._inner.track(frame)

    def draw(self, tracked: Any) -> SafeFrame:
        return self._covered(self._inner.draw(tracked))

    def cover(self, frame: Frame, reason: str) -> SafeFrame:
        return self._covered(self._inner.cover(frame, reason))

    def reset(self) -> None:
        self._inner.reset()

    def close(self) -> None:
        self._inner.close()

    def look_back(self, waiting: Sequence[Any], newest: Any | None) -> None:
        self._inner.look_back(waiting, newest)

    def _covered(self, safe: SafeFrame) -> SafeFrame:
        boxes = [one.box for one in self._covers if one.from_s <= safe.captured_at_s <= one.to_s]
        if boxes:
            # A held picture is shown again when the region's time is over.
            safe.image = safe.image.copy()
        for left, top, right, bottom in boxes:
            region = safe.image[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
            if region.size:
                region[:] = pixelated(region.copy(), _TILES)
        return safe
