"""The CUDA driver library itself, through ctypes: whether it is there, and what GPU it drives.

TensorRT and pycuda may end the whole process where there is no driver; this is asked before either is touched.
"""

import ctypes
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from toonfilter.runtime.errors import BackendError

_LIBRARIES = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")
_MANAGEMENT = ("nvml.dll",) if sys.platform == "win32" else ("libnvidia-ml.so.1",)
_NO_DRIVER, _NO_DEVICE = 35, 100
_MAJOR_ATTRIBUTE, _MINOR_ATTRIBUTE = 75, 76
_ADVICE = "install NVIDIA's driver, or use --engine onnxruntime or openvino"


@dataclass(frozen=True, slots=True)
class GpuInfo:
    """What an engine depends on. compute_capability: (major, minor). driver: its version as text."""

    name: str
    compute_capability: tuple[int, int]
    driver: str
    memory_mb: int

    def __str__(self) -> str:
        major, minor = self.compute_capability
        return f"{self.name} (compute capability {major}.{minor}, driver {self.driver})"


@lru_cache(maxsize=1)
def load_driver() -> Any:
    """The initialised CUDA driver library.

    Raises:
        BackendError: no driver, or no GPU that it can use.
    """
    library = _first_library(_LIBRARIES)
    if library is None:
        raise BackendError(f"no NVIDIA driver here ({_LIBRARIES[0]} is not found); {_ADVICE}")
    code = library.cuInit(0)
    if code == _NO_DEVICE:
        raise BackendError(f"the NVIDIA driver finds no GPU; {_ADVICE}")
    if code == _NO_DRIVER:
        raise BackendError("the NVIDIA driver's kernel module and library differ in version; restart the computer")
    if code:
        raise BackendError(f"the NVIDIA driver does not start (CUDA error {code}); restart the computer, or {_ADVICE}")
    return library


def gpu_info(index: int = 0) -> GpuInfo:
    """The GPU of this number.

    Raises:
        BackendError: no driver, or no such GPU.
    """
    library = load_driver()
    count = ctypes.c_int()
    check(library, library.cuDeviceGetCount(ctypes.byref(count)))
    if not 0 <= index < count.value:
        raise BackendError(f"GPU {index} does not exist; there are {count.value}, numbered from 0")
    device = ctypes.c_int()
    check(library, library.cuDeviceGet(ctypes.byref(device), index))
    name = ctypes.create_string_buffer(256)
    check(library, library.cuDeviceGetName(name, 256, device))
    memory = ctypes.c_size_t()
    check(library, library.cuDeviceTotalMem_v2(ctypes.byref(memory), device))
    capability = (_attribute(library, device, _MAJOR_ATTRIBUTE), _attribute(library, device, _MINOR_ATTRIBUTE))
    return GpuInfo(name.value.decode(), capability, _driver_version(library), memory.value // 2**20)


def _attribute(library: Any, device: ctypes.c_int, attribute: int) -> int:
    value = ctypes.c_int()
    check(library, library.cuDeviceGetAttribute(ctypes.byref(value), attribute, device))
    return value.value


def _driver_version(library: Any) -> str:
    """The driver's own version ("580.65.06"); the CUDA version it speaks where that is not told."""
    management = _first_library(_MANAGEMENT)
    if management is not None and management.nvmlInit_v2() == 0:
        text = ctypes.create_string_buffer(96)
        code = management.nvmlSystemGetDriverVersion(text, 96)
        management.nvmlShutdown()
        if code == 0:
            return text.value.decode()
    version = ctypes.c_int()
    check(library, library.cuDriverGetVersion(ctypes.byref(version)))
    return f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"


def check(library: Any, code: int) -> None:
    """Turn a driver error code into an error.

    Raises:
        BackendError: the code is not 0; the text has CUDA's own name for it.
    """
    if not code:
        return
    name = ctypes.c_char_p()
    library.cuGetErrorName(code, ctypes.byref(name))
    raise BackendError(f"the GPU failed: {(name.value or b'unknown error').decode()} ({code})")


def _first_library(names: tuple[str, ...]) -> Any:
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
