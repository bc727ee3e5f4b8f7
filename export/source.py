"""What is exported: a checkpoint, a run folder, or a bundle, with everything bundle.json must say about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from toonfilter.runtime.bundle import (
    MANIFEST,
    Bundle,
    Domain,
    Training,
    find_bundle,
    known_bundles,
    load_bundle,
    sha256_of,
)
from toonfilter.runtime.errors import BundleError
from toonfilter.runtime.geometry.warp import FaceWarp
from toonfilter.train.checkpoint import BEST, EPOCHS
from toonfilter.train.systems import ExportSpec

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

    from toonfilter.train.checkpoint import Checkpoint

_RUNS = Path("runs")


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A generator and its papers.

    network: in training's weights, or None where only the bundle's fp32 files exist. warp: what
    `FaceWarp` takes, or empty for true proportions. domain: see `InputSpec`.
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
    warp: Mapping[str, float] = field(default_factory=dict)
    domain: Domain = "photo"
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
        warp=bundle.warp,
        domain=bundle.input.domain,
        scores=bundle.scores,
    )


def is_bundle_folder(path: Path) -> bool:
    """Whether the folder has a bundle.json."""
    return (path / MANIFEST).is_file()


def newest_run(runs: Path) -> Path | None:
    """The run folder whose checkpoint was written last, or None."""
    manifests = sorted(runs.glob("*/checkpoints/step-*/checkpoint.json"), key=lambda path: path.stat().st_mtime)
    return manifests[-1].parents[2] if manifests else None


def checkpoint_source(path: Path, head: str = "", crops: Path | None = None) -> ExportSource:
    """The generator of a run or checkpoint, with its averaged weights where there are some.

    crops: the pairs it was trained on; they say the proportions too. Without them the checkpoint says what its pairs
    had; where it says nothing, a generator with guidance gets the default warp, any other none.

    Raises:
        TrainingError: no checkpoint here, a damaged one, or a method without an exportable generator.
        ConfigError: the train extra is not installed.
    """
    from toonfilter.train.checkpoint import load_generator

    network, spec, checkpoint = load_generator(path, head)
    recipe = checkpoint.recipe
    weights = checkpoint.path / ("averaged.safetensors" if checkpoint.averaged else "weights.safetensors")
    is_from_photos = recipe.data.direction == "photo-to-cartoon" and not head
    run = _run_of(checkpoint.path)
    return ExportSource(
        name=run.name + (f"-{head}" if head else ""),
        spec=spec,
        training=Training(recipe.name, checkpoint.commit, checkpoint.data, checkpoint.step),
        network=network,
        checkpoint_sha256=sha256_of(weights),
        licence="none given: for your own use",
        description=recipe.description,
        warp=_warp(crops, checkpoint, has_guidance=spec.guidance_channels > 0) if is_from_photos else {},
        domain="photo" if is_from_photos else "drawing",
    )


def _run_of(checkpoint: Path) -> Path:
    if checkpoint.parent.name in ("checkpoints", EPOCHS):
        return checkpoint.parents[1]
    return checkpoint.parent if checkpoint.name == BEST else checkpoint


def _warp(pairs: Path | None, checkpoint: "Checkpoint", *, has_guidance: bool) -> Mapping[str, float]:
    from toonfilter.train.data.datasets import warp_of

    factors = warp_of(pairs) if pairs is not None else {}
    factors = factors or dict(checkpoint.warp)
    if not factors:
        return FaceWarp().to_dict() if has_guidance else {}
    warp = FaceWarp.from_dict(factors)
    return {} if warp == FaceWarp.none() else warp.to_dict()


def open_source(path: Path | None, *, runs: Path = _RUNS, head: str = "", crops: Path | None = None) -> ExportSource:
    """A checkpoint, a run folder or a bundle; without a path the newest run below `runs`.

    head: another of the method's exportable networks by name (the way back of a cycle). crops: see `checkpoint_source`.

    Raises:
        BundleError: the path is none of these, or there is nothing to export.
        TrainingError, ConfigError: the checkpoint cannot be read, or its method has nothing to export.
    """
    if path is None:
        newest = newest_run(runs)
        if newest is not None:
            return checkpoint_source(newest, head, crops)
        raise BundleError(f"no training run below {runs}; give a run, a checkpoint or a bundle folder to export")
    if is_bundle_folder(path):
        return bundle_source(path)
    if path.exists():
        return checkpoint_source(path, head, crops)
    if str(path) in known_bundles():
        return bundle_source(find_bundle(str(path)).folder)
    raise BundleError(f"{path} does not exist; give a checkpoint, a run folder or a bundle")
