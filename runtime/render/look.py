"""What is measured from the person for the drawing of the features, and its average over seconds."""

from dataclasses import dataclass, fields, replace
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import Lab

_T = TypeVar("_T")
Pair = NDArray[np.float32]
"""float32 [2]: the person's right, then left side."""

BROW_STATIONS: Final = 9
LENS_POINTS: Final = 24
FOREHEAD_LINES: Final = 3


def _lab(lightness: float, red: float, yellow: float) -> Lab:
    return np.array([lightness, red, yellow], np.float32)


def _pair(value: float) -> Pair:
    return np.full(2, value, np.float32)


@dataclass(frozen=True, eq=False)
class GlassesLook:
    """Glasses, the same for both eyes but mirrored.

    outline: float32 [LENS_POINTS, 2], the rim around an eye in units of the pupil distance in the face's plane: x
    outwards, y down, from the eye's centre, beginning outwards and turning down. width: of the rim, in the same unit;
    lower: share of it below (half-rims are thin there).
    colour: of the rim. lens: colour of the glass. darkness: 0 clear glass, 1 sunglasses.
    """

    outline: NDArray[np.float32]
    width: float
    lower: float
    colour: Lab
    lens: Lab
    darkness: float


@dataclass(frozen=True, eq=False)
class AgeLines:
    """How deep lines are in the photo, 0 (none) to 1. Sides: the person's right, then left."""

    forehead: NDArray[np.float32]
    """float32 [FOREHEAD_LINES]: from the lowest to the highest."""
    frown: Pair
    crow: Pair
    bag: Pair
    fold: Pair
    """From the wings of the nose to the mouth's corners."""
    marionette: Pair
    old: float
    """1 for the rough skin of somebody very old."""
    young: float = 0.0
    """1 for a child."""
    aged: float = 0.0
    """0 for who looks young, 1 from middle age on."""

    @classmethod
    def none(cls) -> "AgeLines":
        """A smooth face."""
        zero = _pair(0)
        return cls(np.zeros(FOREHEAD_LINES, np.float32), zero, zero, zero, zero, zero, 0.0)


@dataclass(frozen=True, eq=False)
class BrowShape:
    """The brows beside the mesh. Sides: the person's right, then left. Lengths in pupil distances."""

    offset: NDArray[np.float32]
    """float32 [2, BROW_STATIONS] from the temple to the nose: how far below the mesh's middle line the brow lies."""
    thickness: NDArray[np.float32]
    """float32 [2, BROW_STATIONS]."""
    strength: Pair
    """0 invisible, 1 dark."""


@dataclass(frozen=True, eq=False)
class Creases:
    """The folds above the eyes. Sides: the person's right, then left."""

    strength: Pair
    """How clear the fold is, 0 to 1 (none in many East Asian eyes)."""
    height: Pair
    """Distance from the lashes in pupil distances."""


class Teeth(NamedTuple):
    """Shares of the mesh's opening of the mouth: upper teeth, lower ones, lower lip; see `MouthLook`."""

    top: float
    bottom: float
    lip: float


@dataclass(frozen=True, eq=False)
class MouthLook:
    """What moves with speech. teeth_top, teeth_bottom: share of the opening that upper and lower teeth fill.

    covered: 1 where a mask or a hand hides the mouth. lip: share of the mesh's opening, from below, that is lower lip.
    """

    teeth_top: float
    teeth_bottom: float
    covered: float
    lip: float = 0.0


@dataclass(frozen=True, eq=False)
class Look:
    """One person's colours and measures.

    skin: the lit skin. shadow: the skin in shade. lip, iris, brow: colours as drawn. lip_strength: 0 lips like skin,
    1 full colour. lash: 0 bare, 1 made up. glasses: None where there are none.
    """

    skin: Lab
    shadow: Lab
    lip: Lab
    iris: Lab
    brow: Lab
    lip_strength: float
    lash: float
    brow_shape: BrowShape
    creases: Creases
    mouth: MouthLook
    lines: AgeLines
    glasses: GlassesLook | None

    @classmethod
    def plain(cls) -> "Look":
        """Somebody of middle skin without anything special, for what nothing is known of."""
        stations = np.zeros((2, BROW_STATIONS), np.float32)
        return cls(
            skin=_lab(70, 14, 20),
            shadow=_lab(56, 21, 20),
            lip=_lab(56, 28, 18),
            iris=_lab(32, 12, 20),
            brow=_lab(24, 8, 12),
            lip_strength=0.4,
            lash=0.4,
            brow_shape=BrowShape(stations, stations + np.float32(0.09), _pair(0.8)),
            creases=Creases(_pair(0.6), _pair(0.07)),
            mouth=MouthLook(teeth_top=0.5, teeth_bottom=0.0, covered=0.0),
            lines=AgeLines.none(),
            glasses=None,
        )


SLOW_S: Final = 2.5
"""Time constant of what belongs to the person."""
MIDDLE_S: Final = 0.35
"""Time constant of lines that come and go with the expression."""
FAST_S: Final = 0.08
"""Time constant of what moves with speech."""
_FAST = frozenset({"mouth"})
_MIDDLE = frozenset({"lines"})
_GLASSES_ON, _GLASSES_OFF = 0.6, 0.4


class LookAverage:
    """Looks of one person averaged over time, so that no colour or line flickers.

    At first the plain mean of what was seen; the longer, the more an exponential average.
    """

    def __init__(self) -> None:
        self._mean: Look | None = None
        self._seen_s = 0.0
        self._glasses: GlassesLook | None = None
        self._glasses_share = 0.0

    def update(self, look: Look, elapsed_s: float) -> Look:
        """Take in one measurement and give the average. elapsed_s: since the one before."""
        elapsed_s = max(elapsed_s, 1e-3)
        self._seen_s += elapsed_s
        if self._mean is None:
            self._mean, self._glasses, self._glasses_share = look, look.glasses, float(look.glasses is not None)
            return look
        shares = {name: self._share(elapsed_s, name) for name in (field.name for field in fields(Look))}
        mixed = {
            name: _mixed(getattr(self._mean, name), getattr(look, name), share)
            for name, share in shares.items()
            if name != "glasses"
        }
        self._mean = replace(look, **mixed, glasses=self._worn(look.glasses, shares["skin"]))
        return self._mean

    def update_teeth(self, teeth: Teeth, elapsed_s: float) -> Look:
        """Take in what `measure_teeth` found in a frame between two whole measurements, and give the average.

        `update` must have been called before.
        """
        if self._mean is None:
            raise RuntimeError("teeth before the first look")
        share = self._share(max(elapsed_s, 1e-3), "mouth")
        mouth = self._mean.mouth
        before = Teeth(mouth.teeth_top, mouth.teeth_bottom, mouth.lip)
        top, bottom, lip = (_mixed(one, now, share) for one, now in zip(before, teeth, strict=True))
        self._mean = replace(self._mean, mouth=replace(mouth, teeth_top=top, teeth_bottom=bottom, lip=lip))
        return self._mean

    def _share(self, elapsed_s: float, name: str) -> float:
        constant_s = FAST_S if name in _FAST else MIDDLE_S if name in _MIDDLE else min(SLOW_S, self._seen_s)
        return float(1 - np.exp(-elapsed_s / max(constant_s, 1e-3)))

    def _worn(self, glasses: GlassesLook | None, share: float) -> GlassesLook | None:
        self._glasses_share += (float(glasses is not None) - self._glasses_share) * share
        if glasses is not None:
            self._glasses = glasses if self._glasses is None else _mixed(self._glasses, glasses, share)
        level = _GLASSES_OFF if self._mean is not None and self._mean.glasses is not None else _GLASSES_ON
        return self._glasses if self._glasses_share > level else None


def _mixed(before: _T, now: _T, share: float) -> _T:
    if isinstance(before, BrowShape | Creases | MouthLook | AgeLines | GlassesLook):
        parts = {f.name: _mixed(getattr(before, f.name), getattr(now, f.name), share) for f in fields(before)}
        return replace(before, **parts)
    mixed: _T = before + (now - before) * share  # type: ignore[operator]
    return mixed
