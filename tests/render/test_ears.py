"""Ears: found where the skin stands out beside the face, drawn as one C and one fold, hidden where nothing is seen."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.geometry.alignment import mean_face
from toonfilter.runtime.geometry.landmarks import EAR_LIMITS, FACE_OVAL
from toonfilter.runtime.render.ear_shape import EarPlace, EarShape, ear_in, reach_of_skin
from toonfilter.runtime.render.ears import ears_of, with_both_ears
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.tones import Swatches

SIZE, UNIT = 560, 120.0


def _mesh(yaw: float = 0.0) -> np.ndarray:
    """A face of about UNIT in the middle of the picture, px. yaw: degrees."""
    angle = math.radians(yaw)
    about = np.array([[math.cos(angle), 0, -math.sin(angle)], [0, 1, 0], [math.sin(angle), 0, math.cos(angle)]])
    points = mean_face()
    points = points * (UNIT / np.linalg.norm(points[473, :2] - points[468, :2]))
    points = points @ about.T
    points[:, :2] += SIZE / 2 - points[:468, :2].mean(0)
    return points.astype(np.float32)


def _face(mesh: np.ndarray, wider_u: float = 0.0) -> np.ndarray:
    """uint8 [SIZE, SIZE]: skin within the mesh's outline, and so far beyond."""
    plane = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillConvexPoly(plane, cv2.convexHull(np.rint(mesh[list(FACE_OVAL), :2]).astype(np.int32)), 255)
    grow = 2 * round(wider_u * UNIT) + 1
    return cv2.dilate(plane, np.ones((grow, grow), np.uint8))


def _with_ear(
    mesh: np.ndarray, side: int = 1, out_u: float = 0.20, down_u: float = 0.0, face: np.ndarray | None = None
) -> np.ndarray:
    """The face with an ear that stands out so far, its middle so far below the root: half an ellipse."""
    place = EarPlace.of(mesh[:, :2], UNIT, side)
    plane = _face(mesh) if face is None else face.copy()
    row = round(float((place.root + place.down * down_u * UNIT)[1]))
    columns = np.flatnonzero(_face(mesh)[row])
    edge = int(columns[-1] if side else columns[0])
    return cv2.ellipse(plane, (edge, row), (round(out_u * UNIT), round(0.42 * UNIT)), 0, 0, 360, 255, -1)


def _ear(skin: np.ndarray, mesh: np.ndarray, side: int = 1) -> EarShape | None:
    return ear_in(reach_of_skin(skin, mesh[:, :2], EarPlace.of(mesh[:, :2], UNIT, side)))


def _seen(skin: np.ndarray, mesh: np.ndarray, side: int = 1) -> float:
    ear = _ear(skin, mesh, side)
    return 0.0 if ear is None else ear.seen


def _figure(mesh: np.ndarray) -> tuple[Figure, FaceGeometry]:
    head = FaceGeometry.of(mesh)
    return Figure(np.zeros((SIZE, SIZE, 3), np.uint8), {}, np.eye(2, 3), head.unit_px, head), head


def _planes(**drawn: np.ndarray) -> dict[str, np.ndarray]:
    return {name: drawn.get(name, np.zeros((SIZE, SIZE), np.uint8)).copy() for name in FIELDS}


@pytest.mark.parametrize("out_u", [0.13, 0.20, 0.35])
@pytest.mark.parametrize("side", [0, 1])
def test_an_ear_that_stands_out_is_found_whole_even_where_it_lies_close(out_u: float, side: int) -> None:
    mesh = _mesh()
    ear = _ear(_with_ear(mesh, side, out_u), mesh, side)
    assert ear is not None
    assert ear.seen > 0.9
    assert 0.65 < np.ptp(ear.outline[:, 1]) < 1.0
    # However flat, it is drawn wide enough for its fold.
    assert np.ptp(ear.outline[:, 0]) > 0.2
    assert _seen(_with_ear(mesh, side, out_u), mesh, 1 - side) == 0


@pytest.mark.parametrize("wider_u", [0.0, 0.04, 0.08])
def test_cheeks_are_no_ears_though_they_are_wider_than_the_mesh(wider_u: float) -> None:
    mesh = _mesh()
    assert _seen(_face(mesh, wider_u), mesh) < 0.1


def test_an_ear_of_a_head_that_looks_up_is_not_cut_at_the_nose() -> None:
    mesh = _mesh()
    ear = _ear(_with_ear(mesh, down_u=0.2), mesh)
    assert ear is not None
    lowest = EarPlace.of(mesh[:, :2], UNIT, 1).placed(ear.outline)[:, 1].max()
    assert lowest > mesh[EAR_LIMITS[1], 1] + 0.05 * UNIT


def test_of_an_ear_under_hair_what_is_seen_is_a_whole_small_one() -> None:
    mesh = _mesh()
    skin = _with_ear(mesh)
    root = EarPlace.of(mesh[:, :2], UNIT, 1).root
    skin[: round(float(root[1])), round(float(root[0])) :] = 0
    ear = _ear(skin, mesh)
    assert ear is not None
    assert ear.seen > 0.5
    assert ear.outline[:, 1].min() > -0.15
    skin[: round(float(root[1] + 0.45 * UNIT)), round(float(root[0])) :] = 0
    assert _seen(skin, mesh) == 0


def test_an_ear_comes_and_goes_softly() -> None:
    mesh = _mesh()
    levels = [_seen(_with_ear(mesh, out_u=out), mesh) for out in np.arange(0.02, 0.2, 0.01)]
    assert levels[0] == 0
    assert levels[-1] == 1
    assert any(0.05 < level < 0.95 for level in levels)
    assert np.all(np.diff(levels) > -0.35), "steps of the outline by a pixel may shake it"


def test_an_ear_is_a_c_that_follows_the_skin_with_one_fold_within() -> None:
    mesh = _mesh()
    ear = _ear(_with_ear(mesh, out_u=0.3), mesh)
    assert ear is not None
    first, last, outer = ear.outline[0], ear.outline[-1], float(ear.outline[:, 0].max())
    assert max(first[0], last[0]) < ear.outline[:, 0].mean()
    assert 0.15 < last[1] - first[1] < 0.5
    assert outer == pytest.approx(
        reach_of_skin(_with_ear(mesh, out_u=0.3), mesh[:, :2], EarPlace.of(mesh[:, :2], UNIT, 1))[:, 1].max(), abs=0.04
    )
    for x, y in ear.fold.tolist():
        assert cv2.pointPolygonTest(ear.outline[:, None], (x, y), False) > 0


def test_shoulders_are_no_ears() -> None:
    mesh = _mesh()
    skin = _face(mesh)
    root = EarPlace.of(mesh[:, :2], UNIT, 1).root
    left, top = round(float(root[0]) - 0.3 * UNIT), round(float(root[1]) + 0.15 * UNIT)
    cv2.fillPoly(skin, [np.array([[left, top], [SIZE, top + 90], [SIZE, SIZE], [left, SIZE]], np.int32)], 255)
    ear = _ear(_with_ear(mesh, face=skin), mesh)
    assert ear is not None
    assert ear.outline[:, 1].max() < 0.6
    assert _seen(skin, mesh) < 0.1


def test_the_far_ear_of_a_turned_head_is_hidden_by_its_cheek() -> None:
    mesh = _mesh(25.0)
    figure, head = _figure(mesh)
    skin = _with_ear(mesh, head.far_side)
    assert _ear(skin, mesh, head.far_side) is not None
    assert ears_of(figure, head, skin, head.far_side) == []
    near = 1 - head.far_side
    found = ears_of(figure, head, _with_ear(mesh, near, 0.4), near)
    assert found[0].seen > 0.9


@pytest.mark.parametrize("yaw", [45, -45])
def test_the_near_ear_of_a_turned_head_lies_behind_its_cheek_on_skin(yaw: float) -> None:
    figure, head = _figure(_mesh(yaw))
    near = 1 - head.far_side
    skin = np.full((SIZE, SIZE), 255, np.uint8)
    (ear,) = [one for one in ears_of(figure, head, skin, near) if one.seen > 0]
    behind = (ear.outline - head.flat[(234, 454)[near]]) @ head.right * (1 if near else -1)
    assert behind.mean() > 0.1 * head.unit_px
    assert 0.9 < np.ptp(ear.outline[:, 1]) / head.unit_px < 1.2
    assert ears_of(figure, head, skin, head.far_side) == []
    assert ears_of(figure, head, np.zeros_like(skin), near) == [], "hair lies over it"


def test_an_ear_in_profile_stays_within_the_skin() -> None:
    figure, head = _figure(_mesh(45))
    near = 1 - head.far_side
    whole = np.full((SIZE, SIZE), 255, np.uint8)
    ear = max(ears_of(figure, head, whole, near), key=lambda one: one.seen)
    way = 1 if near else -1
    end = float((ear.outline[:, 0] * way).max()) - 0.15 * head.unit_px
    skin = np.where(np.arange(SIZE) * way < end, whole, np.uint8(0))
    moved = max(ears_of(figure, head, skin, near), key=lambda one: one.seen)
    assert moved.seen > 0.5
    assert float((moved.outline[:, 0] * way).max()) < end + 1


def test_the_ear_that_is_not_told_from_the_cheek_is_as_the_other_unless_hair_or_a_turn_hides_it() -> None:
    mesh = _mesh()
    left = float(EarPlace.of(mesh[:, :2], UNIT, 0).root[0])
    one_ear = _with_ear(mesh)
    seen = _planes(skin=one_ear, person=one_ear)
    both = with_both_ears(seen, mesh, UNIT, 3.0)
    added = cv2.subtract(both["skin"], one_ear) > 128
    assert added.sum() > 600
    assert np.argwhere(added)[:, 1].max() < left + 8
    assert np.array_equal(both["person"] > 128, both["skin"] > 128)
    assert _seen(both["skin"], mesh, 0) > 0.5
    beside = np.zeros_like(one_ear)
    beside[:, : round(left)] = 255
    hidden = {**seen, "hair": cv2.subtract(beside, one_ear)}
    assert np.array_equal(with_both_ears(hidden, mesh, UNIT, 3.0)["skin"], one_ear)
    assert np.array_equal(with_both_ears(seen, mesh, UNIT, 25.0)["skin"], one_ear)
    bare = _face(mesh)
    assert np.array_equal(with_both_ears(_planes(skin=bare), mesh, UNIT, 3.0)["skin"], bare)


def test_the_other_ear_comes_out_as_this_one_does() -> None:
    mesh = _mesh()
    sizes = []
    for out in np.arange(0.04, 0.24, 0.02):
        skin = _with_ear(mesh, out_u=float(out))
        sizes.append(
            int(
                (
                    cv2.subtract(with_both_ears(_planes(skin=skin, person=skin), mesh, UNIT, 0.0)["skin"], skin) > 128
                ).sum()
            )
        )
    assert sizes[0] == 0
    assert sizes[-1] > 600
    assert max(np.diff(sizes)) < 0.7 * sizes[-1]


def test_what_is_seen_of_an_ear_is_averaged_over_frames() -> None:
    mesh = _mesh()
    figure, head = _figure(mesh)
    calm = replace(figure, swatches=Swatches())
    first = ears_of(calm, head, _with_ear(mesh, out_u=0.2), 1)[0]
    second = ears_of(calm, head, _with_ear(mesh, out_u=0.3), 1)[0]
    alone = ears_of(figure, head, _with_ear(mesh, out_u=0.3), 1)[0]
    reach = [float(one.outline[:, 0].max()) for one in (first, second, alone)]
    assert reach[0] + 0.5 < reach[1] < reach[2] - 2


def test_an_ear_that_moves_a_little_moves_a_little() -> None:
    mesh = _mesh()
    heights = []
    for down in np.arange(0, 0.1, 0.005):
        big = 4
        plane = cv2.resize(_face(mesh), None, fx=big, fy=big, interpolation=cv2.INTER_LINEAR)
        root = EarPlace.of(mesh[:, :2], UNIT, 1).root
        middle = (round(float(root[0]) * big), round(float(root[1] + down * UNIT) * big))
        cv2.ellipse(plane, middle, (round(0.2 * UNIT * big), round(0.42 * UNIT * big)), 0, 0, 360, 255, -1)
        ear = _ear(cv2.resize(plane, (SIZE, SIZE), interpolation=cv2.INTER_AREA), mesh)
        assert ear is not None
        heights.append(float(ear.outline[:, 1].max()))
    assert np.abs(np.diff(heights)).max() < 0.04
    assert np.median(np.abs(np.diff(heights))) < 0.005


def test_the_other_ear_is_narrower_the_more_the_head_turns() -> None:
    mesh = _mesh()
    skin = _with_ear(mesh)

    def added(yaw: float) -> int:
        both = with_both_ears(_planes(skin=skin, person=skin), mesh, UNIT, yaw)
        return int((cv2.subtract(both["skin"], skin) > 128).sum())

    assert added(0.0) > 1.2 * added(4.0) > 0
    assert added(8.5) < 0.3 * added(0.0)
