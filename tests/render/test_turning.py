"""What is painted on a head in a video moves with it, and a turn alone hardly moves it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.detection import Face, face_from
from toonfilter.runtime.geometry.alignment import CropTransform, crop_transform, mean_face
from toonfilter.runtime.geometry.landmarks import FACE_SIDES, NOSE_TIP
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.hair import anchor_of
from toonfilter.runtime.render.head_carry import HeadCarry

_UNIT_PX = 100.0
_CENTRE = np.array([320, 320, 0], np.float32)


def _turned(yaw: float, shift_px: float = 0.0) -> Face:
    # Heads turn about an axis between the ears.
    rotation = cv2.Rodrigues(np.array([0, np.radians(yaw), 0]))[0].astype(np.float32)
    points = mean_face().astype(np.float32)
    points = points * np.float32(_UNIT_PX / np.linalg.norm(points[473, :2] - points[468, :2]))
    points -= points[list(FACE_SIDES)].mean(0)
    shift = np.array([shift_px, 0, 0], np.float32)
    face = face_from((points @ rotation.T + _CENTRE + shift).astype(np.float32), 1)
    assert face is not None
    return face


def _crop(face: Face) -> CropTransform:
    return crop_transform(face.landmarks, 256, face.fit)


def _figure(read: Face, now: Face) -> Figure:
    head = FaceGeometry.of(now.landmarks)
    to_canvas: NDArray[np.float64] = np.eye(2, 3)
    carry = HeadCarry.between(_crop(read), _crop(now), to_canvas)
    return Figure(np.zeros((640, 640, 3), np.uint8), {}, to_canvas, head.unit_px, head, carry=carry)


def test_painted_hair_and_cloth_stay_where_they_are_when_the_head_turns() -> None:
    read, now = _turned(0.0), _turned(20.0)
    nose_px = float(np.linalg.norm((now.landmarks - read.landmarks)[NOSE_TIP, :2]))
    assert nose_px > 0.1 * _UNIT_PX
    apart = anchor_of(_figure(read, now)) - anchor_of(_figure(read, read))
    assert np.linalg.norm(apart) < 0.4 * nose_px


def test_painted_hair_goes_along_when_the_head_moves() -> None:
    read, now = _turned(0.0), _turned(0.0, shift_px=40.0)
    apart = anchor_of(_figure(read, now)) - anchor_of(_figure(read, read))
    np.testing.assert_allclose(apart, [40, 0], atol=0.5)
