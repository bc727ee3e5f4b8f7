import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.frames import PrivacyState
from toonfilter.runtime.image.still_images import StillFilter, StillSettings

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def still(tiny_bundle: Bundle) -> StillFilter:
    return StillFilter(StillSettings(style=str(tiny_bundle.folder), engine="onnxruntime"))


def test_a_face_is_drawn_and_the_input_stays(still: StillFilter, astronaut: Image) -> None:
    before = astronaut.copy()
    safe = still.process(astronaut)
    assert np.array_equal(astronaut, before)
    assert (safe.state, safe.faces_found, safe.faces_drawn) == (PrivacyState.PROTECTED, 1, 1)
    assert np.abs(safe.image[90:150, 200:250].astype(int) - astronaut[90:150, 200:250]).mean() > 15
    assert np.array_equal(safe.image[450:], astronaut[450:])


def test_two_faces_of_different_size(still: StillFilter, astronaut: Image) -> None:
    canvas = np.full((600, 1000, 3), 120, np.uint8)
    canvas[:512, :512] = astronaut
    canvas[100:356, 650:906] = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    safe = still.process(canvas)
    assert (safe.faces_found, safe.faces_drawn) == (2, 2)


def test_without_a_face_the_whole_picture_is_pixelated(still: StillFilter) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    safe = still.process(noise)
    assert safe.state is PrivacyState.COVERED
    assert len(np.unique(safe.image.reshape(-1, 3), axis=0)) <= 12 * 12


def test_engine_asked_by_name_never_falls_back(tiny_bundle: Bundle) -> None:
    with pytest.raises(BackendError, match="unknown engine 'cuda'"):
        StillFilter(StillSettings(style=str(tiny_bundle.folder), engine="cuda"))


def test_whoever_shows_no_face_is_a_figure_in_a_drawn_picture(astronaut: Image) -> None:
    faceless = astronaut.copy()
    faceless[60:200, 160:290] = cv2.blur(faceless, (151, 151))[60:200, 160:290]
    safe = StillFilter().process(faceless)
    assert (safe.state, safe.faces_drawn, safe.reason) == (PrivacyState.COVERED, 0, "no face found")
    # A drawing of the whole picture, not tiles: the spacesuit is as orange as it was, with an outline.
    assert len(np.unique(safe.image.reshape(-1, 3), axis=0)) > 12 * 12
    assert np.abs(np.median(safe.image[440:, 60:160], (0, 1)) - np.median(faceless[440:, 60:160], (0, 1))).max() < 40
