"""Files dropped on the page: streamed to the disk, never larger than allowed, never under a name they chose."""

import secrets
import shutil
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from toonfilter.runtime.errors import ConfigError, OutputError
from toonfilter.runtime.files.file_kinds import VIDEOS_READ

_RESERVED = frozenset(("CON", "PRN", "AUX", "NUL", *(f"{kind}{n}" for kind in ("COM", "LPT") for n in range(1, 10))))
_FORBIDDEN = frozenset('<>:"/\\|?*')
_MOST_STEM = 80
"""Characters of a name that are kept. Raising it meets the limits of file systems."""


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """most_bytes: of one file. spare_bytes: what stays free on the disk. at_once: files at the same time."""

    most_bytes: int = 64_000_000_000
    spare_bytes: int = 1_000_000_000
    at_once: int = 2


class TooLargeError(ConfigError):
    """More than the limit, or than there is room for."""


def safe_name(text: str) -> str:
    """A plain file name that every system takes, of the name that the browser told; only kinds of videos.

    Raises:
        ConfigError: it is no video by its ending.
    """
    last = unicodedata.normalize("NFC", text).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(sign for sign in last if sign.isprintable() and sign not in _FORBIDDEN)
    suffix = Path(name).suffix.lower()
    if suffix not in VIDEOS_READ:
        raise ConfigError(f"{name[:60] or 'this file'}: no video; known kinds: {', '.join(VIDEOS_READ)}")
    stem = name[: -len(suffix)].strip(". ")[:_MOST_STEM].rstrip(". ") or "recording"
    return f"{'_' if stem.upper() in _RESERVED else ''}{stem}{suffix}"


class Inbox:
    """Takes files, each into a folder of its own with a name that nobody can guess."""

    def __init__(self, folder: Path, limits: UploadLimits | None = None) -> None:
        self._folder, self._limits = folder, limits or UploadLimits()
        self._at_work = 0

    def check(self, length: int) -> None:
        """
        Raises:
            TooLargeError: a file of so many bytes is not taken. ConfigError: too many at once.
        """
        limits = self._limits
        if length > limits.most_bytes:
            raise TooLargeError(
                f"the file has {length / 1e9:.1f} GB; at most {limits.most_bytes / 1e9:.1f} GB are taken"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free
        if length > free - limits.spare_bytes:
            raise TooLargeError(
                f"the file has {length / 1e6:.0f} MB, and only {free / 1e6:.0f} MB are free on this disk"
            )
        if self._at_work >= limits.at_once:
            raise ConfigError(f"{limits.at_once} files are being taken already; wait a moment")

    async def take(self, name: str, length: int, chunks: AsyncIterator[bytes]) -> Path:
        """The whole file, `length` bytes; nothing of it stays when this raises.

        Raises:
            TooLargeError: see `check`, or more came than was told. ConfigError: a wrong name, or too many at once.
            OutputError: the disk does not take it, or it broke off.
        """
        name = safe_name(name)
        self.check(length)
        folder = self._folder / secrets.token_hex(8)
        self._at_work += 1
        try:
            folder.mkdir()
            await self._write(folder / "part", length, chunks)
            return (folder / "part").rename(folder / name)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise OutputError(f"{name}: cannot be written ({error.strerror or error})") from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            self._at_work -= 1

    async def _write(self, path: Path, length: int, chunks: AsyncIterator[bytes]) -> None:
        written = 0
        with path.open("xb") as file:
            async for chunk in chunks:
                written += len(chunk)
                if written > length:
                    raise TooLargeError("more bytes came than the browser told")
                await run_in_threadpool(file.write, chunk)
        if written != length:
            raise OutputError(f"only {written} of {length} bytes came; try again")
