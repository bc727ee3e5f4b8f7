"""Files that are there whole or not at all, and never in the place of something that the user gave as input."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from toonfilter.runtime.errors import OutputError

_O_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_O_BINARY = getattr(os, "O_BINARY", 0)


def new_part(path: Path, *, is_private: bool = False) -> Path:
    """Create an empty file beside `path` under a name that nobody can guess, with the same suffix.

    It did not exist before, and is no link: nothing can be planted in its place. Its name is short, whatever the length
    of the target's. is_private: only this user may read it.

    Raises:
        OutputError: the folder is missing, full or may not be written into.
    """
    part = path.with_name(f".toonfilter-{secrets.token_hex(8)}.part{path.suffix}")
    try:
        os.close(
            os.open(
                part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _O_NOFOLLOW | _O_BINARY, 0o600 if is_private else 0o666
            )
        )
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    return part


@contextmanager
def replacing(path: Path, *, is_private: bool = False) -> Iterator[Path]:
    """A file to write into, which takes its place under `path` when the block ends, and vanishes when it raises.

    Raises:
        OutputError: see `new_part`, or the name is that of a folder.
    """
    part = new_part(path, is_private=is_private)
    try:
        yield part
        move_into_place(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """As `replacing`, for a folder; what lay there stays until the new one is in its place.

    Raises:
        OSError: the disk refuses.
    """
    token = secrets.token_hex(8)
    part, old = (folder.with_name(f".toonfilter-{token}.{kind}") for kind in ("partial", "old"))
    try:
        part.mkdir(parents=True)
        yield part
        if folder.exists():
            folder.rename(old)
        try:
            part.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)


def move_into_place(part: Path, path: Path) -> None:
    """Rename a whole file to its name.

    Raises:
        OutputError: the system refuses.
    """
    try:
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def write_whole(path: Path, content: str | bytes, *, is_private: bool = False) -> None:
    """Write a file in one go; its folder is made where it is missing. Text is UTF-8.

    Raises:
        OutputError: the disk or the folder refuses; what lay there stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, is_private=is_private) as part:
            part.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def check_outputs(outputs: Sequence[Path | None], inputs: Sequence[Path | None], *, overwrite: bool) -> None:
    """Refuse outputs before any work: nothing that was given to read is written, nor two things under one name.

    outputs, inputs: None stands for an option that was not used. Links and second names of a file count as the file.

    Raises:
        OutputError: an output is an input, or another output, a folder, or exists and `overwrite` was not asked for;
        or its folder is missing.
    """
    sources = [path for path in inputs if path is not None]
    targets = [path for path in outputs if path is not None]
    for number, target in enumerate(targets):
        for source in sources:
            if is_same_file(target, source):
                raise OutputError(
                    f"{target}: the same file as the input {source}, which is never overwritten; choose another name"
                )
        for other in targets[:number]:
            if is_same_file(target, other):
                raise OutputError(f"{target}: two outputs would have this name; choose another for one of them")
        if target.is_dir():
            raise OutputError(f"{target}: a folder; give a file name")
        if not target.absolute().parent.is_dir():
            raise OutputError(f"{target.parent}: no such folder")
        if os.path.lexists(target) and not overwrite:
            raise OutputError(f"{target}: exists already; add --overwrite to replace it")


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, over links, second names and different spellings; also one yet to be made."""
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()
