"""The device layer over cuda-python (the `cuda.bindings` driver API)."""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from cuda.bindings import driver

from toonfilter.runtime.cuda.device import Dim, PinnedBytes
from toonfilter.runtime.cuda.driver import GpuInfo
from toonfilter.runtime.errors import BackendError


class _Graph:
    def __init__(self, executable: Any, stream: Any) -> None:
        self.executable, self._stream = executable, stream

    def launch(self) -> None:
        _called(driver.cuGraphLaunch(self.executable, self._stream))


class CudaPythonDevice:
    """See `toonfilter.runtime.cuda.device.Device`."""

    layer = "cuda-python"

    def __init__(self, info: GpuInfo, index: int) -> None:
        self.info = info
        _called(driver.cuInit(0))
        self._device = _called(driver.cuDeviceGet(index))
        self._context = _called(driver.cuDevicePrimaryCtxRetain(self._device))
        self._memory: list[Any] = []
        self._pinned: list[int] = []
        self._modules: list[Any] = []
        self._graphs: list[_Graph] = []
        self._events: list[Any] = []
        self._is_open = True
        with self.current():
            flags = driver.CUstream_flags.CU_STREAM_NON_BLOCKING
            self._stream = _called(driver.cuStreamCreate(flags))
        self.stream = int(self._stream)

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        _called(driver.cuCtxPushCurrent(self._context))
        try:
            yield
        finally:
            driver.cuCtxPopCurrent()

    def allocate(self, size_bytes: int) -> int:
        address = _called(driver.cuMemAlloc(max(size_bytes, 1)))
        self._memory.append(address)
        return int(address)

    def allocate_pinned(self, size_bytes: int) -> PinnedBytes:
        size_bytes = max(size_bytes, 1)
        address = int(_called(driver.cuMemHostAlloc(size_bytes, 0)))
        self._pinned.append(address)
        return np.ctypeslib.as_array((ctypes.c_uint8 * size_bytes).from_address(address))

    def upload(self, target: int, source: PinnedBytes) -> None:
        _called(driver.cuMemcpyHtoDAsync(target, source.ctypes.data, source.nbytes, self._stream))

    def download(self, target: PinnedBytes, source: int) -> None:
        _called(driver.cuMemcpyDtoHAsync(target.ctypes.data, source, target.nbytes, self._stream))

    def load_kernels(self, ptx: bytes, names: tuple[str, ...]) -> dict[str, Any]:
        module = _called(driver.cuModuleLoadData(ptx))
        self._modules.append(module)
        return {name: _called(driver.cuModuleGetFunction(module, name.encode())) for name in names}

    def launch(self, kernel: Any, grid: Dim, block: Dim, arguments: tuple[Any, ...]) -> None:
        values = tuple(argument.value for argument in arguments)
        kinds = tuple(type(argument) for argument in arguments)
        _called(driver.cuLaunchKernel(kernel, *grid, *block, 0, self._stream, (values, kinds), 0))

    def record(self, work: Callable[[], None]) -> _Graph:
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        _called(driver.cuStreamBeginCapture(self._stream, mode))
        try:
            work()
        finally:
            # Ends the capture even where work failed, or the stream stays unusable.
            ended = driver.cuStreamEndCapture(self._stream)
        graph = _called(ended)
        executable = _called(driver.cuGraphInstantiate(graph, 0))
        driver.cuGraphDestroy(graph)
        self._graphs.append(_Graph(executable, self._stream))
        return self._graphs[-1]

    def event(self) -> Any:
        event = _called(driver.cuEventCreate(0))
        self._events.append(event)
        _called(driver.cuEventRecord(event, self._stream))
        return event

    def elapsed_ms(self, start: Any, end: Any) -> float:
        _called(driver.cuEventSynchronize(end))
        elapsed = float(_called(driver.cuEventElapsedTime(start, end)))
        for event in (start, end):
            if event in self._events:
                self._events.remove(event)
                driver.cuEventDestroy(event)
        return elapsed

    def synchronize(self) -> None:
        _called(driver.cuStreamSynchronize(self._stream))

    def close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        # After a failure these calls fail as well; everything goes with the context then.
        driver.cuCtxPushCurrent(self._context)
        driver.cuStreamSynchronize(self._stream)
        for graph in self._graphs:
            driver.cuGraphExecDestroy(graph.executable)
        for event in self._events:
            driver.cuEventDestroy(event)
        for module in self._modules:
            driver.cuModuleUnload(module)
        for address in self._memory:
            driver.cuMemFree(address)
        for host in self._pinned:
            driver.cuMemFreeHost(host)
        driver.cuStreamDestroy(self._stream)
        driver.cuCtxPopCurrent()
        driver.cuDevicePrimaryCtxRelease(self._device)


def _called(answer: tuple[Any, ...]) -> Any:
    """The value of a driver call.

    Raises:
        BackendError: the call failed; out of memory with what to do about it.
    """
    code = answer[0]
    if code == driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
        raise BackendError("the GPU is out of memory; close other programs that use it, or choose a smaller --size")
    if code != driver.CUresult.CUDA_SUCCESS:
        raise BackendError(f"the GPU failed: {getattr(code, 'name', code)} ({int(code)})")
    return answer[1] if len(answer) > 1 else None
