"""The commands `styles`."""

from pathlib import Path
from typing import Annotated

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.command_options import OUTPUT, JsonOption, OverwriteOption
from toonfilter.runtime.command_line.terminal import QuietOption

app = typer.Typer(help="Styles as files of rules: list, show, new, check, gallery.", no_args_is_help=True)
_COLUMNS = ("name", "drawn by", "whose", "description")


@app.command("list")
def styles_list(json: JsonOption = False) -> None:
    """Every style that `--to` knows, yours first."""
    from toonfilter.runtime.style_commands.style_files import style_rows

    rows = list(style_rows())
    if json:
        terminal.say_json([dict(zip(_COLUMNS, row, strict=True)) for row in rows])
    else:
        terminal.say_table(_COLUMNS, rows)


@app.command("show")
def styles_show(name: Annotated[str, typer.Argument(help="A style, or a style file.")]) -> None:
    """All values of a style as a style file, and what each of them does; and how far a face recogniser knows people."""
    from toonfilter.runtime.bundle import measured_identity
    from toonfilter.runtime.style_commands.style_files import identity_lines, style_of, style_text

    terminal.say(style_text(style_of(name)).rstrip())
    terminal.say("\n".join(identity_lines(name, measured_identity(name))))


@app.command("new", epilog="Example:  toonfilter styles new mine --from anime")
def styles_new(
    name: Annotated[str, typer.Argument(help="Its name, for --to.")],
    source: Annotated[str, typer.Option("--from", help="The style to start from.")] = "cartoon",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .toml file; else in your folder.", rich_help_panel=OUTPUT)
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Begin a style of your own: a file with every key, its default, its range, and what raising it does."""
    from toonfilter.runtime.style_commands.style_files import new_style

    path = new_style(name, source, output, overwrite=overwrite)
    terminal.say(f"{path}: a style like {source}; see it with: toonfilter cam --preview --to {output or name}")


@app.command("check")
def styles_check(files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Style files.")]) -> None:
    """Check style files; lists all mistakes: line, key, value and range. Exit status 1 when something is wrong."""
    from toonfilter.runtime.bundle import styled_bundle
    from toonfilter.runtime.errors import ToonfilterError
    from toonfilter.runtime.styles.style import Style
    from toonfilter.runtime.styles.style_keys import changed_keys
    from toonfilter.runtime.styles.style_reading import StyleFileError

    failed = False
    for path in files:
        try:
            style = styled_bundle(path).style or Style(path.stem)
        except StyleFileError as error:
            failed = True
            for mistake in error.mistakes:
                terminal.fail(mistake)
            continue
        except ToonfilterError as error:
            failed = True
            terminal.fail(str(error))
            continue
        count = len(list(changed_keys(style, Style(style.name))))
        terminal.say(f"{path}: whole; {terminal.count(count, 'key')} unlike cartoon")
    if failed:
        raise typer.Exit(1)


@app.command("gallery", epilog="Example:  toonfilter styles gallery class/*.jpg -o styles.html")
def styles_gallery(
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="Pictures with faces.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help=".html, .png, .jpg or .webp.", rich_help_panel=OUTPUT)
    ] = Path("styles.html"),
    to: Annotated[
        list[str] | None, typer.Option("--to", help="A style or style file; again for more. Else all.")
    ] = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,  # noqa: ARG001
) -> None:
    """Draw pictures in several styles side by side; the photos themselves are not shown."""
    from toonfilter.runtime.files.whole_files import check_outputs
    from toonfilter.runtime.style_commands.style_gallery import (
        check_gallery_target,
        draw_rows,
        gallery_styles,
        write_gallery,
    )

    check_gallery_target(output)
    check_outputs([output], list(pictures), overwrite=overwrite)
    styles = tuple(to) if to else gallery_styles()
    with terminal.progress_shown("pictures") as show:
        rows = draw_rows(pictures, styles, show)
    write_gallery(output, [Path(style).stem for style in styles], rows)
    terminal.say(f"{output}: {terminal.count(len(rows), 'picture')} in {terminal.count(len(styles), 'style')}")
