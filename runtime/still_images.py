"""The filter for single pictures: every face drawn at the sharpest size."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

from toonfilter.runtime.backends import EngineOptions, Opened, open_translator
from toonfilter.runtime.bundle import find_bundle
from toonfilter.runtime.faces.detection import StillFaceFinder
from toonfilter.runtime.frames import Frame, Image, SafeFrame
from toonfilter.runtime.geometry.alignment import crop_transform
from toonfilter.runtime.geometry.pixelate import mosaic
from toonfilter.runtime.privacy import CoverageCheck, Guard, LostPolicy
from toonfilter.runtime.render.opening import RenderOptions, open_renderer

_ENLARGE_UP_TO = 1.25


@dataclass(frozen=True, slots=True)
class StillSettings:
    """style, engine, rendering: as for `FilterSettings`. lost: what a picture without a face becomes."""

    style: str = "cartoon"
    engine: str = "auto"
    rendering: RenderOptions = field(default_factory=RenderOptions)
    lost: LostPolicy = field(default_factory=lambda: LostPolicy(action="cover"))


class StillFilter:
    """Draws every face of single pictures at the sharpest size the bundle has. Not thread safe."""

    def __init__(
        self, settings: StillSettings | None = None, *, opener: Callable[..., Opened] = open_translator
    ) -> None:
        """Raises: BundleError, BackendError, ConfigError when the style or the engine cannot be opened."""
        settings = settings or StillSettings()
        bundle = find_bundle(settings.style)
        self._sizes = sorted(bundle.input.sizes)
        # Precision before speed: nobody waits for the next frame.
        options = EngineOptions(size=self._sizes[0], precision="fp32" if "fp32" in bundle.precisions else None)
        self.opened = opener(bundle, settings.engine, options)
        self._renderer = open_renderer(bundle, self.opened.translator, settings.rendering)
        self._finder = StillFaceFinder()
        self._guard = Guard(settings.lost)
        self._takes_drawings = bundle.takes_drawings

    def process(self, image: Image) -> SafeFrame:
        """The picture with every face drawn. image: uint8 [H, W, 3] RGB, left as it is.

        Raises:
            BackendError: the engine failed.
        """
        canvas = image.copy()
        frame = Frame(canvas, 0)
        faces, unmeshed = self._finder.find(image)
        if not faces:
            return self._guard.lost(frame, "no face found")
        witness = CoverageCheck(image, faces)
        aligned = [(face, crop_transform(face.landmarks, 1, face.fit)) for face in faces]
        sized = [(face, self._size_for(transform.side_px)) for face, transform in aligned]
        for size, group in groupby(sorted(sized, key=lambda one: one[1]), key=lambda one: one[1]):
            self._renderer.render(canvas, [(face, crop_transform(face.landmarks, size, face.fit)) for face, _ in group])
        covered = len(faces) if self._takes_drawings else witness.covered(canvas)
        for box in unmeshed:
            mosaic(canvas, box)
        doubtful = len(unmeshed)
        return self._guard.protected(frame, canvas, faces_found=len(faces) + doubtful, faces_covered=covered + doubtful)

    def close(self) -> None:
        """Free finder and engine."""
        self._finder.close()
        self.opened.translator.close()

    def _size_for(self, side_px: float) -> int:
        return next((size for size in self._sizes if size * _ENLARGE_UP_TO >= side_px), self._sizes[-1])
