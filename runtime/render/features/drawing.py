"""The features of one face onto a canvas."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import skia

from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.ages import rules_for
from toonfilter.runtime.render.features.brows import draw_brow
from toonfilter.runtime.render.features.brush import Pen, polygon
from toonfilter.runtime.render.features.curves import FaceCurves
from toonfilter.runtime.render.features.eyes import draw_eye, eye_shape
from toonfilter.runtime.render.features.glasses import DARK_LENS
from toonfilter.runtime.render.features.lines import draw_blush, draw_lines
from toonfilter.runtime.render.features.mouth import draw_mouth
from toonfilter.runtime.render.features.nose import draw_nose
from toonfilter.runtime.render.features.palette import FeatureColours, feature_colours
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.styles.feature_rules import FeatureRules

_LAST_EDGE = (0.25, 0.6)
"""Visibility of an eye over which what is left of it fades in. Raising it draws ghosts of far eyes."""


def draw_features(
    canvas: skia.Canvas,
    face: FaceGeometry,
    look: Look,
    rules: FeatureRules,
    ink_black: float = 0.0,
    silhouette: skia.Path | None = None,
) -> None:
    """Blush, lines, nose, mouth, brows and eyes over skin that is already drawn; what the head hides is left out.

    ink_black: see `BaseRules`. silhouette: of the person; nothing is drawn beyond it.
    """
    pen = Pen()
    with nullcontext() if silhouette is None else pen.inside(silhouette):
        _draw_all(pen, face, look, rules, ink_black)
    pen.draw(canvas)


def _draw_all(pen: Pen, face: FaceGeometry, look: Look, rules: FeatureRules, ink_black: float) -> None:
    curves = FaceCurves(face.flat)
    rules = rules_for(look, rules)
    colours = feature_colours(look, rules, ink_black)
    with pen.inside(polygon(face.outline)):
        draw_blush(pen, face, look, colours, rules.lines)
        draw_lines(pen, face, curves, look, colours, rules.lines)
    with _far_side(pen, face):
        _draw_side(pen, face, curves, look, colours, rules, face.far_side)
    if look.mouth.covered < 0.5:
        draw_nose(pen, face, curves, colours, rules.nose)
        draw_mouth(pen, face, curves, look, colours, rules.mouth)
    _draw_side(pen, face, curves, look, colours, rules, 1 - face.far_side)


def _draw_side(
    pen: Pen,
    face: FaceGeometry,
    curves: FaceCurves,
    look: Look,
    colours: FeatureColours,
    rules: FeatureRules,
    side: int,
) -> None:
    # The ridge hides a far eye piece by piece; only its last edge fades.
    alpha = smoothstep(face.eye_visibility[side], *_LAST_EDGE)
    if alpha < 0.01:
        return
    with pen.faded(alpha):
        draw_brow(pen, face, curves, look, colours, rules.brows, side)
        if look.glasses is None or look.glasses.darkness < DARK_LENS:
            draw_eye(pen, face, look, colours, rules.eyes, eye_shape(face, curves, rules.eyes, side))


@contextmanager
def _far_side(pen: Pen, face: FaceGeometry) -> Iterator[None]:
    """Draw only what a turned head shows of its far side: beyond the ridge of the nose, within the face."""
    beyond = face.beyond_nose
    if beyond is None:
        yield
        return
    with pen.inside(polygon(beyond)), pen.inside(polygon(face.outline)):
        yield
