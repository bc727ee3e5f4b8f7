"""MediaPipe's face mesh with attention on ONNX Runtime: the same 478 points in two thirds of the time.

The network is converted by `tools/mediapipe_networks`. It reads a square around an upright face, which is laid here
as MediaPipe lays it: half as large again as the box around the eyes, or around the points of the frame before.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.network_files import NetworkFile, open_network
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform, Landmarks
from toonfilter.runtime.geometry.landmarks import LEFT_EYE, RIGHT_EYE
from toonfilter.runtime.geometry.sampling import take_view

MESH = NetworkFile("face-mesh.onnx", "9d95d8e3710537be98fa092502c9460bffaa30437fa108e6aeef28b68f23ebfa")
Points = NDArray[np.floating[Any]]
_SIDE_PX = 192
"""Of the square that the network takes."""
_SQUARE_BOXES = 1.5
"""Side of the square in sides of the box around a face; MediaPipe's own. Raising it shows the network smaller faces."""
_LOWEST_LOGIT = -50.0
"""Lower ones are taken for it, so that their exponential stays a number."""


class FaceMesh:
    """The mesh of one face at a time. Not thread safe."""

    def __init__(self) -> None:
        """Open the network.

        Raises:
            BackendError: see `open_network`.
        """
        self._session = open_network(MESH)
        # Memory for the picture on its way, kept: new pages cost more than what is done in them.
        self._view = np.empty((_SIDE_PX, _SIDE_PX, 3), np.uint8)

    def read(self, image: Image, square: CropTransform) -> tuple[Landmarks, float]:
        """float32 [478, 3] image px, and how surely there is a face, 0 to 1.

        image: uint8 [H, W, 3] RGB. square: see `square_around`.
        """
        take_view(image, square, self._view)
        landmarks, presence = self._session.run(None, {"picture": self._view[None]})
        return square.to_frame(landmarks), 1 / (1 + math.exp(-max(presence.item(), _LOWEST_LOGIT)))

    def close(self) -> None:
        """Free the network."""
        self._session = None


def square_around(box: Points, left_eye: Points, right_eye: Points) -> CropTransform:
    """What the network is to see of a face.

    box: left, top, right, bottom px. left_eye, right_eye: x, y px of two points that lie level on an upright face.
    """
    left, top, right, bottom = (float(one) for one in box)
    across, down = (float(one) for one in right_eye - left_eye)
    side_px = _SQUARE_BOXES * max(right - left, bottom - top)
    roll_rad = math.atan2(down, across)
    # MediaPipe samples from the square's corner on, where others begin half a pixel further in.
    corner_px = side_px / _SIDE_PX / 2
    turn = complex(math.cos(roll_rad), math.sin(roll_rad)) * complex(corner_px, corner_px)
    return CropTransform((left + right) / 2 - turn.real, (top + bottom) / 2 - turn.imag, side_px, roll_rad, _SIDE_PX)


def square_after(before: Landmarks) -> CropTransform:
    """As `square_around`, for a face that was there in the frame before. before: its landmarks."""
    # NumPy is slow where its inner loop is two numbers long.
    across, down = before[:, 0].copy(), before[:, 1].copy()
    box = np.array([across.min(), down.min(), across.max(), down.max()])
    return square_around(box, before[RIGHT_EYE.corners[0], :2], before[LEFT_EYE.corners[0], :2])
