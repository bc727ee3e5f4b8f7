"""What a trained network changes of the labels, and what it may not."""

from dataclasses import replace

import numpy as np
import pytest

from toonfilter.runtime.fields import FIELDS, field_index
from toonfilter.train.data.fields.attributes import Attributes
from toonfilter.train.data.fields.second_labels import refine_regions, with_sure_regions
from toonfilter.train.data.fields.store import LabelStore


def planes(**levels: float) -> np.ndarray:
    """float32 [8, 8, 9] of these levels all over."""
    found = np.zeros((8, 8, len(FIELDS)), np.float32)
    for name, level in levels.items():
        found[..., field_index(name)] = level
    return found


def test_what_the_network_is_sure_of_replaces_the_label() -> None:
    label = planes(person=1, hair=1)
    assert with_sure_regions(label, planes(person=1, skin=0.98), Attributes())
    assert label[0, 0, field_index("skin")] > 0.95
    assert label[0, 0, field_index("hair")] < 0.05


@pytest.mark.parametrize(
    ("answer", "attributes"),
    [
        ({"person": 1, "skin": 0.6}, Attributes()),
        ({"person": 1, "headwear": 1}, Attributes(headwear="none")),
        ({"person": 1, "beard": 1}, Attributes(facial_hair="none")),
        ({"person": 1, "skin": 1, "over": 1}, Attributes()),
    ],
    ids=["not sure", "no hat was seen", "no beard was seen", "under a hand"],
)
def test_what_is_not_sure_or_not_seen_leaves_the_label(answer: dict[str, float], attributes: Attributes) -> None:
    label = planes(person=1, hair=1)
    assert not with_sure_regions(label, planes(**answer), attributes)
    assert np.array_equal(label, planes(person=1, hair=1))


def test_beards_that_somebody_saw_are_believed() -> None:
    label = planes(person=1, skin=1)
    assert with_sure_regions(label, planes(person=1, beard=0.95), Attributes(facial_hair="beard"))
    assert label[0, 0, field_index("beard")] > 0.9


def test_corrected_pictures_and_those_that_nobody_looked_at_stay(store: LabelStore) -> None:
    written = LabelStore(store.folder, writable=True)
    written.entries[2] = replace(written.entries[2], corrected=True)
    before = np.array(written["labels"])
    ground = np.zeros((320, 320, len(FIELDS)), np.float32)
    corrected = [index for index, entry in enumerate(written.entries) if entry.corrected]
    try:
        changed = refine_regions(written, range(len(written)), lambda *_: ground)
        seen = [index for index, entry in enumerate(written.entries) if entry.labelled == 2]
        assert changed == len(seen) - len(corrected)
        for index in set(range(len(written))) - set(seen) | set(corrected):
            assert np.array_equal(written["labels"][index], before[index])
        assert written["labels"][seen[-1], ..., field_index("person")].max() < 13
    finally:
        written["labels"][:] = before


def test_a_network_that_saw_no_corrections_mends_nothing(store: LabelStore) -> None:
    def predict(*_: object) -> np.ndarray:
        raise AssertionError("is not asked")

    assert refine_regions(store, range(len(store)), predict) == 0
