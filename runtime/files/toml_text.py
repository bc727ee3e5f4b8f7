"""TOML that people write by hand: what is wrong is shown with its line, and where it is plain what to write instead."""

import re
import tomllib
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.files.strict import Problem

_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_NUMBER = re.compile(r"[+-]?(\d+[.,]\d*|[.,]\d+)")
_SHOWN = 80
"""Characters of a line that are shown. Raising it makes errors longer."""


def read_table(path: Path, *, may_lack: bool = False) -> dict[str, Any]:
    """The tables of a TOML file. may_lack: a file that is not there is empty.

    Raises:
        ConfigError: it cannot be read, or is none; see `toml_table`.
    """
    try:
        return toml_table(path.read_text(encoding="utf-8"))
    except OSError as error:
        if may_lack and isinstance(error, FileNotFoundError):
            return {}
        raise ConfigError(f"{path} cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} cannot be read ({error})") from error
    except Problem as problem:
        raise ConfigError(f"{path}: {problem}") from None


def toml_table(text: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        Problem: it is none; says which line, what it holds, and what to write.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said, lines = str(error), text.rstrip().split("\n")
    place = _LINE.search(said)
    number = int(place[1]) if place else len(lines)
    line = lines[min(number, len(lines)) - 1].strip()
    wanted = _written_right(line) or f"must be TOML: {said.partition(' (at ')[0]}"
    raise Problem(f"line {number} is {line[:_SHOWN]!r}; {wanted}")


def _written_right(line: str) -> str:
    """What to write for a value that TOML does not take; empty where that cannot be told."""
    if _is_toml(line):
        return ""
    key, _, value = (part.strip() for part in line.partition("#")[0].partition("="))
    if _NUMBER.fullmatch(value):
        return f"a number has a point with digits on both sides: write {key} = {float(value.replace(',', '.'))}"
    if value.lower() in ("true", "false"):
        return f"write {key} = {value.lower()}"
    if value[:1].isalpha() and '"' not in value:
        return f'a text stands in quotes: write {key} = "{value}"'
    return ""


def _is_toml(line: str) -> bool:
    """Whether the line is right by itself, and what is wrong lies elsewhere: the key stands there twice."""
    try:
        tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return False
    return True
