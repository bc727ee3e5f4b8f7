"""Labels that a trained network knows better than the rules: glasses that people really wear, and regions.

Drawn glasses have exact labels, so the network learns their outlines from these and finds real ones more truly than
the fit that its first labels came from. Of corrected pictures it learns where the rules are wrong in all the others:
ears and shaded temples are no hair, necks no cloth.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.fields import FieldName, field_index, mesh_plane
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.train.data.fields.attributes import Attributes
from toonfilter.train.data.fields.face_frame import Plane, face_frame, smoothstep
from toonfilter.train.data.fields.labels import COMPLETE
from toonfilter.train.data.fields.matting import foreground_and_background
from toonfilter.train.data.fields.store import SIDE_PX, LabelStore
from toonfilter.train.data.fields.worn_glasses import glasses_from_network

_SURE = (0.7, 0.9)
"""How surely the network must say that a place is something else than its label for the label to change, a little and
wholly. Lowering it follows the network's own mistakes."""
_OF_REGIONS: tuple[FieldName, ...] = ("hair", "skin", "beard", "headwear")

Predict = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]
"""Photo uint8 [S, S, 3] and mesh plane uint8 [S, S] to planes float32 [S, S, 9], 0 to 1."""


def refine_glasses(
    store: LabelStore,
    indices: Iterable[int],
    predict: Predict,
    report: ShowProgress | None = None,
) -> tuple[int, int]:
    """Write the network's glasses over those of the rules; returns how many pictures changed of how many with glasses.

    store: writable. indices: pictures for training; those for validation keep what no network of ours has said.
    """
    worn = [
        int(index)
        for index in indices
        if store.entries[index].labelled == COMPLETE and store.entries[index].attributes.glasses != "none"
    ]
    changed = 0
    for number, index in enumerate(worn):
        photo, landmarks = np.array(store["photo"][index]), np.array(store["mesh"][index])
        plane = predict(photo, mesh_plane([landmarks], (SIDE_PX, SIDE_PX)))[..., field_index("glasses")]
        refined = glasses_from_network(plane, face_frame(landmarks, SIDE_PX), store.entries[index].attributes)
        if refined is not None:
            store["labels"][index, ..., field_index("glasses")] = np.clip(refined * 255 + 0.5, 0, 255)
            changed += 1
        if report is not None:
            report(Progress(number + 1, len(worn), "pictures with glasses"))
    return changed, len(worn)


def refine_regions(
    store: LabelStore,
    indices: Iterable[int],
    predict: Predict,
    report: ShowProgress | None = None,
) -> int:
    """Write the network's regions over those of the rules where it is sure of others; how many pictures changed.

    store: writable. indices: pictures for training. Corrected pictures stay as they are, and all do where none is
    corrected: the network has learned nothing but the rules then.
    """
    if not any(entry.corrected for entry in store.entries):
        return 0
    chosen = [int(i) for i in indices if store.entries[i].labelled == COMPLETE and not store.entries[i].corrected]
    changed = 0
    for number, index in enumerate(chosen):
        photo = np.array(store["photo"][index])
        answer = predict(photo, mesh_plane([np.array(store["mesh"][index])], (SIDE_PX, SIDE_PX)))
        planes = np.array(store["labels"][index]).astype(np.float32) / 255
        if with_sure_regions(planes, answer, store.entries[index].attributes):
            store["labels"][index] = np.clip(planes * 255 + 0.5, 0, 255).astype(np.uint8)
            pair = foreground_and_background(photo, planes[..., field_index("person")])
            store["foreground"][index], store["background"][index] = pair
            changed += 1
        if report is not None:
            report(Progress(number + 1, len(chosen), "pictures with other regions"))
    return changed


def with_sure_regions(planes: NDArray[np.float32], answer: NDArray[np.float32], attributes: Attributes) -> bool:
    """Change labels float32 [S, S, 9], 0 to 1, in place to an answer where that is sure; whether it was anywhere.

    What nobody saw on the picture (headwear, beards, hair of the bald) is not believed.
    """
    ours, theirs = _classes(planes), _classes(answer)
    other = ours.argmax(-1) != theirs.argmax(-1)
    share = smoothstep(theirs.max(-1), *_SURE) * other * _believable(theirs.argmax(-1), attributes)
    share *= 1 - np.maximum(answer[..., field_index("over")], answer[..., field_index("glasses")])
    for name in ("person", *_OF_REGIONS):
        plane = planes[..., field_index(name)]
        plane += (answer[..., field_index(name)] - plane) * share
    return bool((share > 0.5).any())


def _classes(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [S, S, 6]: how much ground, cloth, hair, skin, beard, headwear there is."""
    regions = np.stack([planes[..., field_index(name)] for name in _OF_REGIONS], -1)
    person = planes[..., field_index("person")]
    cloth = np.clip(person - regions.max(-1) - planes[..., field_index("over")], 0, 1)
    classes: NDArray[np.float32] = np.concatenate([np.stack([1 - person, cloth], -1), regions], -1).astype(np.float32)
    return classes


def _believable(found: NDArray[np.int64], attributes: Attributes) -> Plane:
    """0 where the class is one that nobody saw on the picture."""
    unseen = {
        "hair": attributes.hair in ("bald", "covered"),
        "beard": attributes.facial_hair == "none",
        "headwear": attributes.headwear == "none",
    }
    believed = np.ones(found.shape, np.float32)
    for number, name in enumerate(_OF_REGIONS, 2):
        if unseen.get(name, False):
            believed[found == number] = 0
    return believed
