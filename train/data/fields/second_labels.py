"""Labels that a trained network knows better than the rules: glasses that people really wear.

Drawn glasses have exact labels, so the network learns their outlines from these and finds real ones more truly than
the fit that its first labels came from.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.fields import field_index, mesh_plane
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.train.data.fields.face_frame import face_frame
from toonfilter.train.data.fields.labels import COMPLETE
from toonfilter.train.data.fields.store import SIDE_PX, LabelStore
from toonfilter.train.data.fields.worn_glasses import glasses_from_network

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
