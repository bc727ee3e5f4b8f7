"""Paths of Skia from whole arrays of points: it reads them from memory in a thirtieth of the time of single calls."""

import struct
from collections.abc import Iterable

import numpy as np
import skia

from toonfilter.runtime.render.contours import Points

MOVE, LINE, CUBIC, CLOSE = (bytes([verb]) for verb in (0, 1, 4, 5))
"""Verbs: they take 1, 1, 3 and no points."""
FORMAT = 5
"""Of paths in memory: what `skia.Path.serialize` writes in all versions that are allowed."""
_HEAD = struct.Struct("<4i")
"""Format and kind of fill, then how many points, weights and verbs there are."""
_WORD = 4


def polygons(shapes: Iterable[Points], *, closed: bool = True, even_odd: bool = True) -> skia.Path:
    """Polygons as one path. shapes: [N, 2] each. even_odd: those within others are holes."""
    points, verbs = [], []
    for shape in shapes:
        points.append(np.asarray(shape, np.float32).tobytes())
        verbs.append(MOVE + LINE * (len(shape) - 1) + (CLOSE if closed else b""))
    return path_of_bytes(b"".join(points), b"".join(verbs), even_odd=even_odd)


def path_of_bytes(points: bytes, verbs: bytes, *, even_odd: bool = False) -> skia.Path:
    """points: float32, x and y of one after the other. verbs: what is drawn with them, one byte each."""
    path = skia.Path()
    head = _HEAD.pack(FORMAT | even_odd << 8, len(points) // (2 * _WORD), 0, len(verbs))
    if not path.readFromMemory(b"".join((head, points, verbs, bytes(-len(verbs) % _WORD)))):
        path = verb_by_verb(points, verbs)
        path.setFillType(skia.PathFillType.kEvenOdd if even_odd else skia.PathFillType.kWinding)
    return path


def verb_by_verb(points: bytes, verbs: bytes) -> skia.Path:
    """As `path_of_bytes`, where Skia reads another format."""
    path, numbers = skia.Path(), iter(np.frombuffer(points, np.float32).tolist())
    for verb in verbs:
        if verb == CLOSE[0]:
            path.close()
        elif verb == CUBIC[0]:
            path.cubicTo(*(next(numbers) for _ in range(6)))
        else:
            (path.moveTo if verb == MOVE[0] else path.lineTo)(next(numbers), next(numbers))
    return path
