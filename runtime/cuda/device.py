"""The device layer: what the GPU path needs of CUDA and nothing more, with one implementation for each way into it."""

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.cuda.driver import GpuInfo, gpu_info
from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.platform.installation import install_command

Dim = tuple[int, int, int]
PinnedBytes = NDArray[np.uint8]
"""uint8 [bytes], page-locked: copies from and to it run beside the CPU."""


class Graph(Protocol):
    """Work that was recorded once and is started with one call."""

    def launch(self) -> None:
        """Put the whole work into the device's stream."""
        ...


class Device(Protocol):
    """One GPU, its primary context (shared with torch and TensorRT) and one stream.

    Everything is put into the stream in order and returns at once, but for `synchronize`. Calls are made inside
    `current()`, from one thread at a time.

    Every method raises BackendError when the GPU fails: device lost, out of memory, a kernel that did not end.
    """

    layer: str
    info: GpuInfo
    stream: int
    """The CUstream's address, for TensorRT."""

    def current(self) -> contextlib.AbstractContextManager[None]:
        """The device's context is this thread's current one inside the block."""
        ...

    def allocate(self, size_bytes: int) -> int:
        """Device memory until `close`; its address, aligned to 256 bytes."""
        ...

    def allocate_pinned(self, size_bytes: int) -> PinnedBytes:
        """Page-locked host memory until `close`."""
        ...

    def upload(self, target: int, source: PinnedBytes) -> None:
        """Copy all of source, pinned and contiguous, to a device address."""
        ...

    def download(self, target: PinnedBytes, source: int) -> None:
        """Copy from a device address, as much as the pinned target holds."""
        ...

    def load_kernels(self, ptx: bytes, names: tuple[str, ...]) -> dict[str, Any]:
        """Compile PTX for this GPU; kernels by name."""
        ...

    def launch(self, kernel: Any, grid: Dim, block: Dim, arguments: tuple[Any, ...]) -> None:
        """Start a kernel. arguments: ctypes values, c_void_p for addresses."""
        ...

    def record(self, work: Callable[[], None]) -> Graph:
        """Record what work puts into the stream as a CUDA graph; nothing of it runs yet."""
        ...

    def event(self) -> Any:
        """A mark in the stream, for `elapsed_ms`."""
        ...

    def elapsed_ms(self, start: Any, end: Any) -> float:
        """Time between two marks; waits for the later one."""
        ...

    def synchronize(self) -> None:
        """Wait until the stream is empty."""
        ...

    def close(self) -> None:
        """Free everything. May be called more than once, and after a failure."""
        ...


def open_device(layer: str = "auto", index: int = 0) -> Device:
    """Open a GPU through `cuda-python` or `pycuda`; `auto` takes the first that is installed.

    Raises:
        BackendError: no driver, no such GPU, or neither package is there: with each reason.
    """
    if layer not in ("auto", *LAYERS):
        raise BackendError(f"unknown device layer {layer!r}; known: auto, {', '.join(LAYERS)}")
    info = gpu_info(index)
    reasons = {}
    for name in LAYERS if layer == "auto" else (layer,):
        try:
            return LAYERS[name](info, index)
        except ImportError as error:
            reasons[name] = f"not installed ({error}); {install_command(_EXTRAS[name])}"
    raise BackendError("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))


def _cuda_python(info: GpuInfo, index: int) -> Device:
    from toonfilter.runtime.cuda.cuda_python_device import CudaPythonDevice

    return CudaPythonDevice(info, index)


def _pycuda(info: GpuInfo, index: int) -> Device:
    from toonfilter.runtime.cuda.pycuda_device import PycudaDevice

    return PycudaDevice(info, index)


LAYERS: dict[str, Callable[[GpuInfo, int], Device]] = {"cuda-python": _cuda_python, "pycuda": _pycuda}
_EXTRAS = {"cuda-python": "tensorrt", "pycuda": "pycuda"}
