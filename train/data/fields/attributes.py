"""What people saw on each picture: the truth that the rules of the labels start from."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from toonfilter.runtime.errors import DataError
from toonfilter.train.data.fields.said import read_said

VALUES: Final[dict[str, tuple[str, ...]]] = {
    "glasses": ("none", "clear", "sun"),
    "facial_hair": ("none", "stubble", "moustache", "goatee", "beard"),
    "headwear": ("none", "hat", "scarf", "turban", "band", "helmet", "hood", "headphones"),
    "hair": ("bald", "short", "long", "tied", "covered"),
    "over": ("none", "hand", "mask", "mic", "other"),
    "bad": ("0", "1"),
}


@dataclass(frozen=True, slots=True)
class Attributes:
    """One picture; each field is one of VALUES. bad: "1" where the picture is of no use."""

    glasses: str = "none"
    facial_hair: str = "none"
    headwear: str = "none"
    hair: str = "short"
    over: str = "none"
    bad: str = "0"


def read_attributes(paths: Iterable[Path]) -> dict[str, Attributes]:
    """The attributes by picture file from CSV files with the columns index, file and those of `Attributes`.

    Raises:
        DataError: a column is missing, or a value is none of VALUES; the text names file and row.
    """
    found: dict[str, Attributes] = {}
    names = [entry.name for entry in fields(Attributes)]
    for path in paths:
        for place, row in read_said(path, ("file", *names)):
            values = {name: row[name] for name in names}
            for name, value in values.items():
                if value not in VALUES[name]:
                    raise DataError(f"{place}: {name} is {value!r}; must be one of {', '.join(VALUES[name])}")
            found[row["file"]] = Attributes(**values)
    return found
