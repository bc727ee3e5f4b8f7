"""Crop, translate and blend without leaving the GPU: one upload, one crop kernel, the engine, a blend, one download.

Crops and drawings, a few hundred kilobytes, come back as well, so that they are checked like those of any engine.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.backends.translator import MAX_BATCH, Crops, DeviceEngine
from toonfilter.runtime.cuda.device import Device, Graph, PinnedBytes
from toonfilter.runtime.cuda.kernels import shipped_ptx
from toonfilter.runtime.cuda.regions import FACE, Plan
from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.warp import GRID, Field
from toonfilter.runtime.render.blending import Mask, Region, border_window, head_oval

_KERNELS = ("crop_faces", "blend_face")
_TILE = 16
_BLEND_BLOCKS, _BLEND_THREADS = 512, 256


@dataclass(frozen=True, slots=True)
class FaceInputs:
    """What the CPU knows of each face, in the order in which they are drawn.

    fields: float32 [GRID, GRID, 2] or None, see `coarse_displacement`. guidance: uint8 [S, S, 3] or None. hull: uint8
    [S, S], see `face_hull`.
    """

    fields: Sequence[Field | None]
    guidance: Sequence[NDArray[np.uint8] | None]
    hulls: Sequence[Mask]


class _Buffer:
    """The same bytes on the device and, page-locked, on the host."""

    def __init__(self, device: Device, size_bytes: int, *, is_staged: bool = True) -> None:
        self._device = device
        self.size_bytes = size_bytes
        self.address = device.allocate(size_bytes)
        self.host: PinnedBytes = device.allocate_pinned(size_bytes) if is_staged else np.empty(0, np.uint8)

    def upload(self, size_bytes: int) -> None:
        self._device.upload(self.address, self.host[:size_bytes])

    def download(self, size_bytes: int) -> None:
        self._device.download(self.host[:size_bytes], self.address)


class _FaceBuffers:
    """What goes to the device and comes back for each face, with room for so many. size: of a crop, px."""

    def __init__(self, device: Device, room: int, size: int, channels: int, *, has_guidance: bool) -> None:
        pixels = size * size
        self.room = room
        self.faces = _Buffer(device, FACE.itemsize * room)
        self.fields = _Buffer(device, _field_bytes() * room)
        self.hulls = _Buffer(device, pixels * room)
        self.guidance = _Buffer(device, 3 * pixels * room, is_staged=has_guidance)
        self.crops = _Buffer(device, 3 * pixels * room)
        self.cartoons = _Buffer(device, channels * pixels * room)


class _Masks:
    """What is the same for every face of a size, uploaded once: the fade at the crop's border, and the head's oval."""

    def __init__(self, device: Device, size: int) -> None:
        self.window, self.oval = _Buffer(device, size * size), _Buffer(device, size * size)
        for buffer, mask in ((self.window, border_window(size)), (self.oval, head_oval(size))):
            buffer.host[:] = mask.ravel()
            buffer.upload(size * size)


class GpuChain:
    """The chain for one crop size. Memory is taken at the start and when more faces or a larger frame arrive, never per
    frame. From the second call with as many faces on, everything but the frame's own two copies is one CUDA graph.

    channels: of the engine's answer, 4 with a matte, 3 without. Used inside `device.current()`.
    """

    def __init__(
        self,
        device: Device,
        engine: DeviceEngine,
        *,
        size: int,
        channels: int,
        has_guidance: bool,
        use_graph: bool = True,
    ) -> None:
        self.size, self.channels = size, channels
        self._device, self._engine, self._has_guidance = device, engine, has_guidance
        self._use_graph = use_graph
        self._kernels = device.load_kernels(shipped_ptx(), _KERNELS)
        self._graphs: dict[tuple[int, Region], Graph | None] = {}
        self._masks = _Masks(device, size)
        self._buffers = self._face_buffers(MAX_BATCH)
        self._pool = _Buffer(device, 1)

    def draw(self, image: Image, plan: Plan, inputs: FaceInputs, region: Region) -> tuple[Crops, Crops]:
        """Draw the faces and wait for the result; `finish` then puts it into the frame.

        image: uint8 [H, W, 3] RGB, only read. Returns crops uint8 [N, S, S, 3] and their drawings uint8 [N, S, S, C];
        both are written over by the next call.

        Raises:
            BackendError: the GPU or the engine failed.
        """
        count = len(plan.faces)
        self._reserve(count, plan.pool_bytes)
        self._stage(image, plan, inputs)
        self._pool.upload(plan.pool_bytes)
        self._run(count, region)
        self._pool.download(plan.pool_bytes)
        self._device.synchronize()
        return self._drawn(count)

    def finish(self, image: Image, plan: Plan) -> None:
        """Put the changed rectangles into the frame, in place."""
        for region in plan.regions:
            pixels = self._pool.host[region.offset : region.offset + region.size_bytes]
            target = region.of(image)
            target[:] = pixels.reshape(target.shape)

    def _run(self, count: int, region: Region) -> None:
        key = (count, region)
        graph = self._graphs.get(key)
        if graph is not None:
            graph.launch()
            return
        batches = {min(MAX_BATCH, count - start) for start in range(0, count, MAX_BATCH)}
        has_run = self._use_graph and key in self._graphs
        if has_run and all(self._engine.can_be_recorded(batch) for batch in batches):
            # The second time: engines allocate and compile in their first run, which a graph cannot hold.
            recorded = self._device.record(lambda: self._work(count, region))
            self._graphs[key] = recorded
            recorded.launch()
            return
        self._graphs[key] = None
        self._work(count, region)

    def _work(self, count: int, region: Region) -> None:
        """Everything whose sizes and addresses are the same in every frame with as many faces."""
        pixels = self.size * self.size
        self._buffers.faces.upload(FACE.itemsize * count)
        self._buffers.fields.upload(_field_bytes() * count)
        self._buffers.hulls.upload(pixels * count)
        if self._has_guidance:
            self._buffers.guidance.upload(3 * pixels * count)
        self._launch_crop(count)
        for start in range(0, count, MAX_BATCH):
            batch = min(MAX_BATCH, count - start)
            at = start * pixels
            crops, guidance = self._buffers.crops.address + 3 * at, self._buffers.guidance.address + 3 * at
            self._engine.enqueue(batch, crops, guidance, self._buffers.cartoons.address + self.channels * at)
        self._buffers.crops.download(3 * pixels * count)
        self._buffers.cartoons.download(self.channels * pixels * count)
        for index in range(count):
            self._launch_blend(index, region)

    def _launch_crop(self, count: int) -> None:
        tiles = -(-self.size // _TILE)
        arguments = (
            _address(self._buffers.faces.address),
            _address(self._pool.address),
            _address(self._buffers.fields.address),
            ctypes.c_int(GRID),
            ctypes.c_int(self.size),
            _address(self._buffers.crops.address),
        )
        self._device.launch(self._kernels["crop_faces"], (tiles, tiles, count), (_TILE, _TILE, 1), arguments)

    def _launch_blend(self, index: int, region: Region) -> None:
        if self.channels == 4:
            matte, step, stride = self._buffers.cartoons.address + 3, 4, 4 * self.size * self.size
        else:
            matte, step, stride = self._masks.oval.address, 1, 0
        arguments = (
            _address(self._buffers.faces.address),
            ctypes.c_int(index),
            _address(self._pool.address),
            _address(self._buffers.cartoons.address),
            ctypes.c_int(self.channels),
            _address(matte),
            ctypes.c_int(step if region == "head" else 0),
            ctypes.c_int(stride),
            _address(self._masks.window.address),
            _address(self._buffers.hulls.address),
            ctypes.c_int(self.size),
        )
        self._device.launch(self._kernels["blend_face"], (_BLEND_BLOCKS, 1, 1), (_BLEND_THREADS, 1, 1), arguments)

    def _stage(self, image: Image, plan: Plan, inputs: FaceInputs) -> None:
        """Copy what the frame brings into page-locked memory."""
        for region in plan.regions:
            pixels = self._pool.host[region.offset : region.offset + region.size_bytes]
            source = region.of(image)
            pixels.reshape(source.shape)[:] = source
        count, pixels_each = len(plan.faces), self.size * self.size
        self._buffers.faces.host[: plan.faces.nbytes] = plan.faces.view(np.uint8)
        fields = self._buffers.fields.host.view(np.float32).reshape(-1, GRID, GRID, 2)
        hulls = self._buffers.hulls.host.reshape(-1, self.size, self.size)
        for index in range(count):
            field = inputs.fields[index]
            fields[index] = 0 if field is None else field
            hulls[index] = inputs.hulls[index]
        if self._has_guidance:
            guidance = self._buffers.guidance.host[: 3 * pixels_each * count].reshape(-1, self.size, self.size, 3)
            for index, drawn in enumerate(inputs.guidance):
                if drawn is None:
                    raise BackendError("the generator asks for guidance and got none")
                guidance[index] = drawn

    def _drawn(self, count: int) -> tuple[Crops, Crops]:
        shape = (-1, self.size, self.size)
        return (
            self._buffers.crops.host.reshape(*shape, 3)[:count],
            self._buffers.cartoons.host.reshape(*shape, self.channels)[:count],
        )

    def _reserve(self, faces: int, pool_bytes: int) -> None:
        """Make room; graphs hold addresses, so they go with the memory they were recorded for."""
        if faces > self._buffers.room:
            self._buffers = self._face_buffers(-(-faces // MAX_BATCH) * MAX_BATCH)
            self._graphs.clear()
        if pool_bytes > self._pool.size_bytes:
            self._pool = _Buffer(self._device, max(pool_bytes, 2 * self._pool.size_bytes))
            self._graphs.clear()

    def _face_buffers(self, room: int) -> _FaceBuffers:
        return _FaceBuffers(self._device, room, self.size, self.channels, has_guidance=self._has_guidance)


class StandIn:
    """The negative in a generator's place, for tests and for measuring everything around a generator."""

    def __init__(self, device: Device, size: int, channels: int) -> None:
        self._device, self._size, self.channels = device, size, channels
        self._kernel = device.load_kernels(shipped_ptx(), ("stand_in_generator",))["stand_in_generator"]

    def can_be_recorded(self, batch: int) -> bool:  # noqa: ARG002
        return True

    def enqueue(self, batch: int, crops: int, guidance: int, cartoons: int) -> None:  # noqa: ARG002
        pixels = ctypes.c_int(batch * self._size * self._size)
        arguments = (_address(crops), pixels, ctypes.c_int(self.channels), _address(cartoons))
        self._device.launch(self._kernel, (_BLEND_BLOCKS, 1, 1), (_BLEND_THREADS, 1, 1), arguments)


ChainFactory = Callable[[int], GpuChain]
"""The chain for a crop size, made at its first use."""


def _address(value: int) -> ctypes.c_void_p:
    return ctypes.c_void_p(value)


def _field_bytes() -> int:
    return GRID * GRID * 2 * 4
