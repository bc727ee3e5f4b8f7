"""Generators through TensorRT or TensorRT-RTX (extra `tensorrt`); for the filter, frames stay on the GPU."""

import time
from typing import Any

import numpy as np

from toonfilter.runtime.backends.engine_cache import EngineCache, EngineKey
from toonfilter.runtime.backends.tensorrt_engines import engine_of
from toonfilter.runtime.backends.tensorrt_flavours import Flavour, ShowPhase, check_driver, flavour_for, load_engine
from toonfilter.runtime.backends.translator import MAX_BATCH, Crops, Description, blank_inputs
from toonfilter.runtime.bundle import Bundle, Precision
from toonfilter.runtime.cuda.device import Device, open_device
from toonfilter.runtime.cuda.driver import gpu_info
from toonfilter.runtime.errors import BackendError


class TensorRtEngine:
    """One engine in one stream; see `toonfilter.runtime.backends.translator.DeviceEngine`."""

    def __init__(self, flavour: Flavour, plan: bytes, runtime_cache: bytes, device: Device, size: int) -> None:
        self._flavour, self._device, self._size = flavour, device, size
        self._engine, self._new_context, self._cache = load_engine(flavour, plan, runtime_cache)
        # One context for each batch size: a CUDA graph stays tied to the context and the shapes it was recorded with.
        self._contexts: dict[int, Any] = {}
        trt = flavour.module
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        self._inputs = [name for name in names if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        self._output = next(name for name in names if name not in self._inputs)
        if [self._engine.get_tensor_dtype(name) for name in names] != [trt.DataType.UINT8] * len(names):
            raise BackendError(
                "the engine's pictures are not uint8; build it again: toonfilter export --engine tensorrt"
            )
        self.channels = int(self._engine.get_tensor_shape(self._output)[-1])

    def can_be_recorded(self, batch: int) -> bool:
        """TensorRT-RTX tells whether a graph may hold what it compiled; TensorRT's engines may once they have run."""
        ask = getattr(self._context(batch), "is_stream_capturable", None)
        return True if ask is None else bool(ask(self._device.stream))

    def enqueue(self, batch: int, crops: int, guidance: int, cartoons: int) -> None:
        context = self._context(batch)
        addresses = {"image": crops, "guidance": guidance}
        for name in self._inputs:
            context.set_tensor_address(name, addresses[name])
        context.set_tensor_address(self._output, cartoons)
        if not context.execute_async_v3(self._device.stream):
            raise BackendError(f"{self._flavour.title} failed to run the engine; the GPU may be lost or out of memory")

    def compiled(self) -> bytes:
        """What was compiled for this GPU so far, for the next start; empty where nothing is."""
        return b"" if self._cache is None else bytes(self._cache.serialize())

    def close(self) -> None:
        """Free the engine; inside the device's context."""
        self._contexts.clear()
        del self._new_context
        self._engine = self._cache = None

    def _context(self, batch: int) -> Any:
        if batch not in self._contexts:
            context = self._new_context()
            for name in self._inputs:
                channels = int(self._engine.get_tensor_shape(name)[-1])
                context.set_input_shape(name, (batch, self._size, self._size, channels))
            self._contexts[batch] = context
        return self._contexts[batch]


class TensorRtTranslator:
    """See `Translator`. Engines are built at the first start and kept for the next.

    progress: told of a build, which takes seconds to minutes. layer: see `open_device`.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        size: int,
        precision: Precision = "fp16",
        layer: str = "auto",
        progress: ShowPhase | None = None,
        cache: EngineCache | None = None,
    ) -> None:
        check_driver()
        self._bundle, self._precision, self._progress = bundle, precision, progress
        self._gpu = gpu_info()
        self._flavour = flavour_for(self._gpu)
        self._cache = cache or EngineCache()
        self._engines: dict[int, TensorRtEngine] = {}
        self._keys: dict[int, EngineKey] = {}
        self._staging: dict[str, tuple[int, Any]] = {}
        self._device: Device | None = open_device(layer)
        try:
            with self._device.current():
                # All sizes now: a face that comes nearer in a call must not wait for a build.
                for side in {size, *bundle.input.sizes}:
                    self._engine(side)
        except BaseException:
            self.close()
            raise

    def translate(self, crops: Crops, guidance: Crops | None) -> Crops:
        device = self._opened()
        count, size = crops.shape[:2]
        with device.current():
            engine = self._engine(size)
            results = []
            for start in range(0, count, MAX_BATCH):
                part = slice(start, start + MAX_BATCH)
                results.append(self._one_batch(engine, crops[part], None if guidance is None else guidance[part]))
            return results[0] if len(results) == 1 else np.concatenate(results)

    def warm_up(self, size: int) -> None:
        self.translate(*blank_inputs(self._bundle, size))
        with self._opened().current():
            self._cache.keep_runtime_cache(self._keys[size], self._engine(size).compiled())

    @property
    def device(self) -> Device:
        """See `DeviceTranslator`."""
        return self._opened()

    def device_engine(self, size: int) -> TensorRtEngine:
        """See `DeviceTranslator`."""
        return self._engine(size)

    def close(self) -> None:
        if self._device is None:
            return
        device, self._device = self._device, None
        try:
            with device.current():
                for engine in self._engines.values():
                    engine.close()
        except BackendError:
            # A lost device: nothing to free any more.
            pass
        self._engines.clear()
        device.close()

    def describe(self) -> Description:
        layer = self._device.layer if self._device is not None else "closed"
        version = self._flavour.version
        name = "tensorrt-rtx" if self._flavour.facts.has_runtime_cache else "tensorrt"
        return Description(name, version, self._precision, str(self._gpu.name), (layer,))

    def _opened(self) -> Device:
        if self._device is None:
            raise BackendError("the TensorRT engine is closed")
        return self._device

    def _engine(self, size: int) -> TensorRtEngine:
        if size not in self._engines:
            device = self._opened()
            started_s = time.perf_counter()
            key, plan, is_new = engine_of(
                self._bundle,
                size,
                self._flavour,
                self._gpu,
                self._cache,
                precision=self._precision,
                progress=self._progress,
            )
            if is_new and self._progress is not None:
                self._progress(f"engine for {size} px built in {time.perf_counter() - started_s:.0f} s", 1.0)
            compiled = self._cache.runtime_cache(key)
            self._engines[size] = TensorRtEngine(self._flavour, plan, compiled, device, size)
            self._keys[size] = key
        return self._engines[size]

    def _one_batch(self, engine: TensorRtEngine, crops: Crops, guidance: Crops | None) -> Crops:
        device = self._opened()
        shape = (*crops.shape[:3], engine.channels)
        source, source_host = self._buffer("crops", crops.nbytes)
        drawn, drawn_host = self._buffer("guidance", 1 if guidance is None else guidance.nbytes)
        target, target_host = self._buffer("cartoons", int(np.prod(shape)))
        source_host[:] = crops.reshape(-1)
        device.upload(source, source_host)
        if guidance is not None:
            drawn_host[:] = guidance.reshape(-1)
            device.upload(drawn, drawn_host)
        engine.enqueue(len(crops), source, drawn, target)
        device.download(target_host, target)
        device.synchronize()
        result: Crops = target_host.reshape(shape).copy()
        return result

    def _buffer(self, name: str, size_bytes: int) -> tuple[int, Any]:
        """Device address and pinned host bytes, kept from call to call."""
        address, host = self._staging.get(name, (0, np.empty(0, np.uint8)))
        if host.nbytes < size_bytes:
            device = self._opened()
            address, host = device.allocate(size_bytes), device.allocate_pinned(size_bytes)
            self._staging[name] = (address, host)
        return address, host[:size_bytes]
