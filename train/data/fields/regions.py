"""Region labels of one picture: person, hair, skin, beard, headwear from networks, colour and attributes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import LEFT_EYE, LIPS, RIGHT_EYE
from toonfilter.train.data.fields.attributes import Attributes
from toonfilter.train.data.fields.beard import beard_mask
from toonfilter.train.data.fields.face_frame import FaceFrame, Plane, grown, smoothstep, soft_edges

Image = NDArray[np.uint8]

_CUT_SCALE = 0.5
"""Side of the picture on which skin is cut out, of the full one: four times faster, edges are refined after."""
_COVERS_FOREHEAD = ("hat", "helmet", "turban", "scarf", "hood", "band")
_COVERS_TOP = ("hat", "helmet", "turban")
_HEADWEAR_WITH_SIDES = ("scarf", "hood", "turban")


@dataclass(frozen=True, slots=True)
class Regions:
    """Soft masks float32 [S, S], 0 to 1; see `toonfilter.runtime.fields.FieldName`."""

    person: Plane
    hair: Plane
    skin: Plane
    beard: Plane
    headwear: Plane


def find_regions(photo: Image, person: Plane, hair: Plane, frame: FaceFrame, attributes: Attributes) -> Regions:
    """photo: uint8 [S, S, 3] RGB. person, hair: probabilities of the segmentation networks."""
    face = frame.face()
    hair = _plausible_hair(soft_edges(hair, photo), face, frame, attributes)
    person = soft_edges(np.maximum(person, face), photo)
    person = np.maximum(person, hair)
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    hair = hair * (1 - _features(frame))
    if attributes.headwear in _COVERS_TOP:
        # Dark felt looks like hair to the network.
        brim = smoothstep(frame.up, -0.05, 0.05) * smoothstep(np.abs(frame.across), 0.46, 0.54)
        hair = hair * (1 - np.maximum(smoothstep(frame.up, 0.2, 0.26), brim))
    skin = _skin(photo, lab, person, hair, face, frame, attributes)
    headwear = _headwear(person, hair, skin, frame, attributes)
    if attributes.headwear != "none":
        headwear = soft_edges(headwear, photo)
        skin = skin * (1 - headwear)
        hair = hair * (1 - headwear * smoothstep(frame.up, 0.1, 0.2))
    rest = _rest_of_head(person, hair, skin, headwear, frame) if attributes.over == "none" else np.zeros_like(hair)
    if attributes.hair == "bald":
        skin = skin + rest
    elif attributes.headwear == "none":
        hair = hair + rest
    beard = beard_mask(photo, lab, hair, frame, attributes)
    hair = hair * (1 - beard)
    return Regions(person, hair, np.clip(skin - beard, 0, 1), beard, headwear)


def _plausible_hair(hair: Plane, face: Plane, frame: FaceFrame, attributes: Attributes) -> Plane:
    """Without what the network takes for hair and cannot be: necks and collars, bald heads, hair under scarves."""
    if attributes.hair == "covered":
        return np.zeros_like(hair)
    if attributes.hair in ("short", "bald"):
        hair = hair * smoothstep(frame.up, -0.62, -0.42)
        middle = smoothstep(np.abs(frame.across), 0.3, 0.22) * smoothstep(frame.up, 0.12, 0.04)
        hair = hair * (1 - face * np.maximum(smoothstep(frame.up, -0.2, -0.3), middle))
    if attributes.hair == "bald":
        top = smoothstep(frame.up, 0.12, 0.22) * smoothstep(np.abs(frame.across), 0.42, 0.34)
        hair = hair * (1 - top)
    if attributes.glasses == "sun":
        band = smoothstep(np.abs(frame.up), 0.2, 0.14)
        hair = hair * (1 - band * face)
    return hair


def _features(frame: FaceFrame) -> Plane:
    """Eyes, nose and lips: never hair."""
    eyes = [frame.filled(eye, hull=True) for eye in (LEFT_EYE.ring, RIGHT_EYE.ring)]
    return np.maximum(np.maximum(*eyes), frame.filled(LIPS, hull=True))


def _tone(lab: NDArray[np.float32], blur_px: float) -> NDArray[np.float32]:
    """Colour relative to lightness, so that shadows on skin stay skin: float32 [S, S, 3]."""
    smooth = cv2.GaussianBlur(lab, (0, 0), blur_px)
    light = smooth[..., 0]
    planes = (np.log(np.maximum(light, 2.0)), smooth[..., 1] / (light + 15), smooth[..., 2] / (light + 15))
    tone: NDArray[np.float32] = np.stack(planes, -1).astype(np.float32)
    return tone


def _skin_likeness(lab: NDArray[np.float32], inner: NDArray[np.bool_], frame: FaceFrame) -> Plane:
    """How much each pixel has the colour of the face's skin: 1 alike, 0 not."""
    tone = _tone(lab, max(frame.px(0.008), 0.5))
    samples = tone[inner]
    middle = np.median(samples, 0)
    spread = np.maximum(1.4826 * np.median(np.abs(samples - middle), 0), (0.16, 0.035, 0.045))
    away = (tone - middle) / spread
    # Shadows under the chin are darker than anything in the face; lights are rarer.
    away[..., 0] *= np.where(away[..., 0] < 0, 0.45, 0.7)
    alike = np.exp(-0.5 * (away**2).sum(-1) / 4)
    # The jaw's own shadow takes most of the colour, too; only there that much is forgiven.
    neck = smoothstep(np.abs(frame.across), 0.34, 0.2) * smoothstep(frame.up, -0.5, -0.58)
    neck = neck * smoothstep(frame.up, -1.1, -0.95)
    shaded = np.exp(-0.5 * ((away * (0.6, 0.5, 0.5)) ** 2).sum(-1) / 4) * (away[..., 0] < 0)
    either: Plane = np.maximum(alike, shaded * neck).astype(np.float32)
    return either


def _white_cloth(lab: NDArray[np.float32], inner: NDArray[np.bool_], face: Plane) -> Plane:
    """Lighter than the face and with hardly half its colour."""
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.5)
    chroma = np.hypot(smooth[..., 1], smooth[..., 2])
    lighter = smoothstep(smooth[..., 0] - float(np.median(smooth[..., 0][inner])), 2.0, 8.0)
    paler = smoothstep(chroma / max(float(np.median(chroma[inner])), 4.0), 0.75, 0.6)
    return lighter * paler * (1 - face)


def _skin(
    photo: Image,
    lab: NDArray[np.float32],
    person: Plane,
    hair: Plane,
    face: Plane,
    frame: FaceFrame,
    attributes: Attributes,
) -> Plane:
    inner = (grown(face, -frame.px(0.06)) > 0.5) & (hair < 0.2) & (_features(frame) < 0.1)
    if attributes.glasses == "sun":
        inner &= (frame.up < -0.18) | (frame.up > 0.12)
    if attributes.facial_hair in ("beard", "goatee"):
        inner &= frame.up > -0.3
    if attributes.headwear != "none" or attributes.over != "none":
        inner &= frame.up < 0.2
    if inner.sum() < 60:
        return face * (1 - hair)
    alike = _skin_likeness(lab, inner, frame)
    alike = alike * (1 - _white_cloth(lab, inner, face))
    likely = _cut_out(photo, alike, person, hair, face, frame, attributes)
    skin = soft_edges(likely, photo, 3, 0.02) * person
    covers = attributes.headwear in _COVERS_FOREHEAD
    if covers:
        # A straw hat has the colour of skin. Ears lie lower.
        lowest = 0.36 if attributes.headwear == "band" else 0.08
        skin = skin * (1 - (1 - face) * smoothstep(frame.up, lowest, lowest + 0.06))
    upper = smoothstep(frame.up, 0.16, 0.26) if covers else np.zeros_like(face)
    skin = np.maximum(skin, grown(face, -frame.px(0.03)) * (1 - upper))
    return np.clip(skin * (1 - hair), 0, 1)


def _cut_out(
    photo: Image, alike: Plane, person: Plane, hair: Plane, face: Plane, frame: FaceFrame, attributes: Attributes
) -> Plane:
    """Skin against everything else by graph cuts, kept where it touches the face or is much alike."""
    small = tuple(round(side * _CUT_SCALE) for side in alike.shape[::-1])
    half = {
        name: cv2.resize(plane, small, interpolation=cv2.INTER_AREA)
        for name, plane in {"alike": alike, "person": person, "hair": hair, "face": face, "up": frame.up}.items()
    }
    picture = cv2.resize(photo, small, interpolation=cv2.INTER_AREA)
    core = grown(half["face"], -frame.px(0.04) * _CUT_SCALE) > 0.5
    if attributes.headwear in _COVERS_FOREHEAD:
        core &= (half["up"] < 0.15) | (half["alike"] > 0.3)
    marks = np.where(half["alike"] > 0.4, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[half["alike"] < 0.1] = cv2.GC_BGD
    marks[core & (half["hair"] < 0.5)] = cv2.GC_FGD
    marks[(half["person"] < 0.3) | (half["hair"] > 0.6)] = cv2.GC_BGD
    if not (marks == cv2.GC_BGD).any() or not (marks == cv2.GC_FGD).any():
        return face
    cv2.setRNGSeed(1)
    models = np.zeros((2, 1, 65), np.float64)
    cv2.grabCut(picture, marks, None, models[0], models[1], 2, cv2.GC_INIT_WITH_MASK)
    found = ((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, numbers, statistics, _ = cv2.connectedComponentsWithStats(found, connectivity=4)
    kept = np.zeros_like(found)
    for number in range(1, count):
        part = numbers == number
        touches = bool((part & core).any())
        large = statistics[number, cv2.CC_STAT_AREA] > 0.0012 * found.size
        if touches or (large and float(half["alike"][part].mean()) > 0.5):
            kept[part] = 1
    full: Plane = cv2.resize(kept.astype(np.float32), alike.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return full


def _rest_of_head(person: Plane, hair: Plane, skin: Plane, headwear: Plane, frame: FaceFrame) -> Plane:
    """What of the head nobody claims: parts of the hair that are in shadow, or pale."""
    head = smoothstep(frame.up, -0.2, -0.1) * smoothstep(np.abs(frame.across), 0.7, 0.6)
    rest: Plane = np.clip(person - hair - skin - headwear, 0, 1) * head
    return rest


def _headwear(person: Plane, hair: Plane, skin: Plane, frame: FaceFrame, attributes: Attributes) -> Plane:
    """What of the person around the head is neither hair nor skin; nothing where nobody saw headwear."""
    if attributes.headwear == "none":
        return np.zeros_like(person)
    rest = np.clip(person - hair - skin, 0, 1)
    if attributes.headwear in _HEADWEAR_WITH_SIDES:
        lowest = {"scarf": -0.85, "hood": -0.55, "turban": -0.15}[attributes.headwear]
        inside = smoothstep(frame.up, lowest - 0.05, lowest + 0.05)
    elif attributes.headwear == "headphones":
        inside = smoothstep(frame.up, -0.5, -0.45) * smoothstep(np.abs(frame.across), 0.3, 0.36)
        inside = np.maximum(inside, smoothstep(frame.up, 0.35, 0.4))
    else:
        inside = np.maximum(
            smoothstep(frame.up, 0.05, 0.12),
            smoothstep(frame.up, -0.1, 0.0) * smoothstep(np.abs(frame.across), 0.46, 0.54),
        )
    return rest * inside
