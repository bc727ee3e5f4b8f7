"""The filter for single pictures: every face drawn at the sharpest size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from toonfilter.runtime.backends import EngineOptions, Opened, open_translator
from toonfilter.runtime.bundle import find_bundle
from toonfilter.runtime.faces.config import TrackingConfig
from toonfilter.runtime.faces.still_faces import StillFaceFinder
from toonfilter.runtime.frames import Frame, Image, SafeFrame
from toonfilter.runtime.geometry.alignment import crop_transform
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.privacy import Guard, HiddenFace, LostPolicy, check_drawings_only
from toonfilter.runtime.render.opening import RenderOptions, open_renderer
from toonfilter.runtime.render.people_reader import drawn_faces

_ENLARGE_UP_TO = 1.25
"""How far a drawing may be enlarged before a larger size is drawn. Raising it is faster and blurs."""


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
        if bundle.input.domain == "drawing":
            check_drawings_only(bundle, is_file=True, confirmed=settings.lost.confirmed)
        self._finder = StillFaceFinder(config=TrackingConfig(is_patient=True))
        self._guard = Guard(settings.lost)
        self._hides_nobody = bundle.input.domain == "drawing"

    def process(self, image: Image) -> SafeFrame:
        """The picture with every face drawn. image: uint8 [H, W, 3] RGB, left as it is.

        Raises:
            BackendError: the engine failed.
        """
        canvas = image.copy()
        frame = Frame(canvas, 0)
        faces, unmeshed = self._finder.find(image)
        if not faces:
            return self._without_faces(frame, image, unmeshed)
        aligned = [(face, crop_transform(face.landmarks, 1, face.fit)) for face in faces]
        size = self._size_for(max(transform.side_px for _, transform in aligned))
        sized = [(face, replace(transform, size=size)) for face, transform in aligned]
        prepared = self._renderer.prepare(image, sized, places=unmeshed)
        self._renderer.render(canvas, sized, prepared=prepared)
        if self._hides_nobody:
            return self._guard.exposed(frame, canvas, "the style hides nobody")
        drawn, not_drawn = drawn_faces(prepared, faces)
        places = [*unmeshed, *(face.box for face in not_drawn)]
        hidden = [HiddenFace.drawn(face) for face in drawn] + [HiddenFace(box) for box in places]
        return self._guard.release(frame, image, canvas, hidden)

    def _without_faces(self, frame: Frame, image: Image, places: Sequence[Box]) -> SafeFrame:
        """Whoever is in the picture drawn as a figure without a face, where a style draws whole pictures."""
        if not self._renderer.draws_whole_frame:
            return self._guard.lost(frame, "no face found")
        prepared = self._renderer.prepare(image, [], places=places)
        self._renderer.render(frame.image, [], prepared=prepared)
        hidden = [HiddenFace(box) for box in places]
        return self._guard.lost(frame, "no face found", drawn=(image, frame.image), places=hidden)

    def close(self) -> None:
        """Free finder and engine."""
        self._finder.close()
        self.opened.translator.close()

    def _size_for(self, side_px: float) -> int:
        return next((size for size in self._sizes if size * _ENLARGE_UP_TO >= side_px), self._sizes[-1])
