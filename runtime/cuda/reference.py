"""The kernels of portrait.cu in numpy, with the same arithmetic: slow, and easy to compare with OpenCV."""

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]

_ONE = np.float32(1)


def crop_faces(faces: NDArray[np.void], pool: Picture, fields: Plane | None, size: int) -> Picture:
    """uint8 [N, size, size, 3]. faces: FACE [N]. pool: uint8 [bytes]. fields: float32 [N, G, G, 2] or None."""
    return np.stack([_crop(face, pool, None if fields is None else fields[n], size) for n, face in enumerate(faces)])


def blend_face(
    face: NDArray[np.void], pool: Picture, cartoon: Picture, matte: Picture | None, window: Picture, hull: Picture
) -> None:
    """Blend one face into the pool, in place. cartoon: [S, S, 3 or 4]. matte, window, hull: [S, S]."""
    size = cartoon.shape[0]
    region = _region(face, pool)
    left, top, width, height = (int(face[name]) for name in ("left", "top", "width", "height"))
    x, y = np.meshgrid(np.arange(left, left + width, dtype=np.float32), np.arange(top, top + height, dtype=np.float32))
    u, v = _moved(face["region_to_crop"], x, y)
    inside = (u > -1) & (v > -1) & (u < size) & (v < size)
    shown = hull.astype(np.float32)
    if matte is not None:
        shown = np.maximum(shown, _levels(matte.astype(np.float32) * window / np.float32(255)).astype(np.float32))
    weight, colours = _premultiplied(u, v, cartoon[:, :, :3].astype(np.float32), shown, size)
    inside &= weight > 0
    target = region[top : top + height, left : left + width]
    blended = _levels((_ONE - weight)[..., None] * target.astype(np.float32) + colours)
    target[inside] = blended[inside]


def _crop(face: NDArray[np.void], pool: Picture, field: Plane | None, size: int) -> Picture:
    region = _region(face, pool).astype(np.float32)
    axis = np.arange(size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    if field is not None:
        moved = _enlarged(field, size)
        x, y = x + moved[..., 0], y + moved[..., 1]
    count = int(face["subsamples"])
    step = _ONE / np.float32(count)
    total = np.zeros((size, size, 3), np.float32)
    for j in range(count):
        for i in range(count):
            u = x + (np.float32(i) + np.float32(0.5)) * step - np.float32(0.5)
            v = y + (np.float32(j) + np.float32(0.5)) * step - np.float32(0.5)
            total += _bilinear(region, *_moved(face["crop_to_region"], u, v))
    return _levels(total * step * step)


def _region(face: NDArray[np.void], pool: Picture) -> Picture:
    height, width, offset = (int(face[name]) for name in ("region_height", "region_width", "region_offset"))
    return pool[offset : offset + 3 * height * width].reshape(height, width, 3)


def _moved(matrix: Plane, x: Plane, y: Plane) -> tuple[Plane, Plane]:
    a = matrix.astype(np.float32)
    return a[0] * x + a[1] * y + a[2], a[3] * x + a[4] * y + a[5]


def _bilinear(picture: Plane, x: Plane, y: Plane) -> Plane:
    height, width = picture.shape[:2]
    column, row = np.floor(x), np.floor(y)
    fx, fy = (x - column)[..., None], (y - row)[..., None]
    left, right = (np.clip(column + move, 0, width - 1).astype(np.intp) for move in (0, 1))
    top, bottom = (np.clip(row + move, 0, height - 1).astype(np.intp) for move in (0, 1))
    above = (_ONE - fx) * picture[top, left] + fx * picture[top, right]
    below = (_ONE - fx) * picture[bottom, left] + fx * picture[bottom, right]
    sampled: Plane = (_ONE - fy) * above + fy * below
    return sampled


def _premultiplied(u: Plane, v: Plane, colours: Plane, shown: Plane, size: int) -> tuple[Plane, Plane]:
    column, row = np.floor(u), np.floor(v)
    fu, fv = u - column, v - row
    weight = np.zeros(u.shape, np.float32)
    total = np.zeros((*u.shape, 3), np.float32)
    for j in range(2):
        for i in range(2):
            cx, cy = column + i, row + j
            is_there = (cx >= 0) & (cy >= 0) & (cx < size) & (cy < size)
            at = np.clip(cy, 0, size - 1).astype(np.intp), np.clip(cx, 0, size - 1).astype(np.intp)
            share = (fu if i else _ONE - fu) * (fv if j else _ONE - fv) * shown[at] / np.float32(255)
            share = np.where(is_there, share, np.float32(0))
            weight += share
            total += share[..., None] * colours[at]
    return weight, total


def _enlarged(field: Plane, size: int) -> Plane:
    """[G, G, 2] to [size, size, 2], as cv2.resize with INTER_CUBIC does."""
    grid = field.shape[0]
    place = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * (np.float32(grid) / np.float32(size))
    place -= np.float32(0.5)
    first = np.floor(place)
    weights = _cubic(place - first)
    samples = [np.clip(first - 1 + k, 0, grid - 1).astype(np.intp) for k in range(4)]
    along = np.zeros((grid, size, 2), np.float32)
    total = np.zeros((size, size, 2), np.float32)
    for k in range(4):
        along += weights[k][None, :, None] * field[:, samples[k]]
    for k in range(4):
        total += weights[k][:, None, None] * along[samples[k]]
    return total


def _cubic(t: Plane) -> list[Plane]:
    a = np.float32(-0.75)
    s, r = t + _ONE, _ONE - t
    outer: Plane = ((a * s - 5 * a) * s + 8 * a) * s - 4 * a
    near: Plane = ((a + 2) * t - (a + 3)) * t * t + _ONE
    far: Plane = ((a + 2) * r - (a + 3)) * r * r + _ONE
    return [outer, near, far, _ONE - outer - near - far]


def _levels(values: Plane) -> Picture:
    rounded: Picture = np.clip(np.floor(values + np.float32(0.5)), 0, 255).astype(np.uint8)
    return rounded
