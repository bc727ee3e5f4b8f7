"""Which parts of the frame the faces need, and the parameters of the kernels for each face."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import CropTransform

FACE = np.dtype(
    [
        ("crop_to_region", "<f4", 6),
        ("region_to_crop", "<f4", 6),
        ("region_offset", "<i4"),
        ("region_width", "<i4"),
        ("region_height", "<i4"),
        ("left", "<i4"),
        ("top", "<i4"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("subsamples", "<i4"),
        ("unused", "<i4", 4),
    ]
)
"""`struct Face` of portrait.cu."""

_SUBSAMPLE_FROM = 1.6
"""Shrinking from which on a pixel is the mean of several samples. Raising it lets small faces shimmer."""
_MAX_SUBSAMPLES = 8
"""Of them, along a side. Raising it is slower for very large faces."""
_MARGIN_PX = 2
"""Around what a crop reaches in the frame, for interpolation. Raising it uploads more."""


@dataclass(frozen=True, slots=True)
class FrameRegion:
    """A rectangle of the frame, right and bottom excluded, and where its pixels start in the pool, in bytes."""

    left: int
    top: int
    right: int
    bottom: int
    offset: int = 0

    @property
    def size_bytes(self) -> int:
        return 3 * (self.right - self.left) * (self.bottom - self.top)

    def overlaps(self, other: "FrameRegion") -> bool:
        """Whether they share a pixel."""
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)

    def around(self, other: "FrameRegion") -> "FrameRegion":
        """The smallest rectangle that holds both."""
        return FrameRegion(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of a frame, a view."""
        return image[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True, slots=True)
class Plan:
    """regions: apart from each other, one behind the other in the pool. faces: FACE [N], one for each transform."""

    regions: tuple[FrameRegion, ...]
    faces: NDArray[np.void]

    @property
    def pool_bytes(self) -> int:
        return sum(region.size_bytes for region in self.regions)


def plan_regions(transforms: Sequence[CropTransform], height: int, width: int) -> Plan:
    """Put the frame's parts under the crops into regions: crops that overlap share one, each pixel travels once.

    height, width: of the frame, px.
    """
    boxes = [_box(transform, height, width) for transform in transforms]
    regions = _apart(boxes)
    aligned, offset = [], 0
    for region in regions:
        aligned.append(FrameRegion(region.left, region.top, region.right, region.bottom, offset))
        offset += region.size_bytes
    faces = np.zeros(len(transforms), FACE)
    for index, (transform, box) in enumerate(zip(transforms, boxes, strict=True)):
        region = next(region for region in aligned if region.overlaps(box))
        faces[index] = _parameters(transform, box, region)
    return Plan(tuple(aligned), faces)


def _box(transform: CropTransform, height: int, width: int) -> FrameRegion:
    """The frame pixels that the crop can read or change; at least one, also for a crop beside the frame."""
    last = transform.size
    corners = np.array([[-1.0, -1.0], [last, -1.0], [-1.0, last], [last, last]])
    matrix = transform.crop_to_frame
    reached = corners @ matrix[:, :2].T + matrix[:, 2]
    low = np.floor(reached.min(0)).astype(int) - _MARGIN_PX
    high = np.ceil(reached.max(0)).astype(int) + 1 + _MARGIN_PX
    left, top = min(max(int(low[0]), 0), width - 1), min(max(int(low[1]), 0), height - 1)
    right, bottom = max(min(int(high[0]), width), left + 1), max(min(int(high[1]), height), top + 1)
    return FrameRegion(left, top, right, bottom)


def _apart(boxes: Sequence[FrameRegion]) -> list[FrameRegion]:
    regions: list[FrameRegion] = []
    for box in boxes:
        merged = box
        while touching := [region for region in regions if region.overlaps(merged)]:
            for region in touching:
                merged = merged.around(region)
                regions.remove(region)
        regions.append(merged)
    return regions


def _parameters(transform: CropTransform, box: FrameRegion, region: FrameRegion) -> NDArray[np.void]:
    face = np.zeros((), FACE)
    origin = np.array([region.left, region.top], np.float64)
    out, back = transform.crop_to_frame, transform.frame_to_crop
    face["crop_to_region"] = np.column_stack([out[:, :2], out[:, 2] - origin]).ravel()
    face["region_to_crop"] = np.column_stack([back[:, :2], back[:, 2] + back[:, :2] @ origin]).ravel()
    face["region_offset"] = region.offset
    face["region_width"], face["region_height"] = region.right - region.left, region.bottom - region.top
    face["left"], face["top"] = box.left - region.left, box.top - region.top
    face["width"], face["height"] = box.right - box.left, box.bottom - box.top
    shrink = transform.side_px / transform.size
    face["subsamples"] = 1 if shrink <= _SUBSAMPLE_FROM else min(int(np.ceil(shrink)), _MAX_SUBSAMPLES)
    return face
