"""The command `image`, and those about styles."""

from pathlib import Path
from typing import Annotated

import typer

from toonfilter.runtime import terminal
from toonfilter.runtime.command_options import (
    BackgroundOption,
    EngineOption,
    ExtentOption,
    OverwriteOption,
    RegionOption,
    StyleOption,
    render_options,
)

app = typer.Typer()
models_app = typer.Typer(help="Styles: list, show, verify.", no_args_is_help=True)
app.add_typer(models_app, name="models")


@app.command(rich_help_panel="Convert")
def image(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="Pictures, or a folder of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A picture, or a folder for several.")],
    to: StyleOption = "cartoon",
    engine: EngineOption = "auto",
    extent: ExtentOption = "whole",
    background: BackgroundOption = "drawn",
    region: RegionOption = "head",
    overwrite: OverwriteOption = False,
) -> None:
    """Draw the faces of still pictures."""
    from toonfilter.runtime.frames import PrivacyState
    from toonfilter.runtime.still_images import StillFilter, StillSettings, convert_pictures, plan_pictures

    pairs = plan_pictures(inputs, output, overwrite=overwrite)
    still = StillFilter(StillSettings(style=to, engine=engine, rendering=render_options(extent, background, region)))
    failed = 0
    for done in convert_pictures(pairs, still):
        if done.safe is None:
            failed += 1
            typer.secho(f"error: {done.error}", err=True, fg="red")
        elif done.safe.state is PrivacyState.COVERED:
            terminal.say(f"{done.target}: {done.safe.reason}, so the whole picture is pixelated")
        else:
            terminal.say(f"{done.target}: {terminal.count(done.safe.faces_covered, 'face')}")
    still.close()
    if failed:
        terminal.fail(f"{failed} of {terminal.count(len(pairs), 'picture')} failed")
        raise typer.Exit(1)


@models_app.command("list")
def models_list() -> None:
    """Every style that `--to` knows."""
    from rich.table import Table

    from toonfilter.runtime.bundle import known_bundles, load_bundle
    from toonfilter.runtime.errors import BundleError

    table = Table("name", "version", "files", "licence", "description")
    for name, folder in known_bundles().items():
        try:
            bundle = load_bundle(folder)
        except BundleError as error:
            table.add_row(name, "-", "damaged", "-", str(error))
            continue
        files = ", ".join(f"{entry.backend} {entry.precision}" for entry in bundle.files)
        table.add_row(name, bundle.version, files, bundle.licence, bundle.description)
    terminal.output_console().print(table)


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
