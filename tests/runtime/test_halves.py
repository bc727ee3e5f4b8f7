"""Tracking and drawing as halves: what is prepared in one is what the other draws, in whichever thread and order."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pytest
import skimage.data

from toonfilter.runtime.backends import EngineOptions, open_translator
from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.faces.detection import Face, box_around
from toonfilter.runtime.faces.detector import FaceDetector
from toonfilter.runtime.faces.head_motion import SteadyCrop
from toonfilter.runtime.faces.smoothing import OneEuroSettings
from toonfilter.runtime.faces.tracker import FaceTracker, TrackingResult
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.frames import Frame, Image, PrivacyState
from toonfilter.runtime.geometry.alignment import crop_transform, fit_head, mean_face
from toonfilter.runtime.render.renderer import AlignedFace, Renderer


def face_at(x: float, y: float, height: float, face_id: int = 0) -> Face:
    landmarks = (mean_face() * height + np.array([x, y, 0])).astype(np.float32)
    return Face(landmarks, box_around(landmarks), fit_head(landmarks), face_id, 1.0)


FACES = [face_at(224, 110, 110), face_at(380, 300, 60, 1)]


@pytest.fixture
def picture() -> Image:
    image: Image = skimage.data.astronaut()
    return image


def aligned(size: int) -> list[AlignedFace]:
    return [(face, crop_transform(face.landmarks, size, face.fit)) for face in FACES]


def test_what_was_prepared_before_is_painted_alike(tiny_bundle: Bundle, picture: Image) -> None:
    translator = open_translator(tiny_bundle, "onnxruntime", EngineOptions(64)).translator
    renderer = Renderer(tiny_bundle, translator)
    at_once, prepared = picture.copy(), picture.copy()
    renderer.render(at_once, aligned(64))
    renderer.render(prepared, aligned(64), None, renderer.prepare(prepared, aligned(64)))
    assert (at_once != picture).any()
    assert np.array_equal(at_once, prepared)
    translator.close()


class _Tracker:
    """Always sees the same two faces."""

    def track(self, image: Image, time_s: float) -> TrackingResult:  # noqa: ARG002
        return TrackingResult(FACES)

    def reset(self) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing to free."""


def opened(bundle: Bundle, **settings: Any) -> ToonFilter:
    return ToonFilter(
        FilterSettings(style=str(bundle.folder), engine="onnxruntime", **settings),
        tracker=cast(FaceTracker, _Tracker()),
    )


def test_frames_tracked_ahead_are_drawn_as_one_by_one(tiny_bundle: Bundle, picture: Image) -> None:
    pictures = [np.roll(picture, 3 * number, 1) for number in range(6)]
    ahead, one_by_one = opened(tiny_bundle), opened(tiny_bundle)
    waiting, shown = [], []
    for number, image in enumerate(pictures):
        waiting.append(ahead.track(Frame(image.copy(), number, number / 30)))
        if len(waiting) > 2:
            shown.append(ahead.draw(waiting.pop(0)).image)
    shown += [ahead.draw(tracked).image for tracked in waiting]
    expected = [one_by_one.process(Frame(image.copy(), number, number / 30)) for number, image in enumerate(pictures)]
    assert all(safe.state is PrivacyState.PROTECTED for safe in expected)
    assert all(np.array_equal(image, safe.image) for image, safe in zip(shown, expected, strict=True))
    ahead.close()
    one_by_one.close()


def test_a_frame_tracked_before_the_style_changed_is_drawn_in_the_new_one(tiny_bundle: Bundle, picture: Image) -> None:
    toon, fresh = opened(tiny_bundle), opened(tiny_bundle)
    tracked = toon.track(Frame(picture.copy(), 0))
    before = toon.opened
    toon.set_style(str(tiny_bundle.folder))
    assert toon.opened is not before
    safe = toon.draw(tracked)
    assert safe.state is PrivacyState.PROTECTED
    assert np.array_equal(safe.image, fresh.process(Frame(picture.copy(), 0)).image)
    toon.close()
    fresh.close()


def test_styles_of_one_network_change_without_opening_it_again() -> None:
    toon = ToonFilter(FilterSettings(style="cartoon"), tracker=cast(FaceTracker, _Tracker()))
    before = toon.opened
    toon.set_style("comic")
    assert toon.opened is before
    toon.close()


def test_a_portrait_that_cannot_be_taken_is_told(
    tiny_bundle: Bundle, picture: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Image:
        raise ValueError("no memory left")

    toon = opened(tiny_bundle)
    monkeypatch.setattr("toonfilter.runtime.render.renderer.finish_portrait", broken)
    with pytest.raises(ValueError, match="no memory left"):
        toon.process(Frame(picture.copy(), 0))
    monkeypatch.undo()
    assert toon.process(Frame(picture.copy(), 1, 1 / 30)).state is PrivacyState.PROTECTED
    toon.close()


def test_a_crop_followed_in_another_thread_lies_where_it_would(picture: Image) -> None:
    beside, alone = SteadyCrop(OneEuroSettings()), SteadyCrop(OneEuroSettings())
    raw = crop_transform(FACES[0].landmarks, 1, FACES[0].fit)
    with ThreadPoolExecutor(1) as aside:
        for number in range(5):
            image = np.roll(picture, 2 * number, 1)
            found = aside.submit(beside.followed, image)
            assert beside(image, raw, number / 30, found.result) == alone(image, raw, number / 30)
    assert abs(alone(image, raw, 5 / 30).centre_x_px - raw.centre_x_px) > 1


def test_looks_and_motion_share_one_thread_beside_the_frame(tiny_bundle: Bundle) -> None:
    toon = ToonFilter(FilterSettings(style=str(tiny_bundle.folder), engine="onnxruntime"))
    looked: list[int] = []
    detect = FaceDetector.search
    followed = SteadyCrop.followed

    def noted_detect(*arguments: Any) -> Any:
        looked.append(threading.get_native_id())
        return detect(*arguments)

    def noted_followed(crop: SteadyCrop, image: Image) -> Any:
        found = followed(crop, image)
        if found is not None:
            looked.append(threading.get_native_id())
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FaceDetector, "search", noted_detect)
        patched.setattr(SteadyCrop, "followed", noted_followed)
        for number in range(3):
            toon.process(Frame(skimage.data.astronaut(), number, number / 30))
    toon.close()
    assert len(looked) > 3
    assert len(set(looked)) == 1
    assert threading.get_native_id() not in looked
