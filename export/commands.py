"""The command `export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.command_options import OverwriteOption
from toonfilter.runtime.command_line.option_groups import with_option_groups

if TYPE_CHECKING:
    from toonfilter.export.command import ExportRequest
    from toonfilter.runtime.bundle import Precision

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class ExportArguments:
    """What the model is called, which files it gets, and where it goes."""

    name: Annotated[str | None, typer.Option(help="What --to will find it by; the run's name otherwise.")] = None
    fp16: Annotated[bool, typer.Option("--fp16", help="Also an FP16 file, which TensorRT needs.")] = False
    int8: Annotated[bool, typer.Option("--int8", help="Also an INT8 file, the fastest on CPUs.")] = False
    sizes: Annotated[str | None, typer.Option(help="Crop sizes, for instance 256,384,512.")] = None
    engine: Annotated[str | None, typer.Option(help="tensorrt: also build this GPU's engines.")] = None
    crops: Annotated[Path | None, typer.Option(help="Pairs folder or photographs to compare and calibrate on.")] = None
    head: Annotated[str, typer.Option(help="Another network of the method, for instance back.")] = ""
    licence: Annotated[str | None, typer.Option(help="Licence of the model, for instance MIT.")] = None
    description: Annotated[str | None, typer.Option(help="One line about the style.")] = None
    version: Annotated[str | None, typer.Option(help="Version of the model.")] = None
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for it, instead of installing.")] = None
    overwrite: OverwriteOption = False

    def request(self, source: Path | None) -> "ExportRequest":
        """source: see `ExportRequest`."""
        from toonfilter.export.bundle_export import BundleOptions
        from toonfilter.export.command import ExportRequest, parse_sizes

        asked: dict[Precision, bool] = {"fp16": self.fp16, "int8": self.int8}
        bundle = BundleOptions(
            name=self.name,
            precisions=tuple(precision for precision, is_asked in asked.items() if is_asked),
            sizes=parse_sizes(self.sizes) if self.sizes else None,
            crops=self.crops,
            output=self.output,
            overwrite=self.overwrite,
            licence=self.licence,
            description=self.description,
            version=self.version,
        )
        return ExportRequest(source, self.head, self.engine, bundle)


@app.command(rich_help_panel="Making styles")
@with_option_groups
def export(
    source: Annotated[
        Path | None, typer.Argument(help="Checkpoint, run folder or bundle; without it the newest run.")
    ] = None,
    *,
    made: ExportArguments,
    list_models: Annotated[bool, typer.Option("--list", help="List the models that --to finds.")] = False,
    remove: Annotated[str | None, typer.Option(help="Delete a model that you installed.")] = None,
    install: Annotated[bool, typer.Option("--install", help="Install the bundle SOURCE as it is.")] = False,
) -> None:
    """Turn a trained generator into a model that the filter runs: ONNX files checked against PyTorch, and engines."""
    from toonfilter.export.installed import install_bundle, installed_models, remove_model

    if list_models:
        for model in installed_models():
            owner = "yours" if model.is_users else "ships"
            about = model.problem or f"{', '.join(model.precisions)}; {', '.join(map(str, model.sizes))} px"
            terminal.say(f"{model.name:20} {owner:6} {model.size_mb:7.1f} MB  {about}")
        return
    if remove is not None:
        terminal.say(f"removed {remove_model(remove)}")
        return
    if install:
        if source is None:
            raise typer.BadParameter("--install needs the bundle folder: toonfilter export FOLDER --install")
        terminal.say(f"installed {install_bundle(source, name=made.name, overwrite=made.overwrite)}")
        return
    from toonfilter.export.command import export_model

    exported = export_model(made.request(source), lambda text: terminal.status(f"  {text}"))
    terminal.say(f"compared with PyTorch on faces of: {exported.crops}")
    for parity in exported.bundle.parity:
        errors = f"mean {parity.mean_abs_error:.3f}, max {parity.max_abs_error:g} levels, {parity.psnr_db:.1f} dB"
        terminal.say(f"  {parity.path:32} {errors}")
    for engine_path in exported.engines:
        terminal.say(f"  {engine_path}")
    terminal.say(f"report: {exported.report}")
    use = exported.folder if made.output else exported.bundle.name
    terminal.say(f"written: {exported.folder}; use it with --to {use}")
