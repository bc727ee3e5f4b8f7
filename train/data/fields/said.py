"""Lists of what people said of pictures: CSV files with a column `file`."""

import csv
import math
from collections.abc import Collection
from pathlib import Path

from toonfilter.runtime.errors import DataError


def read_said(path: Path, needed: Collection[str] = ("file",)) -> list[tuple[str, dict[str, str]]]:
    """The rows of a list, each with its place for messages: file and line. Values without blanks at their ends.

    Raises:
        DataError: it cannot be read, or a needed column is missing; the text names the file.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True, strict=True)
            missing = set(needed) - set(reader.fieldnames or ())
            if missing:
                raise DataError(f"{path}: no column {', '.join(sorted(missing))}; expected {', '.join(sorted(needed))}")
            return [
                (f"{path}, line {reader.line_num}", {name: (row[name] or "").strip() for name in row if name})
                for row in reader
            ]
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8 ({error})") from error


def number_in(limits: tuple[float, float], text: str, name: str, place: str) -> float:
    """The number that the text of a column is.

    Raises:
        DataError: it is none within the limits; the text names the place and the column.
    """
    low, high = limits
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise DataError(f"{place}: {name} is {text!r}; must be {low:g} to {high:g}")
    return value
