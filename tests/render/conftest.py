"""Fixtures of the drawing's tests."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.faces.still_faces import StillFaceFinder


@pytest.fixture(scope="session")
def face(astronaut: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Face]:
    """The example's portrait, uint8 [640, 640, 3], and the face in it."""
    finder = StillFaceFinder()
    image = cv2.resize(astronaut, (640, 640))
    found, _ = finder.find(image)
    finder.close()
    return image, found[0]
