"""The device layer over pycuda: the primary context, so that torch and TensorRT in the same process share it.

pycuda has no CUDA graphs; those few calls go to the driver library, which is loaded anyway.
"""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pycuda.driver as cuda

from toonfilter.runtime.cuda.device import Dim, PinnedBytes
from toonfilter.runtime.cuda.driver import GpuInfo, check, load_driver
from toonfilter.runtime.errors import BackendError

_NON_BLOCKING = 1
_THREAD_LOCAL_CAPTURE = 1
_FORMATS = {ctypes.c_void_p: "P", ctypes.c_int: "i", ctypes.c_float: "f"}


class _Graph:
    def __init__(self, library: Any, executable: ctypes.c_void_p, stream: int) -> None:
        self._library, self.executable, self._stream = library, executable, ctypes.c_void_p(stream)

    def launch(self) -> None:
        check(self._library, self._library.cuGraphLaunch(self.executable, self._stream))


class PycudaDevice:
    """See `toonfilter.runtime.cuda.device.Device`."""

    layer = "pycuda"

    def __init__(self, info: GpuInfo, index: int) -> None:
        self.info = info
        self._library = load_driver()
        with _errors():
            cuda.init()
            self._context = cuda.Device(index).retain_primary_context()
        self._memory: list[Any] = []
        self._pinned: list[Any] = []
        self._modules: list[Any] = []
        self._prepared: list[Any] = []
        self._graphs: list[_Graph] = []
        self._is_open = True
        with self.current():
            self._stream = cuda.Stream(_NON_BLOCKING)
        self.stream = int(self._stream.handle)

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        with _errors():
            self._context.push()
            try:
                yield
            finally:
                cuda.Context.pop()

    def allocate(self, size_bytes: int) -> int:
        with _errors():
            memory = cuda.mem_alloc(max(size_bytes, 1))
        self._memory.append(memory)
        return int(memory)

    def allocate_pinned(self, size_bytes: int) -> PinnedBytes:
        with _errors():
            memory: PinnedBytes = cuda.pagelocked_empty(max(size_bytes, 1), np.uint8)
        self._pinned.append(memory)
        return memory

    def upload(self, target: int, source: PinnedBytes) -> None:
        with _errors():
            cuda.memcpy_htod_async(target, source, self._stream)

    def download(self, target: PinnedBytes, source: int) -> None:
        with _errors():
            cuda.memcpy_dtoh_async(target, source, self._stream)

    def load_kernels(self, ptx: bytes, names: tuple[str, ...]) -> dict[str, Any]:
        with _errors():
            module = cuda.module_from_buffer(ptx)
            self._modules.append(module)
            return {name: module.get_function(name) for name in names}

    def launch(self, kernel: Any, grid: Dim, block: Dim, arguments: tuple[Any, ...]) -> None:
        with _errors():
            if kernel not in self._prepared:
                kernel.prepare("".join(_FORMATS[type(argument)] for argument in arguments))
                self._prepared.append(kernel)
            values = tuple(argument.value or 0 for argument in arguments)
            kernel.prepared_async_call(grid, block, self._stream, *values)

    def record(self, work: Callable[[], None]) -> _Graph:
        stream, graph, executable = ctypes.c_void_p(self.stream), ctypes.c_void_p(), ctypes.c_void_p()
        check(self._library, self._library.cuStreamBeginCapture_v2(stream, _THREAD_LOCAL_CAPTURE))
        try:
            work()
        finally:
            # Ends the capture even where work failed, or the stream stays unusable.
            ended = self._library.cuStreamEndCapture(stream, ctypes.byref(graph))
        check(self._library, ended)
        flags = ctypes.c_ulonglong(0)
        check(self._library, self._library.cuGraphInstantiateWithFlags(ctypes.byref(executable), graph, flags))
        self._library.cuGraphDestroy(graph)
        self._graphs.append(_Graph(self._library, executable, self.stream))
        return self._graphs[-1]

    def event(self) -> Any:
        with _errors():
            return cuda.Event().record(self._stream)

    def elapsed_ms(self, start: Any, end: Any) -> float:
        with _errors():
            end.synchronize()
            return float(end.time_since(start))

    def synchronize(self) -> None:
        with _errors():
            self._stream.synchronize()

    def close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        # After a failure these calls fail as well; everything goes with the context then.
        with contextlib.suppress(cuda.Error, BackendError):
            self._context.push()
            for graph in self._graphs:
                self._library.cuGraphExecDestroy(graph.executable)
            for memory in self._memory:
                memory.free()
            for pinned in self._pinned:
                pinned.base.free()
            self._graphs.clear()
            self._memory.clear()
            self._pinned.clear()
            self._modules.clear()
            del self._stream
            cuda.Context.pop()
        self._context.detach()


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """pycuda's errors as ours.

    Raises:
        BackendError: the call failed; out of memory with what to do about it.
    """
    try:
        yield
    except cuda.MemoryError as error:
        raise BackendError(
            "the GPU is out of memory; close other programs that use it, or choose a smaller --size"
        ) from error
    except cuda.Error as error:
        raise BackendError(f"the GPU failed: {str(error).splitlines()[0]}") from error
