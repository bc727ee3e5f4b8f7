"""A painted face with the mean face's mesh, and a store of some of them."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.geometry import alignment
from toonfilter.runtime.geometry.landmarks import FACE_OVAL
from toonfilter.train.data.fields.attributes import Attributes
from toonfilter.train.data.fields.labels import label_picture
from toonfilter.train.data.fields.store import SIDE_PX, Entry, LabelStore, write_entries

SKIN, HAIR, CLOTH, ROOM = (205, 150, 125), (45, 30, 25), (30, 60, 160), (120, 160, 120)


@dataclass(frozen=True)
class Portrait:
    """photo: uint8 [320, 320, 3]. person, hair: what the networks would say, float32 [320, 320]."""

    photo: NDArray[np.uint8]
    person: NDArray[np.float32]
    hair: NDArray[np.float32]
    landmarks: NDArray[np.float32]


def mean_landmarks() -> NDArray[np.float32]:
    points = np.asarray(alignment.mean_face(), np.float32)
    placed: NDArray[np.float32] = points * np.float32(SIDE_PX * 0.5)
    placed[:, 0] += SIDE_PX / 2
    placed[:, 1] += SIDE_PX * 0.45
    return placed


def paint_portrait() -> Portrait:
    """Room, cloth, hair and a face in plain colours with a little grain."""
    landmarks = mean_landmarks()
    photo = np.full((SIDE_PX, SIDE_PX, 3), ROOM, np.uint8)
    person, hair = np.zeros((2, SIDE_PX, SIDE_PX), np.uint8)
    oval = np.rint(landmarks[list(FACE_OVAL), :2]).astype(np.int32)
    middle = tuple(int(value) for value in oval.mean(0))
    width, height = (int(value) for value in np.ptp(oval, axis=0))
    for canvas, colour in ((photo, CLOTH), (person, 255)):
        cv2.ellipse(canvas, (middle[0], SIDE_PX + 20), (140, 70), 0, 0, 360, colour, -1)
    for canvas, colour in ((photo, HAIR), (person, 255), (hair, 255)):
        cv2.ellipse(
            canvas, (middle[0], middle[1] - height // 5), (width * 2 // 3, height * 6 // 10), 0, 0, 360, colour, -1
        )
    neck = (middle[0] - width // 4, middle[1]), (middle[0] + width // 4, middle[1] + height * 3 // 4)
    for canvas, colour in ((photo, SKIN), (person, 255), (hair, 0)):
        cv2.rectangle(canvas, *neck, colour, -1)
        cv2.fillPoly(canvas, [oval], colour)
    grain = np.random.default_rng(0).normal(0, 3, photo.shape)
    photo = np.clip(photo + grain, 0, 255).astype(np.uint8)
    return Portrait(photo, person.astype(np.float32) / 255, hair.astype(np.float32) / 255, landmarks)


@pytest.fixture(scope="session")
def portrait() -> Portrait:
    return paint_portrait()


@pytest.fixture(scope="session")
def store(portrait: Portrait, tmp_path_factory: pytest.TempPathFactory) -> LabelStore:
    """Six pictures: five people with attributes, one of them with a hat, and one whom nobody looked at."""
    folder: Path = tmp_path_factory.mktemp("labels")
    entries = [Entry(f"{number}.png", f"person{number}", f"c{number}", "painted") for number in range(6)]
    made = LabelStore.create(folder, entries)
    for number in range(6):
        made["photo"][number] = portrait.photo
        made["person_raw"][number] = portrait.person * 255
        made["hair_raw"][number] = portrait.hair * 255
        made["mesh"][number] = portrait.landmarks
        seen = Attributes(headwear="hat" if number == 1 else "none") if number < 5 else None
        entries[number] = label_picture(made, number, seen)
    write_entries(folder, entries)
    return LabelStore(folder)
