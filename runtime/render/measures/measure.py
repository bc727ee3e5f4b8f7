"""From a photo's crop to a look."""

from collections.abc import Mapping

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import LIP_BOTTOM, LIP_TOP
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.render.measures.brows import BrowMeasure, creases
from toonfilter.runtime.render.measures.glasses import fit_glasses, wears_glasses
from toonfilter.runtime.render.measures.lines import age_lines
from toonfilter.runtime.render.measures.photo import MeasuredPhoto, Picture, Plane
from toonfilter.runtime.render.measures.skin import (
    clean_skin,
    iris,
    lid_darkness,
    lips,
    raw_skin,
    shaded_fairness,
    skin_shadow,
)
from toonfilter.runtime.render.measures.teeth import measure_teeth

_COVERED = 0.5
"""Share of a mouth and nose that must lie under something for them not to be drawn."""
_LASH_FROM, _LASH_FULL = 0.55, 0.92


def measure_look(photo: Picture, landmarks: Landmarks, planes: Mapping[str, Plane]) -> Look:
    """Measure one face.

    photo: uint8 [H, W, 3] RGB, a crop or a whole picture. landmarks: float32 [478, 3] px of it. planes: uint8 [H, W] by
    name, see `fields.FieldName`; any may lack.

    Raises:
        ConfigError: the landmarks are not [478, 3] or not finite.
    """
    measured = MeasuredPhoto(photo, landmarks, planes)
    raw = raw_skin(measured)
    skin = clean_skin(raw, shaded_fairness(measured, raw))
    lip, lip_strength = lips(measured, raw, skin)
    brow = BrowMeasure(measured, raw, skin)
    is_worn = wears_glasses(measured)
    crease, crease_height = creases(measured)
    teeth_top, teeth_bottom = measure_teeth(photo, landmarks, raw)
    return Look(
        skin=skin,
        shadow=skin_shadow(skin),
        lip=lip,
        iris=iris(measured, raw, behind_glasses=is_worn),
        brow=brow.colour,
        lip_strength=lip_strength,
        brow_offset=brow.offset,
        brow_thickness=brow.thickness,
        brow_strength=brow.strength,
        lash=smoothstep(lid_darkness(measured, raw), _LASH_FROM, _LASH_FULL),
        crease=crease,
        crease_height=crease_height,
        teeth_top=teeth_top,
        teeth_bottom=teeth_bottom,
        lines=age_lines(measured, raw),
        mouth_covered=_mouth_covered(measured),
        glasses=fit_glasses(measured, raw) if is_worn else None,
    )


def _mouth_covered(photo: MeasuredPhoto) -> float:
    places = photo.face.flat[[*LIP_TOP, *LIP_BOTTOM, 1, 2, 4]]
    return float(float((photo.hidden(places, "over") > 0.5).mean()) > _COVERED)
