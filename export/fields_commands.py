"""The command `fields export`."""

from pathlib import Path
from typing import Annotated

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.train.fields_commands import LabelsArgument
from toonfilter.train.fields_commands import app as app


@app.command("export")
def export(
    folder: LabelsArgument,
    run: Annotated[Path, typer.Argument(help="Folder of a run of `fields train`.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="The bundle's folder.")],
    data: Annotated[str, typer.Option(help="What pictures, under which licences; for the bundle.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is there.")] = False,
) -> None:
    """Write the trained network as a bundle, in fp32 and INT8, and say how far INT8 is from fp32."""
    from toonfilter.export.fields_files import export_run

    done = export_run(folder, run, out, data=data, overwrite=overwrite)
    terminal.say(f"{out}: step {done.bundle.training.steps}")
    words = ", ".join(f"{name} {value:.2f}" for name, value in done.int8_differences.items())
    terminal.say(f"INT8 from fp32, mean difference in 8-bit levels: {words}")
