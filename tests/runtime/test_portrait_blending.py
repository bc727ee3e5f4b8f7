import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.faces.still_faces import StillFaceFinder
from toonfilter.runtime.geometry.alignment import CropTransform, crop_transform
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.pixelate import cover_softly, pixelated
from toonfilter.runtime.geometry.warp import FaceWarp
from toonfilter.runtime.likeness import likeness, view_of
from toonfilter.runtime.render.blending import beside_neighbours, blend_mask, paste
from toonfilter.runtime.render.portrait import Portrait, take_portrait

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def face(astronaut: Image) -> Face:
    finder = StillFaceFinder()
    faces, unmeshed = finder.find(astronaut)
    finder.close()
    assert len(faces) == 1
    assert not unmeshed
    return faces[0]


def portrait_of(image: Image, face: Face, size: int = 256, warp: FaceWarp | None = None) -> Portrait:
    transform = crop_transform(face.landmarks, size, face.fit)
    return take_portrait(image, face.landmarks, transform, warp, with_guidance=True)


def test_crop_is_what_opencv_samples(astronaut: Image, face: Face) -> None:
    portrait = portrait_of(astronaut, face)
    expected = cv2.warpAffine(astronaut, portrait.transform.frame_to_crop, (256, 256), borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(portrait.crop.astype(int) - expected).mean() < 1.0


def test_large_faces_are_averaged_not_decimated(face: Face) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1600, 1600, 3), np.uint8)
    transform = CropTransform(800, 800, 1500, 0.1, 128)
    crop = take_portrait(noise, face.landmarks, transform, None, with_guidance=False).crop
    assert crop.std() < 0.2 * noise.std()


def test_shrinking_keeps_the_place(face: Face) -> None:
    ramp = np.repeat(np.linspace(0, 255, 1600, dtype=np.float32)[None, :], 1600, 0)
    image = cv2.merge([ramp, ramp.T, ramp]).astype(np.uint8)
    transform = CropTransform(700.0, 820.0, 1000.0, 0.2, 128)
    crop = take_portrait(image, face.landmarks, transform, None, with_guidance=False).crop
    matrix = transform.crop_to_frame
    for x, y in ((20, 30), (64, 64), (100, 90)):
        frame_x, frame_y = matrix[:, :2] @ (x, y) + matrix[:, 2]
        assert crop[y, x, 0] == pytest.approx(frame_x * 255 / 1599, abs=1.5)
        assert crop[y, x, 1] == pytest.approx(frame_y * 255 / 1599, abs=1.5)


@pytest.mark.parametrize("region", ["head", "face"])
def test_no_real_face_stays_and_nothing_else_changes(astronaut: Image, face: Face, region: str) -> None:
    """A drawing of pure green must cover the whole face, with a soft seam, and leave the far picture alone."""
    portrait = portrait_of(astronaut, face, warp=FaceWarp())
    mask = blend_mask(portrait, None, "head" if region == "head" else "face")
    canvas = astronaut.copy()
    green = np.zeros((256, 256, 3), np.uint8)
    green[..., 1] = 255
    paste(canvas, green, mask, portrait)
    inside = np.zeros(astronaut.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.round(face.landmarks[:, :2]).astype(np.int32)), 255)
    covered = np.abs(canvas.astype(int) - (0, 255, 0)).max(2) <= 2
    assert covered[inside > 0].mean() > 0.999
    assert np.array_equal(canvas[430:], astronaut[430:])
    assert np.abs(np.diff(mask.astype(int), axis=1)).max() < 40


def test_matte_decides_outside_the_face(astronaut: Image, face: Face) -> None:
    portrait = portrait_of(astronaut, face)
    nothing = blend_mask(portrait, np.zeros((256, 256), np.uint8), "head")
    everything = blend_mask(portrait, np.full((256, 256), 255, np.uint8), "head")
    assert np.array_equal(nothing, blend_mask(portrait, None, "face"))
    assert everything[40, 128] == 255
    assert everything[0].max() < 20
    assert everything[-1].max() < 20


def test_own_pixels_pasted_back_leave_no_seam(astronaut: Image, face: Face) -> None:
    portrait = portrait_of(astronaut, face, 384)
    canvas = astronaut.copy()
    paste(canvas, portrait.crop, blend_mask(portrait, None, "head"), portrait)
    assert np.abs(canvas.astype(int) - astronaut).mean() < 1.0


def test_face_at_the_border_of_the_frame(astronaut: Image, face: Face) -> None:
    left = int(face.box.left) + 30
    cut = np.ascontiguousarray(astronaut[:, left:])
    landmarks = face.landmarks - np.array([left, 0, 0], np.float32)
    transform = crop_transform(landmarks, 128)
    portrait = take_portrait(cut, landmarks, transform, FaceWarp(), with_guidance=True)
    canvas = cut.copy()
    paste(canvas, np.zeros((128, 128, 3), np.uint8), blend_mask(portrait, None, "head"), portrait)
    assert canvas[150, 0].max() == 0


@pytest.mark.parametrize("box", [Box(-50, -50, 20, 20), Box(500, 500, 600, 600), Box(900, 900, 950, 950)])
def test_a_cover_outside_the_frame_is_harmless(astronaut: Image, box: Box) -> None:
    canvas = astronaut.copy()
    cover_softly(canvas, box)
    assert canvas.shape == astronaut.shape


def test_a_cover_leaves_flowing_colours(astronaut: Image, face: Face) -> None:
    canvas = astronaut.copy()
    cover_softly(canvas, face.box)
    region = canvas[int(face.box.top) : int(face.box.bottom), int(face.box.left) : int(face.box.right)]
    # Nothing finer than the noise of rounding is left, and what is far from the face stays.
    assert int(cv2.absdiff(region, cv2.blur(region, (3, 3)))[2:-2, 2:-2].max()) < 12
    assert likeness(astronaut, canvas, view_of(face.box)) < 0.7
    assert np.array_equal(canvas[:, 400:], astronaut[:, 400:])


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (720, 1280, 3)])
def test_pixelated_keeps_the_shape(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    result = pixelated(rng.integers(0, 256, shape, np.uint8), 12)
    assert result.shape == shape
    assert len(np.unique(result.reshape(-1, 3), axis=0)) <= 12 * 12


def test_a_cover_beside_a_drawn_face_hides_all_but_the_drawing(astronaut: Image, face: Face) -> None:
    drawn = astronaut.copy()
    hull = np.zeros(astronaut.shape[:2], np.uint8)
    outline = cv2.convexHull(np.ascontiguousarray(face.landmarks[:, :2]))
    cv2.fillConvexPoly(hull, np.rint(outline).astype(np.int32), 255)
    drawn[hull > 0] = (0, 255, 0)
    beside = Box(face.box.centre[0], face.box.top, face.box.right + 60, face.box.bottom)
    canvas = drawn.copy()
    cover_softly(canvas, beside, [face.landmarks])
    assert (canvas[hull > 0] == (0, 255, 0)).all()
    left, top, right, bottom = (round(side) for side in (beside.left, beside.top, beside.right, beside.bottom))
    inside = np.zeros_like(hull)
    inside[top:bottom, left:right] = 255
    hidden = (inside > 0) & (hull == 0)
    assert hidden.sum() > 2000
    deep = cv2.erode(hidden.astype(np.uint8), np.ones((7, 7))) > 0
    assert int(cv2.absdiff(canvas, cv2.blur(canvas, (3, 3)))[deep].max()) < 12


def test_a_neighbour_keeps_its_cartoon(astronaut: Image, face: Face) -> None:
    """Heads that are close: the drawing of one shows the photo of the other, and must not be laid over it."""
    moved = face.landmarks + np.array([face.box.width, 0, 0], np.float32)
    portraits = [
        take_portrait(astronaut, landmarks, crop_transform(landmarks, 256), None, with_guidance=False)
        for landmarks in (face.landmarks, moved)
    ]
    canvas = np.zeros_like(astronaut)
    masks = [np.full((256, 256), 255, np.uint8)] * 2
    colours = [np.full((256, 256, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 200, 0))]
    for mask, colour, portrait in zip(beside_neighbours(masks, portraits), colours, portraits, strict=True):
        paste(canvas, colour, mask, portrait)
    own = [np.rint(points[[468, 473, 1], :2]).astype(int) for points in (face.landmarks, moved)]
    for points, channel in zip(own, (0, 1), strict=True):
        assert (canvas[points[:, 1], points[:, 0], channel] > 150).all()
