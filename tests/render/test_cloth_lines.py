"""Lines of cloth: where folds are, and with smooth edges."""

import cv2
import numpy as np

from toonfilter.runtime.render.cloth_lines import cloth_lines

_SIZE, _UNIT = 240, 80.0
_INSIDE = np.full((_SIZE, _SIZE), 255, np.uint8)


def _fold() -> np.ndarray:
    light = np.full((_SIZE, _SIZE), 60, np.float32)
    cv2.line(light, (40, 30), (190, 220), 25, 4)
    return cv2.GaussianBlur(light, (0, 0), 1.0)


def test_a_fold_is_a_line_and_plain_cloth_has_none() -> None:
    lines = cloth_lines(_fold(), _INSIDE, _UNIT)
    assert lines[125, 115] > 200
    assert lines[:, 215:].max() == 0
    assert cloth_lines(np.full_like(_fold(), 60), _INSIDE, _UNIT).max() == 0


def test_edges_of_lines_have_no_steps() -> None:
    lines = cloth_lines(_fold(), _INSIDE, _UNIT).astype(int)
    assert np.abs(np.diff(lines, axis=1)).max() < 110
    assert np.abs(np.diff(lines, axis=0)).max() < 110
