"""Checkpoints: folders `step-0001000` with safetensors weights, training state and the recipe; whole or not there."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toonfilter.runtime.errors import ConfigError, TrainingError, require
from toonfilter.runtime.files.whole_files import replacing_folder
from toonfilter.train.recipe import Recipe, recipe_from_table, recipe_table
from toonfilter.train.systems import ExportSpec, build_system
from toonfilter.train.validation_record import RECORD, Best

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = 1
# Folders of a run for weights that are kept for good: the best by validation, and those by epoch.
BEST = "best"
EPOCHS = "epochs"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as it was read. `weights` and `averaged` are named "network.parameter"."""

    path: Path
    step: int
    recipe: Recipe
    data: str
    commit: str
    weights: Mapping[str, "Tensor"]
    averaged: Mapping[str, "Tensor"]
    # Optimisers, random generators, the system's own state; None where only weights were asked for.
    state: Mapping[str, Any] | None
    # The warp of the pairs that it was trained on; empty where the data says nothing of it.
    warp: Mapping[str, float] = field(default_factory=dict)


def write_checkpoint(
    run: Path,
    *,
    step: int,
    recipe: Recipe,
    data: str,
    weights: Mapping[str, "Tensor"],
    averaged: Mapping[str, "Tensor"],
    state: Mapping[str, Any],
    keep: int,
    warp: Mapping[str, float] | None = None,
) -> Path:
    """Write `run/checkpoints/step-N` under another name, rename it, and remove all but the newest `keep`.

    Raises:
        TrainingError: the disk does not take it.
    """
    import torch

    folder = run / "checkpoints" / f"step-{step:07d}"
    about = _about(step, recipe, data, warp)
    _write_folder(folder, about, weights, averaged, lambda partial: torch.save(dict(state), partial / "training.pt"))
    for old in list_checkpoints(run)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def keep_weights(
    folder: Path,
    *,
    step: int,
    recipe: Recipe,
    data: str,
    weights: Mapping[str, "Tensor"],
    averaged: Mapping[str, "Tensor"],
    warp: Mapping[str, float] | None = None,
    best: Best | None = None,
) -> None:
    """Write a checkpoint without training state: it can be exported and measured, not resumed. It replaces an
    older one in the same place.

    best: by which measure it is the best; written beside the weights.

    Raises:
        TrainingError: the disk does not take it.
    """

    def record(partial: Path) -> None:
        if best is not None:
            (partial / RECORD).write_text(json.dumps(asdict(best)) + "\n", encoding="utf-8")

    _write_folder(folder, _about(step, recipe, data, warp), weights, averaged, record)


def epoch_folder(run: Path, epoch: int) -> Path:
    """Where the weights of an epoch are kept."""
    return run / EPOCHS / f"epoch-{epoch:04d}"


def list_epochs(run: Path) -> dict[int, Path]:
    """Weights kept by epoch, in order."""
    return {int(path.name.rpartition("-")[2]): path for path in sorted((run / EPOCHS).glob("epoch-*"))}


def _about(step: int, recipe: Recipe, data: str, warp: Mapping[str, float] | None) -> dict[str, Any]:
    about: dict[str, Any] = {"format": FORMAT, "step": step, "data": data, "commit": current_commit()}
    return about | {"recipe": recipe_table(recipe), "warp": dict(warp or {})}


def _write_folder(
    folder: Path,
    about: Mapping[str, Any],
    weights: Mapping[str, "Tensor"],
    averaged: Mapping[str, "Tensor"],
    write_more: Callable[[Path], None],
) -> None:
    """Write a checkpoint under another name, then rename it."""
    from safetensors.torch import save_file

    for leftover in folder.parent.glob(".toonfilter-*"):
        # Of a run that was killed while it wrote.
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        with replacing_folder(folder) as partial:
            save_file(_whole(weights), partial / "weights.safetensors")
            if averaged:
                save_file(_whole(averaged), partial / "averaged.safetensors")
            write_more(partial)
            (partial / "checkpoint.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be written: {error.strerror}; free some space") from error


def list_checkpoints(run: Path) -> list[Path]:
    """Checkpoints of a run, oldest first."""
    return sorted((run / "checkpoints").glob("step-*"))


def find_checkpoint(path: Path) -> Path:
    """A checkpoint's own folder, or the newest one of a run.

    Raises:
        TrainingError: there is none.
    """
    if (path / "checkpoint.json").is_file():
        return path
    found = list_checkpoints(path)
    if not found:
        raise TrainingError(f"{path}: no checkpoint here; expected checkpoints/step-N with a checkpoint.json")
    return found[-1]


def read_checkpoint(path: Path, *, with_state: bool = False) -> Checkpoint:
    """Read a checkpoint, or the newest one of a run. Nothing of it is executed: safetensors, and `weights_only`.

    Raises:
        TrainingError: there is none, it is damaged, or of another format.
    """
    torch = require("torch", extra="train")
    from safetensors.torch import load_file

    folder = find_checkpoint(path)
    about = _read_about(folder)
    try:
        averaged = folder / "averaged.safetensors"
        return Checkpoint(
            path=folder,
            step=int(about["step"]),
            recipe=recipe_from_table(about["recipe"], str(folder)),
            data=str(about["data"]),
            commit=str(about["commit"]),
            weights=load_file(folder / "weights.safetensors"),
            averaged=load_file(averaged) if averaged.is_file() else {},
            state=torch.load(folder / "training.pt", weights_only=True, map_location="cpu") if with_state else None,
            warp=about.get("warp", about.get("geometry", {})),
        )
    except (TrainingError, ConfigError):
        raise
    except Exception as error:
        raise _damaged(folder, error) from error


def read_conditions(path: Path) -> tuple[Recipe, str]:
    """The recipe of a checkpoint, or of the newest one of a run, and the name of its data folder; no weights.

    Raises:
        TrainingError: there is none, it is damaged, or of another format.
    """
    folder = find_checkpoint(path)
    about = _read_about(folder)
    try:
        return recipe_from_table(about["recipe"], str(folder)), str(about["data"])
    except KeyError as error:
        raise _damaged(folder, error) from error


def _read_about(folder: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
        written = about["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, error) from error
    if written != FORMAT:
        raise TrainingError(f"{folder}: checkpoint format is {written}; this version reads {FORMAT}")
    return about


def _damaged(folder: Path, error: Exception) -> TrainingError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return TrainingError(f"{folder}: damaged checkpoint: {reason}; take an older one")


def load_generator(path: Path, head: str = "") -> "tuple[nn.Module, ExportSpec, Checkpoint]":
    """The trained generator of a run or checkpoint, on the CPU in eval mode: averaged weights where there are some.

    head: another exportable network by the name in `ExportSpec.others` (the way back of a cycle).

    Raises:
        TrainingError: no checkpoint, or a method without an exportable generator.
    """
    checkpoint = read_checkpoint(path)
    system = build_system(checkpoint.recipe)
    spec = system.export_spec()
    if spec is None:
        raise TrainingError(f"{path}: recipe {checkpoint.recipe.name!r} has no generator that filters pictures")
    name = spec.network
    if head:
        if head not in spec.others:
            raise TrainingError(f"{path}: no network {head!r} here; there are: {', '.join(spec.others) or 'no others'}")
        name = spec.others[head]
    load_weights(system.networks, {**checkpoint.weights, **checkpoint.averaged}, str(checkpoint.path))
    return system.networks[name].eval(), spec, checkpoint


def load_weights(networks: "nn.ModuleDict", weights: Mapping[str, "Tensor"], where: str) -> None:
    """Put weights into networks; names and shapes must be the same.

    Raises:
        TrainingError: they are not.
    """
    try:
        networks.load_state_dict(dict(weights))
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise TrainingError(f"{where}: weights of another network: {first}") from error


def _whole(weights: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    import torch

    return {
        k: v.detach().to("cpu").contiguous(memory_format=torch.contiguous_format).clone() for k, v in weights.items()
    }


def current_commit() -> str:
    """The version of the code that trains, or "" outside a checkout."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
