"""Reads style files, and tells all that is wrong in one."""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import BundleError
from toonfilter.runtime.files.strict import Problem, parse
from toonfilter.runtime.files.toml_text import key_lines, mended_toml
from toonfilter.runtime.styles.style import Style
from toonfilter.runtime.styles.style_keys import out_of_range


class StyleFileError(BundleError):
    """All that is wrong in a style file, in the order of its lines. As a text: the first."""

    @property
    def mistakes(self) -> tuple[str, ...]:
        """A text each: file, line, key, value, and what is allowed."""
        return self.args

    def __str__(self) -> str:
        first, *others = self.mistakes
        return f"{first} (and {len(others)} more; `toonfilter styles check` lists all)" if others else first


def read_style(path: Path) -> Style:
    """The style of a TOML file; its name is the file's.

    Raises:
        BundleError: it cannot be read.
        StyleFileError: lines are no TOML, or keys or values are wrong (see `style_keys.KEYS`).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BundleError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} cannot be read as a style ({getattr(error, 'strerror', None) or error})") from error
    found = _style_in(text, path.stem)
    if isinstance(found, Style):
        return found
    raise StyleFileError(*(f"{path.name}: {mistake}" for mistake in found))


def _style_in(text: str, name: str) -> Style | list[str]:
    """The style of a TOML text, or all that is wrong in it, by line. name: where the text has none."""
    meant, wrong_lines = mended_toml(text)
    content = {"name": name, **tomllib.loads(meant)}
    problems = list(out_of_range(content))
    try:
        # Values out of range are told already; without them the rest can be looked at.
        style: Style = parse(Style, _without(content, {problem.key for problem in problems}))
        if not (problems or wrong_lines):
            return style
    except Problem as problem:
        problems += problem.each
    lines = key_lines(meant)
    told = [*wrong_lines.items(), *(_with_line(problem, lines) for problem in problems)]
    return [said for _, said in sorted(told, key=lambda one: one[0])]


def _with_line(problem: Problem, lines: Mapping[str, int]) -> tuple[int, str]:
    """The line of its key and its text; 0 where no line has it."""
    number = lines.get(problem.key.partition("[")[0], 0)
    return number, f"line {number}: {problem}" if number else str(problem)


def _without(content: Mapping[str, Any], keys: Collection[str], before: str = "") -> dict[str, Any]:
    """Tables without these keys, by dotted path. before: the path of `content`."""
    return {
        name: _without(value, keys, f"{before}{name}.") if isinstance(value, dict) else value
        for name, value in content.items()
        if before + name not in keys
    }
