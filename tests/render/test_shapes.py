"""Outlines, the face's map, tones and colours: the tools of the layers."""

import cv2
import numpy as np
import pytest

from toonfilter.runtime.geometry.alignment import mean_face
from toonfilter.runtime.render.colour import ink, shade, to_lab, to_rgb
from toonfilter.runtime.render.contours import outlines
from toonfilter.runtime.render.face_map import SIDE, FaceMap, MeshShapes, mean_cells
from toonfilter.runtime.render.scene import steadied
from toonfilter.runtime.render.shade import Light, calm_gray, shade_field
from toonfilter.runtime.render.tones import stepped


def disc(size: int, centre: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    distance = np.hypot(x - centre[0], y - centre[1]) - radius
    return np.clip(128 - 40 * distance, 0, 255).astype(np.uint8)


def landmarks(scale: float = 200) -> np.ndarray:
    return (mean_face() * scale + [150, 110, 0]).astype(np.float32)


def test_outlines_lie_on_the_level_between_pixels() -> None:
    (shape,) = outlines(disc(100, (48.3, 51.7), 23.4), blur_px=0, smooth_px=1)
    radii = np.hypot(shape[:, 0] - 48.3, shape[:, 1] - 51.7)
    assert np.abs(radii - 23.4).max() < 0.35
    assert abs(radii.mean() - 23.4) < 0.1


def test_outlines_have_holes_and_leave_specks_out() -> None:
    plane = np.minimum(disc(100, (50, 50), 30), 255 - disc(100, (50, 50), 12))
    plane[5:7, 5:7] = 255
    shapes = outlines(plane, blur_px=0, least_px2=20)
    assert sorted(round(float(cv2.contourArea(shape))) > 1500 for shape in shapes) == [False, True]


def test_shapes_at_the_edge_are_closed_beyond_it() -> None:
    plane = np.zeros((60, 60), np.uint8)
    plane[30:, 20:40] = 255
    (shape,) = outlines(plane)
    assert shape[:, 1].max() > 64


def test_a_head_that_the_picture_cuts_goes_on_beyond_it_as_it_came() -> None:
    plane = disc(160, (80, 40), 50)
    # Networks see upright stripes close to the picture's edge.
    plane[:6] = plane[6]
    (shape,) = outlines(plane, blur_px=0, smooth_px=1)
    top = shape[shape[:, 1] < 2]
    assert np.ptp(shape[shape[:, 1] > 6][:, 0]) > 99
    assert np.ptp(top[top[:, 1] < 0][:, 0]) < 60, "a disc is narrower further up"
    assert np.abs(np.hypot(*(top - (80, 40)).T) - 50).max() < 5, "as round as the disc, whose top is at -10: no peak"
    whole = disc(160, (80, 54), 50)
    (shape,) = outlines(whole, blur_px=0, smooth_px=1)
    assert shape[:, 1].min() == pytest.approx(4, abs=0.5), "close to the edge, but not cut by it"
    upright = np.zeros_like(plane)
    upright[:90, 60:100] = 255
    (shape,) = outlines(upright, blur_px=0, smooth_px=1)
    assert np.ptp(shape[shape[:, 1] < 0][:, 0]) == pytest.approx(39, abs=2), "what is upright stays so"


def test_a_head_that_only_just_touches_the_top_has_no_chimney() -> None:
    plane = np.zeros((120, 200), np.uint8)
    cv2.fillPoly(plane, [np.array([[10, 110], [20, 11], [100, 5], [180, 11], [190, 110]], np.int32)], 255)
    plane[:8, 95:110] = 255
    (shape,) = outlines(plane, blur_px=0, smooth_px=1)
    assert shape[:, 1].min() > -8


@pytest.mark.parametrize("seed", range(12))
def test_whatever_touches_the_top_has_outlines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(25):
        side = int(rng.integers(2, 70))
        noise = rng.integers(0, 256, (max(2, side // int(rng.integers(1, 9))),) * 2).astype(np.uint8)
        plane = cv2.resize(noise, (side, int(rng.integers(2, 70))), interpolation=cv2.INTER_CUBIC)
        for shape in outlines(plane, blur_px=float(rng.uniform(0, 2)), least_px2=float(rng.uniform(0, 9))):
            assert np.isfinite(shape).all()
            assert (np.abs(shape) < 200).all()


def test_the_map_knows_where_every_point_lies() -> None:
    points = landmarks()
    face = FaceMap(points)
    inner = [1, 4, 50, 280, 61, 291, 33, 263, 9, 199]
    found = face.to_picture(mean_cells()[inner])
    assert np.abs(found - points[inner, :2]).max() < 1.5


def test_outlines_tied_to_the_mesh_lie_where_the_map_has_them_beside_the_face_too() -> None:
    points = landmarks()
    turns = np.linspace(0, 2 * np.pi, 40, dtype=np.float32)
    rings = [SIDE / 2 + reach * np.stack([np.cos(turns), np.sin(turns)], 1) for reach in (6.3, 29.1, 38.0)]
    for found, expected in zip(MeshShapes(rings).on(points[:, :2]), FaceMap(points).shapes(rings), strict=True):
        # The map is looked up in steps of a 32nd of a cell.
        assert np.abs(found - expected).max() < 0.1
    assert MeshShapes([]).on(points[:, :2]) == []


def test_the_light_is_that_of_the_whole_photo_whatever_of_it_is_looked_at() -> None:
    rng = np.random.default_rng(3)
    photo = cv2.GaussianBlur(rng.integers(0, 255, (300, 420, 3), np.uint8), (0, 0), 12)
    whole = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (0, 0), 5.0)
    for places in ([[150, 80], [260, 200]], [[-20, 5], [30, 310]], [[500, 100], [510, 120]]):
        gray, corner = calm_gray(photo, np.array(places, np.float32), 5.0)
        left, top = corner.astype(int).tolist()
        for x, y in places:
            if 0 <= x < 420 and 0 <= y < 300:
                assert gray[y - top, x - left] == whole[y, x]


def test_normals_of_a_frontal_face_look_at_the_camera() -> None:
    face = FaceMap(landmarks())
    middle = face.normals[SIDE // 2 - 4 : SIDE // 2 + 4, SIDE // 2 - 4 : SIDE // 2 + 4]
    assert (middle[..., 2] < -0.5).mean() > 0.8
    left, right = face.normals[40, 14], face.normals[40, SIDE - 15]
    assert left[0] < 0 < right[0]


def test_shade_lies_away_from_the_light_and_never_on_the_mouth() -> None:
    face = FaceMap(landmarks())
    from_left, from_right = (shade_field(face, Light(side, 0.8)) > 128 for side in (-0.8, 0.8))
    half = SIDE // 2
    assert from_left[:, half:].sum() > 3 * from_left[:, :half].sum()
    assert from_right[:, :half].sum() > 3 * from_right[:, half:].sum()
    mouth = mean_cells()[[0, 17, 13, 14]].round().astype(int)
    assert not from_left[mouth[:, 1], mouth[:, 0]].any()


def test_noise_is_averaged_and_motion_is_not() -> None:
    rng = np.random.default_rng(0)
    last = np.full((64, 64, 9), 120, np.uint8)
    noisy = (120 + rng.integers(-6, 7, last.shape)).astype(np.uint8)
    calm = steadied(last, noisy)
    assert calm.astype(float).std() < 0.75 * noisy.astype(float).std()
    moved = last.copy()
    moved[:32] = 250
    assert (steadied(last, moved)[:32] > 240).all()


def test_steps_are_flat_and_in_order() -> None:
    field = np.repeat(np.arange(256, dtype=np.uint8)[None], 8, 0)
    base, light, dark = np.array([0.5, 0.5, 0.5]), np.array([0.9, 0.9, 0.9]), np.array([0.1, 0.1, 0.1])
    levels = stepped(field, [(180, light), (80, dark)], base)[4, :, 0].astype(int)
    assert (np.diff(levels) >= -1).all()
    assert levels[[10, 128, 250]].tolist() == pytest.approx([25.5, 127.5, 229.5], abs=1.5)


def test_ink_and_shade_are_deep_relatives() -> None:
    skin = np.array([70, 15, 20], np.float32)
    dark, shaded = to_lab(ink(skin)), to_lab(shade(to_rgb(skin), 0.6))
    assert 5 < dark[0] < 30
    assert dark[1] > 0
    assert 45 < shaded[0] < 68
