"""Paths from whole arrays are those that single calls build."""

import numpy as np
import pytest
import skia

from toonfilter.runtime.render import paths
from toonfilter.runtime.render.features.brush import Shape, paths_through
from toonfilter.runtime.render.paths import CLOSE, CUBIC, LINE, MOVE, path_of_bytes, polygons

_OUTER = np.array([[0, 0], [10, 0.5], [10, 10], [0.25, 10]], np.float32)
_INNER = _OUTER * 0.5 + 2


def _by_hand(shapes: list[np.ndarray], *, closed: bool = True) -> skia.Path:
    path = skia.Path()
    for shape in shapes:
        path.moveTo(*shape[0].tolist())
        for point in shape[1:].tolist():
            path.lineTo(*point)
        if closed:
            path.close()
    return path


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("shapes", [[], [_OUTER], [_OUTER, _INNER], [_OUTER.astype(np.float64)[:3]]])
def test_polygons_are_those_of_single_calls(shapes: list[np.ndarray], closed: bool) -> None:
    expected = _by_hand(shapes, closed=closed)
    assert polygons(shapes, closed=closed, even_odd=False) == expected
    expected.setFillType(skia.PathFillType.kEvenOdd)
    assert polygons(shapes, closed=closed) == expected


def test_what_another_format_would_give_is_built_verb_by_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.arange(16, dtype=np.float32).tobytes()
    verbs = MOVE + LINE + CUBIC + CUBIC + CLOSE
    usual = path_of_bytes(points, verbs, even_odd=True)
    monkeypatch.setattr(paths, "FORMAT", 99)
    assert path_of_bytes(points, verbs, even_odd=True) == usual
    assert usual.countPoints() == 8


def test_no_path_is_built_verb_by_verb_where_skia_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "verb_by_verb", lambda *_: pytest.fail("the format in memory is another one"))
    assert not polygons([_OUTER]).isEmpty()


def test_curves_go_through_their_points_and_corners_join_runs() -> None:
    line = np.linspace(0, 9, 10, dtype=np.float32)[:, None] * np.array([1, 0], np.float32)
    path = paths_through([Shape((line, line[::-1] + np.float32(5)))])[0]
    assert path.countVerbs() == 1 + 9 + 1 + 9 + 1
    ends = [path.getPoint(place) for place in (0, 27, 28, 55)]
    assert [(one.x(), one.y()) for one in ends] == [(0, 0), (9, 0), (14, 5), (5, 5)]
    assert path.isLastContourClosed()
