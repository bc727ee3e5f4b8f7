"""The parity gate: every exported file against PyTorch on real face crops, in 8-bit levels."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from toonfilter.export.crops import FaceCrops, Feeds
from toonfilter.export.onnx_export import ExportError
from toonfilter.runtime.bundle import Parity, Precision
from toonfilter.runtime.errors import ConfigError

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

Draw = Callable[[Feeds], NDArray[np.uint8]]
"""One call of a generator: feeds to cartoon uint8 [N, S, S, C]."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Largest errors allowed, in 8-bit levels over all channels, and the smallest PSNR."""

    mean_abs_error: float
    max_abs_error: float
    psnr_db: float


TOLERANCES: dict[Precision, Tolerance] = {
    # Only the order of sums differs.
    "fp32": Tolerance(0.05, 2, 55.0),
    # 11 bits of mantissa: single levels, a few more at the edge of a line.
    "fp16": Tolerance(1.0, 32, 45.0),
    # Lines may become lighter or darker by a shade; one pixel at the edge of a line or of the matte may differ by much.
    "int8": Tolerance(2.5, 200, 32.0),
}


@dataclass
class Comparison:
    """Errors gathered over calls. examples: rows for the report, (crop, reference, result) uint8 pictures."""

    sum_abs: float = 0.0
    sum_squared: float = 0.0
    values: int = 0
    max_abs: float = 0.0
    crops: int = 0
    examples: list[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]] = field(default_factory=list)

    def add(self, image: NDArray[np.uint8], reference: NDArray[np.uint8], result: NDArray[np.uint8]) -> None:
        """image [N, S, S, 3], reference and result [N, S, S, C].

        Raises:
            ExportError: the shapes or types differ.
        """
        if reference.shape != result.shape or result.dtype != np.uint8:
            raise ExportError(
                f"the exported file answers {result.dtype} {list(result.shape)}; PyTorch uint8 {list(reference.shape)}"
            )
        error = np.abs(result.astype(np.float32) - reference)
        self.sum_abs += float(error.sum(dtype=np.float64))
        self.sum_squared += float((error * error).sum(dtype=np.float64))
        self.values += error.size
        self.max_abs = max(self.max_abs, float(error.max()))
        self.crops += len(image)
        self.examples.extend(zip(image, reference, result, strict=True))

    def as_parity(self, path: str) -> Parity:
        """The figures for bundle.json; a PSNR of equal pictures is given as 99 dB."""
        mean_squared = self.sum_squared / max(self.values, 1)
        psnr = 99.0 if mean_squared == 0 else min(99.0, 10 * math.log10(255**2 / mean_squared))
        return Parity(path, round(self.sum_abs / max(self.values, 1), 4), self.max_abs, round(psnr, 2), self.crops)


def torch_reference(graph: "nn.Module") -> Draw:
    """The generator itself, in fp32 on the CPU."""
    import torch

    def draw(feeds: Feeds) -> NDArray[np.uint8]:
        inputs = [torch.from_numpy(np.ascontiguousarray(feeds[name])) for name in feeds]
        with torch.inference_mode():
            cartoon: NDArray[np.uint8] = graph(*inputs).numpy()
        return cartoon

    return draw


def model_reference(model: "ModelProto | Path") -> Draw:
    """A model file in ONNX Runtime on the CPU.

    Raises:
        ExportError: ONNX Runtime refuses the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    try:
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ExportError(f"ONNX Runtime refuses the exported file: {str(error).splitlines()[0]}") from error

    def draw(feeds: Feeds) -> NDArray[np.uint8]:
        try:
            cartoon: NDArray[np.uint8] = session.run(None, feeds)[0]
        except Exception as error:
            raise ExportError(f"the exported file fails: {str(error).splitlines()[0]}") from error
        return cartoon

    return draw


def compare(reference: Draw, result: Draw, crops: FaceCrops, sizes: Sequence[int], count: int = 6) -> Comparison:
    """Run both on the crops: `count` at the first size one by one and as one batch of up to 4, two at each other size.

    Raises:
        ExportError: the answers differ in shape or type, or the file fails.
        ConfigError: there are no crops.
    """
    if not len(crops):
        raise ConfigError("no face crops to compare on; give some with --crops")
    comparison = Comparison()
    for index, size in enumerate(sizes):
        calls = crops.feeds(size, count if index == 0 else 2)
        if index == 0:
            calls += crops.feeds(size, 4, batch=4)
        for feeds in calls:
            comparison.add(feeds["image"], reference(feeds), result(feeds))
    return comparison


def check_parity(parity: Parity, precision: Precision, tolerance: Tolerance | None = None) -> None:
    """Refuse a file that does not draw what PyTorch draws.

    Raises:
        ExportError: with the figures found and those allowed.
    """
    allowed = tolerance or TOLERANCES[precision]
    within = (
        parity.mean_abs_error <= allowed.mean_abs_error
        and parity.max_abs_error <= allowed.max_abs_error
        and parity.psnr_db >= allowed.psnr_db
    )
    if not within:
        found = f"mean {parity.mean_abs_error:g}, max {parity.max_abs_error:g} levels, PSNR {parity.psnr_db:g} dB"
        limits = f"mean {allowed.mean_abs_error:g}, max {allowed.max_abs_error:g}, PSNR {allowed.psnr_db:g}"
        raise ExportError(
            f"{parity.path} differs too much from PyTorch: {found} on {parity.crops} crops; allowed: {limits}. "
            "Nothing was installed"
        )
