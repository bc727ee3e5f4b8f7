"""Feature vectors of any number of pictures in a file, so that memory stays bounded."""

import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating[Any]]
"""[N, D]; may lie in a file."""

BLOCK_ROWS = 1024


class FeatureStore:
    """Rows float32 [D], appended one by one, read as one array [N, D] that lies in a temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._rows = 0
        self._width = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, vector: NDArray[np.float32]) -> None:
        """Add one row."""
        self._file.write(np.ascontiguousarray(vector, np.float32).tobytes())
        self._rows, self._width = self._rows + 1, len(vector)

    def extend(self, features: Features, most: int | None = None, seed: int = 0) -> None:
        """Add all rows of another array, or `most` of them sampled, a block at a time."""
        if most is None or most >= len(features):
            rows = np.arange(len(features))
        else:
            rows = np.sort(np.random.default_rng(seed).choice(len(features), most, replace=False))
        for some in blocks(rows):
            self._file.write(np.ascontiguousarray(features[some], np.float32).tobytes())
        self._rows, self._width = self._rows + len(rows), features.shape[1]

    def array(self) -> Features:
        """All rows so far, read only."""
        self._file.flush()
        if not self._rows:
            return np.empty((0, 0), np.float32)
        return np.memmap(self._file, np.float32, "r", shape=(self._rows, self._width))

    def close(self) -> None:
        """Free the file."""
        self._file.close()


def blocks(features: NDArray[Any], rows: int = BLOCK_ROWS) -> Iterator[NDArray[Any]]:
    """The array in pieces of at most so many rows."""
    for start in range(0, len(features), rows):
        yield features[start : start + rows]


def sampled_rows(features: Features, most: int, seed: int = 0) -> Features:
    """All rows, or `most` of them sampled, in memory."""
    if len(features) <= most:
        return np.asarray(features)
    rows = np.sort(np.random.default_rng(seed).choice(len(features), most, replace=False))
    return np.asarray(features[rows])
