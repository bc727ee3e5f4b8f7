"""Options declared once: what Typer sees of a group, and what the command gets."""

from dataclasses import dataclass
from typing import Annotated, get_args

import typer
from typer.testing import CliRunner

from toonfilter.cli import app
from toonfilter.runtime.backends import ENGINES
from toonfilter.runtime.command_line import command_options
from toonfilter.runtime.command_line.option_groups import option_kinds, with_option_groups
from toonfilter.runtime.render import blending, drawing


@dataclass(frozen=True, slots=True)
class Pens:
    width: Annotated[float, typer.Option("--wide", help="Of lines.")] = 2.0
    ink: Annotated[str, typer.Option(help="Its colour.")] = "black"


def test_a_group_is_options_outside_and_one_object_inside() -> None:
    got: list[object] = []
    small = typer.Typer()

    @small.command()
    @with_option_groups
    def draw(name: str, *, pens: Pens, loud: bool = False) -> None:
        """Draw."""
        got.extend([name, pens, loud])

    done = CliRunner().invoke(small, ["cat", "--wide", "3.5", "--loud"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert got == ["cat", Pens(3.5), True]
    assert CliRunner().invoke(small, ["cat", "--width", "3.5"]).exit_code == 2
    assert option_kinds(Pens) == {"width": float, "ink": str}


def test_what_commands_share_is_the_same_everywhere() -> None:
    commands = typer.main.get_command(app).commands
    seen: dict[str, tuple[object, ...]] = {}
    for command in ("cam", "video", "image", "batch"):
        for one in commands[command].params:
            # Where the result goes, and what of it may be there already, differs.
            if one.param_type_name == "option" and one.name not in ("output", "overwrite"):
                declared = (one.opts, one.default, one.help, one.rich_help_panel)
                assert seen.setdefault(one.name, declared) == declared, f"{command} {one.opts}"
    assert {"to", "likeness", "codec", "on_lost"} <= set(seen)


def test_words_of_options_are_those_of_the_code() -> None:
    """Stated once more for the command line, which must not load the renderer to print its help."""
    assert get_args(command_options.Extent) == get_args(drawing.Extent)
    assert get_args(command_options.Region) == get_args(blending.Region)
    assert {*get_args(command_options.Engine)} - {"auto"} <= {*ENGINES}
