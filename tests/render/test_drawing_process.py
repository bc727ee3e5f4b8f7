"""Drawing in another process: the same pictures, and none the worse when that process is lost."""

import gc
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace

import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from plane_networks import PlanesNetwork

from toonfilter.runtime.errors import ToonfilterError
from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.fields import FIELDS, field_index
from toonfilter.runtime.geometry.alignment import crop_transform
from toonfilter.runtime.render.drawing import LayeredRenderer
from toonfilter.runtime.render.drawing_process import DrawingProcess, ProcessRenderer
from toonfilter.runtime.render.ground import Ground
from toonfilter.runtime.styles.style import Style

Image = NDArray[np.uint8]
_DEADLINE_S = 120.0
pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="processes share memory through files there")
GROUNDS = {"drawn": Ground(), "keep": Ground("keep")}


class RoundPerson(PlanesNetwork):
    """Sees a person in the middle of whatever it is shown."""

    def translate(self, crops: Image, guidance: Image | None) -> Image:
        del guidance
        count, height, width = crops.shape[:3]
        disc = np.zeros((height, width), np.uint8)
        cv2.circle(disc, (width // 2, height // 2), min(height, width) // 3, 255, -1)
        planes = np.zeros((count, height, width, len(FIELDS)), np.uint8)
        planes[..., field_index("person")] = planes[..., field_index("skin")] = disc
        planes[..., field_index("tone")] = crops.mean(3)
        return planes


@pytest.fixture
def process() -> Iterator[DrawingProcess]:
    started = DrawingProcess(answer_s=_DEADLINE_S)
    until = time.monotonic() + _DEADLINE_S
    while not started.is_ready() and time.monotonic() < until:
        time.sleep(0.02)
    yield started
    started.process.kill()


class PreparesOnly(LayeredRenderer):
    """What draws with it must draw in another process."""

    def render(self, *_: object) -> None:
        raise AssertionError("drawn here")


def local(ground: Ground, kind: type[LayeredRenderer] = LayeredRenderer) -> LayeredRenderer:
    return kind(RoundPerson(), Style("test"), ground=ground)


def beside(ground: Ground, process: DrawingProcess, kind: type[LayeredRenderer] = LayeredRenderer) -> ProcessRenderer:
    return ProcessRenderer(local(ground, kind), Style("test"), "whole", ground, process)


def drawn(renderer: LayeredRenderer | ProcessRenderer, image: Image, face: Face, frames: int = 1) -> Image:
    canvas = image
    for number in range(frames):
        canvas = image.copy()
        renderer.render(canvas, [(face, crop_transform(face.landmarks, 256, face.fit))], number / 30)
    return canvas


@pytest.mark.parametrize("ground", GROUNDS)
def test_pictures_are_the_same(face: tuple[Image, Face], process: DrawingProcess, ground: str) -> None:
    image, found = face
    picture = drawn(beside(GROUNDS[ground], process, PreparesOnly), image, found, frames=3)
    assert (picture == drawn(local(GROUNDS[ground]), image, found, frames=3)).all()


def test_frames_are_drawn_here_when_the_process_dies(face: tuple[Image, Face], process: DrawingProcess) -> None:
    image, found = face
    renderer = beside(Ground(), process)
    before = drawn(renderer, image, found)
    process.process.kill()
    process.process.join(_DEADLINE_S)
    renderer.forget()
    after = drawn(renderer, image, found)
    assert (before == after).all()


def test_a_drawing_that_fails_there_leaves_the_frame_alone(face: tuple[Image, Face], process: DrawingProcess) -> None:
    image, found = face
    renderer = beside(Ground(), process, PreparesOnly)
    prepared = renderer.prepare(image, [(found, crop_transform(found.landmarks, 256, found.fit))])
    assert prepared.people is not None
    prepared.people.known[0].scene.planes.pop("person")
    canvas = image.copy()
    with pytest.raises(ToonfilterError, match="person"):
        renderer.render(canvas, [], None, prepared)
    assert (canvas == image).all()
    assert (drawn(renderer, image, found) != image).any(), "the next frame is tried there again"


def test_the_process_ends_with_its_last_renderer() -> None:
    process = DrawingProcess()
    number = process.process.pid
    renderer = beside(Ground(), process)
    del process
    assert psutil.pid_exists(number)
    del renderer
    gc.collect()
    psutil.Process(number).wait(_DEADLINE_S)


def test_pictures_are_not_shared_through_a_file_on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    with pytest.raises(OSError, match="file"):
        DrawingProcess()
