"""TOML that people write by hand: what is wrong is shown with its line, and where it is plain what to write instead."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import ConfigError

_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_NUMBER = re.compile(r"[+-]?(\d+[.,]\d*|[.,]\d+)")
_SHOWN = 80
"""Characters of a line that are shown. Raising it makes errors longer."""


def read_table(path: Path, *, may_lack: bool = False) -> dict[str, Any]:
    """The tables of a TOML file. may_lack: a file that is not there is empty.

    Raises:
        ConfigError: it cannot be read, or is no TOML; says which line, what it holds, and what to write.
    """
    try:
        meant, wrong = mended_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        if may_lack and isinstance(error, FileNotFoundError):
            return {}
        raise ConfigError(f"{path} cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} cannot be read ({error})") from error
    if wrong:
        raise ConfigError(f"{path}: {wrong[min(wrong)]}")
    return tomllib.loads(meant)


def mended_toml(text: str) -> tuple[str, dict[int, str]]:
    """The text as it was meant, and by line, from 1, that line, what it holds and what to write.

    Where it is not plain what was meant, reading ends there: the text is empty.
    """
    lines = text.split("\n")
    wrong: dict[int, str] = {}
    while True:
        try:
            tomllib.loads("\n".join(lines))
        except tomllib.TOMLDecodeError as error:
            said = str(error)
        else:
            return "\n".join(lines), wrong
        place = _LINE.search(said)
        number = int(place[1]) if place else len("\n".join(lines).rstrip().split("\n"))
        line = lines[number - 1].strip()
        why, meant = _meant(line)
        wanted = f"{why}write {meant}" if meant else f"must be TOML: {said.partition(' (at ')[0]}"
        wrong[number] = f"line {number} is {line[:_SHOWN]!r}; {wanted}"
        if not meant:
            return "", wrong
        lines[number - 1] = meant


def key_lines(text: str) -> dict[str, int]:
    """The line, from 1, on which each key or table begins, by its dotted path. text: TOML."""
    found: dict[str, int] = {}
    table, statement, first = "", "", 1
    for number, line in enumerate(text.split("\n"), 1):
        statement += line + "\n"
        try:
            content = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            # The value goes on in the next line.
            continue
        is_head = statement.lstrip().startswith("[")
        paths = list(_paths(content, "" if is_head else table))
        found |= {path: first for path in paths if path not in found}
        if is_head:
            table = f"{paths[-1]}."
        statement, first = "", number + 1
    return found


def _paths(content: Mapping[str, Any], before: str) -> Iterator[str]:
    """The dotted path of each key, tables before what is in them."""
    for name, value in content.items():
        yield before + name
        if isinstance(value, dict):
            yield from _paths(value, f"{before}{name}.")


def _meant(line: str) -> tuple[str, str]:
    """Why TOML does not take the value of a line, and what to write; both empty where that cannot be told."""
    key, _, value = (part.strip() for part in line.partition("#")[0].partition("="))
    why, meant = "", ""
    if _NUMBER.fullmatch(value):
        why = "a number has a point with digits on both sides: "
        meant = f"{key} = {float(value.replace(',', '.'))}"
    elif value.lower() in ("true", "false"):
        meant = f"{key} = {value.lower()}"
    elif value[:1].isalpha() and '"' not in value:
        why, meant = "a text stands in quotes: ", f'{key} = "{value}"'
    # A line that is right by itself is wrong for another reason: its key stands there twice.
    return (why, meant) if not _is_toml(line) and _is_toml(meant) else ("", "")


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True
