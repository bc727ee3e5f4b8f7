"""What is evaluated: a bundle, a checkpoint, a folder of results, or the plain OpenCV cartoon filter."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.pictures import Image, Pairing, Picture, read_result
from toonfilter.benchmarks.quality.seam import changed_region
from toonfilter.runtime.bundle import MANIFEST, find_bundle, known_bundles
from toonfilter.runtime.errors import BackendError, ConfigError, DataError
from toonfilter.runtime.faces.still_faces import UPRIGHT, StillFaceFinder
from toonfilter.runtime.faces.tracker import FaceTracker, TrackingResult
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.frames import Frame, PrivacyState
from toonfilter.runtime.geometry.pixelate import TILES_REACH

OPENCV = "opencv"
"""The model name of the plain OpenCV cartoon filter, which stands in the table for comparison."""
CLIP_FPS = 25.0
CHECKPOINT = "checkpoint.json"
"""The file that makes a folder a checkpoint; run folders hold them below `checkpoints`."""
Exporter = Callable[[Path], Path]
"""Writes the bundle of a checkpoint or run folder and says where it lies."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A result: image uint8 [H, W, 3] RGB of the source's size; region bool [H, W], where it was drawn, if known.

    is_covered: whether the filter hid the face instead of drawing it; None for models that are not the filter.
    """

    image: Image
    region: NDArray[np.bool_] | None = None
    is_covered: bool | None = None


class Drawer(Protocol):
    """Draws results, in one thread."""

    def draw(self, picture: Picture, source: Image) -> Drawn:
        """The result for a picture.

        Raises:
            DataError: there is none for this picture, or it cannot be read.
        """
        ...

    def draw_clip(self, frames: Iterable[Image]) -> Iterator[Image]:
        """The results for successive frames of one clip, in order.

        Raises:
            DataError: this model is a folder of still results.
        """
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """A model under evaluation. open: a new drawer for the calling thread, to be used as a context manager.

    draws_clips: whether it can be given new frames. pairing: the folder of results, where it is one.
    """

    name: str
    kind: str
    open: Callable[[], AbstractContextManager[Drawer]]
    draws_clips: bool
    pairing: Pairing | None = None


def find_model(text: str, export: Exporter | None = None, raw: bool | None = None) -> Model:
    """The model that the text names: [LABEL=]NAME or PATH.

    export: how checkpoints become bundles, so that they are measured as users will run them. raw: True measures what
    the generator makes of the whole picture, False what the filter shows; None takes the generator for checkpoints and
    for bundles that are made for drawings, and the filter where a generator needs landmarks and for all other bundles.

    Raises:
        ConfigError: nothing of that name.
        DataError, BundleError: it is there but cannot be used.
    """
    label, _, spec = text.rpartition("=")
    path = Path(spec)
    if spec == OPENCV:
        return _opencv_model(label or OPENCV)
    if (path / MANIFEST).is_file() or spec in known_bundles():
        if raw or (raw is None and find_bundle(spec).input.domain == "drawing"):
            return _raw_model(label or path.name, "bundle, raw", path)
        return _bundle_model(label or path.name, spec)
    if _is_checkpoint(path):
        if raw is not False:
            try:
                return _raw_model(label or path.name, "checkpoint, raw", path)
            except ConfigError:
                if raw:
                    raise
        return _checkpoint_model(label or path.name, path, export)
    if path.is_dir():
        return _folder_model(label or path.resolve().name, path)
    known = ", ".join(sorted(known_bundles())) or "none installed"
    raise ConfigError(
        f"model {spec!r} is no bundle, checkpoint or folder of results; give a path, {OPENCV}, or a bundle's name "
        f"({known})"
    )


class _FolderDrawer:
    def __init__(self, pairing: Pairing) -> None:
        self._pairing = pairing

    def draw(self, picture: Picture, source: Image) -> Drawn:
        path = self._pairing.find(picture.key)
        if path is None:
            raise DataError(f"no result for {picture.key}")
        return Drawn(*read_result(path, source))

    def draw_clip(self, frames: Iterable[Image]) -> Iterator[Image]:  # noqa: ARG002 - the protocol
        raise DataError("a folder of results cannot draw new frames; give a bundle or a checkpoint")


def _folder_model(name: str, folder: Path) -> Model:
    pairing = Pairing(folder)
    return Model(name, "results", lambda: nullcontext(_FolderDrawer(pairing)), draws_clips=False, pairing=pairing)


class FunctionDrawer:
    """A drawer that knows nothing but the picture: `function(image) -> image`."""

    def __init__(self, function: Callable[[Image], Image]) -> None:
        self._function = function

    def draw(self, picture: Picture, source: Image) -> Drawn:  # noqa: ARG002 - the protocol's signature
        return Drawn(self._function(source))

    def draw_clip(self, frames: Iterable[Image]) -> Iterator[Image]:
        return map(self._function, frames)


def _opencv_model(name: str) -> Model:
    from toonfilter.train.data.opencv_cartoon import opencv_cartoon

    return Model(name, "filter", lambda: nullcontext(FunctionDrawer(opencv_cartoon)), draws_clips=True)


def _raw_model(name: str, kind: str, path: Path) -> Model:
    from toonfilter.train.raw import open_raw

    generator = open_raw(path)
    return Model(name, kind, lambda: nullcontext(FunctionDrawer(generator)), draws_clips=True)


class _StillTracker:
    """Stands in for the tracker of a video: every picture is on its own, every face a new one."""

    def __init__(self) -> None:
        self._finder = StillFaceFinder(turns=UPRIGHT)
        self._next_id = 0
        self.is_face_hidden = True

    def track(self, image: Image, time_s: float | None = None) -> TrackingResult:  # noqa: ARG002
        faces, unmeshed = self._finder.find(image)
        renamed = [dataclasses.replace(face, id=self._next_id + face.id) for face in faces]
        self._next_id += len(faces)
        self.is_face_hidden = not faces or any(box.grown(TILES_REACH).overlap(faces[0].box) > 0.15 for box in unmeshed)
        return TrackingResult(renamed, unmeshed)

    def reset(self) -> None:
        """Nothing is kept from picture to picture."""

    def close(self) -> None:
        self._finder.close()


class _BundleDrawer:
    """The whole filter as users run it, on one thread."""

    def __init__(self, style: str) -> None:
        self._settings = FilterSettings(style=style, threads=1)
        self._tracker = _StillTracker()
        self._still = ToonFilter(self._settings, tracker=cast(FaceTracker, self._tracker))
        self._count = 0

    def __enter__(self) -> "_BundleDrawer":
        return self

    def __exit__(self, *reason: object) -> None:
        self._still.close()

    def draw(self, picture: Picture, source: Image) -> Drawn:
        self._count += 1
        try:
            # So far apart in time that no picture stands in for the next one.
            safe = self._still.process(Frame(source.copy(), self._count, captured_at_s=60.0 * self._count))
        except BackendError as error:
            raise DataError(f"{picture.key}: {error}") from error
        is_drawn = safe.state is PrivacyState.PROTECTED and not self._tracker.is_face_hidden
        region = changed_region(source, safe.image) if is_drawn else None
        return Drawn(safe.image, region, not is_drawn)

    def draw_clip(self, frames: Iterable[Image]) -> Iterator[Image]:
        toon = ToonFilter(self._settings)
        try:
            for index, image in enumerate(frames):
                yield toon.process(Frame(image.copy(), index, captured_at_s=index / CLIP_FPS)).image
        finally:
            toon.close()


def _bundle_model(name: str, spec: str) -> Model:
    find_bundle(spec)
    return Model(name, "bundle, filter", lambda: _BundleDrawer(spec), draws_clips=True)


def _is_checkpoint(path: Path) -> bool:
    return (path / CHECKPOINT).is_file() or any(path.glob(f"checkpoints/*/{CHECKPOINT}"))


def _checkpoint_model(name: str, path: Path, export: Exporter | None) -> Model:
    if export is None:
        raise ConfigError(f"{path} is a checkpoint; export it first: toonfilter export {path}")
    model = _bundle_model(name, str(export(path)))
    return dataclasses.replace(model, kind="checkpoint, filter")
