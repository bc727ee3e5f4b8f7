"""From faces to drawings in the frame: portraits in one batch through the engine, checked, and blended back."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.backends.translator import MAX_BATCH, Crops, Translator
from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.warp import FaceWarp
from toonfilter.runtime.render.blending import Mask, Region, beside_neighbours, blend_mask, paste
from toonfilter.runtime.render.portrait import Layout, Portrait, finish_portrait, lay_out
from toonfilter.runtime.render.temporal_smoother import TemporalSmoother

_SAME_LEVELS = 1.0
_FLAT_LEVELS = 2.0
_MOST_LIKENESS = 0.9


class Drawing(NamedTuple):
    """One face drawn. picture: uint8 [S, S, 3] RGB. matte: uint8 [S, S], or None where the generator has none."""

    portrait: Portrait
    picture: Image
    matte: Mask | None


AlignedFace = tuple[Face, CropTransform]
"""A face and where its crop lies."""


class FrameRenderer(Protocol):
    """Draws faces into frames; see `Renderer`.

    draws_whole_frame: nothing of the frame's pixels is left, whoever is or is not found in it.
    """

    @property
    def draws_whole_frame(self) -> bool: ...

    def prepare(
        self,
        image: Image,
        faces: Sequence[AlignedFace],
        time_s: float | None = None,
        places: Sequence[Box] = (),
    ) -> Any: ...

    def render(
        self, image: Image, faces: Sequence[AlignedFace], time_s: float | None = None, prepared: Any = None
    ) -> object: ...

    def forget(self) -> None: ...

    def close(self) -> None:
        """Run nothing beside the caller from now on; whoever closes waits for what does."""


class Renderer:
    """Draws faces with one bundle and one translator. One thread may prepare a frame while another paints the last."""

    draws_whole_frame: Literal[False] = False

    def __init__(self, bundle: Bundle, translator: Translator, region: Region = "head") -> None:
        self._translator = translator
        self._region = region
        self._channels = bundle.output.channels
        self._with_guidance = bundle.input.guidance_channels > 0
        self._is_for_drawings = bundle.input.domain == "drawing"
        self._warp = FaceWarp.from_dict(dict(bundle.warp)) if bundle.warp else None
        self._smoother = TemporalSmoother()

    def prepare(
        self,
        image: Image,  # noqa: ARG002
        faces: Sequence[AlignedFace],
        time_s: float | None = None,  # noqa: ARG002
        places: Sequence[Box] = (),  # noqa: ARG002
    ) -> list[Layout]:
        """What can be done before the frame's turn to be painted. All transforms have the same size."""
        return [lay_out(face.landmarks, transform, self._warp) for face, transform in far_to_near(faces)]

    def render(
        self,
        image: Image,
        faces: Sequence[AlignedFace],
        time_s: float | None = None,
        prepared: list[Layout] | None = None,
    ) -> list[Drawing]:
        """Draw the faces into the frame, in place, the smallest first so that near faces lie before far ones.

        image: uint8 [H, W, 3] RGB; untouched when this raises. All transforms have the same size.
        time_s: of the frame, in a video, whose drawings are steadied; None for a picture on its own.
        prepared: the result of `prepare` for the same faces, when it is at hand.

        Raises:
            BackendError: the engine failed, or what it returned is no drawing of its input.
        """
        ordered = far_to_near(faces)
        layouts = self.prepare(image, faces) if prepared is None else prepared
        portraits = [finish_portrait(image, layout, with_guidance=self._with_guidance) for layout in layouts]
        drawings: list[Drawing] = []
        for start in range(0, len(portraits), MAX_BATCH):
            drawings += self.draw(portraits[start : start + MAX_BATCH])
        if time_s is not None:
            share = self._smoother.advance(time_s, {face.id for face, _ in ordered})
            drawings = [
                Drawing(drawing.portrait, *self._smoother.steady(face.id, drawing.picture, drawing.matte, share))
                for drawing, (face, _) in zip(drawings, ordered, strict=True)
            ]
        masks = [blend_mask(drawing.portrait, drawing.matte, self._region) for drawing in drawings]
        masks = beside_neighbours(masks, [drawing.portrait for drawing in drawings])
        for drawing, mask in zip(drawings, masks, strict=True):
            paste(image, drawing.picture, mask, drawing.portrait)
        return drawings

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._smoother = TemporalSmoother()

    def close(self) -> None:
        """See `FrameRenderer`: nothing runs beside the caller."""

    def draw(self, portraits: Sequence[Portrait]) -> list[Drawing]:
        """Translate up to MAX_BATCH portraits of the same size.

        Raises:
            BackendError: see `render`.
        """
        crops = np.stack([portrait.crop for portrait in portraits])
        guidance = np.stack(
            [portrait.guidance for portrait in portraits if portrait.guidance is not None] or [crops[0]]
        )
        result = self._translator.translate(crops, guidance if self._with_guidance else None)
        expected = (*crops.shape[:3], self._channels)
        if result.shape != expected or result.dtype != np.uint8:
            raise BackendError(f"generator returned {result.dtype} {result.shape}; expected uint8 {expected}")
        check_drawings(crops, result, may_be_alike=self._is_for_drawings)
        return [_drawing(portrait, whole) for portrait, whole in zip(portraits, result, strict=True)]


def far_to_near(faces: Sequence[AlignedFace]) -> list[AlignedFace]:
    """In the order in which they are drawn."""
    return sorted(faces, key=lambda one: one[1].side_px)


def _drawing(portrait: Portrait, whole: Image) -> Drawing:
    """Colours and matte apart. whole: uint8 [S, S, 3 or 4], the engine's memory."""
    if whole.shape[2] == 3:
        return Drawing(portrait, whole.copy(), None)
    return Drawing(portrait, cv2.cvtColor(whole, cv2.COLOR_RGBA2RGB), cv2.extractChannel(whole, 3))


def check_drawings(crops: Crops, result: Crops, *, may_be_alike: bool) -> None:
    """A drawing that equals its photo, or is flat, is none.

    may_be_alike: the inputs are drawings themselves, and the results may be like them.

    Raises:
        BackendError: says which of the two.
    """
    for crop, drawing in zip(crops, result, strict=True):
        photo, drawn = _middle(crop), _middle(drawing)
        if float(cv2.meanStdDev(drawn)[1].max()) < _FLAT_LEVELS:
            raise BackendError("generator returned a flat picture; the frame is covered instead")
        if may_be_alike:
            continue
        same_levels = float(np.mean(cv2.mean(cv2.absdiff(photo, drawn))[:3])) < _SAME_LEVELS
        if same_levels or likeness(photo, drawn) > _MOST_LIKENESS:
            raise BackendError("generator returned its input unchanged; the frame is covered instead")


def _middle(picture: Image) -> Image:
    """Every second pixel of the middle, where the face is; colours only. picture: uint8 [S, S, 3 or 4]."""
    quarter = picture.shape[0] // 4
    inner = picture[quarter:-quarter, quarter:-quarter]
    middle: Image = cv2.resize(inner, (inner.shape[1] // 2, inner.shape[0] // 2), interpolation=cv2.INTER_NEAREST)
    if middle.shape[2] == 4:
        middle = cv2.cvtColor(middle, cv2.COLOR_RGBA2RGB)
    return middle


def likeness(photo: Image, drawn: Image) -> float:
    """How far two pictures share their fine detail, whatever their brightness and contrast: 1 for the same, 0 for none.

    photo, drawn: uint8 [S, S, 3] RGB. The correlation of both after what is larger than an eighth of the side is
    taken off. On 53 faces cartoons reached 0.81; photos with other colours, blur or compression stayed above 0.92.
    """
    first, second = (_fine_detail(picture) for picture in (photo, drawn))
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float((first * second).sum()) / norm if norm > 0 else 0.0


def _fine_detail(picture: Image) -> NDArray[np.float32]:
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    reach_px = max(3, picture.shape[0] // 8)
    detail: NDArray[np.float32] = gray - cv2.blur(gray, (reach_px, reach_px))
    return detail
