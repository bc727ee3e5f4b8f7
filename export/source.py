"""What is exported: a checkpoint, a run folder, or a bundle, with everything bundle.json must say about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from toonfilter.runtime.bundle import MANIFEST, Bundle, Training, find_bundle, known_bundles, load_bundle
from toonfilter.runtime.errors import BundleError
from toonfilter.train.systems import ExportSpec

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A generator and its papers.

    network: in training's weights, or None where only the bundle's fp32 files exist. crops: folder of the pictures it
    was trained on. geometry: what `Exaggeration` takes, or empty for true proportions.
    """

    name: str
    spec: ExportSpec
    training: Training
    network: "nn.Module | None" = None
    bundle: Bundle | None = None
    checkpoint_sha256: str = ""
    licence: str = ""
    description: str = ""
    version: str = "1.0.0"
    crops: Path | None = None
    geometry: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)

    def fp32_models(self, sizes: tuple[int, ...]) -> "dict[int | None, ModelProto]":
        """The bundle's fp32 models: under None the one that takes every size, else by size.

        Raises:
            BundleError: a size has no fp32 file.
        """
        import onnx

        if self.bundle is None:
            raise BundleError(f"{self.name} is no bundle; it has no model files")
        entries = {entry.size: entry for entry in (self.bundle.file_for("fp32", size) for size in sizes)}
        return {size: onnx.load(self.bundle.path_of(entry)) for size, entry in entries.items()}


def bundle_source(folder: Path) -> ExportSource:
    """A bundle as a source for further files: its fp32 files take PyTorch's place.

    Raises:
        BundleError: it is not whole.
    """
    bundle = load_bundle(folder)
    spec = ExportSpec(
        network="",
        guidance_channels=bundle.input.guidance_channels,
        out_channels=bundle.output.channels,
        sizes_px=tuple(bundle.input.sizes),
    )
    return ExportSource(
        name=bundle.name,
        spec=spec,
        training=bundle.training,
        bundle=bundle,
        licence=bundle.licence,
        description=bundle.description,
        version=bundle.version,
        geometry=bundle.geometry,
        scores=bundle.scores,
    )


def is_bundle_folder(path: Path) -> bool:
    """Whether the folder has a bundle.json."""
    return (path / MANIFEST).is_file()


def renamed(source: ExportSource, name: str) -> ExportSource:
    """The same source under another name."""
    return replace(source, name=name)


def open_source(path: Path | None, runs: Path = Path("runs"), head: str | None = None) -> ExportSource:
    """A checkpoint file, a run folder or a bundle; without a path the newest run below `runs`, else the bundle that ships.

    head: another of the method's exportable networks by name (the way back of a cycle).

    Raises:
        BundleError: the path is none of these, or there is nothing to export.
        TrainingError, ConfigError: the checkpoint cannot be read, or its method has nothing to export.
    """
    if path is None:
        newest = newest_run(runs)
        if newest is not None:
            return checkpoint_source(newest, head)
        return bundle_source(find_bundle("cartoon").folder)
    if is_bundle_folder(path):
        return bundle_source(path)
    if path.exists():
        return checkpoint_source(path, head)
    if str(path) in known_bundles():
        return bundle_source(find_bundle(str(path)).folder)
    raise BundleError(f"{path} does not exist; give a checkpoint, a run folder or a bundle")
