"""Votes on disk: one JSON line each, appended whole, never rewritten."""

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from toonfilter.runtime.errors import DataError

FILE_NAME = "votes.jsonl"


@dataclass(frozen=True, slots=True)
class Vote:
    """One choice. shown: the models in the order in which the page showed them. at: UTC, ISO 8601."""

    reviewer: str
    picture: str
    choice: str
    shown: tuple[str, ...]
    seconds: float
    at: str


class VoteStore:
    """The votes of a folder. Thread safe; several processes may append to one file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE_NAME
        self._lock = threading.Lock()
        if self._path.is_file() and self._path.stat().st_size and not self._path.read_bytes().endswith(b"\n"):
            # A crash cut the last line short; end it, so that the next vote starts on its own line.
            self._append(b"\n")
        self._votes = read_votes(folder)

    def add(self, vote: Vote) -> None:
        """Append one vote; it is on the disk when this returns.

        Raises:
            DataError: the disk does not take it.
        """
        with self._lock:
            self._append(json.dumps(asdict(vote), ensure_ascii=False).encode() + b"\n")
            self._votes.append(vote)

    def of(self, reviewer: str) -> dict[str, Vote]:
        """The reviewer's votes that count, by picture, in the order of their first casting."""
        with self._lock:
            return {vote.picture: vote for vote in self._votes if vote.reviewer == reviewer}

    def _append(self, line: bytes) -> None:
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                # One write in append mode: lines of several writers never mix.
                written = os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DataError(f"{self._path} cannot be written ({error.strerror}); the vote was not kept") from error
        if written != len(line):
            raise DataError(
                f"{self._path} took {written} of {len(line)} bytes; is the disk full? The vote was not kept"
            )


def read_votes(folder: Path) -> list[Vote]:
    """All votes in the order in which they were cast; lines that a crash cut short are left out."""
    path = folder / FILE_NAME
    if not path.is_file():
        return []
    votes = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            content = json.loads(line)
            votes.append(Vote(**{**content, "shown": tuple(content["shown"])}))
        except (json.JSONDecodeError, TypeError, KeyError):
            continue
    return votes


def counting_votes(votes: list[Vote]) -> list[Vote]:
    """The last vote of each reviewer for each picture."""
    return list({(vote.reviewer, vote.picture): vote for vote in votes}.values())
