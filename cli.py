"""The toonfilter command: the packages' commands under one roof, and errors as one line and an exit status."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from toonfilter.benchmarks import commands as measuring
from toonfilter.benchmarks.quality import commands as quality
from toonfilter.benchmarks.studies import commands as studying
from toonfilter.export import commands as exporting
from toonfilter.export import fields_commands as fields
from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.doctor import commands as checking
from toonfilter.runtime.image import commands as pictures
from toonfilter.runtime.live import commands as live
from toonfilter.runtime.panel import commands as panel
from toonfilter.runtime.style_commands import commands as styles
from toonfilter.runtime.video import commands as videos
from toonfilter.train import commands as training
from toonfilter.train.data import commands as preparing

_EPILOG = (
    "Examples:  toonfilter cam  |  toonfilter video lecture.mp4  |  toonfilter image class.jpg  |  toonfilter doctor"
)

app = typer.Typer(
    name="toonfilter",
    help="Real-time cartoon video: keeps expression, head pose and gaze, never the face.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (live, panel, videos, pictures, checking):
    app.add_typer(room.app)
app.add_typer(styles.app, name="styles", rich_help_panel="Styles")
app.add_typer(pictures.models_app, name="models", rich_help_panel="Styles")
for room in (exporting, training, studying, quality, measuring):
    app.add_typer(room.app)
app.add_typer(preparing.app, name="prepare", rich_help_panel="Making styles")
app.add_typer(fields.app, name="fields", rich_help_panel="Making styles")
training.measure_with(quality.open_measurer)


@app.callback(invoke_without_command=True)
def toonfilter(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Real-time cartoon video: keeps expression, head pose and gaze, never the face."""
    if version:
        from toonfilter.runtime.platform.release import version_line

        terminal.say(version_line())
        raise typer.Exit


def main() -> None:
    """Run the command; errors become one line and exit status 1."""
    sys.exit(_status())


def _status() -> int:
    from toonfilter.runtime.command_line.config_file import load_defaults
    from toonfilter.runtime.errors import ToonfilterError, explained
    from toonfilter.runtime.platform.installation import import_conflict

    # Python processes that this one starts look for modules in their installation, not in the current folder.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    terminal.prepare_streams()
    if conflict := import_conflict():
        terminal.fail(conflict)
        return 1
    try:
        defaults = load_defaults(live.CAM_SETTINGS)
        return app(size_in_one_word(sys.argv[1:]), standalone_mode=False, default_map=defaults) or 0
    except ToonfilterError as error:
        terminal.fail(str(error))
    except typer.Abort:
        return 130
    except ModuleNotFoundError as error:
        terminal.fail(str(explained(error)))
    except Exception as error:
        if hasattr(error, "format_message"):
            return _wrong_usage(error)
        if os.environ.get("TOONFILTER_TRACEBACK"):
            raise
        terminal.fail(f"{type(error).__name__}: {error} (unexpected; TOONFILTER_TRACEBACK=1 shows where it happened)")
    return 1


def size_in_one_word(words: Sequence[str]) -> list[str]:
    """`--size 1280 720` as `--size 1280x720`."""
    found = list(words)
    for place in range(len(found) - 2):
        if found[place] == "--size" and found[place + 1].isdecimal() and found[place + 2].isdecimal():
            found[place + 1 : place + 3] = [f"{found[place + 1]}x{found[place + 2]}"]
    return found


def _wrong_usage(error: Any) -> int:
    """Typer's errors about arguments; it has its own copy of click's classes, or click itself, by version."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        context = getattr(error, "ctx", None)
        where = f"; see {context.command_path} --help" if context is not None else ""
        terminal.fail(error.format_message().replace("Value error, ", "").rstrip(".") + where)
    return int(error.exit_code)


if __name__ == "__main__":
    main()
