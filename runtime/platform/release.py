"""Which toonfilter this is: its version, and the commit it was made from."""

import subprocess
from pathlib import Path

import toonfilter

_ROOT = Path(__file__).resolve().parents[2]


def version_line() -> str:
    """For example `toonfilter 0.1.0 (commit 1234567890ab)`; without the commit where nothing knows it."""
    commit = commit_of(_ROOT)
    return f"toonfilter {toonfilter.__version__}" + (f" (commit {commit})" if commit else "")


def commit_of(root: Path) -> str | None:
    """Of an installed package (written when its wheel was made) or of a clone; None where neither can be told."""
    note = root / "commit.txt"
    if note.is_file():
        return note.read_text(encoding="utf-8").strip()
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
