"""The command `image`, and those about styles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.command_options import (
    OUTPUT,
    DrawingOptions,
    ExposureOption,
    JsonOption,
    OverwriteOption,
)
from toonfilter.runtime.command_line.option_groups import with_option_groups
from toonfilter.runtime.command_line.terminal import QuietOption, VerboseOption
from toonfilter.runtime.progress import Progress

if TYPE_CHECKING:
    from toonfilter.runtime.image.image_jobs import Converted

app = typer.Typer()
models_app = typer.Typer(help="Styles: list, show, verify.", no_args_is_help=True)
app.add_typer(models_app, name="models")


@app.command(
    rich_help_panel="Convert", epilog="Examples:  toonfilter image class.jpg  |  toonfilter image album/ -o cartoons/"
)
@with_option_groups
def image(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="Pictures, or folders of them.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A picture, or a folder for several; else NAME-cartoon beside the input.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    drawing: DrawingOptions,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,  # noqa: ARG001
    i_accept_exposure: ExposureOption = False,
    verbose: VerboseOption = False,  # noqa: ARG001
) -> None:
    """Draw the faces of still pictures, animations and scanned pages."""
    from toonfilter.runtime.image.image_jobs import convert_pictures, default_output, plan_pictures
    from toonfilter.runtime.image.still_images import StillFilter, StillSettings
    from toonfilter.runtime.privacy import LostPolicy

    plan = plan_pictures(inputs, output or default_output(inputs), overwrite=overwrite)
    if plan.left_out:
        names = ", ".join(path.name for path in plan.left_out[:3]) + (", ..." if len(plan.left_out) > 3 else "")
        terminal.note(f"left out, not pictures by their names: {terminal.count(len(plan.left_out), 'file')} ({names})")
    lost = LostPolicy("cover", confirmed=i_accept_exposure)
    still = StillFilter(
        StillSettings(style=drawing.to, engine=drawing.engine, rendering=drawing.rendering(), lost=lost)
    )
    drawing.tell_likeness()
    failed = 0
    with terminal.progress_shown("pictures") as show:
        for number, done in enumerate(convert_pictures(plan, still)):
            failed += done.error is not None
            _tell(done)
            show(Progress(number + 1, len(plan.pairs), "pictures"))
    still.close()
    if failed:
        terminal.fail(f"{failed} of {terminal.count(len(plan.pairs), 'picture')} failed")
        raise typer.Exit(1)


def _tell(done: "Converted") -> None:
    for text in done.notes:
        terminal.note(text)
    if done.error is not None:
        terminal.fail(str(done.error))
        return
    pages = f"{len(done.safe)} pictures, " if len(done.safe) > 1 else ""
    if done.covered is not None:
        terminal.say(f"{done.target}: {pages}{done.covered.reason}, so the whole picture is covered")
    else:
        drawn = max(one.faces_drawn for one in done.safe)
        covered = max(one.faces_covered for one in done.safe)
        more = f" drawn, {covered} more covered" if covered else ""
        terminal.say(f"{done.target}: {pages}{terminal.count(drawn, 'face')}{more}")


@models_app.command("list")
def models_list(json: JsonOption = False) -> None:
    """Every style that `--to` knows."""
    from toonfilter.runtime.bundle import known_bundles, open_bundle
    from toonfilter.runtime.errors import BundleError

    rows = []
    for name, folder in known_bundles().items():
        try:
            bundle = open_bundle(folder)
        except BundleError as error:
            rows.append((name, "-", "damaged", "-", str(error)))
            continue
        files = ", ".join(f"{entry.backend} {entry.precision}" for entry in bundle.files)
        rows.append((name, bundle.version, files, bundle.licence, bundle.description))
    columns = ("name", "version", "files", "licence", "description")
    if json:
        terminal.say_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        terminal.say_table(columns, rows)


@models_app.command("show")
def models_show(name: Annotated[str, typer.Argument(help="A style, or a bundle folder.")]) -> None:
    """What a bundle says of itself, as JSON."""
    from toonfilter.runtime.bundle import MANIFEST, find_bundle

    terminal.say((find_bundle(name).folder / MANIFEST).read_text(encoding="utf-8").rstrip())


@models_app.command("verify")
def models_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Styles or bundle folders; all when none is named.")] = None,
) -> None:
    """Check bundle.json and the sha256 of every file, then run each model once."""
    from toonfilter.runtime.backends import EngineOptions, open_translator
    from toonfilter.runtime.bundle import find_bundle, known_bundles
    from toonfilter.runtime.errors import ToonfilterError

    failed = False
    for name in names or list(known_bundles()):
        try:
            bundle = find_bundle(name)
            size = bundle.input.sizes[0]
            opened = open_translator(bundle, "auto", EngineOptions(size=size))
            opened.translator.warm_up(size)
            terminal.say(f"{name}: whole, {opened.translator.describe()}")
            opened.translator.close()
        except ToonfilterError as error:
            failed = True
            terminal.fail(str(error))
    if failed:
        raise typer.Exit(1)
