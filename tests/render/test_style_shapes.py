"""Shapes of features that a style file gives as SVG paths."""

from dataclasses import replace

import numpy as np
import pytest
from test_patterns import head_at, sheet

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.landmarks import CHIN, EYES, LIP_TOP
from toonfilter.runtime.render.canvas import canvas_on
from toonfilter.runtime.render.features.drawing import draw_features
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.styles.feature_rules import BrowRules, EyeRules, FeatureRules, LineRules, NoseRules
from toonfilter.runtime.styles.shapes import MOST_POINTS, outlines_of

SQUARE = "M-1 -1 L1 -1 L1 1 L-1 1 Z"


def test_a_path_becomes_closed_outlines() -> None:
    (square,) = outlines_of(SQUARE)
    assert square.tolist() == [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    (circle,) = outlines_of("M1 0 A1 1 0 0 1 -1 0 A1 1 0 0 1 1 0 Z")
    assert np.hypot(*circle.T) == pytest.approx(1, abs=1e-3)
    assert len(outlines_of(f"{SQUARE} m3 0 h1 v1 z")) == 2
    assert outlines_of("") == ()


@pytest.mark.parametrize("path", ["hello", "L1 1", "M0 0 L1", "M0 0 Lnan 1", "M0 0 L1 1", "5", "M0 0 Z"])
def test_what_is_no_path_is_told(path: str) -> None:
    with pytest.raises(ConfigError, match="must be SVG path data"):
        outlines_of(path)


def test_a_path_that_would_slow_drawing_down_is_told() -> None:
    with pytest.raises(ConfigError, match=f"must have at most {MOST_POINTS}"):
        outlines_of("M0 0" + " L1 1 L0 1" * MOST_POINTS)


def drawn(rules: FeatureRules) -> np.ndarray:
    pixels = sheet()
    draw_features(canvas_on(pixels), head_at(200, 180, 240), Look.plain(), rules)
    return pixels[..., :3].astype(int)


@pytest.mark.parametrize(
    ("table", "rules"),
    [
        ("eyes", EyeRules(pupil_shape=SQUARE)),
        ("eyes", EyeRules(highlight_shape="M-1 0 L0 -1 L1 0 L0 1 Z", highlight=0.6)),
        ("eyes", EyeRules(second_highlight_shape=SQUARE, second_highlight=0.4)),
        ("brows", BrowRules(shape="M0 0 L1 -1 L1 1 Z")),
        ("nose", NoseRules(shape="M-.2 0 L.2 0 L0 .2 Z")),
        ("nose", NoseRules(shade_shape="M-.2 0 L.2 0 L0 .2 Z")),
        ("lines", LineRules(blush_shape="M0 0 L.2 0 L.1 .2 Z", blush=1.0)),
    ],
)
def test_a_shape_changes_its_feature_and_nothing_else(table: str, rules: object) -> None:
    plain = type(rules)(
        **{name: getattr(rules, name) for name in ("highlight", "second_highlight", "blush") if hasattr(rules, name)}
    )
    with_shape, without = (drawn(replace(FeatureRules(), **{table: one})) for one in (rules, plain))
    rows = np.nonzero(np.abs(with_shape - without).max(2) > 20)[0]
    assert len(rows) > 20
    points = head_at(200, 180, 240).flat
    lids, brows = points[[*EYES[0].upper, *EYES[0].lower], 1], points[[*EYES[0].brow_upper, *EYES[0].brow_lower], 1]
    low, high = {
        "eyes": (lids.min(), lids.max()),
        "brows": (brows.min() - 12, brows.max() + 12),
        "nose": (brows.min(), points[LIP_TOP[len(LIP_TOP) // 2], 1]),
        "lines": (lids.min(), points[CHIN, 1]),
    }[table]
    assert low - 12 <= rows.min()
    assert rows.max() <= high + 12


def test_marks_on_the_cheeks_are_mirrored() -> None:
    pixels = drawn(replace(FeatureRules(), lines=LineRules(blush_shape="M0 0 L.3 0 L0 .3 Z", blush=1.0)))
    bare = drawn(replace(FeatureRules(), lines=LineRules(blush=0.0)))
    seen = np.abs(pixels - bare).max(2) > 20
    left, right = (np.nonzero(half)[1] for half in (seen[:, :200], seen[:, 200:]))
    # Each has its upright edge inside and its point outside.
    assert np.median(left) > (left.min() + left.max()) / 2
    assert np.median(right) < (right.min() + right.max()) / 2
