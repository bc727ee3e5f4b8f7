"""The command's flags are frozen: a change here is a change for users, and goes into the changelog.

To write the list again: python tests/package/test_cli_flags.py
"""

from pathlib import Path
from typing import Any

import typer

from toonfilter.cli import app

LISTING = Path(__file__).with_name("cli_flags.txt")


def flags() -> list[str]:
    """One line for each command: its name, arguments in capitals, options."""
    lines: list[str] = []

    def visit(command: Any, words: list[str]) -> None:
        for name, child in getattr(command, "commands", {}).items():
            visit(child, [*words, name])
        if not getattr(command, "commands", {}):
            named = [
                # Of several, the first is the word in use; old ones still work.
                next((name for name in parameter.opts if name.startswith("--")), parameter.name.upper())
                for parameter in command.params
                if "--help" not in parameter.opts
            ]
            lines.append(" ".join([*words, *named]))

    visit(typer.main.get_command(app), [])
    return sorted(lines)


def test_flags_are_those_of_the_listing() -> None:
    assert flags() == LISTING.read_text(encoding="utf-8").splitlines()


def test_every_command_and_option_says_what_it_does() -> None:
    def visit(command: Any, words: str) -> None:
        assert command.help, words
        for parameter in command.params:
            assert not parameter.opts[0].startswith("-") or parameter.help, f"{words} {parameter.opts}"
        for name, child in getattr(command, "commands", {}).items():
            visit(child, f"{words} {name}")

    visit(typer.main.get_command(app), "toonfilter")


if __name__ == "__main__":
    LISTING.write_text("\n".join(flags()) + "\n", encoding="utf-8")
