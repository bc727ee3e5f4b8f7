"""The bundle of a trained fields network: fp32 and INT8, compared with PyTorch on pictures it was not trained on."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from toonfilter.export.crops import Feeds
from toonfilter.export.fields_export import FieldsGraph, export_fp32, plane_differences, to_int8
from toonfilter.export.installed import staged_folder
from toonfilter.export.onnx_export import OPSET, ExportError, save_model
from toonfilter.export.parity import Comparison, Draw, model_reference, torch_reference
from toonfilter.runtime.bundle import (
    Bundle,
    InputSpec,
    ModelFile,
    OutputSpec,
    Parity,
    Precision,
    Training,
    sha256_of,
    write_bundle,
)
from toonfilter.runtime.errors import DataError
from toonfilter.runtime.fields import FIELDS
from toonfilter.train.data.fields.composition import Composer, Sample, plain_sample
from toonfilter.train.data.fields.store import LabelStore
from toonfilter.train.fields_training import CHECKPOINT, LOG, read_hands, split_indices, usable
from toonfilter.train.networks.fields import FieldsNetwork

if TYPE_CHECKING:
    from onnx import ModelProto

NAME: Final = "fields"
VERSION: Final = "1.0.0"
CALIBRATION_PICTURES: Final = 48
COMPARED_PICTURES: Final = 16
MOST_DIFFERENT_LEVELS: Final[dict[str, float]] = {"fp32": 0.05, "int8": 4.0}
"""Mean difference of any plane from what the file was made of at which it is refused, in 8-bit levels."""
_SIZES_PX: Final = (256, 320, 384)
_SIDE_PX: Final = 256
_CALIBRATION_SEED: Final = 99
_DESCRIPTION: Final = (
    "Tells person, hair, skin, beard, headwear, glasses and what lies before the face, and how hair and cloth look. "
    "Begun with the weights of MobileNetV2 (Apache-2.0); labels by MediaPipe's hair and selfie networks (Apache-2.0), "
    "attributes that people wrote down, and rules."
)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FieldsExport:
    """The bundle, and the mean difference of each plane of the INT8 file from fp32, in 8-bit levels."""

    bundle: Bundle
    int8_differences: dict[str, float]


def export_run(labels: Path, run: Path, out: Path, *, data: str = "", overwrite: bool = False) -> FieldsExport:
    """Write the bundle OUT with fields_fp32.onnx and fields_int8.onnx; all or nothing.

    data: what pictures, under which licences; else the sources of the labels are listed.

    Raises:
        DataError: no checkpoint in the run.
        ExportError: a file differs from what it was made of.
        OutputError: the place is taken, or cannot be written.
    """
    path = run / CHECKPOINT
    if not path.is_file():
        raise DataError(f"{run} holds no {CHECKPOINT}; train first")
    content = torch.load(path, weights_only=True)
    network = FieldsNetwork()
    network.load_state_dict(content["average"])
    store = LabelStore(labels)
    train, held = split_indices(store)
    chosen = np.random.default_rng(0).permutation(usable(store, held))[:COMPARED_PICTURES]
    compared = [_feeds(plain_sample(store, int(k), _SIDE_PX, told=n % 3 > 0)) for n, k in enumerate(chosen)]
    composer = Composer(store, train, read_hands(labels))
    seen = [_feeds(composer.sample(number, _SIDE_PX, _CALIBRATION_SEED)) for number in range(CALIBRATION_PICTURES)]
    plain = export_fp32(network, {"toonfilter.step": str(content["step"])})
    small = to_int8(plain, seen)
    with staged_folder(out, overwrite=overwrite) as staging:
        files, parities = [], []
        reference = torch_reference(FieldsGraph(network).eval())
        models: dict[Precision, ModelProto] = {"fp32": plain, "int8": small}
        for precision, model in models.items():
            entry, parity = _written(staging, precision, model, reference, compared)
            files.append(entry)
            parities.append(parity)
        bundle = Bundle(
            name=NAME,
            version=VERSION,
            licence="MIT",
            description=_DESCRIPTION,
            training=Training("fields", str(content["commit"]), data or _sources(store), int(content["step"])),
            input=InputSpec(list(_SIZES_PX), guidance_channels=1),
            output=OutputSpec(len(FIELDS), "fields"),
            files=files,
            parity=parities,
            scores={f"validation_{name}": value for name, value in _last_validation(run).items()},
        )
        write_bundle(bundle, staging)
    differences = plane_differences(model_reference(plain), model_reference(small), compared)
    return FieldsExport(bundle, differences)


def _written(
    folder: Path, precision: Precision, model: "ModelProto", reference: Draw, feeds: list[Feeds]
) -> tuple[ModelFile, Parity]:
    path = folder / f"{NAME}_{precision}.onnx"
    save_model(model, path)
    result = model_reference(path)
    differences = plane_differences(reference, result, feeds)
    most = MOST_DIFFERENT_LEVELS[precision]
    if max(differences.values()) > most:
        raise ExportError(f"the {precision} file differs from PyTorch by {differences} levels; at most {most}")
    comparison = Comparison()
    for feed in feeds:
        comparison.add(feed["image"], reference(feed), result(feed))
    return ModelFile("onnx", precision, path.name, sha256_of(path), OPSET), comparison.as_parity(path.name)


def _feeds(sample: Sample) -> Feeds:
    return {"image": sample.image[None, ..., :3].copy(), "guidance": sample.image[None, ..., 3:].copy()}


def _sources(store: LabelStore) -> str:
    counts = Counter(entry.source for entry in store.entries)
    return ", ".join(f"{count} pictures of {source}" for source, count in sorted(counts.items()))


def _last_validation(run: Path) -> dict[str, Any]:
    path = run / LOG
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    found = [row["validation"] for row in rows if "validation" in row]
    return {name: value for name, value in found[-1].items() if value is not None} if found else {}
