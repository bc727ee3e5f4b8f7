"""What the page may ask for: a picture with its labels, outlines snapped to edges, and to keep them."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError, OutputError
from toonfilter.runtime.fields import FieldName
from toonfilter.train.data.fields.corrections import (
    KINDS,
    Outline,
    correct,
    new_correction_file,
    parse_outlines,
    read_correction_files,
    write_correction_file,
)
from toonfilter.train.data.fields.face_frame import Plane
from toonfilter.train.data.fields.labels import COMPLETE, labels_by_rules
from toonfilter.train.data.fields.store import Entry, LabelStore
from toonfilter.train.labelling.overlay import COLOURS, overlay, png

_SEED = 0
_MOST_OUTLINES = 100
_KEPT_SHEETS = 3
"""The picture that is shown, the next, and the one before. Raising it takes more memory."""
_KEPT_STEPS = 8

Reply = dict[str, Any]


class CorrectionDesk:
    """The pictures of a store in the order in which people see them, and their corrections. Thread safe.

    Shown are the labels that rules make of a picture, as `fields labels` makes them before it corrects: what a network
    mended later is lost where somebody corrects a picture.
    """

    def __init__(self, store: LabelStore, folder: Path, only: Sequence[str] = ()) -> None:
        """folder: of the corrections; is made. only: files of pictures, with * and ?; none are all.

        Raises:
            DataError: a file of corrections is damaged, `only` names no picture, or none has labels.
            OutputError: the folder cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made a folder ({error.strerror or error})") from error
        self._store, self._folder = store, folder
        self._files = read_correction_files(folder)
        self._order = _order(store.entries, self._files, only)
        self._place = {store.entries[index].file: place for place, index in enumerate(self._order)}
        self._seen: set[str] = set()
        self._sheets: OrderedDict[int, _Sheet] = OrderedDict()
        self._lock = threading.RLock()

    @property
    def counts(self) -> tuple[int, int, int]:
        """Pictures that have corrections, all pictures, and those that were kept since the start."""
        with self._lock:
            return sum(file in self._files for file in self._place), len(self._order), len(self._seen)

    def open(self, request: Mapping[str, Any]) -> Reply:  # noqa: ARG002
        """What to show first: a picture that nobody looked at, then those that were not kept since the start."""
        with self._lock:
            files = [self._store.entries[index].file for index in self._order]
            fresh = [place for place, file in enumerate(files) if file not in self._files]
            unseen = [place for place, file in enumerate(files) if file not in self._seen]
            return self._state(next(iter(fresh or unseen), len(self._order)))

    def back(self, request: Mapping[str, Any]) -> Reply:
        """The picture before `file`, the last one where it is null.

        Raises:
            DataError: no such picture, or none before it.
        """
        place = len(self._order) if request.get("file") is None else self._asked(request)
        if place == 0:
            raise DataError("this is the first picture")
        return self._state(place - 1)

    def prepare(self, request: Mapping[str, Any]) -> Reply:
        """Make the labels of a picture ready that will be asked for soon.

        Raises:
            DataError: no such picture.
        """
        place = self._asked(request)
        with self._lock:
            self._drawn(place, self._kept(place))
        return {}

    def draw(self, request: Mapping[str, Any]) -> bytes:
        """The picture's labels with these outlines, snapped to edges, as PNG; see `overlay`.

        Raises:
            DataError: no such picture, or no outlines; the text says what is wrong.
        """
        place, outlines = self._asked(request), _asked_outlines(request)
        with self._lock:
            planes = self._drawn(place, outlines)
        return png(overlay(planes))

    def save(self, request: Mapping[str, Any]) -> Reply:
        """Keep the outlines of a picture, none where all is right; then what to show next.

        Raises:
            DataError: no such picture, or no outlines.
            OutputError: the disk does not take them.
        """
        place, outlines = self._asked(request), _asked_outlines(request)
        file = str(request["file"])
        with self._lock:
            kept = replace(self._files.get(file) or new_correction_file(self._folder, file), outlines=outlines)
            write_correction_file(kept)
            self._files[file] = kept
            self._seen.add(file)
            return self._state(place + 1)

    def photo(self, place: int) -> NDArray[np.uint8]:
        """A picture, uint8 [S, S, 3] RGB.

        Raises:
            DataError: no such place.
        """
        if not 0 <= place < len(self._order):
            raise DataError("there is no such picture")
        return np.array(self._store["photo"][self._order[place]])

    def _asked(self, request: Mapping[str, Any]) -> int:
        # By its file: a tab of an earlier start has other places.
        file = request.get("file")
        place = self._place.get(file) if isinstance(file, str) else None
        if place is None:
            raise DataError("there is no such picture; load the page again")
        return place

    def _file_at(self, place: int) -> str | None:
        return self._store.entries[self._order[place]].file if place < len(self._order) else None

    def _kept(self, place: int) -> tuple[Outline, ...]:
        kept = self._files.get(self._file_at(place) or "")
        return kept.outlines if kept else ()

    def _state(self, place: int) -> Reply:
        with self._lock:
            done, total, _ = self.counts
            return {
                "place": place,
                "file": self._file_at(place),
                "ahead": self._file_at(place + 1),
                "is_kept": self._file_at(place) in self._files,
                "outlines": [{"kind": one.kind, "points": one.points} for one in self._kept(place)],
                "done": done,
                "total": total,
                "command": labels_command(self._store.folder, self._folder),
                "kinds": [{"kind": kind, "colour": "rgb({}, {}, {})".format(*COLOURS[kind])} for kind in KINDS],
            }

    def _drawn(self, place: int, outlines: tuple[Outline, ...]) -> dict[FieldName, Plane]:
        index = self._order[place]
        if index not in self._sheets:
            self._sheets[index] = _Sheet(self.photo(place), labels_by_rules(self._store, index))
        self._sheets.move_to_end(index)
        while len(self._sheets) > _KEPT_SHEETS:
            self._sheets.popitem(last=False)
        return self._sheets[index].drawn(outlines)


class _Sheet:
    """One picture and its labels; what the last lists of outlines made of them, so that one more costs one."""

    def __init__(self, photo: NDArray[np.uint8], planes: dict[FieldName, Plane]) -> None:
        self._photo, self._plain = photo, planes
        self._steps: dict[tuple[Outline, ...], dict[FieldName, Plane]] = {}

    def drawn(self, outlines: tuple[Outline, ...]) -> dict[FieldName, Plane]:
        """The labels with these outlines, float32 [S, S]; not to be written into."""
        known = max((step for step in self._steps if outlines[: len(step)] == step), key=len, default=())
        planes = self._steps.get(known, self._plain)
        for number in range(len(known), len(outlines)):
            planes = dict(planes)
            correct(self._photo, planes, outlines[number : number + 1])
            self._steps[outlines[: number + 1]] = planes
        for step in list(self._steps)[:-_KEPT_STEPS]:
            del self._steps[step]
        return planes


def labels_command(labels: Path, corrections: Path) -> str:
    """What to type so that the labels change; words in capitals are the caller's own files."""
    return (
        f"toonfilter fields labels FACES --output {labels} --hair-network NETWORK "
        f"--attributes ATTRIBUTES --corrections {corrections}"
    )


def _order(entries: Sequence[Entry], kept: Iterable[str], only: Sequence[str]) -> list[int]:
    """Numbers of the pictures whose labels hold, mixed, those without corrections first; the same after every break."""
    done = set(kept)
    for wanted in only:
        if not any(_is_meant(entry.file, wanted) for entry in entries):
            raise DataError(f"--only {wanted}: no such picture in the labels")
    mixed = [int(index) for index in np.random.default_rng(_SEED).permutation(len(entries))]
    chosen = [
        index
        for index in mixed
        if entries[index].labelled == COMPLETE
        and (not only or any(_is_meant(entries[index].file, wanted) for wanted in only))
    ]
    if not chosen:
        raise DataError("none of the pictures has labels of all fields, which need attributes; nothing to correct")
    return sorted(chosen, key=lambda index: entries[index].file in done)


def _is_meant(file: str, wanted: str) -> bool:
    return file == wanted or fnmatchcase(file, wanted)


def _asked_outlines(request: Mapping[str, Any]) -> tuple[Outline, ...]:
    outlines = parse_outlines(request.get("outlines"))
    if len(outlines) > _MOST_OUTLINES:
        raise DataError(f"there are {len(outlines)} outlines; at most {_MOST_OUTLINES} are kept")
    # As they will be in the file: what is shown is what will come out.
    return tuple(replace(one, points=tuple((round(x, 2), round(y, 2)) for x, y in one.points)) for one in outlines)
