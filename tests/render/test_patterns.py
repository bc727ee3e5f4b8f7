"""Dots, hatching, strokes of hair and paper: what lies on the head stays on it, and pencil has no colours."""

import cv2
import numpy as np
import pytest
from test_layers import PlanesByColour, scene

from toonfilter.runtime.geometry.alignment import crop_transform, mean_face
from toonfilter.runtime.render.canvas import canvas_on
from toonfilter.runtime.render.drawing import LayeredRenderer
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.face_map import SIDE, FaceMap
from toonfilter.runtime.render.ground import Ground, printed
from toonfilter.runtime.render.hair_flow import hair_flow
from toonfilter.runtime.render.hair_ring import crown_ring
from toonfilter.runtime.render.hair_strokes import draw_strokes
from toonfilter.runtime.render.patterns import PatternFrame, dots, draw_dots, draw_hatching
from toonfilter.runtime.render.pencil import paper, pencilled
from toonfilter.runtime.styles.style import BaseRules, Style

INK = np.array([0, 0, 0], np.float32)


def head_at(x: float, y: float, height: float = 200) -> FaceGeometry:
    return FaceGeometry.of((mean_face() * height + [x, y, 0]).astype(np.float32))


def sheet() -> np.ndarray:
    return np.full((400, 400, 4), 255, np.uint8)


def shade(left: int, right: int) -> np.ndarray:
    """A patch of shade on the map of the face."""
    field = np.zeros((SIDE, SIDE), np.uint8)
    field[20:60, left:right] = 200
    return cv2.GaussianBlur(field, (0, 0), 2.0)


@pytest.mark.parametrize("pattern", ["dots", "hatching", "brush"])
def test_patterns_move_with_the_head(pattern: str) -> None:
    drawn = []
    for x, y in ((170, 180), (193, 191)):
        head, pixels = head_at(x, y), sheet()
        canvas, face = canvas_on(pixels), FaceMap(head.points)
        if pattern == "dots":
            draw_dots(canvas, head, face, shade(12, 34), 0.06, INK)
        elif pattern == "hatching":
            draw_hatching(canvas, face, shade(12, 34), head.unit_px, INK)
        else:
            canvas.drawPaint(dots(PatternFrame.of(head), 0.06, 0.4, INK))
        drawn.append(pixels[..., 0].astype(int))
    first, second = drawn[0][100:250, 100:250], drawn[1][111:261, 123:273]
    assert first.min() < 120, "something is drawn"
    assert np.abs(first - second).mean() < 4
    assert np.abs(first - drawn[1][100:250, 100:250]).mean() > 12, "and it moved"


def test_a_larger_share_of_dots_is_darker() -> None:
    means = []
    for cover in (0.1, 0.3, 0.6):
        pixels = sheet()
        canvas_on(pixels).drawPaint(dots(PatternFrame.of(head_at(200, 200)), 0.06, cover, INK))
        means.append(float(pixels[..., 0].mean()))
    assert means == pytest.approx([255 * 0.9, 255 * 0.7, 255 * 0.4], abs=12)


def test_dots_without_whole_shade_are_left_out() -> None:
    head, pixels = head_at(200, 200), sheet()
    faint = cv2.min(shade(12, 34), 125)
    draw_dots(canvas_on(pixels), head, FaceMap(head.points), faint, 0.06, INK)
    assert (pixels == 255).all()


def test_small_patches_are_not_hatched() -> None:
    head, pixels = head_at(200, 200), sheet()
    draw_hatching(canvas_on(pixels), FaceMap(head.points), shade(30, 33), head.unit_px, INK)
    assert (pixels == 255).all()


def test_the_middle_of_a_printed_ground_is_clear_and_its_corners_have_dots() -> None:
    ground = printed(np.full((360, 640, 3), 200, np.uint8), 1.0)
    assert ground[170:190, 310:330].min() == 200
    corner = ground[-60:, -60:]
    assert corner.min() < 140
    assert corner.max() == 200


def test_a_ring_is_where_hair_is_and_leans_with_the_head() -> None:
    pupils = np.array([100, 150], np.float32)
    upright = crown_ring((200, 200), pupils, np.array([1, 0], np.float32), 60)
    rows = np.flatnonzero(upright[:, 100] > 0.5)
    assert 60 < 150 - rows.mean() < 90
    assert not upright[:, :15].any()
    leaning = crown_ring((200, 200), pupils, np.array([0.94, 0.34], np.float32), 60)
    assert np.argwhere(leaning > 0.5)[:, 1].mean() > np.argwhere(upright > 0.5)[:, 1].mean() + 10


def strokes(light: np.ndarray, relief: float = 0.0, lightness: float = 65.0) -> np.ndarray:
    hair = np.zeros(light.shape, np.uint8)
    hair[10:-10, 10:-10] = 255
    picture = np.full((*light.shape, 4), 255, np.uint8)
    flow = hair_flow(light, hair, np.array([60, 60], np.float32), 60.0)
    draw_strokes(picture, flow, np.full(light.shape, relief, np.float32), lightness)
    return picture[..., 0].astype(np.float32)


def test_strokes_run_along_strands() -> None:
    wave = (128 + 60 * np.sin(np.arange(120) * 0.9)).astype(np.uint8)
    upright = strokes(np.tile(wave, (120, 1)))
    across, down = (np.abs(np.diff(upright[30:90, 30:90], axis=axis)).mean() for axis in (1, 0))
    assert across > 2 * down


def test_dark_hair_has_more_strokes_than_fair_and_lights_have_none() -> None:
    light = np.random.default_rng(3).integers(100, 140, (120, 120)).astype(np.uint8)
    black, fair = strokes(light), strokes(light, lightness=90)
    assert black.mean() < fair.mean() - 20
    assert (strokes(light, relief=20) == 255).all()


def test_pencil_has_no_colours_and_keeps_what_is_behind() -> None:
    drawn = np.zeros((60, 80, 4), np.uint8)
    drawn[:, :40] = (200, 30, 30, 255)
    blank = pencilled(drawn, paper(60, 80))
    chroma = blank.max(2).astype(int) - blank.min(2)
    assert chroma.max() < 24, "only the paper's own warmth"
    assert blank[:, :40].mean() < blank[:, 40:].mean() - 60
    room = np.full((60, 80, 3), (20, 160, 60), np.uint8)
    behind = pencilled(drawn, room)
    assert np.abs(behind[:, 45:].astype(int) - room[:, 45:]).max() <= 2
    assert (behind[:, :35].max(2).astype(int) - behind[:, :35].min(2)).max() < 24


def test_people_in_a_pencil_style_are_grey_whatever_they_wear(face) -> None:
    image = scene()
    style = Style("pencil", base=BaseRules(fill="paper", pattern="hatching"))
    for ground in (None, Ground("colour", (10, 200, 10))):
        drawn = image.copy()
        LayeredRenderer(PlanesByColour(), style, ground=ground).render(drawn, [])
        person = drawn[180:200, 300:340].astype(int)
        assert (person.max(2) - person.min(2)).max() < 24
    portrait, found = face
    drawn = portrait.copy()
    renderer = LayeredRenderer(PlanesByColour(), style)
    renderer.render(drawn, [(found, crop_transform(found.landmarks, 256, found.fit))])
    assert (drawn.max(2).astype(int) - drawn.min(2)).max() < 26
