"""From a generator to a bundle that the runtime takes: files, parity gate, report, then bundle.json."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from toonfilter.export.crops import FaceCrops, load_crops
from toonfilter.export.installed import staged_folder
from toonfilter.export.onnx_export import OPSET, ExportError, export_graph, picture_graph, save_model
from toonfilter.export.parity import Comparison, Draw, check_parity, compare, model_reference, torch_reference
from toonfilter.export.precision import to_fp16, to_int8
from toonfilter.export.report import write_report
from toonfilter.export.source import ExportSource
from toonfilter.runtime.bundle import (
    Bundle,
    InputSpec,
    ModelFile,
    OutputSpec,
    Parity,
    Precision,
    is_shipped,
    sha256_of,
    write_bundle,
)
from toonfilter.runtime.errors import ConfigError, OutputError
from toonfilter.runtime.geometry.warp import FaceWarp
from toonfilter.runtime.platform.user_folders import models_folder

if TYPE_CHECKING:
    from onnx import ModelProto

_CALIBRATION_CROPS = 32
_OVERFLOW_CROPS = 4
# Convolutions at the end that stay fp32, tried in this order until the file is close enough to PyTorch. (None at all
# only where the answer is added to the photo.)
_INT8_LAST_IN_FP32 = (0, 1, 3, 6)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """What to write and where.

    name: what `--to` will find; None takes the source's. precisions: besides fp32, which is always written. sizes:
    None takes those the generator was made for. crops: pairs folder or photographs; None takes one portrait that
    scikit-image carries. output: a folder for the bundle; None installs it for this user.
    """

    name: str | None = None
    precisions: tuple[Precision, ...] = ()
    sizes: tuple[int, ...] | None = None
    crops: Path | None = None
    output: Path | None = None
    overwrite: bool = False
    licence: str | None = None
    description: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class ExportedBundle:
    """Where the bundle lies, what it says, and the report beside it."""

    folder: Path
    bundle: Bundle
    report: Path
    crops: str
    engines: tuple[Path, ...] = field(default=())


def export_bundle(source: ExportSource, options: BundleOptions, progress: Progress | None = None) -> ExportedBundle:
    """Export, convert, compare with PyTorch, and put the bundle in its place; all or nothing.

    Raises:
        ExportError: the generator cannot be exported, or a file differs from PyTorch by more than its tolerance.
        OutputError: the place is taken, or cannot be written.
        ConfigError: sizes the generator does not take, or a package is missing.
        DataError: no face crops.
    """
    progress = progress or (lambda _: None)
    is_named, options = options.name is not None, _filled(source, options)
    name, sizes = options.name or source.name, options.sizes or source.spec.sizes_px
    if options.output is None and not is_named and is_shipped(name):
        raise OutputError(
            f"{name} ships with toonfilter and is found by that name; give --name to install yours beside it, or "
            f"--name {name} to use yours instead"
        )
    target = options.output or models_folder() / name
    with staged_folder(target, overwrite=options.overwrite) as staging:
        progress("taking real face crops")
        crops = _crops(source, options, sizes)
        progress("exporting fp32")
        models, reference = _fp32_models(source, options, sizes)
        parities: list[Parity] = []
        comparisons: dict[str, Comparison] = {}
        files: list[ModelFile] = []
        work = _Work(staging, name, crops, sizes, reference)
        for precision in ("fp32", *options.precisions):
            for size, model in models.items():
                progress(f"writing and comparing {precision}" + (f" at {size}" if size else ""))
                entry, comparison = work.passed(model, precision, size)
                files.append(entry)
                parities.append(comparison.as_parity(entry.path))
                comparisons[entry.path] = comparison
        bundle = _bundle(source, options, name, sizes, files, parities)
        write_report(staging, f"{name} {bundle.version}: parity with PyTorch", comparisons, parities)
        write_bundle(bundle, staging)
    return ExportedBundle(target, replace(bundle, folder=target), target / "parity.html", crops.source)


@dataclass(frozen=True, slots=True)
class _Work:
    """What every file of a bundle is made and judged with."""

    folder: Path
    name: str
    crops: FaceCrops
    sizes: tuple[int, ...]
    reference: Draw

    def passed(self, model: "ModelProto", precision: Precision, size: int | None) -> tuple[ModelFile, Comparison]:
        """The file and its comparison, within its tolerance.

        Raises:
            ExportError: no way of making it comes close enough to PyTorch.
        """
        sizes = [size] if size else self.sizes
        ways = _INT8_LAST_IN_FP32 if precision == "int8" else (0,)
        for way in ways:
            converted = _converted(model, precision, self.crops, min(sizes), way)
            entry = _written(self.folder, self.name, precision, size, converted)
            comparison = compare(self.reference, model_reference(self.folder / entry.path), self.crops, sizes)
            try:
                check_parity(comparison.as_parity(entry.path), precision)
            except ExportError:
                if way == ways[-1]:
                    raise
            else:
                return entry, comparison
        raise ExportError(f"{self.name}: no {precision} file was made")


def _filled(source: ExportSource, options: BundleOptions) -> BundleOptions:
    precisions = tuple(dict.fromkeys(p for p in options.precisions if p != "fp32"))
    licence = options.licence or source.licence
    if not licence:
        raise ConfigError("the model's licence is not known; say it with --licence, for instance --licence MIT")
    return replace(options, precisions=precisions, licence=licence)


def _crops(source: ExportSource, options: BundleOptions, sizes: tuple[int, ...]) -> FaceCrops:
    warp = FaceWarp.from_dict(dict(source.warp)) if source.warp else None
    count = _CALIBRATION_CROPS if "int8" in options.precisions else 8
    return load_crops(
        options.crops,
        with_guidance=source.spec.guidance_channels > 0,
        warp=warp,
        pictures="cartoon" if source.domain == "drawing" else "photo",
        size=min(sizes),
        count=count,
    )


def _fp32_models(
    source: ExportSource, options: BundleOptions, sizes: tuple[int, ...]
) -> "tuple[dict[int | None, ModelProto], Draw]":
    """The fp32 models by size, and what they are compared with."""
    if source.network is None:
        models = source.fp32_models(sizes)
        if len(models) == 1:
            return models, model_reference(next(iter(models.values())))
        references = {size: model_reference(model) for size, model in models.items()}
        return models, lambda feeds: references[feeds["image"].shape[1]](feeds)
    graph = picture_graph(source.network, source.spec)
    metadata = {
        "toonfilter.name": options.name or source.name,
        "toonfilter.version": options.version or source.version,
        "toonfilter.licence": options.licence or "",
        "toonfilter.checkpoint_sha256": source.checkpoint_sha256,
        "toonfilter.recipe": source.training.recipe,
        "toonfilter.commit": source.training.commit,
    }
    return export_graph(graph, source.spec, sizes, metadata), torch_reference(graph)


def _converted(
    model: "ModelProto", precision: Precision, crops: FaceCrops, size: int, last_in_fp32: int
) -> "ModelProto":
    match precision:
        case "fp32":
            return model
        case "fp16":
            return to_fp16(model, crops.feeds(size, _OVERFLOW_CROPS))
        case "int8":
            return to_int8(model, crops.feeds(size, _CALIBRATION_CROPS), last_in_fp32=last_in_fp32)
    raise ExportError(f"unknown precision {precision!r}; known: fp32, fp16, int8")


def _written(folder: Path, name: str, precision: Precision, size: int | None, model: "ModelProto") -> ModelFile:
    file_name = f"{name}_{precision}" + (f"_{size}" if size else "") + ".onnx"
    save_model(model, folder / file_name)
    opset = next((entry.version for entry in model.opset_import if entry.domain == ""), OPSET)
    return ModelFile("onnx", precision, file_name, sha256_of(folder / file_name), opset, size)


def _bundle(
    source: ExportSource,
    options: BundleOptions,
    name: str,
    sizes: tuple[int, ...],
    files: list[ModelFile],
    parities: list[Parity],
) -> Bundle:
    return Bundle(
        name=name,
        version=options.version or source.version,
        licence=options.licence or "",
        description=options.description or source.description,
        training=source.training,
        input=InputSpec(list(sizes), source.spec.guidance_channels, source.domain),
        output=OutputSpec(source.spec.out_channels),
        files=files,
        warp=dict(source.warp),
        parity=parities,
        scores=dict(source.scores),
    )
