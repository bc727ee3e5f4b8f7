"""As much of pycuda.driver as our device layer calls, with names, signatures and ownership as in pycuda 2026.1."""

import builtins
import ctypes
import struct

import numpy as np

_library = ctypes.CDLL("libcuda.so.1")


class Error(Exception):
    pass


class MemoryError(Error, builtins.MemoryError):  # noqa: A001
    pass


def _check(code: int) -> None:
    if code == 2:
        raise MemoryError("cuMemAlloc failed: out of memory")
    if code:
        raise Error(f"failed: CUDA_ERROR_LAUNCH_FAILED {code}")


def init(flags: int = 0) -> None:
    _check(_library.cuInit(flags))


class Context:
    def push(self) -> None:
        _check(_library.cuCtxPushCurrent(None))

    @staticmethod
    def pop() -> None:
        _check(_library.cuCtxPopCurrent(None))

    def detach(self) -> None: ...


class Device:
    def __init__(self, number: int) -> None:
        assert number == 0

    def retain_primary_context(self) -> Context:
        return Context()


class Stream:
    def __init__(self, flags: int = 0) -> None:
        value = ctypes.c_void_p()
        _check(_library.cuStreamCreate(ctypes.byref(value), flags))
        self.handle = value.value

    def synchronize(self) -> None:
        _check(_library.cuStreamSynchronize(ctypes.c_void_p(self.handle)))


class Event:
    def __init__(self, flags: int = 0) -> None:
        self.event = ctypes.c_void_p()
        _check(_library.cuEventCreate(ctypes.byref(self.event), flags))

    def record(self, stream: Stream | None = None) -> "Event":
        _check(_library.cuEventRecord(self.event, ctypes.c_void_p(stream.handle if stream else None)))
        return self

    def synchronize(self) -> "Event":
        _check(_library.cuEventSynchronize(self.event))
        return self

    def time_since(self, start: "Event") -> float:
        elapsed = ctypes.c_float()
        _check(_library.cuEventElapsedTime(ctypes.byref(elapsed), start.event, self.event))
        return elapsed.value


class DeviceAllocation:
    def __init__(self, address: int) -> None:
        self._address = address

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        _check(_library.cuMemFree(ctypes.c_ulonglong(self._address)))


def mem_alloc(size: int) -> DeviceAllocation:
    address = ctypes.c_ulonglong()
    _check(_library.cuMemAlloc(ctypes.byref(address), ctypes.c_size_t(size)))
    return DeviceAllocation(address.value)


class PagelockedHostAllocation:
    def __init__(self, size: int) -> None:
        self._address = ctypes.c_void_p()
        _check(_library.cuMemHostAlloc(ctypes.byref(self._address), ctypes.c_size_t(size), 0))
        self.__array_interface__ = {
            "shape": (size,),
            "typestr": "|u1",
            "data": (self._address.value, False),
            "version": 3,
        }

    def free(self) -> None:
        _check(_library.cuMemFreeHost(self._address))


def pagelocked_empty(shape: int, dtype: type) -> np.ndarray:
    assert dtype is np.uint8
    return np.asarray(PagelockedHostAllocation(shape))


def memcpy_htod_async(dest: int, src: np.ndarray, stream: Stream | None = None) -> None:
    size, handle = ctypes.c_size_t(src.nbytes), ctypes.c_void_p(stream.handle if stream else None)
    _check(_library.cuMemcpyHtoDAsync(ctypes.c_ulonglong(dest), ctypes.c_void_p(src.ctypes.data), size, handle))


def memcpy_dtoh_async(dest: np.ndarray, src: int, stream: Stream | None = None) -> None:
    size, handle = ctypes.c_size_t(dest.nbytes), ctypes.c_void_p(stream.handle if stream else None)
    _check(_library.cuMemcpyDtoHAsync(ctypes.c_void_p(dest.ctypes.data), ctypes.c_ulonglong(src), size, handle))


class Function:
    def __init__(self, function: ctypes.c_void_p) -> None:
        self._function = function

    def prepare(self, arg_types: str) -> "Function":
        self.arg_format = arg_types
        return self

    def prepared_async_call(self, grid: tuple, block: tuple, stream: Stream, *args) -> None:
        kinds = {"P": ctypes.c_void_p, "i": ctypes.c_int, "f": ctypes.c_float}
        struct.pack(self.arg_format, *args)
        values = [kinds[letter](value) for letter, value in zip(self.arg_format, args, strict=True)]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        handle = ctypes.c_void_p(stream.handle)
        _check(_library.cuLaunchKernel(self._function, *grid, *block, 0, handle, pointers, None))


class Module:
    def __init__(self, content: bytes) -> None:
        self._module = ctypes.c_void_p()
        _check(_library.cuModuleLoadData(ctypes.byref(self._module), content))

    def get_function(self, name: str) -> Function:
        function = ctypes.c_void_p()
        _check(_library.cuModuleGetFunction(ctypes.byref(function), self._module, name.encode()))
        return Function(function)


def module_from_buffer(buffer: bytes) -> Module:
    return Module(buffer)
