"""Features by age."""

from dataclasses import replace

import pytest

from toonfilter.runtime.geometry.proportions import SCALES, Proportions
from toonfilter.runtime.render.features.ages import proportions_for, rules_for
from toonfilter.runtime.render.look import AgeLines, Look
from toonfilter.runtime.styles.feature_rules import FeatureRules

RULES = FeatureRules()


def somebody(young: float, lip_strength: float = 0.0) -> Look:
    return replace(Look.plain(), lines=replace(AgeLines.none(), young=young), lip_strength=lip_strength)


def test_grown_ups_have_the_style_s_features() -> None:
    assert rules_for(somebody(0.0), RULES) == RULES


def test_children_have_smaller_noses_paler_lips_and_larger_irises() -> None:
    child = rules_for(somebody(1.0), RULES)
    assert child.nose.wing_u < 0.8 * RULES.nose.wing_u
    assert child.mouth.lip_colour < 0.95 * RULES.mouth.lip_colour
    assert child.eyes.iris_size > RULES.eyes.iris_size
    assert child.eyes.lashes == 0


@pytest.mark.parametrize(("young", "is_child"), [(0.5, False), (1.0, True)])
def test_painted_lips_make_a_grown_up_of_who_may_be_one(young: float, is_child: bool) -> None:
    painted = rules_for(somebody(young, lip_strength=0.9), RULES)
    assert (painted.eyes.lashes == 0) == is_child


def test_eyes_of_middle_age_are_smaller_and_calmer() -> None:
    aged = rules_for(replace(Look.plain(), lines=replace(AgeLines.none(), aged=1.0)), RULES)
    assert 0.9 * RULES.eyes.width < aged.eyes.width < RULES.eyes.width
    assert 0.85 * RULES.eyes.height < aged.eyes.height < RULES.eyes.height
    assert aged.eyes.highlight < RULES.eyes.highlight
    assert aged.mouth.lip_colour < RULES.mouth.lip_colour
    assert aged.nose == RULES.nose


def test_children_keep_their_round_cheeks_and_high_foreheads() -> None:
    style = Proportions()
    child, youth = (proportions_for(somebody(young), style) for young in (1.0, 0.5))
    assert style.jaw_width < youth.jaw_width < child.jaw_width < 1
    assert style.forehead < child.forehead < 1
    assert child.eye_width == style.eye_width
    assert child.mouth_width < style.mouth_width


def test_grown_ups_have_the_style_s_proportions() -> None:
    assert proportions_for(somebody(0.0), Proportions()) == Proportions()


def test_a_style_s_smallest_noses_are_small_enough_for_children() -> None:
    assert proportions_for(somebody(1.0), Proportions(nose_width=SCALES[0])).nose_width == SCALES[0]
