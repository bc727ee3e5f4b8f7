"""What commands print: plain lines that every terminal, pipe and log can take.

Texts may hold names and descriptions of strangers: control characters are shown as escapes, never sent, and nothing is
read as markup. Colours only where somebody watches and `NO_COLOR` is not set (https://no-color.org).
"""

import os
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from typing import IO, Annotated, Any

import typer

from toonfilter.runtime.progress import Progress, ShowProgress

_WIDE = 200
"""Characters across of a table that nobody watches. Raising it makes lines of files longer."""
LINE_EVERY_S = 10.0
"""Without a terminal, progress is a line as often as this."""

_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Loudness(IntEnum):
    """QUIET: results and errors only. NORMAL: notes and progress too. VERBOSE: also what was tried and why."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


_loudness = Loudness.NORMAL


def _set_quiet(value: bool) -> bool:
    global _loudness
    _loudness = Loudness.QUIET if value else _loudness
    return value


def _set_verbose(value: bool) -> bool:
    global _loudness
    _loudness = Loudness.VERBOSE if value else _loudness
    return value


QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", callback=_set_quiet, help="Results and errors only.", show_default=False)
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", callback=_set_verbose, help="Also what was tried, and why.")
]


def prepare_streams() -> None:
    """Make printing safe: a character that the console's encoding lacks becomes an escape instead of an error."""
    global _loudness
    _loudness = Loudness.NORMAL
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """The text with control and formatting characters as visible escapes; line breaks and tabs stay.

    What would move the cursor, recolour the terminal, set its title or turn the reading direction is shown instead.
    """
    return "".join(
        character
        if character in "\n\t" or not _is_control(character)
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def _is_control(character: str) -> bool:
    # Joiners are part of words in many scripts; what turns the reading direction can make a name look like another.
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTIONS


def one_line(text: str) -> str:
    """As `printable`, with line breaks as spaces."""
    return " ".join(printable(text).split())


def has_colours(stream: IO[str]) -> bool:
    """Whether colours may be sent: a terminal, and the user did not switch them off."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def say(text: str, *, mark: str = "", colour: str = "") -> None:
    """A result, on standard output. mark: comes first, in the colour where there are colours."""
    # The terminal may be gone: what was done counts all the same.
    with suppress(OSError):
        shown = typer.style(mark, fg=colour) if mark and has_colours(sys.stdout) else mark
        typer.echo(shown + printable(text), color=has_colours(sys.stdout))


def say_json(content: Any) -> None:
    """A result for other programs, on standard output; nothing but ASCII."""
    import json

    with suppress(OSError):
        typer.echo(json.dumps(content, indent=1))


def note(text: str) -> None:
    """Something that the user should know, on standard error."""
    if _loudness > Loudness.QUIET:
        _coloured(f"note: {text}", "yellow")


def detail(text: str) -> None:
    """What only `--verbose` shows, on standard error."""
    if _loudness is Loudness.VERBOSE:
        _coloured(text, None)


def status(text: str) -> None:
    """A step of the work, on standard error."""
    if _loudness > Loudness.QUIET:
        _coloured(text, None)


def fail(text: str) -> None:
    """An error, on standard error; ending is the caller's."""
    _coloured(f"error: {text}", "red")


def _coloured(text: str, colour: str | None) -> None:
    with suppress(OSError):
        typer.secho(one_line(text), err=True, fg=colour, color=has_colours(sys.stderr))


def count(number: int, noun: str) -> str:
    """`1 face`, `2 faces`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def clock_time(seconds: float) -> str:
    """`h:mm:ss`."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


@contextmanager
def progress_shown(first_words: str) -> Iterator[ShowProgress]:
    """Show a job's progress: a bar on a terminal, else a plain line every ten seconds; nothing when quiet."""
    if _loudness is Loudness.QUIET:
        yield lambda progress: None  # noqa: ARG005
    elif sys.stderr.isatty():
        with _bar(first_words) as show:
            yield show
    else:
        yield _Lines()


@contextmanager
def _bar(first_words: str) -> Iterator[ShowProgress]:
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar

    # Names of files are data, not markup.
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=error_console(), transient=True) as bar:
        task = bar.add_task(first_words, total=None)

        def show(progress: Progress) -> None:
            bar.update(task, total=progress.total, completed=progress.done, description=_words(progress))

        yield show


class _Lines:
    """Progress for pipes and logs."""

    def __init__(self) -> None:
        self._next_s = time.monotonic() + LINE_EVERY_S

    def __call__(self, progress: Progress) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + LINE_EVERY_S
            status(_words(progress))


def _words(progress: Progress) -> str:
    rate = f", {progress.fps:.1f} fps" if progress.fps else ""
    left = "" if progress.left_s is None else f", {clock_time(progress.left_s)} left"
    return one_line(f"{progress.done} of {progress.total} {progress.words}{rate}{left}")


def error_console() -> Any:
    """Rich on standard error: no markup in data, colours only where `has_colours`."""
    return _console(sys.stderr)


def output_console(width: int | None = None) -> Any:
    """Rich on standard output, for tables; see `error_console`."""
    return _console(sys.stdout, width)


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output; as wide as it needs where nobody watches."""
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*(one_line(cell) for cell in row))
    with suppress(OSError):
        output_console(None if sys.stdout.isatty() else _WIDE).print(table)


def _console(stream: IO[str], width: int | None = None) -> Any:
    from rich.console import Console

    return Console(
        file=stream, width=width, markup=False, highlight=False, emoji=False, no_color=not has_colours(stream) or None
    )
