"""The command `fields export`."""

from pathlib import Path
from typing import Annotated

import typer

from toonfilter.runtime import terminal
from toonfilter.train.data.fields.commands import LabelsArgument
from toonfilter.train.data.fields.commands import app as app


@app.command("export")
def export(
    folder: LabelsArgument,
    run: Annotated[Path, typer.Argument(help="Folder of a run of `fields train`.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Writes fields.onnx and fields_int8.onnx here.")],
) -> None:
    """Write the trained network as ONNX, in fp32 and INT8, and say how far INT8 is from fp32."""
    from toonfilter.export.fields_files import export_run

    for line in export_run(folder, run, out):
        terminal.say(line)
