"""How far a face can still be recognised in what was drawn over it.

What makes a face recognisable is the pattern of its parts, a tenth of the face in size, wherever exactly they lie and
whatever their colours. So that pattern is compared: at any small shift, mirrored, and as a negative.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.sampling import take_view

MOST_LIKENESS = 0.91
"""Above it a face counts as shown. Raising it lets styles pass that keep more of the person.

On 70 faces the cartoons of the first style reached 0.88; of photos that were shifted, blurred, negative or laid under a
grid, 95 in 100 were above 0.93."""
LEAST_DETAIL = 0.06
"""See `detail`: from here on there may be somebody to recognise. Raising it lets more walls pass that are like their
own cover, and heads in motion.

Of 60 faces, as they were, dark, small, cut in half, or blurred, the least had 0.1; walls with a stripe at most 0.03."""
_VIEW_PX = 64
"""Side at which faces are compared. Raising it compares finer detail, slower."""
_FINEST_PX, _COARSEST_PX = 0.8, 4.0
"""Widths of the blurs between which detail counts: finer is noise, coarser is shading. A larger first one overlooks
fine lines; a larger second one lets light and shade count."""
_REACH_PX = 6
"""How far a drawing may have moved and still be compared. Raising it finds faces that were shifted further, slower."""
_EDGE_PX = 1.5
"""Rim of the frame that does not count, px of the view. Raising it leaves more of faces at the edge out."""
_LEAST_CONTRAST = 1.5
"""Standard deviation of detail below which there is nothing to compare, levels. Raising it takes more dim faces for
bare."""
_LEAST_SHARE = 0.15
"""Of the face's oval: less of it in the frame shows no face. Raising it lets faces pass that look in at the edge."""
_VIEW_BOXES = 1.15
"""Side of the view in longer sides of the box. Raising it compares more of what is beside the face."""

Pattern = NDArray[np.float32]
"""float32 [64, 64]: what is neither noise nor shading."""


def view_of(box: Box, roll_rad: float = 0.0) -> CropTransform:
    """The square in which a face is compared. box: from brow to chin, px; roll_rad: of the face, clockwise."""
    side_px = _VIEW_BOXES * max(box.width, box.height, 1.0)
    return CropTransform(*box.centre, side_px, roll_rad, _VIEW_PX)


def likeness(original: Image, rendered: Image, view: CropTransform) -> float:
    """1 where the same face shows in both pictures, 0 where nothing of it does, or where there was nothing to see.

    original, rendered: uint8 [H, W, 3] RGB. view: see `view_of`.
    """
    inside = _inside(view, original.shape)
    return pattern_likeness(*(pattern(take_view(image, view), inside) for image in (original, rendered)))


def detail(image: Image, view: CropTransform) -> float:
    """How far the lines of a place run in all directions, 0 to 1, as in faces; on a wall they run in one, or in none.

    image: uint8 [H, W, 3] RGB. view: see `view_of`; only the oval between brow and chin counts, as far as it is in the
    frame.
    """
    inside, oval = _inside(view, image.shape), _oval()
    found = pattern(take_view(image, view), inside)
    counted = oval if inside is None else oval & (cv2.erode(inside, np.ones((3, 3), np.uint8)) > 0)
    if float(found.std()) < _LEAST_CONTRAST or counted.sum() < _LEAST_SHARE * oval.sum():
        return 0.0
    across, down = cv2.Sobel(found, cv2.CV_32F, 1, 0)[counted], cv2.Sobel(found, cv2.CV_32F, 0, 1)[counted]
    both = float((across**2 + down**2).sum())
    directed = float(np.hypot((across**2 - down**2).sum(), 2 * (across * down).sum()))
    return 1 - directed / both if both > 0 else 0.0


@lru_cache(maxsize=1)
def _oval() -> NDArray[np.bool_]:
    """bool [64, 64]: the oval that a face fills in its view."""
    places = np.indices((_VIEW_PX, _VIEW_PX)) - (_VIEW_PX - 1) / 2
    oval: NDArray[np.bool_] = np.hypot(*places) < _VIEW_PX / 2 / _VIEW_BOXES
    return oval


def pattern(view: Image, inside: NDArray[np.float32] | None = None) -> Pattern:
    """The pattern of a picture of any size. view: uint8 [H, W, 3] RGB.

    inside: float32 [64, 64], 1 where the view lies in the frame; elsewhere it has no pattern, nor has its border.
    """
    if view.shape[:2] != (_VIEW_PX, _VIEW_PX):
        view = cv2.resize(view, (_VIEW_PX, _VIEW_PX), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY).astype(np.float32)
    found: Pattern = _blurred(gray, inside, _FINEST_PX) - _blurred(gray, inside, _COARSEST_PX)
    return found if inside is None else found * inside


def _blurred(gray: Pattern, inside: NDArray[np.float32] | None, sigma_px: float) -> Pattern:
    blurred: Pattern = cv2.GaussianBlur(gray if inside is None else gray * inside, (0, 0), sigma_px)
    if inside is not None:
        blurred /= np.maximum(cv2.GaussianBlur(inside, (0, 0), sigma_px), np.float32(1e-3))
    return blurred


def _inside(view: CropTransform, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """float32 [64, 64]: 1 where the view shows the frame, 0 beyond it; None where all of it does. shape: H, W."""
    height, width = shape[:2]
    # Next to the border a view that is shrunk mixes the frame with the black beyond it.
    edge_px = _EDGE_PX * view.side_px / view.size
    last = _VIEW_PX - 1
    corners = np.array([[0, 0], [last, 0], [0, last], [last, last]], np.float32)
    if _are_within(view, corners, (height, width), edge_px).all():
        return None
    places = np.indices((_VIEW_PX, _VIEW_PX), np.float32)[::-1].reshape(2, -1).T
    inside = _are_within(view, places, (height, width), edge_px)
    return inside.reshape(_VIEW_PX, _VIEW_PX).astype(np.float32)


def _are_within(
    view: CropTransform, places: NDArray[np.float32], shape: tuple[int, int], edge_px: float
) -> NDArray[np.bool_]:
    """Whether places in a view, [N, 2] px, lie in the frame and not at its edge. shape: H, W of the frame."""
    x, y = view.to_frame(places).T
    height, width = shape
    within: NDArray[np.bool_] = (
        (x >= edge_px) & (x <= width - 1 - edge_px) & (y >= edge_px) & (y <= height - 1 - edge_px)
    )
    return within


def pattern_likeness(original: Pattern, rendered: Pattern) -> float:
    """0 to 1, see `likeness`."""
    if float(original.std()) < _LEAST_CONTRAST or float(rendered.std()) < _LEAST_CONTRAST:
        return 0.0
    inner = slice(_REACH_PX, _VIEW_PX - _REACH_PX)
    middle = np.ascontiguousarray(original[inner, inner])
    best = 0.0
    for template in (middle, np.ascontiguousarray(middle[:, ::-1])):
        found = cv2.matchTemplate(rendered, template, cv2.TM_CCOEFF_NORMED)
        best = max(best, float(np.abs(found).max()))
    return best
