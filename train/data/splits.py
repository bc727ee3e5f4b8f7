"""Splitting by identity: no person is in both training and validation pictures."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.files.whole_files import write_whole

Split = Literal["train", "validation"]


def split_of(identity: str) -> Split:
    """Return the split of a person (or of a cluster of look-alikes): one identity in ten is for validation.

    Depends on the text alone, so that adding pictures moves nobody to the other side.
    """
    return "validation" if lot_of(identity) % 10 == 0 else "train"


def lot_of(name: str) -> int:
    """The lot of a name, 0 to 2^256 - 1: the same everywhere and always."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)


def read_identities(root: Path) -> dict[str, str]:
    """Return who is on each picture of a data folder, by name without suffix, from ROOT/identities.json.

    Empty where there is no such file: then every picture counts as a person of its own.

    Raises:
        DataError: the file is something else.
    """
    path = root / "identities.json"
    if not path.is_file():
        return {}
    try:
        return {str(name): str(identity) for name, identity in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: not a table of names and identities: {error!r}") from error


def write_identities(root: Path, identities: Mapping[str, str]) -> None:
    """Write ROOT/identities.json, whole."""
    write_whole(root / "identities.json", json.dumps(dict(identities), indent=0, sort_keys=True) + "\n")
