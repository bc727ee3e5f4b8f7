"""The translator: the contract between the filter and an engine."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.cuda.device import Device

MAX_BATCH = 4
"""Crops that go to an engine at once, as engines are built for. Raising it needs them built anew, and delays the first
of many faces."""

Crops = NDArray[np.uint8]
"""uint8 [N, S, S, C], C-contiguous."""


@dataclass(frozen=True, slots=True)
class Description:
    """What really runs: engine, its version, model precision, device and execution providers."""

    engine: str
    version: str
    precision: str
    device: str
    providers: tuple[str, ...] = ()

    def __str__(self) -> str:
        providers = f" ({', '.join(self.providers)})" if self.providers else ""
        return f"{self.engine} {self.version}, {self.precision} on {self.device}{providers}"


class Translator(Protocol):
    """Runs a generator. Used from one thread at a time; `close` may be called more than once."""

    def translate(self, crops: Crops, guidance: Crops | None) -> Crops:
        """Draw the crops.

        crops: uint8 [N, S, S, 3] RGB, N from 1 to 4. guidance: uint8 [N, S, S, G] where the bundle asks for it.
        Returns uint8 [N, S, S, C] as the bundle's output spec says; the caller's to keep until the next call.

        Raises:
            BackendError: the engine failed; the translator may be unusable from then on.
        """
        ...

    def warm_up(self, size: int) -> None:
        """Run once at this size, so that the first real call is not the slow one."""
        ...

    def close(self) -> None:
        """Free the engine."""
        ...

    def describe(self) -> Description:
        """What really runs."""
        ...


class DeviceEngine(Protocol):
    """A generator that takes and leaves its pictures on a device."""

    channels: int
    """Of its answer: 4 with a matte, 3 without."""

    def can_be_recorded(self, batch: int) -> bool:
        """Whether `enqueue`, which has run for this batch before, may be part of a CUDA graph."""
        ...

    def enqueue(self, batch: int, crops: int, guidance: int, cartoons: int) -> None:
        """Put one call into the device's stream: addresses of uint8 [batch, S, S, 3], [..., G] and [..., C].

        Raises:
            BackendError: the engine failed.
        """
        ...


@runtime_checkable
class DeviceTranslator(Protocol):
    """A translator whose engines can be used on their device, so that frames stay there while they are drawn."""

    @property
    def device(self) -> Device:
        """The device that its engines run on.

        Raises:
            BackendError: the translator is closed.
        """
        ...

    def device_engine(self, size: int) -> DeviceEngine:
        """The engine for crops of this size, px; inside `device.current()`.

        Raises:
            BackendError: there is none.
        """
        ...


def blank_inputs(bundle: Bundle, size: int) -> tuple[Crops, Crops | None]:
    """One black crop and, where the bundle asks for it, blank guidance: what engines warm up on."""
    channels = bundle.input.guidance_channels
    guidance = np.zeros((1, size, size, channels), np.uint8) if channels else None
    return np.zeros((1, size, size, 3), np.uint8), guidance
