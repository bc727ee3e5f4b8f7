"""What a style decides."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BaseRules:
    """Lines in units of the distance of the pupils (u). shade: 0 none to 1.

    hair_tones: from which relief on (L*) a tone is drawn, and its step in L*.
    """

    outer_line_u: float = 0.028
    hair_line_u: float = 0.018
    inner_line_u: float = 0.026
    fold_line_u: float = 0.016
    fold_ink: float = 0.5
    shade: float = 0.62
    neck_shadow_u: float = 0.5
    stubble: float = 0.35
    beard_tones: tuple[tuple[float, float], ...] = ((-6.0, -8.0), (6.0, 8.0))
    hair_tones: tuple[tuple[float, float], ...] = ((-5.0, -10.0), (5.0, 9.0), (13.0, 20.0))
