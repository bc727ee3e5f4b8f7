"""The label rules: nothing where nobody saw it, everything where it is painted."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.fields import (
    FIELDS,
    MASKS,
    MESH_FACE_LEVEL,
    MESH_FEATURE_LEVEL,
    FieldName,
    mesh_plane,
)
from toonfilter.runtime.geometry.landmarks import LEFT_EYE, RIGHT_EYE
from toonfilter.train.data.fields.attributes import Attributes, read_attributes
from toonfilter.train.data.fields.face_frame import face_frame
from toonfilter.train.data.fields.labels import COMPLETE, NETWORKS_ONLY, picture_labels
from toonfilter.train.data.fields.store import LabelStore
from toonfilter.train.data.fields.worn_glasses import LENS_LEVEL, eye_distance_px, glasses_from_network

HEADER = "index,file,glasses,facial_hair,headwear,hair,over,bad\n"


def labels(portrait: object, **seen: str) -> dict[FieldName, NDArray[np.float32]]:
    p = portrait
    return picture_labels(p.photo, p.person, p.hair, p.landmarks, Attributes(**seen))  # type: ignore[attr-defined]


def test_plain_face_has_no_beard_headwear_or_glasses(portrait: object) -> None:
    planes = labels(portrait)
    for name in ("beard", "headwear", "glasses", "over"):
        assert planes[name].max() == 0, name


def test_painted_regions_are_found(portrait: object) -> None:
    planes = labels(portrait)
    painted = np.abs(portrait.photo.astype(int) - (205, 150, 125)).max(-1) < 25  # type: ignore[attr-defined]
    skin = planes["skin"] > 0.5
    assert (skin & painted).sum() / (skin | painted).sum() > 0.9
    hair = portrait.hair > 0.5  # type: ignore[attr-defined]
    found = planes["hair"] > 0.5
    assert (found & hair).sum() / (found | hair).sum() > 0.85


def test_skin_and_hair_share_no_pixel(portrait: object) -> None:
    planes = labels(portrait)
    assert (planes["skin"] + planes["hair"]).max() <= 1.01


def test_all_planes_are_levels_of_one_size(portrait: object) -> None:
    planes = labels(portrait, glasses="clear", facial_hair="beard", headwear="hat")
    assert tuple(planes) == FIELDS
    for name, plane in planes.items():
        assert plane.shape == (320, 320), name
        assert plane.min() >= 0, name
        assert plane.max() <= 1.001, name


def test_hat_takes_the_top_of_the_hair(portrait: object) -> None:
    frame = face_frame(portrait.landmarks, 320)  # type: ignore[attr-defined]
    planes = labels(portrait, headwear="hat")
    top = (frame.up > 0.4) & (portrait.hair > 0.9)  # type: ignore[attr-defined]
    assert planes["headwear"][top].mean() > 0.8
    assert planes["hair"][top].mean() < 0.2


def test_bald_head_is_skin(portrait: object) -> None:
    frame = face_frame(portrait.landmarks, 320)  # type: ignore[attr-defined]
    planes = labels(portrait, hair="bald")
    top = (frame.up > 0.3) & (np.abs(frame.across) < 0.2) & (portrait.person > 0.9)  # type: ignore[attr-defined]
    assert planes["hair"][top].mean() < 0.1


def test_lenses_are_half_as_strong_as_frames_and_sunglasses(portrait: object) -> None:
    clear, sun = (labels(portrait, glasses=kind)["glasses"] for kind in ("clear", "sun"))
    inside = np.isclose(clear, LENS_LEVEL, atol=0.01)
    assert inside.sum() > 200
    assert clear.max() == 1
    assert (sun[inside] > 0.99).mean() > 0.95


def test_moustache_lies_between_nose_and_mouth(portrait: object) -> None:
    photo = portrait.photo.copy()  # type: ignore[attr-defined]
    points = portrait.landmarks  # type: ignore[attr-defined]
    low, high = points[0, 1] - 2, points[2, 1] + 4
    left, right = points[61, 0], points[291, 0]
    photo[int(high) : int(low), int(left) : int(right)] = (40, 30, 25)
    p = portrait
    planes = picture_labels(photo, p.person, p.hair, points, Attributes(facial_hair="moustache"))  # type: ignore[attr-defined]
    beard = planes["beard"]
    assert beard[int((low + high) / 2), int((left + right) / 2)] > 0.7
    assert beard[int(points[168, 1])].max() < 0.05
    assert beard[int(points[152, 1])].max() < 0.05


def test_pictures_nobody_looked_at_carry_no_rules(store: LabelStore) -> None:
    assert [entry.labelled for entry in store.entries] == [COMPLETE] * 5 + [NETWORKS_ONLY]
    planes = store["labels"][5]
    assert planes[..., FIELDS.index("skin")].max() == 0
    assert planes[..., FIELDS.index("hair")].max() == 255


def test_foreground_goes_on_beyond_the_person(store: LabelStore) -> None:
    person = store["labels"][0][..., MASKS.index("person")]
    outside = (person == 0) & (np.pad(person, 6)[:-12, 6:-6] > 250)
    cloth_or_hair = store["foreground"][0][outside].astype(int)
    assert np.abs(cloth_or_hair - (120, 160, 120)).sum(-1).mean() > 60


def test_attributes_name_file_and_line_of_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "000.csv"
    path.write_text(HEADER + "0,a.jpg,none,none,none,short,none,0\n1,b.jpg,none,whiskers,none,short,none,0\n")
    with pytest.raises(DataError, match=r"000\.csv, line 3: facial_hair is 'whiskers'"):
        read_attributes([path])


def test_attributes_need_every_column(tmp_path: Path) -> None:
    path = tmp_path / "000.csv"
    path.write_text("index,file,glasses\n0,a.jpg,none\n")
    with pytest.raises(DataError, match="bad, facial_hair, hair, headwear, over"):
        read_attributes([path])


def test_mesh_plane_tells_face_and_features(portrait: object) -> None:
    points = portrait.landmarks  # type: ignore[attr-defined]
    plane = mesh_plane([points], (320, 320))
    assert plane[0, 0] == 0
    assert plane[int(points[1, 1]), int(points[1, 0])] == MESH_FACE_LEVEL
    middle = points[[33, 133], :2].mean(0)
    assert plane[int(middle[1]), int(middle[0])] == MESH_FEATURE_LEVEL


def test_glasses_of_a_network_become_lenses_and_rims(portrait: object) -> None:
    frame = face_frame(portrait.landmarks, 320)  # type: ignore[attr-defined]
    unit = eye_distance_px(frame)
    plane = np.zeros((320, 320), np.float32)
    middles = [frame.landmarks[list(eye)].mean(0) for eye in (RIGHT_EYE.ring, LEFT_EYE.ring)]
    for middle in middles:
        cv2.circle(plane, tuple(int(value) for value in middle), int(0.33 * unit), 0.5, -1)
    found = glasses_from_network(plane, frame, Attributes(glasses="clear"))
    assert found is not None
    seen = plane > 0.2
    lenses = found > 0.4
    assert (seen & lenses).sum() / seen.sum() > 0.9
    assert lenses.sum() < 1.8 * seen.sum()
    for x, y in middles:
        assert found[int(y), int(x)] == pytest.approx(LENS_LEVEL)
    assert glasses_from_network(np.zeros_like(plane), frame, Attributes(glasses="clear")) is None
