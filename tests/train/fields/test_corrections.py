"""Labels corrected by eye: reading, snapping to edges, and what they change."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.train.fields.conftest import SIDE_PX, Portrait
from toonfilter.runtime.errors import DataError
from toonfilter.runtime.fields import FieldName
from toonfilter.train.data.fields.appearances import read_appearances
from toonfilter.train.data.fields.attributes import Attributes, read_attributes
from toonfilter.train.data.fields.composition import Composer
from toonfilter.train.data.fields.corrections import Outline, correct, outline_mask, read_corrections
from toonfilter.train.data.fields.face_frame import Plane
from toonfilter.train.data.fields.glasses import read_frames
from toonfilter.train.data.fields.labels import label_picture, picture_labels
from toonfilter.train.data.fields.store import LabelStore

SQUARE = ((20.0, 20.0), (60.0, 20.0), (60.0, 60.0), (20.0, 60.0))


def _write(folder: Path, content: object, name: str = "1.json") -> None:
    folder.joinpath(name).write_text(json.dumps(content), encoding="utf-8")


def _planes(names: tuple[FieldName, ...]) -> dict[FieldName, Plane]:
    return {name: np.zeros((SIDE_PX, SIDE_PX), np.float32) for name in names}


def test_files_are_read_by_picture(tmp_path: Path) -> None:
    _write(tmp_path, {"file": "a/b.png", "outlines": [{"kind": "hair", "points": SQUARE}]})
    _write(tmp_path, {"file": "c.png", "outlines": []}, "2.json")
    assert read_corrections(tmp_path) == {"a/b.png": (Outline("hair", SQUARE),), "c.png": ()}


@pytest.mark.parametrize(
    ("outlines", "words"),
    [
        ([{"kind": "fur", "points": SQUARE}], "kind is 'fur'; must be one of ground, hair"),
        ([{"kind": "hair", "points": SQUARE[:2]}], "fewer than three points"),
        ([{"kind": "hair", "points": [(0, 0), (50, 50), (140, 0)]}], "outside 0 to 100"),
        ([{"points": SQUARE}], "kind"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, outlines: object, words: str) -> None:
    _write(tmp_path, {"file": "a.png", "outlines": outlines})
    with pytest.raises(DataError, match=r"1\.json.*") as caught:
        read_corrections(tmp_path)
    assert words in str(caught.value)


def test_an_outline_moves_to_the_edge_that_it_nearly_follows() -> None:
    photo = np.full((SIDE_PX, SIDE_PX, 3), 210, np.uint8)
    cv2.circle(photo, (160, 160), 80, (40, 30, 20), -1)
    truth = (photo[..., 0] < 100).astype(np.float32)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    # Five pixels too wide on one side, too narrow on the other.
    rough = np.column_stack([165 + 80 * np.cos(angles), 160 + 80 * np.sin(angles)]) / SIDE_PX * 100
    outline = Outline("hair", tuple(map(tuple, rough.tolist())))
    drawn = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.fillPoly(drawn, [np.rint(rough * SIDE_PX / 100).astype(np.int32)], 1)
    snapped = outline_mask(photo, outline)
    assert np.abs(snapped - truth).sum() < 0.5 * np.abs(drawn - truth).sum()


def test_a_thin_outline_stays_as_it_was_drawn() -> None:
    photo = np.full((SIDE_PX, SIDE_PX, 3), 128, np.uint8)
    mask = outline_mask(photo, Outline("cloth", ((30, 30), (32, 30), (32, 60), (30, 60))))
    assert mask[144, 99] > 0.9
    assert mask[144, 90] < 0.01


def test_the_later_outline_lies_over_the_earlier() -> None:
    photo = np.full((SIDE_PX, SIDE_PX, 3), 128, np.uint8)
    photo[64:192, 64:192] = 30
    planes = _planes(("person", "hair", "skin", "beard", "headwear", "over"))
    correct(photo, planes, [Outline("hair", SQUARE), Outline("headwear", SQUARE)])
    inside = {name: float(plane[128, 128]) for name, plane in planes.items()}
    assert inside == pytest.approx({"person": 1, "hair": 0, "skin": 0, "beard": 0, "headwear": 1, "over": 0}, abs=0.01)


def test_ground_takes_the_person_away_where_it_is(portrait: Portrait) -> None:
    planes = picture_labels(portrait.photo, portrait.person, portrait.hair, portrait.landmarks, Attributes())
    before = planes["person"].copy()
    correct(portrait.photo, planes, [Outline("ground", ((-2, 85), (102, 85), (102, 102), (-2, 102)))])
    assert planes["person"][310, 160] < 0.05 < before[310, 160]
    assert planes["person"][100, 160] == before[100, 160]


def test_corrected_pictures_are_drawn_more_often(store: LabelStore) -> None:
    attributes = store.entries[0].attributes
    copies = LabelStore(store.folder)
    copies.entries[0] = label_picture(LabelStore(store.folder, writable=True), 0, attributes, ())
    assert copies.entries[0].corrected
    indices = np.arange(5)
    hands = np.zeros((0, 160, 160, 4), np.uint8)
    before, after = (Composer(kept, indices, hands).shares for kept in (store, copies))
    assert after[0] > 2 * before[0]


def test_one_file_holds_the_corrections_of_many_pictures(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    rows = [{"file": "a.png", "outlines": [{"kind": "hair", "points": SQUARE}]}, {"file": "b.png", "outlines": []}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert read_corrections(path) == {"a.png": (Outline("hair", SQUARE),), "b.png": ()}
    path.write_text(json.dumps(rows[0]) + "\n{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2"):
        read_corrections(path)


def test_what_ships_can_be_read() -> None:
    folder = Path(__file__).parents[3] / "train" / "annotations"
    seen = read_attributes(sorted((folder / "attributes").glob("*.csv")))
    outlines = read_corrections(folder / "corrections.jsonl")
    said = read_appearances([folder / "appearance.csv", folder / "eyes.csv"])
    frames = read_frames(folder / "glasses.csv")
    assert len(outlines) > 1200
    assert len(frames) > 300
    assert set(frames) <= set(seen)
    assert set(outlines) <= set(seen)
    assert set(said) <= set(seen)
