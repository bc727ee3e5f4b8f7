"""The files of a trained fields network: fp32 and INT8, compared with PyTorch on pictures it was not trained on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from toonfilter.export.fields_export import (
    Feeds,
    FieldsGraph,
    export_fp32,
    plane_differences,
    run_model,
    to_int8,
    write_model,
)
from toonfilter.export.onnx_export import ExportError
from toonfilter.runtime.errors import DataError
from toonfilter.train.data.fields.composition import Composer, Sample, plain_sample
from toonfilter.train.data.fields.store import LabelStore
from toonfilter.train.fields_training import CHECKPOINT, LOG, split_indices, usable
from toonfilter.train.networks.fields import FieldsNetwork

CALIBRATION_PICTURES: Final = 48
COMPARED_PICTURES: Final = 16
MOST_DIFFERENT_LEVELS: Final = 4.0
"""Mean difference of a plane of the INT8 file from fp32 at which it is refused, in 8-bit levels."""
_SIDE_PX: Final = 256
_SEED: Final = 99


def export_run(labels: Path, run: Path, out: Path) -> Iterator[str]:
    """Write OUT/fields.onnx and OUT/fields_int8.onnx, each with a JSON beside it; yields a line for each.

    Raises:
        DataError: no checkpoint in the run.
        ExportError: a file differs from what it was made of.
    """
    path = run / CHECKPOINT
    if not path.is_file():
        raise DataError(f"{run} holds no {CHECKPOINT}; train first")
    content = torch.load(path, weights_only=True)
    network = FieldsNetwork()
    network.load_state_dict(content["average"])
    facts: dict[str, Any] = {"step": int(content["step"]), "validation": _last_validation(run)}
    store = LabelStore(labels)
    train, held = split_indices(store)
    chosen = np.random.default_rng(0).permutation(usable(store, held))[:COMPARED_PICTURES]
    compared = [_feeds(plain_sample(store, int(k), _SIDE_PX, told=n % 3 > 0)) for n, k in enumerate(chosen)]
    out.mkdir(parents=True, exist_ok=True)
    model = export_fp32(network, {"toonfilter.step": str(facts["step"])})
    plain = run_model(model)
    worst = max(plane_differences(_torch(network), plain, compared[:4]).values())
    if worst > 0.5:
        raise ExportError(f"the fp32 file differs from PyTorch by {worst:.2f} levels in one plane; at most 0.5")
    write_model(model, out / "fields.onnx", {**facts, "precision": "fp32"})
    yield f"{out / 'fields.onnx'}: step {facts['step']}"
    hands = np.load(labels / "hands.npy") if (labels / "hands.npy").is_file() else np.zeros((0, 160, 160, 4), np.uint8)
    composer = Composer(store, train, hands)
    seen = [_feeds(composer.sample(number, _SIDE_PX, _SEED)) for number in range(CALIBRATION_PICTURES)]
    small = to_int8(model, seen)
    differences = plane_differences(plain, run_model(small), compared)
    if max(differences.values()) > MOST_DIFFERENT_LEVELS:
        raise ExportError(f"the INT8 file differs from fp32 by {differences} levels; at most {MOST_DIFFERENT_LEVELS}")
    write_model(
        small, out / "fields_int8.onnx", {**facts, "precision": "int8", "mean_difference_from_fp32": differences}
    )
    yield f"{out / 'fields_int8.onnx'}: mean difference from fp32, in levels: {differences}"


def _feeds(sample: Sample) -> Feeds:
    return {"image": sample.image[None, ..., :3].copy(), "guidance": sample.image[None, ..., 3:].copy()}


def _torch(network: FieldsNetwork) -> Any:
    graph = FieldsGraph(network).eval()

    def run(feeds: Feeds) -> Any:
        with torch.no_grad():
            return graph(torch.from_numpy(feeds["image"]), torch.from_numpy(feeds["guidance"])).numpy()

    return run


def _last_validation(run: Path) -> dict[str, Any] | None:
    path = run / LOG
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    found = [row for row in rows if "validation" in row]
    return found[-1] if found else None
