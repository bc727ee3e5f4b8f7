"""The first labels of a folder of faces: photos, hair, person and face mesh, by networks, into a store."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from toonfilter.runtime.errors import DataError, require
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.train.data.fields.attributes import Attributes
from toonfilter.train.data.fields.corrections import Outline
from toonfilter.train.data.fields.hair_network import HairNetwork
from toonfilter.train.data.fields.hands import hands_of_clips
from toonfilter.train.data.fields.labels import label_picture
from toonfilter.train.data.fields.store import SIDE_PX, Entry, LabelStore, write_entries
from toonfilter.train.data.pictures import read_rgb

_SAVE_EVERY = 100


def read_index(faces: Path) -> list[Entry]:
    """The pictures of FACES/index.csv (columns source, file, identity, cluster), not labelled yet.

    Raises:
        DataError: no such file, or a column is missing.
    """
    path = faces / "index.csv"
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        return [Entry(row["file"], row["identity"], row["cluster"], row["source"]) for row in rows]
    except (OSError, KeyError) as error:
        raise DataError(f"{path}: cannot be read as a list of faces ({error!r})") from error


def make_first_labels(faces: Path, folder: Path, hair_network: Path, report: ShowProgress | None = None) -> LabelStore:
    """Fill a new store with what networks say; 0.2 s for a picture on one core.

    Raises:
        DataError: the index or a picture cannot be read.
        ConfigError: MediaPipe is not installed.
    """
    mediapipe = require("mediapipe", extra="mediapipe")
    entries = read_index(faces)
    store = LabelStore.create(folder, entries)
    network = HairNetwork(hair_network)
    selfie: Any = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
    mesh: Any = mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, min_detection_confidence=0.3
    )
    side = (SIDE_PX, SIDE_PX)
    with selfie, mesh:
        for index, entry in enumerate(entries):
            photo = read_rgb(faces / entry.file)
            if photo is None:
                raise DataError(f"{faces / entry.file} cannot be read as a picture")
            shrinking = cv2.INTER_AREA if photo.shape[0] > SIDE_PX else cv2.INTER_CUBIC
            store["photo"][index] = cv2.resize(photo, side, interpolation=shrinking)
            hair = cv2.resize(network.hair(photo), side, interpolation=cv2.INTER_AREA)
            person = cv2.resize(selfie.process(photo).segmentation_mask, side)
            store["hair_raw"][index], store["person_raw"][index] = (
                np.clip(plane * 255 + 0.5, 0, 255).astype(np.uint8) for plane in (hair, person)
            )
            found = mesh.process(photo).multi_face_landmarks
            if found:
                store["mesh"][index] = [(p.x * SIDE_PX, p.y * SIDE_PX, p.z * SIDE_PX) for p in found[0].landmark]
            if report is not None:
                report(Progress(index + 1, len(entries), "pictures read"))
    return store


def make_labels(
    folder: Path,
    attributes: Mapping[str, Attributes],
    corrections: Mapping[str, Sequence[Outline]],
    report: ShowProgress | None = None,
) -> LabelStore:
    """Make all labels of a store by rules, from its first labels, attributes and corrections by file; can be repeated.

    0.15 s for a picture on one core.
    """
    store = LabelStore(folder, writable=True)
    entries = list(store.entries)
    for index, entry in enumerate(entries):
        entries[index] = label_picture(store, index, attributes.get(entry.file), corrections.get(entry.file))
        if (index + 1) % _SAVE_EVERY == 0 or index + 1 == len(entries):
            write_entries(folder, entries)
        if report is not None:
            report(Progress(index + 1, len(entries), "pictures labelled"))
    return LabelStore(folder)


def make_hands(folder: Path, clips: Sequence[Path]) -> int:
    """Cut hands out of clips into FOLDER/hands.npy, uint8 [N, 160, 160, 4]; returns how many."""
    require("mediapipe", extra="mediapipe")
    hands = list(hands_of_clips(list(clips)))
    if not hands:
        raise DataError(f"no hands found in {len(clips)} clips")
    with (folder / "hands.npy").open("wb") as stream:
        np.save(stream, np.stack(hands))
    return len(hands)
