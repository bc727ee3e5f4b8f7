"""From photos, networks and attributes to the labels of all fields, picture by picture."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.fields import FIELDS, FieldName
from toonfilter.train.data.fields.appearance import tone_and_ink
from toonfilter.train.data.fields.attributes import Attributes
from toonfilter.train.data.fields.corrections import Outline, correct
from toonfilter.train.data.fields.face_frame import Plane, face_frame, soft_edges
from toonfilter.train.data.fields.matting import foreground_and_background
from toonfilter.train.data.fields.regions import find_regions
from toonfilter.train.data.fields.store import Entry, LabelStore
from toonfilter.train.data.fields.worn_glasses import glasses_mask

UNKNOWN, NETWORKS_ONLY, COMPLETE = 0, 1, 2
"""Values of `Entry.labelled`."""


def picture_labels(
    photo: NDArray[np.uint8], person: Plane, hair: Plane, landmarks: NDArray[np.float32], attributes: Attributes
) -> dict[FieldName, Plane]:
    """All fields of a picture but `over`, float32 [S, S], 0 to 1.

    photo: uint8 [S, S, 3] RGB. person, hair: probabilities of the networks. landmarks: float32 [478, 3] px.
    """
    frame = face_frame(landmarks, photo.shape[0])
    regions = find_regions(photo, person, hair, frame, attributes)
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    tone, ink = tone_and_ink(photo)
    return {
        "person": regions.person,
        "hair": regions.hair,
        "skin": regions.skin,
        "beard": regions.beard,
        "headwear": regions.headwear,
        "glasses": glasses_mask(lab, frame, attributes),
        "over": np.zeros_like(tone),
        "tone": tone,
        "ink": ink,
    }


def label_picture(
    store: LabelStore, index: int, attributes: Attributes | None, outlines: Sequence[Outline] | None = None
) -> Entry:
    """Make and store the labels of one picture from its first labels; returns its entry as it is now.

    attributes: None where nobody has looked at the picture; then only person, hair, tone and ink hold.
    outlines: what somebody corrected, maybe nothing; None where nobody did.
    """
    entry, photo = store.entries[index], np.array(store["photo"][index])
    person, hair = _first_labels(store, index)
    landmarks = np.array(store["mesh"][index])
    if not np.isfinite(landmarks).all() or (attributes is not None and attributes.bad == "1"):
        return replace(entry, labelled=UNKNOWN)
    if attributes is None:
        hair, person = soft_edges(hair, photo), soft_edges(person, photo)
        tone, ink = tone_and_ink(photo)
        planes: dict[FieldName, Plane] = {"person": np.maximum(person, hair), "hair": hair, "tone": tone, "ink": ink}
    else:
        planes = picture_labels(photo, person, hair, landmarks, attributes)
        correct(photo, planes, outlines or ())
    empty = np.zeros_like(hair)
    levels = np.stack([planes.get(name, empty) for name in FIELDS], -1)
    store["labels"][index] = np.clip(levels * 255 + 0.5, 0, 255).astype(np.uint8)
    store["foreground"][index], store["background"][index] = foreground_and_background(photo, planes["person"])
    if attributes is None:
        return replace(entry, labelled=NETWORKS_ONLY)
    return replace(entry, labelled=COMPLETE, attributes=attributes, corrected=outlines is not None)


def labels_by_rules(store: LabelStore, index: int) -> dict[FieldName, Plane]:
    """What `label_picture` corrects: the labels of a picture with attributes before any correction."""
    person, hair = _first_labels(store, index)
    photo, landmarks = np.array(store["photo"][index]), np.array(store["mesh"][index])
    return picture_labels(photo, person, hair, landmarks, store.entries[index].attributes)


def _first_labels(store: LabelStore, index: int) -> tuple[Plane, Plane]:
    person, hair = (store[name][index].astype(np.float32) / 255 for name in ("person_raw", "hair_raw"))
    return person, hair
