"""From a photo's crop to a look."""

from collections.abc import Mapping
from dataclasses import replace

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import LIP_BOTTOM, LIP_TOP
from toonfilter.runtime.render.colour import Lab
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import BrowShape, Look, MouthLook
from toonfilter.runtime.render.measures.appearance import appearance
from toonfilter.runtime.render.measures.brows import BrowMeasure, creases
from toonfilter.runtime.render.measures.glasses import fit_glasses, wears_glasses
from toonfilter.runtime.render.measures.irises import iris
from toonfilter.runtime.render.measures.lines import age_lines
from toonfilter.runtime.render.measures.photo import MeasuredPhoto, Picture, Plane
from toonfilter.runtime.render.measures.skin import (
    clean_skin,
    lid_darkness,
    lips,
    raw_skin,
    skin_shadow,
)
from toonfilter.runtime.render.measures.teeth import measure_teeth

_COVERED = 0.5
"""Share of a mouth and nose that must lie under something for them not to be drawn."""
_LASH_FROM, _LASH_FULL, _BARE_LASH = 0.55, 0.92, 0.4
"""Darkness of the lash line from which there are lashes, and at which they are full; how much of them is there bare."""
_DARK_EYED = (5.0, 7.0)
"""Tones of skin from which light eyes are rare, and from which what looks like them is the sky in dark ones, unless the
iris itself is seen to be light. Raising them draws more dark eyes blue."""
_MADE_UP = (0.3, 0.9)
"""Make-up (see `Appearance`) from which lips and lashes may be painted, and from which what the photo shows is."""


def measure_look(photo: Picture, landmarks: Landmarks, planes: Mapping[str, Plane]) -> Look:
    """Measure one face, all at once.

    photo: uint8 [H, W, 3] RGB, a crop or a whole picture. landmarks: float32 [478, 3] px of it. planes: uint8 [H, W] by
    name, see `fields.FieldName`; any may lack.

    Raises:
        ConfigError: the landmarks are not [478, 3] or not finite.
    """
    return LookMeter().measure(photo, landmarks, planes)


class LookMeter:
    """Measures one person's look: whole at first, then a part in each call, so that no frame waits long for it."""

    def __init__(self) -> None:
        self._look: Look | None = None
        self._raw: Lab | None = None
        self._turn = 0

    def measure(self, photo: Picture, landmarks: Landmarks, planes: Mapping[str, Plane]) -> Look:
        """As `measure_look`; from the second call on only a part of the look is new.

        Raises:
            ConfigError: the landmarks are not [478, 3] or not finite.
        """
        measured = MeasuredPhoto(photo, landmarks, planes)
        worn = self._look is not None and self._look.glasses is not None
        if self._look is None or self._raw is None:
            look, self._raw = _colours(Look.plain(), measured)
            for part in _PARTS[1:]:
                look = part(look, measured, self._raw)
        else:
            turn = self._turn % len(_PARTS)
            if turn == 0:
                look, self._raw = _colours(self._look, measured)
            else:
                look = _PARTS[turn](self._look, measured, self._raw)
            self._turn += 1
        is_worn = wears_glasses(measured)
        # A frame stays the same: it is fitted anew where its turn leaves time for it.
        if is_worn and (not worn or self._turn % _FRAME_TURNS == 0):
            look = replace(look, glasses=fit_glasses(measured, self._raw))
        elif not is_worn:
            look = replace(look, glasses=None)
        teeth = measure_teeth(photo, landmarks, self._raw)
        self._look = replace(look, mouth=MouthLook(teeth.top, teeth.bottom, _mouth_covered(measured), teeth.lip))
        return self._look


def _colours(look: Look, measured: MeasuredPhoto) -> tuple[Look, Lab]:
    """Skin, lips, irises, lashes; and the skin as the photo shows it."""
    raw = raw_skin(measured)
    seen = appearance(measured)
    skin = clean_skin(raw, seen.skin_tone)
    made_up = smoothstep(seen.makeup, *_MADE_UP)
    lip, lip_strength = lips(measured, raw, skin, made_up)
    eyes = iris(
        measured,
        raw,
        behind_glasses=wears_glasses(measured),
        eye_light=seen.eye_light,
        rarely_light=smoothstep(seen.skin_tone, *_DARK_EYED),
    )
    # Lids are dark in shade and behind frames, too.
    lash = smoothstep(lid_darkness(measured, raw), _LASH_FROM, _LASH_FULL) * (_BARE_LASH + (1 - _BARE_LASH) * made_up)
    shadow = skin_shadow(skin)
    return replace(look, skin=skin, shadow=shadow, lip=lip, lip_strength=lip_strength, iris=eyes, lash=lash), raw


def _with_lines(look: Look, measured: MeasuredPhoto, raw: Lab) -> Look:
    return replace(look, lines=age_lines(measured, raw))


def _with_brows(look: Look, measured: MeasuredPhoto, raw: Lab) -> Look:
    brow = BrowMeasure(measured, raw, look.skin)
    return replace(
        look,
        brow=brow.colour,
        brow_shape=BrowShape(brow.offset, brow.thickness, brow.strength),
        creases=creases(measured),
    )


def _with_colours(look: Look, measured: MeasuredPhoto, raw: Lab) -> Look:
    del raw
    return _colours(look, measured)[0]


_PARTS = (_with_colours, _with_lines, _with_brows)
_FRAME_TURNS = 16
"""Calls after which the frame of the glasses is fitted anew."""


def _mouth_covered(photo: MeasuredPhoto) -> float:
    places = photo.face.flat[[*LIP_TOP, *LIP_BOTTOM, 1, 2, 4]]
    return float(float((photo.hidden(places, "over") > 0.5).mean()) > _COVERED)
