"""An engine that draws the same green stripes over everybody."""

import numpy as np

from toonfilter.runtime.backends import Description

DRAWING = np.full((128, 128, 4), 255, np.uint8)
DRAWING[..., :3] = np.where((np.arange(128) % 16 < 8)[:, None, None], (0, 220, 0), (0, 120, 0))


class ToldEngine:
    def translate(self, crops, _):
        return np.stack([DRAWING[: crops.shape[1], : crops.shape[2]]] * len(crops))

    def warm_up(self, size):
        pass

    def close(self):
        pass

    def describe(self):
        return Description("told", "1", "uint8", "CPU")
