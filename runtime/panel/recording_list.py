"""The recordings of the queue as they are kept on disk, after every change."""

import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.panel.looks import Look
from toonfilter.runtime.panel.store import read_json, write_json
from toonfilter.runtime.video.review import Cover, Doubt
from toonfilter.runtime.video.sound import Sound

Status = Literal["waiting", "converting", "review", "done", "partial", "failed"]

MOST_RECORDINGS = 500
"""In the queue. Raising it makes the page slower."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of the queue. name: for people. is_copy: the source is our own copy of a dropped file.

    is_begun: segments of it may be there, and the next run goes on with them. states: the leak report.
    is_reviewed: the person does not want to look at doubtful pictures first, or did. doubts: those pictures.
    covers: what the person drew on them.
    """

    id: str
    name: str
    source: str
    target: str
    look: Look = field(default_factory=Look)
    is_copy: bool = False
    status: Status = "waiting"
    is_begun: bool = False
    frames: int = 0
    states: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problem: str = ""
    is_reviewed: bool = True
    doubts: tuple[Doubt, ...] = ()
    covers: tuple[Cover, ...] = ()
    sound: Sound = "keep"


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    """How recordings shall be made. looks_first: doubtful pictures are looked at before a file is made."""

    look: Look = field(default_factory=Look)
    looks_first: bool = False
    sound: Sound = "keep"

    def recording(self, name: str, source: Path, target: Path, *, is_copy: bool) -> Recording:
        """What is added to the list, which gives it an id. See `Recording`."""
        return Recording(
            "",
            name,
            str(source),
            str(target),
            self.look,
            is_copy=is_copy,
            is_reviewed=not self.looks_first,
            sound=self.sound,
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    recordings: list[Recording] = field(default_factory=list)
    is_paused: bool = False


class RecordingList:
    """Guarded by its owner's lock. What was at work when the program ended waits again.

    is_paused: whether the person stopped the queue.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        kept = read_json(_Kept, self._path)
        self._recordings = [
            replace(one, status="waiting") if one.status == "converting" else one for one in kept.recordings
        ]
        self.is_paused = kept.is_paused

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._recordings)

    def get(self, recording_id: str) -> Recording | None:
        """None where it is not in the list any more."""
        return next((one for one in self._recordings if one.id == recording_id), None)

    def find(self, recording_id: str) -> Recording:
        """
        Raises:
            ConfigError: it is not in the list any more.
        """
        found = self.get(recording_id)
        if found is None:
            raise ConfigError("this recording is not in the list any more")
        return found

    def add(self, recording: Recording) -> None:
        """At the end, with an id of its own.

        Raises:
            ConfigError: there are too many.
        """
        if len(self._recordings) >= MOST_RECORDINGS:
            raise ConfigError(f"there are {MOST_RECORDINGS} recordings in the list already; remove some first")
        self._recordings.append(replace(recording, id=secrets.token_hex(8)))
        self._save()

    def remove(self, recording_id: str) -> None:
        """Nothing happens where it is gone already."""
        self._recordings = [one for one in self._recordings if one.id != recording_id]
        self._save()

    def put(self, recording_id: str, **changes: Any) -> None:
        """Other values for the fields named; nothing happens where it is gone."""
        self._recordings = [replace(one, **changes) if one.id == recording_id else one for one in self._recordings]
        self._save()

    def pause(self, is_paused: bool) -> None:
        """Remember that the person stopped the queue, or let it go on."""
        self.is_paused = is_paused
        self._save()

    def _save(self) -> None:
        write_json(self._path, asdict(_Kept(self._recordings, self.is_paused)))
