"""Which lines age explains: children, grown-ups, and the very old."""

import cv2
import numpy as np

from toonfilter.runtime.geometry.landmarks import SKIN_AREAS
from toonfilter.runtime.render.colour import Lab
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import AgeLines
from toonfilter.runtime.render.measures.appearance import appearance
from toonfilter.runtime.render.measures.photo import MeasuredPhoto

_OLD_ROUGHNESS, _OLD_LINES = (0.016, 0.034), (0.15, 0.45)
"""Contrast of fine lines on skin, and mean depth of the kinds of lines, from which a face is old, and very old.

Neither alone: hard light roughens young skin, too."""
_OLD_LIGHT = (24.0, 36.0)
"""Lightness of skin in the photo below which roughness is noise."""
_KINDS = ("forehead", "frown", "crow", "bag", "fold", "marionette")
_WHEN_OLD = {"forehead": 0.9, "frown": 0.5, "crow": 1.0, "bag": 1.0, "fold": 1.0, "marionette": 0.8}
"""How deep each kind is in the face of somebody very old, at least."""
_GREY_HAIR = (0.25, 0.52)
"""Lightness of hair over that of skin, less what its colour takes off: blond up to the first, grey from the second."""
_BLOND = 0.03
"""What each unit of chroma takes off: light hair with colour is blond."""
_GREY_LIGHT = (34.0, 46.0)
"""Lightness of hair up to which it may be black, and from which it is not."""
_HAIR_PX = 200
_WHEN_YOUNG = {"forehead": 0.45, "frown": 0.7, "crow": 0.2, "bag": 0.22, "fold": 0.4, "marionette": 0.1}
"""How deep each kind is in a young face, at most: what the face does, and no more."""
_WHEN_GREY = {"forehead": 0.45, "frown": 0.2, "crow": 0.7, "bag": 0.75, "fold": 0.8, "marionette": 0.45}
"""How deep each kind is in a face under grey hair, at least."""
_GREY_IS_OLD = 0.5
_FROWN_STAYS = np.float32(0.85)
"""Share of a frown that is drawn at any age."""
_GROWN, _MATURE = (10.0, 19.0), (44.0, 64.0)
"""Apparent ages in years (see `appearance`) between which a child's face becomes
one that may have lines, and from which on lines are drawn that the photo hardly shows, up to which they are whole."""
_CHILD = (8.0, 16.0)
"""Apparent ages up to which features are drawn as a child's, and from which as a grown-up's."""
_NO_LONGER_YOUNG = (29.0, 45.0)
"""Apparent ages between which rough skin and grey hair begin to say that somebody is old: light and dye say it, too."""
_WHEN_MATURE = {"forehead": 0.15, "frown": 0.0, "crow": 0.55, "bag": 0.62, "fold": 0.66, "marionette": 0.35}
"""How deep each kind is then, at least."""


def believed(photo: MeasuredPhoto, lines: AgeLines, raw: Lab) -> AgeLines:
    """What age explains.

    A single line is a shadow more often than a wrinkle: lines count where there are several kinds of them. Rough skin
    is old, and has all of them; children have none but those of their smile, and these faintly.
    """
    kinds = [float(getattr(lines, name).max()) for name in _KINDS]
    second, third = sorted(kinds, reverse=True)[1:3]
    years = appearance(photo).age
    grown = 0.15 + 0.85 * smoothstep(years, *_GROWN)
    mature = smoothstep(years, *_MATURE)
    share = max((0.25 + 0.75 * smoothstep(0.5 * (second + third), 0.10, 0.55)) * grown, mature)
    old = smoothstep(skin_roughness(photo), *_OLD_ROUGHNESS) * smoothstep(float(np.mean(kinds)), *_OLD_LINES)
    aged = smoothstep(years, *_NO_LONGER_YOUNG)
    old *= smoothstep(float(raw[0]), *_OLD_LIGHT) * aged
    grey = grey_hair(photo, raw) * aged
    evidence = max(old, grey, mature)
    deep = {}
    for name in _KINDS:
        least = max(old * _WHEN_OLD[name], grey * _WHEN_GREY[name], mature * _WHEN_MATURE[name])
        most = np.float32(evidence + (1 - evidence) * _WHEN_YOUNG[name])
        deep[name] = np.minimum(np.maximum(getattr(lines, name) * np.float32(share), np.float32(least)), most)
    # A frown is no age: children frown, too.
    deep["frown"] = np.maximum(deep["frown"], _FROWN_STAYS * lines.frown)
    young = 1 - smoothstep(years, *_CHILD)
    return AgeLines(**deep, old=max(old, _GREY_IS_OLD * grey), young=young, aged=aged)


def grey_hair(photo: MeasuredPhoto, raw: Lab) -> float:
    """0 to 1: how surely the hair has lost its colour. raw: the skin in the same light."""
    plane = photo.planes.get("hair")
    if plane is None:
        return 0.0
    hair = photo.lab[plane > 200]
    if len(hair) < _HAIR_PX:
        return 0.0
    lightness, red, yellow = (float(value) for value in np.median(hair, 0))
    white = lightness / max(float(raw[0]), 20) - _BLOND * float(np.hypot(red, yellow))
    # Black hair shines, and beside deep skin it is not dark.
    return smoothstep(white, *_GREY_HAIR) * smoothstep(lightness, *_GREY_LIGHT)


def skin_roughness(photo: MeasuredPhoto) -> float:
    """Relative contrast of fine lines on the smoothest of cheeks and forehead: hair and light roughen the others."""
    unit = photo.unit_px
    plane = np.ascontiguousarray(photo.lab[..., 0])
    fine, coarse, around = (cv2.GaussianBlur(plane, (0, 0), max(share * unit, 0.5)) for share in (0.012, 0.045, 0.10))
    contrast = np.abs(fine - coarse) / (around + 25)
    found = []
    for region in SKIN_AREAS:
        mask = np.zeros(plane.shape, np.uint8)
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(photo.face.flat[list(region)]).astype(np.int32)), 1)
        values = contrast[mask > 0]
        found.append(float(np.percentile(values, 70)) if len(values) else 0.0)
    return min(found)
