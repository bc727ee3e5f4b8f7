"""Photos and labels of many pictures as memory-mapped arrays: a sample costs no decoding."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.train.data.fields.attributes import Attributes

SIDE_PX: Final = 320
_SHAPES: Final[dict[str, tuple[tuple[int, ...], Any]]] = {
    "photo": ((SIDE_PX, SIDE_PX, 3), np.uint8),
    "foreground": ((SIDE_PX, SIDE_PX, 3), np.uint8),
    "background": ((SIDE_PX, SIDE_PX, 3), np.uint8),
    "hair_raw": ((SIDE_PX, SIDE_PX), np.uint8),
    "person_raw": ((SIDE_PX, SIDE_PX), np.uint8),
    "mesh": ((478, 3), np.float32),
    "labels": ((SIDE_PX, SIDE_PX, len(FIELDS)), np.uint8),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture. labelled: 0 nothing yet, 1 without attributes (person, hair, tone, ink hold), 2 all fields hold.

    corrected: somebody looked at the labels and corrected what was wrong.
    """

    file: str
    identity: str
    cluster: str
    source: str
    labelled: int = 0
    attributes: Attributes = field(default_factory=Attributes)
    corrected: bool = False


class LabelStore:
    """A folder of arrays, one row a picture, uint8 [N, 320, 320, ...] RGB and levels, and entries.json.

    foreground: the photo, the person's colours continued over its edge. background: the photo, the person filled in
    from around. mesh: float32 [N, 478, 3] px, NaN where no face was found.

    Raises:
        DataError: the folder holds no labels, or damaged ones.
    """

    def __init__(self, folder: Path, *, writable: bool = False) -> None:
        self.folder = folder
        path = folder / "entries.json"
        if not path.is_file():
            raise DataError(f"{folder} holds no entries.json; make the labels first")
        mode: Literal["r+", "r"] = "r+" if writable else "r"
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            self.entries = [Entry(**{**row, "attributes": Attributes(**row["attributes"])}) for row in rows]
            self._arrays = {name: np.load(folder / f"{name}.npy", mmap_mode=mode) for name in _SHAPES}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{folder}: cannot be read as labels ({error})") from error

    @classmethod
    def create(cls, folder: Path, entries: Sequence[Entry]) -> "LabelStore":
        """Make the arrays that are not there yet, and the list of entries."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, (shape, kind) in _SHAPES.items():
            path = folder / f"{name}.npy"
            if not path.is_file():
                made = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
                    path, "w+", kind, (len(entries), *shape)
                )
                if kind is np.float32:
                    made[:] = np.nan
        write_entries(folder, entries)
        return cls(folder, writable=True)

    def __getitem__(self, name: str) -> NDArray[Any]:
        array: NDArray[Any] = self._arrays[name]
        return array

    def __len__(self) -> int:
        return len(self.entries)


def write_entries(folder: Path, entries: Sequence[Entry]) -> None:
    """Write entries.json, whole.

    Raises:
        OutputError: the disk or the folder refuses; what lay there stays.
    """
    write_whole(folder / "entries.json", json.dumps([asdict(entry) for entry in entries], indent=0) + "\n")
