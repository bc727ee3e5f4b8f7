"""The queue of recordings: one after the other through `convert`, kept on disk, so that it outlives us."""

import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from toonfilter.runtime.errors import CaptureError, ConfigError, ToonfilterError
from toonfilter.runtime.files.file_kinds import VIDEOS_READ, is_video
from toonfilter.runtime.panel.looks import filter_settings
from toonfilter.runtime.panel.recording_list import Recording, RecordingList, RecordingSettings, Status
from toonfilter.runtime.progress import Progress
from toonfilter.runtime.video.archive import find_recordings, target_suffix
from toonfilter.runtime.video.convert import ConvertOptions, ConvertReport, convert
from toonfilter.runtime.video.file_filter import file_filter_opener, filter_identity
from toonfilter.runtime.video.local_workers import LocalWorkers, default_workers
from toonfilter.runtime.video.review import covers_from
from toonfilter.runtime.video.segments import WorkFolder

RunConversion = Callable[[Recording, bool, Callable[[Progress], None], threading.Event], ConvertReport]

MOST_COVERS = 200
"""Regions that a person may draw on one recording. Raising it makes conversions slower."""
_TRY_S = 0.5
"""Between two looks at the queue. Raising it begins later."""
_END_S = 20.0
"""How long the recording at work may take to stop. Raising it ends the program later."""
_MOST_STEM = 120
"""Characters of a name that are kept. Raising it meets the limits of file systems."""


def convert_options(recording: Recording, is_resuming: bool) -> ConvertOptions:
    """How `convert` makes the file, or pictures of doubtful frames where the person wants to look first."""
    return ConvertOptions(
        resume=None if is_resuming else False,
        review=None if recording.is_reviewed else review_folder(recording),
        covers=recording.covers,
        sound=recording.sound,
    )


def review_folder(recording: Recording) -> Path:
    """Where pictures of doubtful frames lie: beside the segments, hidden, and away as soon as the file is made."""
    return Path(recording.target).with_name(f".{recording.id}.review")


def run_conversion(
    recording: Recording, is_resuming: bool, progress: Callable[[Progress], None], stop: threading.Event
) -> ConvertReport:
    """`toonfilter video`, for one recording of the queue."""
    settings = filter_settings(recording.look, on_drawings=True)
    workers = LocalWorkers(default_workers())
    try:
        return convert(
            Path(recording.source),
            Path(recording.target),
            file_filter_opener(settings),
            convert_options(recording, is_resuming),
            workers=workers,
            filter_identity=filter_identity(settings),
            progress=progress,
            stop=stop,
        )
    finally:
        workers.close()


class RecordingQueue:
    """All methods may be called from any thread. Conversions wait while `is_held()`: the camera has the machine first.

    What was at work when the program ended goes on with the next run.
    """

    def __init__(
        self,
        folder: Path,
        output: Path,
        is_held: Callable[[], bool] = lambda: False,
        run: RunConversion = run_conversion,
    ) -> None:
        self._list = RecordingList(folder / "recordings.json")
        self._inbox, self.output = folder / "inbox", output
        self._is_held, self._run = is_held, run
        self._lock = threading.RLock()
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._is_closed = False
        self._progress = Progress(0, 0)
        self._compared: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="panel-recordings", daemon=True)
        self._thread.start()

    @property
    def inbox(self) -> Path:
        """The folder of the copies of dropped files; each in a folder of its own."""
        return self._inbox

    def add_path(self, path: Path, settings: RecordingSettings) -> int:
        """Queue a file, or every recording below a folder; how many were added.

        Raises:
            CaptureError: no such file, or no recording in the folder. ConfigError: too many.
        """
        if path.is_dir():
            found = [(one.source, one.name) for one in find_recordings(path, self.output)]
        elif is_video(path) and path.is_file():
            found = [(path, path.name)]
        else:
            raise CaptureError(f"{path.name}: no video file; known kinds: {', '.join(VIDEOS_READ)}")
        for source, name in found:
            self._add(name, source, settings, is_copy=False)
        return len(found)

    def add_copy(self, source: Path, settings: RecordingSettings) -> None:
        """Queue a dropped file, which was copied into the inbox and is deleted when it leaves the queue."""
        self._add(source.name, source, settings, is_copy=True)

    def remove(self, recording_id: str) -> None:
        """Take it out of the queue, with its copy and its unfinished segments; a finished result stays."""
        with self._lock:
            recording = self._list.find(recording_id)
            if recording.status == "converting":
                self._stop.set()
            self._list.remove(recording_id)
            self._compared.discard(recording_id)
        if recording.status != "converting":
            self._forget_segments(recording)

    def try_again(self, recording_id: str) -> None:
        """Queue a failed one once more."""
        with self._lock:
            if self._list.find(recording_id).status in ("failed", "partial"):
                self._put(recording_id, status="waiting", problem="")
        self._changed.set()

    def pause(self, is_paused: bool) -> None:
        """Stop after the frame at work, or go on; finished segments stay."""
        with self._lock:
            if is_paused:
                self._stop.set()
            self._list.pause(is_paused)
        self._changed.set()

    def doubts_of(self, recording_id: str) -> list[dict[str, Any]]:
        """The doubtful frames to look at, in their order, as plain data."""
        with self._lock:
            return [asdict(one) for one in self._list.find(recording_id).doubts]

    def doubt_picture(self, recording_id: str, place: int) -> Path | None:
        """The picture of one of them, counted from 0."""
        with self._lock:
            recording = self._list.get(recording_id)
            if recording is None or recording.status != "review" or not 0 <= place < len(recording.doubts):
                return None
            path = review_folder(recording) / recording.doubts[place].picture
        return path if path.is_file() else None

    def cover(self, recording_id: str, regions: Any) -> None:
        """Keep what the person wants covered, instead of what was kept before. regions: see `covers_from`.

        Raises:
            ConfigError: wrong ones or too many, or the recording is not being looked at.
        """
        covers = covers_from(regions, "regions")
        if len(covers) > MOST_COVERS:
            raise ConfigError(f"there are {len(covers)} regions; at most {MOST_COVERS} are taken")
        with self._lock:
            self._check_in_review(recording_id)
            self._put(recording_id, covers=covers)

    def finish_review(self, recording_id: str, regions: Any) -> None:
        """The person has looked: make the file, with these regions covered. See `cover`."""
        with self._lock:
            self.cover(recording_id, regions)
            self._put(recording_id, status="waiting", is_reviewed=True)
        self._changed.set()

    def _check_in_review(self, recording_id: str) -> None:
        if self._list.find(recording_id).status != "review":
            raise ConfigError("this recording is not waiting to be looked at any more")

    def allow_comparison(self, recording_id: str) -> None:
        """The person asked to see the original beside the result, in this run."""
        with self._lock:
            self._compared.add(self._list.find(recording_id).id)

    def file(self, recording_id: str, which: Literal["before", "after"]) -> Path | None:
        """The file to play; the original only after `allow_comparison`."""
        with self._lock:
            recording = self._list.get(recording_id)
            if recording is None or (which == "before" and recording_id not in self._compared):
                return None
            path = Path(recording.source if which == "before" else recording.target)
        return path if path.is_file() and recording.status in ("done", "partial") else None

    def target_of(self, recording_id: str) -> Path:
        """
        Raises:
            ConfigError: not in the queue any more.
        """
        with self._lock:
            return Path(self._list.find(recording_id).target)

    def snapshot(self) -> dict[str, Any]:
        """What the page shows, as plain data; no places of files but the output folder."""
        with self._lock:
            return {
                "paused": self._list.is_paused,
                "held": self._is_held(),
                "output": str(self.output),
                "items": [self._plain(one) for one in self._list],
            }

    def close(self) -> None:
        """Stop at the next frame; the queue goes on in the next run."""
        self._is_closed = True
        self._stop.set()
        self._changed.set()
        self._thread.join(_END_S)

    def _plain(self, one: Recording) -> Mapping[str, Any]:
        content: dict[str, Any] = {
            "id": one.id,
            "name": one.name,
            "status": one.status,
            "style": one.look.style,
            "frames": one.frames,
            "states": one.states,
            "notes": one.notes,
            "problem": one.problem,
            "result": Path(one.target).name,
            "is_copy": one.is_copy,
            "is_begun": one.is_begun,
            "compared": one.id in self._compared,
            "doubts": len(one.doubts),
            "covers": [asdict(cover) for cover in one.covers],
        }
        if one.status == "converting":
            now = self._progress
            content |= {"done": now.done, "total": now.total, "fps": round(now.fps, 1), "left_s": now.left_s}
        return content

    def _add(self, name: str, source: Path, settings: RecordingSettings, *, is_copy: bool) -> None:
        with self._lock:
            self._list.add(settings.recording(name, source, self._free_target(source), is_copy=is_copy))
        self._changed.set()

    def _free_target(self, source: Path) -> Path:
        """A name in the output folder that neither a file nor another recording of the queue has."""
        taken = {one.target for one in self._list}
        stem, suffix = source.stem[:_MOST_STEM], target_suffix(source)
        number = 1
        while True:
            target = self.output / f"{stem}-cartoon{'' if number == 1 else f'-{number}'}{suffix}"
            if str(target) not in taken and not target.exists():
                return target
            number += 1

    def _put(self, recording_id: str, **changes: Any) -> None:
        with self._lock:
            self._list.put(recording_id, **changes)

    def _work(self) -> None:
        while not self._is_closed:
            self._changed.wait(_TRY_S)
            self._changed.clear()
            if (recording := self._next()) is not None:
                self._convert(recording)
                self._changed.set()

    def _next(self) -> Recording | None:
        with self._lock:
            if self._is_closed or self._list.is_paused or self._is_held():
                return None
            self._stop = threading.Event()
            self._progress = Progress(0, 0)
            recording = next((one for one in self._list if one.status == "waiting"), None)
            if recording is not None:
                self._put(recording.id, status="converting", is_begun=True)
            return recording

    def _convert(self, recording: Recording) -> None:
        stop = self._stop
        status: Status

        def note(progress: Progress) -> None:
            self._progress = progress
            if self._is_held():
                # The camera was started: it has the machine first.
                stop.set()

        try:
            report = self._run(recording, recording.is_begun, note, stop)
        except Exception as error:
            text = str(error) if isinstance(error, ToonfilterError) else f"{type(error).__name__}: {error}"
            # What was left of it may be what it fails at: the next try begins anew.
            self._put(recording.id, status="failed", problem=text, is_begun=False)
        else:
            if report.status == "interrupted":
                self._put(recording.id, status="waiting")
            elif report.status == "reviewed":
                told = {"frames": report.frames, "states": dict(report.states), "doubts": report.doubts}
                # Nothing to look at: the file is made at once.
                status = "review" if report.doubts else "waiting"
                self._put(recording.id, status=status, is_reviewed=not report.doubts, **told)
            else:
                status = "done" if report.status == "complete" else "partial"
                told = {"frames": report.frames, "states": dict(report.states), "notes": report.notes}
                self._put(recording.id, status=status, is_begun=False, doubts=(), **told)
                shutil.rmtree(review_folder(recording), ignore_errors=True)
        if self._list.get(recording.id) is None:
            self._forget_segments(recording)

    def _forget_segments(self, recording: Recording) -> None:
        """It was removed: what was made of it, and our copy of it."""
        WorkFolder(Path(recording.target)).remove()
        shutil.rmtree(review_folder(recording), ignore_errors=True)
        if recording.is_copy:
            self._drop_copy(recording)

    def _drop_copy(self, recording: Recording) -> None:
        folder = Path(recording.source).parent
        if folder.parent == self._inbox:
            shutil.rmtree(folder, ignore_errors=True)
