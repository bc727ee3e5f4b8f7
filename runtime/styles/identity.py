"""How far a face recogniser takes a drawing for the person: what was measured for each style that ships."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MEASURED_ON, MEASURED_FACES = "30 November 2026 (cartoon: 1 December)", 50
"""When, and over how many portraits by lot: each drawn at every likeness with the other sliders as usual, and photo and
drawing compared by a recogniser that nothing was trained or tuned against (`benchmarks/quality/identity.py`)."""
KNOWN_FROM = 0.6
"""Cosine from which on a face counts as known. Raising it calls fewer faces known."""
STRANGERS, SAME_PERSON = 0.03, 0.9
"""Mean cosine of photos of two people, and of two photos of one, over 102 people; the least of one person was 0.7."""


@dataclass(frozen=True, slots=True)
class Identity:
    """At one likeness, 0 to 1. median, p95: cosine of the embeddings, of half and of 19 in 20 people at most."""

    likeness: float
    median: float
    p95: float

    def __str__(self) -> str:
        return f"{self.median:.2f} / {self.p95:.2f}"


MEASURED: Mapping[str, tuple[Identity, ...]] = {
    "cartoon": (Identity(0.0, 0.21, 0.38), Identity(0.5, 0.23, 0.40), Identity(1.0, 0.23, 0.44)),
    "anime": (Identity(0.0, 0.14, 0.30), Identity(0.5, 0.13, 0.31), Identity(1.0, 0.15, 0.35)),
    "comic": (Identity(0.0, 0.18, 0.42), Identity(0.5, 0.22, 0.42), Identity(1.0, 0.21, 0.38)),
    "sketch": (Identity(0.0, 0.20, 0.38), Identity(0.5, 0.19, 0.37), Identity(1.0, 0.19, 0.38)),
}
"""By shipped style, likeness rising. See `toonfilter.runtime.bundle.measured_identity` for a style by any name."""


def identity_at(measured: Sequence[Identity], likeness: float) -> Identity:
    """Between what was measured, in straight lines. measured: at least one, likeness rising; likeness: 0 to 1."""
    at = [one.likeness for one in measured]
    median, p95 = (np.interp(likeness, at, [getattr(one, name) for one in measured]) for name in ("median", "p95"))
    return Identity(likeness, float(median), float(p95))


def identity_text(measured: Sequence[Identity], likeness: float) -> str:
    """One line for people. measured: empty for a style that was not measured."""
    what = f"likeness {likeness:g}: a face recogniser's similarity of drawing and person"
    if not measured:
        return f"{what} was not measured for this style"
    at_zero = f", {identity_at(measured, 0)} at 0" if likeness > 0 else ""
    return (
        f"{what} is {identity_at(measured, likeness)} (median / 19 in 20 people at most){at_zero}; "
        f"strangers have {STRANGERS:g}, two photos of one person {SAME_PERSON:g}, {KNOWN_FROM:g} counts as known"
    )
