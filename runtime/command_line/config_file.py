"""`toonfilter.toml`: what the user wants `cam` to be like without saying it every time."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.files.strict import Problem, parse
from toonfilter.runtime.files.toml_text import read_table
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.platform.user_folders import config_file

Value = str | int | float | bool


def load_defaults(known: Mapping[str, type]) -> dict[str, dict[str, Value]]:
    """Defaults by command and parameter; empty where there is no file.

    known: what `cam` remembers, and of which kind it is.

    Raises:
        ConfigError: not readable, an unknown name, or a value of the wrong kind.
    """
    path = config_file()
    content = read_table(path, may_lack=True)
    if not content:
        return {}
    for name in content:
        if name != "cam":
            raise ConfigError(f"{path}: unknown table [{name}]; known: [cam]")
    found = content.get("cam", {})
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: cam is {found!r}; must be a table, [cam]")
    for name, value in found.items():
        _check(path, name, value, known)
    return {"cam": found}


def _check(path: Path, name: str, value: Any, known: Mapping[str, type]) -> None:
    kind = known.get(name)
    if kind is None:
        raise ConfigError(f"{path}: unknown setting cam.{name}; known: {', '.join(known)}")
    try:
        parse(kind, value, f"cam.{name}")
    except Problem as problem:
        raise ConfigError(f"{path}: {problem}") from None
    if name == "on_lost" and value == "pass":
        raise ConfigError(f"{path}: cam.on_lost is 'pass'; to be seen is asked for in every run, never remembered")


def save_cam(settings: Mapping[str, Value | None], known: Mapping[str, type]) -> Path:
    """Write the file anew with these settings; returns its place. None stands for no wish.

    known: see `load_defaults`.

    Raises:
        ConfigError: a setting that is not remembered. OutputError: the disk does not take it.
    """
    path = config_file()
    lines = ["# Written by toonfilter cam --save; the command line has the last word.", "[cam]"]
    for name, value in settings.items():
        if value is not None:
            _check(path, name, value, known)
            # Strings, numbers and truth values are written in TOML as in JSON.
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    write_whole(path, "\n".join(lines) + "\n")
    return path
