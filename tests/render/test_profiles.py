"""Heads that are turned further than their mesh."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
import skia
from numpy.typing import NDArray

from toonfilter.runtime.faces.detection import Face, face_from
from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.geometry.alignment import crop_transform, mean_face
from toonfilter.runtime.geometry.landmarks import EYES, LIP_TOP, NOSE_RIDGE
from toonfilter.runtime.render.ears import ear_in_profile
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.curves import FaceCurves
from toonfilter.runtime.render.features.drawing import draw_features
from toonfilter.runtime.render.features.eyes import eye_shape
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.layers import contested, profile_silhouette
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.render.people import Person, people_in
from toonfilter.runtime.render.profile_planes import with_beard_to_outline, without_far_lashes
from toonfilter.runtime.render.scene import SceneFields
from toonfilter.runtime.styles.feature_rules import FeatureRules

SIDE_PX = 300


def turned(yaw: float) -> Face:
    angle = np.radians(yaw)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    landmarks = (mean_face() * 130).astype(np.float32)
    landmarks[:, [0, 2]] = landmarks[:, [0, 2]] @ rotation.T
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    landmarks[:, :2] += SIDE_PX / 2 - (low + high) / 2
    made = face_from(landmarks, 0)
    assert made is not None
    return made


def drawn(face: Face, *, ends_before_far_corner_px: float) -> Person:
    """The person where the picture shows room from so far before the far eye's outer corner on."""
    planes = {name: np.zeros((SIDE_PX, SIDE_PX), np.uint8) for name in FIELDS}
    far = 1 if face.pose[0] > 0 else 0
    corner, nose = (float(face.landmarks[point, 0]) for point in (EYES[far].corners[0], EYES[far].corners[1]))
    end = round(corner - np.sign(corner - nose) * ends_before_far_corner_px)
    person = slice(0, end) if corner > nose else slice(end, SIDE_PX)
    planes["person"][:, person] = 255
    planes["skin"] = planes["person"].copy()
    scene = SceneFields(np.full((SIDE_PX, SIDE_PX, 3), 150, np.uint8), planes, 1.0)
    return people_in(scene, [(face, crop_transform(face.landmarks, 256, face.fit))]).known[0]


@pytest.mark.parametrize("yaw", [-46.0, 46.0])
def test_an_eye_behind_the_profile_is_not_drawn(yaw: float) -> None:
    face = turned(yaw)
    seen, hidden = (drawn(face, ends_before_far_corner_px=px).head for px in (-20, 8))
    far = seen.far_side
    assert seen.eye_visibility[far] > 0.5
    assert hidden.eye_visibility[far] == 0
    assert hidden.eye_visibility[1 - far] == seen.eye_visibility[1 - far] == 1


def test_heads_that_look_ahead_keep_both_eyes() -> None:
    assert drawn(turned(20.0), ends_before_far_corner_px=8).head.eye_visibility == (1.0, 1.0)


def side_of(curve: NDArray[np.float32], other: NDArray[np.float32], down: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far apart two curves are along the face, float32 [N] px."""
    apart: NDArray[np.float32] = (other - curve) @ down
    return apart


@pytest.mark.parametrize("yaw", [-66.0, 66.0])
def test_the_near_eye_of_a_profile_is_a_wedge_open_to_the_front(yaw: float) -> None:
    head = FaceGeometry.of(turned(yaw).landmarks)
    eye = eye_shape(head, FaceCurves(head.flat), FeatureRules().eyes, 1 - head.far_side)
    gap = side_of(eye.upper, eye.lower, head.down)
    assert gap[0] < 0.1 * gap.max()
    assert gap[-1] > 0.8 * gap.max()
    front = (eye.upper[-1] + eye.lower[-1]) / 2
    back = (eye.upper[0] + eye.lower[0]) / 2
    behind = float((eye.iris - front) @ (back - front)) / float((back - front) @ (back - front))
    assert 0 < behind < 0.4
    assert eye.slimness < 0.6


def test_the_near_eye_of_a_half_profile_stays_an_almond() -> None:
    head = FaceGeometry.of(turned(44.0).landmarks)
    eye = eye_shape(head, FaceCurves(head.flat), FeatureRules().eyes, 1 - head.far_side)
    gap = side_of(eye.upper, eye.lower, head.down)
    assert eye.wedge == 0
    assert gap[-1] < 0.1 * gap.max()


def pixels_of(head: FaceGeometry, silhouette: skia.Path | None = None) -> NDArray[np.uint8]:
    """Features alone on clear ground, uint8 [H, W, 4]."""
    pixels = np.zeros((SIDE_PX, SIDE_PX, 4), np.uint8)
    canvas = skia.Canvas(pixels, colorType=skia.kRGBA_8888_ColorType)
    draw_features(canvas, head, Look.plain(), FeatureRules(), silhouette=silhouette)
    return pixels


def test_the_ridge_of_a_profile_is_its_outline_alone() -> None:
    for yaw, is_drawn in ((36.0, True), (58.0, False)):
        head = FaceGeometry.of(turned(yaw).landmarks)
        x, y = np.rint(head.flat[NOSE_RIDGE[-3]]).astype(int).tolist()
        assert pixels_of(head)[y - 3 : y + 4, x - 3 : x + 6, 3].any() == is_drawn


def test_features_of_turned_heads_end_at_the_outline() -> None:
    head = FaceGeometry.of(turned(58.0).landmarks)
    free = pixels_of(head)
    end = int(np.flatnonzero(free[..., 3].any(0))[-1]) - 4
    cut = pixels_of(head, skia.Path.Rect(skia.Rect.MakeLTRB(0, 0, end, SIDE_PX)))
    assert free[:, end:, 3].any()
    assert not cut[:, end:, 3].any()
    kept = np.abs(cut[:, : end - 1].astype(int) - free[:, : end - 1])
    assert kept.max() <= 4


def test_only_heads_seen_from_the_side_are_cut_at_the_outline() -> None:
    for yaw, is_cut in ((39.0, False), (45.0, True)):
        person = drawn(turned(yaw), ends_before_far_corner_px=-20)
        scene = person.scene
        figure = Figure(scene.photo, contested(scene.planes), scene.to_frame, person.head.unit_px, person.head)
        assert (profile_silhouette(figure) is not None) == is_cut


def test_the_ridge_covers_the_far_eye_from_the_nose_on() -> None:
    reach = []
    for yaw in (43.0, 45.0, 47.0):
        head = FaceGeometry.of(turned(yaw).landmarks)
        assert head.beyond_nose is not None
        reach.append(float((head.beyond_nose[1] - head.flat[NOSE_RIDGE[0]]) @ head.right) / head.unit_px)
    assert reach[0] == pytest.approx(0, abs=1e-4)
    assert reach[1] > 0.05
    assert reach[2] > reach[1] + 0.05


def test_features_change_little_from_step_to_step_of_a_turn() -> None:
    frames = [pixels_of(FaceGeometry.of(turned(yaw).landmarks)).astype(int) for yaw in np.arange(36.0, 68.0)]
    steps = [float(np.abs(after - before).mean()) for before, after in itertools.pairwise(frames)]
    assert max(steps) < 2.2 * float(np.median(steps[:6]))


@pytest.mark.parametrize("yaw", [-60.0, 60.0])
def test_lashes_behind_the_bridge_are_no_bump_of_the_outline(yaw: float) -> None:
    face = turned(yaw)
    head = FaceGeometry.of(face.landmarks)
    person: NDArray[np.uint8] = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    bridge = np.rint(head.flat[NOSE_RIDGE[1]]).astype(int)
    ahead = int(np.sign(yaw))
    cv2.rectangle(person, (bridge[0], 0), (0 if ahead > 0 else SIDE_PX, SIDE_PX), 255, -1)
    plain = person.copy()
    tip = (int(bridge[0]) + ahead * 10, int(bridge[1]))
    cv2.line(person, tuple(bridge.tolist()), tip, 255, 3)
    planes = dict.fromkeys(("person", "skin", "hair"), person)
    cleared = without_far_lashes(planes, head.points, head, head.unit_px)
    assert cleared["person"][tip[1], tip[0]] == 0
    assert (cleared["skin"] == plain).mean() > 0.9995
    ahead_looking = replace(head, yaw=30.0 * ahead)
    assert (without_far_lashes(planes, head.points, ahead_looking, head.unit_px)["person"] == person).all()


@pytest.mark.parametrize("yaw", [-55.0, 55.0])
def test_an_ear_further_back_than_its_mesh_is_found_in_the_hair(yaw: float) -> None:
    head = FaceGeometry.of(turned(yaw).landmarks)
    near, skin = 1 - head.far_side, np.full((SIDE_PX, SIDE_PX), 255, np.uint8)
    figure = Figure(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8), {}, np.eye(2, 3), head.unit_px, head)
    usual = ear_in_profile(head, figure, skin, near)
    assert usual is not None
    # Hair all around but for a lobe of skin behind the usual place.
    back = head.right * np.float32(0.3 * head.unit_px * (1 if near else -1))
    lobe = usual + back
    hair = np.zeros_like(skin)
    grown = lobe.mean(0) + (lobe - lobe.mean(0)) * np.float32(1.12)
    cv2.fillPoly(hair, [np.rint(grown).astype(np.int32)], 255)
    found = ear_in_profile(head, figure, hair, near)
    assert found is not None
    assert float(np.linalg.norm(found.mean(0) - lobe.mean(0))) < 0.15 * head.unit_px


@pytest.mark.parametrize("yaw", [-60.0, 60.0])
def test_beards_of_profiles_reach_to_the_outline(yaw: float) -> None:
    head = FaceGeometry.of(turned(yaw).landmarks)
    unit, ahead = head.unit_px, int(np.sign(yaw))
    lip = np.rint(head.flat[LIP_TOP[len(LIP_TOP) // 2]]).astype(int)
    person, beard = (np.zeros((SIDE_PX, SIDE_PX), np.uint8) for _ in range(2))
    edge = int(lip[0])
    cv2.rectangle(person, (edge, 0), (0 if ahead > 0 else SIDE_PX, SIDE_PX), 255, -1)
    end = edge - ahead * round(0.25 * unit)
    cv2.rectangle(beard, (end, int(lip[1]) - 5), (end - ahead * 40, int(lip[1]) + 30), 255, -1)
    planes = {"person": person, "beard": beard}
    filled = with_beard_to_outline(planes, head.points, head, unit)["beard"]
    row = filled[int(lip[1]) + 8]
    between = sorted((end, edge - ahead * 2))
    assert row[between[0] : between[1]].min() > 200
    assert not (filled > person).any()
    bare = {"person": person, "beard": np.zeros_like(beard)}
    assert not with_beard_to_outline(bare, head.points, head, unit)["beard"].any()
    looks_ahead = replace(head, yaw=30.0 * ahead)
    assert (with_beard_to_outline(planes, head.points, looks_ahead, unit)["beard"] == beard).all()
