"""What differs between the PyAV releases that are allowed (14 to 19)."""

from pathlib import Path
from typing import Any


def open_input(path: Path) -> Any:
    """`av.open` for reading; text in the file that is no UTF-8 does not fail it.

    Raises:
        av.FFmpegError, ValueError, OSError: as `av.open` does.
    """
    import av

    # From 19 on such bytes come back as surrogates and are written as they were; the option is gone.
    given = {"metadata_errors": "replace"} if _major() < 19 else {}
    return av.open(str(path), **given)


def _major() -> int:
    import av

    return int(av.__version__.partition(".")[0])
