"""Features by age: children have round faces, small noses, bare lashes and large irises; who is no longer young calmer
eyes."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from toonfilter.runtime.geometry.proportions import SCALES, Proportions
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.styles.feature_rules import FeatureRules
from toonfilter.runtime.styles.style import BaseRules

_STEPS = 8
"""Ages between child and grown-up, and between that and middle age, that are told apart."""
_SMALLER_EYES, _LESS_LIGHT, _LESS_COLOUR = np.array([0.05, 0.08]), 0.2, 0.1
"""What eyes of middle age lose of a style's width and height, of its lights, and of the colour of irises and lips:
large ones stare. Viewers chose so on older and stern faces, and the style's own on young and lively ones. Raising them
makes older people graver."""
_DEEPER_LINES = 0.6
"""How much stronger the lines of the very old are: on others few and faint ones look better."""
_PAINTED = (0.25, 0.6)
"""Strength of the colour of lips from which who may be grown up is."""
_LARGER_IRIS, _FULLER_BLUSH = 0.08, 0.3
_LESS_MODELLING = 0.4
"""How much less of the photo's light and shade children and painted faces show. Raising it makes them smoother."""
_LESS_NOSE, _LESS_LIP, _LESS_LID, _LESS_FOLD, _LESS_BROW = 0.5, 0.13, 0.2, 0.5, 0.15
"""What a small child's features gain and lose of a style's. Raising them makes children rounder and plainer."""
_FRIENDLIER_BROWS_U, _FRIENDLIER_MOUTH_U = 0.023, 0.015
"""How much further the inner ends of a child's brows and the corners of its mouth are raised at rest: large eyes under
straight brows look cross. Raising them hides a frown."""
_ROUNDER = 0.67
"""How much less a style slims a child's jaw and lowers its forehead. Raising it keeps round cheeks."""
_SMALLER = {"mouth_width": 0.913, "nose_width": 0.953, "nose_length": 0.95}
"""A child's mouth and nose over the style's. Raising them makes children look older."""


def rules_for(look: Look, rules: FeatureRules) -> FeatureRules:
    """A style's rules for the features of somebody of this age."""
    aged = _aged(rules, round(look.lines.aged * _STEPS), round(look.lines.old * _STEPS))
    return _childlike(aged, round(_childhood(look) * _STEPS))


def proportions_for(look: Look, proportions: Proportions) -> Proportions:
    """A style's proportions for somebody of this age."""
    child = _childhood(look)
    if child == 0:
        return proportions
    smaller = {
        name: max(SCALES[0], getattr(proportions, name) * (1 + (share - 1) * child)) for name, share in _SMALLER.items()
    }
    jaw, forehead = (own + (1 - own) * _ROUNDER * child for own in (proportions.jaw_width, proportions.forehead))
    return replace(proportions, jaw_width=jaw, forehead=forehead, **smaller)


def _childhood(look: Look) -> float:
    """0 for a grown-up to 1 for a child."""
    young = look.lines.young
    return young * (1 - (1 - young) * smoothstep(look.lip_strength, *_PAINTED))


def skin_rules(look: Look, rules: BaseRules) -> BaseRules:
    """A style's rules for the skin of this person: what is shade on a weathered face is dirt on a smooth one."""
    smooth = round(max(look.lines.young, look.lip_strength) * _STEPS) / _STEPS
    return replace(rules, modelling=rules.modelling * (1 - _LESS_MODELLING * smooth)) if smooth > 0 else rules


@lru_cache(maxsize=64)
def _aged(rules: FeatureRules, step: int, old_step: int) -> FeatureRules:
    if step == old_step == 0:
        return rules
    aged, old = step / _STEPS, old_step / _STEPS
    width, height = (1 - aged * _SMALLER_EYES).tolist()
    eyes = replace(
        rules.eyes,
        width=rules.eyes.width * width,
        height=rules.eyes.height * height,
        highlight=rules.eyes.highlight * (1 - _LESS_LIGHT * aged),
        iris_saturation=rules.eyes.iris_saturation * (1 - _LESS_COLOUR * aged),
    )
    mouth = replace(rules.mouth, lip_colour=rules.mouth.lip_colour * (1 - _LESS_COLOUR * aged))
    lines = replace(rules.lines, strength=rules.lines.strength * (1 + _DEEPER_LINES * old))
    return replace(rules, eyes=eyes, mouth=mouth, lines=lines)


@lru_cache(maxsize=64)
def _childlike(rules: FeatureRules, step: int) -> FeatureRules:
    if step == 0:
        return rules
    child = step / _STEPS
    eyes, nose, mouth = rules.eyes, rules.nose, rules.mouth
    eyes = replace(
        eyes,
        iris_size=eyes.iris_size * (1 + _LARGER_IRIS * child),
        lid_line_u=eyes.lid_line_u * (1 - _LESS_LID * child),
        wing_u=eyes.wing_u * (1 - child),
        lashes=eyes.lashes if child < 0.5 else 0,
        crease_shade=eyes.crease_shade * (1 - _LESS_FOLD * child),
    )
    small = 1 - _LESS_NOSE * child
    nose = replace(
        nose,
        under_shade=nose.under_shade * small,
        side_shade=nose.side_shade * (1 - child),
        nostril_u=nose.nostril_u * small,
        wing_u=nose.wing_u * small,
        bridge_u=nose.bridge_u * small,
    )
    return replace(
        rules,
        eyes=eyes,
        nose=nose,
        mouth=replace(
            mouth,
            lip_colour=mouth.lip_colour * (1 - _LESS_LIP * child),
            friendly_u=mouth.friendly_u + _FRIENDLIER_MOUTH_U * child,
        ),
        brows=replace(
            rules.brows,
            thickness=rules.brows.thickness * (1 - _LESS_BROW * child),
            friendly_u=rules.brows.friendly_u + _FRIENDLIER_BROWS_U * child,
        ),
        lines=replace(rules.lines, blush=min(1.0, rules.lines.blush * (1 + _FULLER_BLUSH * child))),
    )
