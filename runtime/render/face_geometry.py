"""A face as the feature painters see it: its mesh in the style's proportions, its unit, axes and visible sides."""

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import HeadFit, Landmarks, fit_head, mean_face
from toonfilter.runtime.geometry.landmarks import EYES, INNER_LIPS, MESH_POINTS, MOUTH_TOP, NOSE_RIDGE
from toonfilter.runtime.geometry.proportions import Points, Proportions, ProportionWarp
from toonfilter.runtime.render.features.smooth import smoothstep

Axis = NDArray[np.float32]
"""float32 [2]: a direction in the picture."""

_UNIT_TOLERANCE = 0.15
_FAR_YAW = (43.5, 49.5)
"""Yaw in degrees between which the far eye goes, however wide the mesh makes it: meshes turn profiles by 50 to 60.
Raising it draws second eyes on profiles."""
_PROFILE_YAW, _PROFILE_SEEN = (43.5, 54.0), (38.0, 43.5)
"""Yaw in degrees from which a mesh is drawn as a profile, and fully; and the same where the picture shows no far eye.
Raising them draws profiles as half profiles."""
_RIDGE_HIDES_FROM = 18.0
"""Yaw in degrees from which the nose's ridge covers a part of the far eye's place."""
_LAUGHS = (0.02, 0.11)
"""Rise of the mouth's corners, in pupil distances, from which a smile is one, and at which it is a laugh."""
_USUAL_FROWN, _MOST_FROWN = 0.02, 0.10
"""By how much brows at rest differ, and the most that a frown or worry is taken for."""
_FAR_FADE = (0.19, 0.33)
"""An eye as narrow as this share of its true width, seen from the side, is hidden; it is whole from the second on."""


@dataclass(frozen=True)
class FaceGeometry:
    """One face on the canvas. Sides: 0 is the person's right (left in an unmirrored picture), 1 their left.

    points: float32 [478, 3] canvas px, in the style's proportions. photo_points: the same as the photo shows them.
    unit_px: distance of the pupils in three dimensions, which a turned head keeps. yaw, pitch, roll: degrees, see
    `HeadFit.pose_degrees`. far_eye_seen: 0 where the picture shows that the far eye is behind the profile, to 1.
    """

    points: Landmarks
    photo_points: Landmarks
    fit: HeadFit
    warp: ProportionWarp
    unit_px: float
    yaw: float
    pitch: float
    roll: float
    far_eye_seen: float = 1.0

    @classmethod
    def of(
        cls, landmarks: Landmarks, proportions: Proportions | None = None, fit: HeadFit | None = None
    ) -> "FaceGeometry":
        """landmarks: float32 [478, 3] canvas px, not kept nor changed. fit: the result of `fit_head`, when at hand.

        Raises:
            ConfigError: the landmarks are not [478, 3] or not finite.
        """
        fit = fit or fit_head(landmarks)
        unit_px = _unit_px(landmarks, fit)
        warp = (proportions or Proportions()).warp(landmarks, fit, unit_px)
        points = landmarks.astype(np.float32)
        points[:, :2] = warp.move(landmarks[:, :2])
        return cls(points, landmarks.astype(np.float32), fit, warp, unit_px, *fit.pose_degrees)

    def in_proportions(self, proportions: Proportions) -> "FaceGeometry":
        """The same face in other proportions."""
        warp = proportions.warp(self.photo_points, self.fit, self.unit_px)
        points = self.photo_points.copy()
        points[:, :2] = warp.move(self.photo_points[:, :2])
        return replace(self, points=points, warp=warp)

    @cached_property
    def middle(self) -> Points:
        """The middle of the head as the photo shows it, float32 [2] canvas px: a turn hardly moves it."""
        middle: Points = self.fit.crop_centre.astype(np.float32)
        return middle

    @cached_property
    def flat(self) -> Points:
        """float32 [478, 2] canvas px."""
        return np.ascontiguousarray(self.points[:, :2])

    @cached_property
    def right(self) -> Axis:
        """Unit vector along the eyes' line, to the picture's right of an upright face."""
        across = self.fit.rotation[:2, 0]
        down = self.fit.rotation[:2, 1]
        # The sum of both stays well defined where yaw shortens one of them to nothing.
        turned = np.array([across[0] + down[1], across[1] - down[0]])
        return (turned / max(float(np.hypot(*turned)), 1e-6)).astype(np.float32)

    @cached_property
    def down(self) -> Axis:
        """Unit vector from the eyes to the chin."""
        return np.array([-self.right[1], self.right[0]], np.float32)

    @cached_property
    def across_face(self) -> Axis:
        """One unit across the face as the picture shows it: shortened as the head turns. px."""
        return (self.fit.rotation[:2, 0] * self.unit_px).astype(np.float32)

    @cached_property
    def down_face(self) -> Axis:
        """One unit down the face as the picture shows it. px."""
        return (self.fit.rotation[:2, 1] * self.unit_px).astype(np.float32)

    @cached_property
    def turn(self) -> float:
        """-1 to 1: sine of the yaw."""
        return math.sin(math.radians(self.yaw))

    @cached_property
    def far_side(self) -> int:
        """The side that is turned away."""
        return 1 if self.yaw > 0 else 0

    @cached_property
    def eye_foreshortening(self) -> tuple[float, float]:
        """Seen width of each eye over its true width, 0 to 1."""
        found = []
        for eye in EYES:
            span = self.points[eye.corners[1]] - self.points[eye.corners[0]]
            seen = float(span[:2] @ self.right) * (1 if eye is EYES[0] else -1)
            found.append(float(np.clip(seen / max(float(np.linalg.norm(span)), 1e-6), 0.0, 1.0)))
        return found[0], found[1]

    @cached_property
    def eye_visibility(self) -> tuple[float, float]:
        """0 for an eye that the head hides, 1 for one in full view."""
        low, high = _FAR_FADE
        seen = []
        for side, width in enumerate(self.eye_foreshortening):
            if side != self.far_side:
                seen.append(1.0)
                continue
            turned = 1 - (abs(self.yaw) - _FAR_YAW[0]) / (_FAR_YAW[1] - _FAR_YAW[0])
            seen.append(min(max(min((width - low) / (high - low), turned), 0.0), self.far_eye_seen))
        return seen[0], seen[1]

    @cached_property
    def profile(self) -> float:
        """0 to 1: how far the head is seen from the side, where its outline makes the nose. Meshes turn less."""
        unseen = (1 - self.far_eye_seen) * smoothstep(abs(self.yaw), *_PROFILE_SEEN)
        return max(smoothstep(abs(self.yaw), *_PROFILE_YAW), unseen)

    @cached_property
    def laughter(self) -> float:
        """0 to 1: how far the corners of the mouth are raised."""
        corners = self.photo_points[[MOUTH_TOP[0], MOUTH_TOP[-1]]].mean(0) - self.photo_points[list(INNER_LIPS)].mean(0)
        rise = -float(corners @ self.fit.rotation[:, 1]) / self.unit_px
        return min(max((rise - _LAUGHS[0]) / (_LAUGHS[1] - _LAUGHS[0]), 0.0), 1.0)

    @cached_property
    def lid_openings(self) -> tuple[float, float]:
        """Height over width of the gap between the lids of each eye, as the photo shows it."""
        points, found = self.photo_points, []
        for eye in EYES:
            width = points[eye.corners[0]] - points[eye.corners[1]]
            gaps = points[list(eye.upper[3:6]), :2] - points[list(eye.lower[3:6]), :2]
            found.append(float(np.hypot(*gaps.T).sum()) / 3 / max(math.hypot(*width.tolist()), 1e-6))
        return found[0], found[1]

    @cached_property
    def frown(self) -> float:
        """How much lower the inner halves of the brows lie, against the outer ones, than in the mean face.

        In pupil distances; below 0 they are raised, as in worry. The brow of a side that is turned away counts less.
        """
        found, weights = 0.0, 0.0
        for place, seen in zip(_brow_slopes(), self.eye_foreshortening, strict=True):
            found += seen**2 * float(place @ self.photo_points @ self.fit.rotation[:, 1])
            weights += seen**2
        unusual = (found / max(weights, 1e-3) - _usual_brow_slope() * self.fit.scale) / self.unit_px
        beyond = max(unusual - _USUAL_FROWN, 0.0) + min(unusual + _USUAL_FROWN, 0.0)
        return min(max(beyond, -_MOST_FROWN), _MOST_FROWN)

    @cached_property
    def outline(self) -> Points:
        """float32 [N, 2] px: convex hull of the mesh as the picture shows it, profiles included."""
        hull: Points = cv2.convexHull(self.flat[:MESH_POINTS])[:, 0]
        return hull

    @cached_property
    def beyond_nose(self) -> Points | None:
        """float32 [N, 2] px: what lies on the far side of the nose's ridge; None for a face that looks ahead.

        An eye that goes behind the ridge is hidden by it, from its nose's side on.
        """
        if abs(self.yaw) < _RIDGE_HIDES_FROM:
            return None
        ridge = self.flat[list(NOSE_RIDGE)]
        away = self.right * np.float32((1 if self.turn > 0 else -1) * self.unit_px)
        ridge = ridge + away * np.float32(self._hidden_u)
        above = ridge[:1] - self.down * np.float32(2 * self.unit_px)
        below = ridge[-1:] + self.down * np.float32(2 * self.unit_px)
        region: Points = np.concatenate([above, ridge, below, below + 3 * away, above + 3 * away]).astype(np.float32)
        return region

    @cached_property
    def _hidden_u(self) -> float:
        """How much of the far eye and brow the ridge has covered, in distances of the pupils."""
        eye, side = EYES[self.far_side], self.far_side
        hidden = 1 - self.eye_visibility[side]
        if hidden <= 0:
            return 0.0
        far = (self.flat[[*eye.upper, *eye.brow_upper]] - self.flat[NOSE_RIDGE[1]]) @ self.right
        return hidden * max(float((far * np.sign(self.turn)).max()) / self.unit_px, 0.0)

    def project(self, face_points: NDArray[np.floating[Any]]) -> Points:
        """Points of the mean face's space, [N, 3] face heights, to canvas px float32 [N, 2], unwarped."""
        placed = self.fit.scale * face_points @ self.fit.rotation.T + self.fit.translation
        return placed[:, :2].astype(np.float32)


@lru_cache(maxsize=1)
def _brow_slopes() -> tuple[NDArray[np.float32], ...]:
    """For each brow float32 [478]: weights of the points in the mean of the inner half less that of the outer half."""
    rows = []
    for eye in EYES:
        half = len(eye.brow_upper) // 2
        row = np.zeros(len(mean_face()), np.float32)
        row[[*eye.brow_upper[-half:], *eye.brow_lower[-half:]]] = 0.5 / half
        row[[*eye.brow_upper[:half], *eye.brow_lower[:half]]] = -0.5 / half
        rows.append(row)
    return tuple(rows)


@lru_cache(maxsize=1)
def _usual_brow_slope() -> float:
    return float(_brow_slopes()[0] @ mean_face()[:, 1])


def _unit_px(landmarks: Landmarks, fit: HeadFit) -> float:
    """Distance of the eyes' centres, kept near what the head's size leads to expect, for depth is a guess."""
    expected = _usual_distance() * fit.scale
    most = expected * (1 + _UNIT_TOLERANCE)
    return min(max(_distance(landmarks), expected * (1 - _UNIT_TOLERANCE)), most)


def _distance(points: NDArray[np.floating[Any]]) -> float:
    right, left = (points[list(eye.cross)].mean(0) for eye in EYES)
    return float(np.linalg.norm(left - right))


@lru_cache(maxsize=1)
def _usual_distance() -> float:
    return _distance(mean_face())
