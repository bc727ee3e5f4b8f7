"""Composed samples: the same number gives the same sample, and labels lie where things were drawn."""

import numpy as np
import pytest

from toonfilter.runtime.fields import FIELDS, field_index
from toonfilter.train.data.fields.composition import Composer, CompositionSettings, plain_sample
from toonfilter.train.data.fields.drawn_glasses import put_on_glasses
from toonfilter.train.data.fields.headgear import put_on_cap, put_on_scarf, shave
from toonfilter.train.data.fields.layers import Layer, mirrored, moved, take
from toonfilter.train.data.fields.occluders import hold_microphone, lay_hand, put_on_mask
from toonfilter.train.data.fields.store import SIDE_PX, LabelStore

WHOLE = np.array([[0.5, 0, 0], [0, 0.5, 0]], np.float64)
HANDS = np.full((1, 160, 160, 4), 180, np.uint8)
HANDS[..., 3] = 0
HANDS[:, 40:120, 40:120, 3] = 255


@pytest.fixture
def layer(store: LabelStore) -> Layer:
    return take(store, 0, WHOLE, SIDE_PX // 2, foreground=True, mirror=False)


def test_samples_depend_on_their_number_alone(store: LabelStore) -> None:
    first, second = (Composer(store, np.arange(6), HANDS) for _ in range(2))
    for number in range(6):
        a, b = first.sample(number, 96), second.sample(number, 96)
        assert np.array_equal(a.image, b.image)
        assert np.array_equal(a.planes, b.planes)
    assert not np.array_equal(first.sample(0, 96).image, first.sample(1, 96).image)


def test_samples_have_the_shapes_of_the_network(store: LabelStore) -> None:
    sample = Composer(store, np.arange(6), HANDS).sample(3, 128)
    assert sample.image.shape == (128, 128, 4)
    assert sample.planes.shape == (128, 128, len(FIELDS))
    assert sample.image.dtype == sample.planes.dtype == np.uint8


def test_far_people_are_small(store: LabelStore) -> None:
    composer = Composer(store, np.arange(5), HANDS, CompositionSettings(far=1.0, far_zoom=(4.0, 4.1)))
    share = [(composer.sample(n, 128).planes[..., field_index("skin")] > 128).mean() for n in range(6)]
    assert 0 < max(share) < 0.15


def test_what_nobody_looked_at_is_unknown(store: LabelStore) -> None:
    sample = Composer(store, np.array([5]), HANDS, CompositionSettings(far=0)).sample(0, 96)
    unknown = {name for name, known in zip(FIELDS, sample.known, strict=True) if not known}
    assert unknown == {"skin", "beard", "headwear", "glasses", "over"}


def test_mirrored_landmarks_change_sides(store: LabelStore) -> None:
    mirror = take(store, 0, WHOLE, SIDE_PX // 2, foreground=False, mirror=True)
    plain = take(store, 0, WHOLE, SIDE_PX // 2, foreground=False, mirror=False)
    assert mirror.landmarks is not None
    assert plain.landmarks is not None
    assert mirror.landmarks[33, 0] < mirror.landmarks[263, 0]
    assert np.array_equal(mirrored(mirrored(plain.landmarks)), plain.landmarks)


def test_small_scales_keep_landmarks_on_the_face(store: LabelStore) -> None:
    matrix = np.array([[0.2, 0, 10], [0, 0.2, 20]], np.float64)
    small = take(store, 0, matrix, 96, foreground=True, mirror=False)
    expected = moved(store["mesh"][0], matrix)
    assert small.landmarks is not None
    assert np.abs(small.landmarks[:, :2] - expected[:, :2]).max() < 0.01
    x, y = small.landmarks[1, :2]
    assert small.plane("skin")[round(float(y)), round(float(x))] > 0.8


def test_drawn_glasses_change_the_picture_where_the_label_says(layer: Layer) -> None:
    before = layer.picture.copy()
    put_on_glasses(layer, np.random.default_rng(3))
    glasses = layer.plane("glasses")
    frames = glasses > 0.95
    assert frames.sum() > 30
    changed = np.abs(layer.picture - before).max(-1)
    assert changed[frames].mean() > 0.1
    assert changed[layer.plane("person") < 0.01].max() < 0.05 or frames[layer.plane("person") < 0.01].any()


@pytest.mark.parametrize("cover", [put_on_mask, hold_microphone])
def test_covered_places_are_neither_skin_nor_beard(layer: Layer, cover: object) -> None:
    cover(layer, np.random.default_rng(1))  # type: ignore[operator]
    over = layer.plane("over") > 0.95
    assert over.sum() > 30
    assert layer.plane("skin")[over].max() < 0.1
    assert layer.plane("beard")[over].max() < 0.1


def test_hands_are_skin_that_lies_over(layer: Layer) -> None:
    lay_hand(layer, HANDS, np.random.default_rng(1))
    over = layer.plane("over") > 0.95
    assert over.sum() > 30
    assert layer.plane("skin")[over].min() > 0.9
    assert layer.plane("person")[over].min() > 0.9


def test_plain_sample_is_the_picture(store: LabelStore) -> None:
    sample = plain_sample(store, 0, SIDE_PX, told=False)
    assert np.abs(sample.image[..., :3].astype(int) - store["photo"][0]).max() <= 1
    assert sample.image[..., 3].max() == 0


@pytest.mark.parametrize("put_on", [put_on_cap, put_on_scarf])
def test_painted_headgear_hides_hair_and_leaves_the_eyes(layer: Layer, put_on: object) -> None:
    put_on(layer, np.random.default_rng(2))  # type: ignore[operator]
    headwear = layer.plane("headwear") > 0.95
    assert headwear.sum() > 100
    assert layer.plane("hair")[headwear].max() < 0.1
    assert layer.landmarks is not None
    x, y = layer.landmarks[[33, 133], :2].mean(0)
    assert layer.plane("headwear")[int(y), int(x)] < 0.05


def test_shaved_heads_are_skin(layer: Layer) -> None:
    hair = layer.plane("hair").copy() > 0.95
    shave(layer, np.random.default_rng(2))
    assert hair.sum() > 100
    assert layer.plane("hair")[hair].max() < 0.1
    assert layer.plane("skin")[hair].min() > 0.9
