"""setuptools' build backend, and the commit that a wheel or source archive was made from in `commit.txt`."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  (the hooks that stay as they are)

_ROOT = Path(__file__).resolve().parent.parent
_NOTE = _ROOT / "commit.txt"


def build_wheel(*arguments: Any, **options: Any) -> str:
    """As setuptools does."""
    with _commit_written():
        return str(build_meta.build_wheel(*arguments, **options))


def build_sdist(*arguments: Any, **options: Any) -> str:
    """As setuptools does."""
    with _commit_written():
        return str(build_meta.build_sdist(*arguments, **options))


@contextmanager
def _commit_written() -> Iterator[None]:
    """In a clone the file is there only while building; an unpacked source archive has brought its own."""
    if not (_ROOT / ".git").exists():
        yield
        return
    _NOTE.write_text(_commit() + "\n", encoding="utf-8")
    try:
        yield
    finally:
        _NOTE.unlink(missing_ok=True)


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(_ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = " and changes" if git("status", "--porcelain", "--untracked-files=no") else ""
        return git("rev-parse", "--short=12", "HEAD") + changed
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
