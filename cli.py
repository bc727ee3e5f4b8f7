"""The toonfilter command: the only place that prints and exits."""

import sys
from typing import Annotated

import typer

app = typer.Typer(
    name="toonfilter",
    help="Real-time cartoon video: keeps expression, head pose and gaze, never the face.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command; our errors become one line and exit status 1."""
    from toonfilter.runtime.errors import ToonfilterError

    try:
        app()
    except ToonfilterError as error:
        typer.secho(f"error: {error}", err=True, fg="red")
        sys.exit(1)
