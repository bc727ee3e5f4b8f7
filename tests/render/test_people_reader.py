"""Which frames are read, and what the others are drawn from."""

import threading

import numpy as np
import pytest
from plane_networks import PlanesNetwork

from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.fields import FIELDS, field_index
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import crop_transform
from toonfilter.runtime.render.people_reader import DrawnParts, PeopleReader, Prepared

SMALL = 256


class GatedNetwork(PlanesNetwork):
    """Sees a person of skin everywhere. A call waits until the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.calls = 0
        self.fails = False

    def translate(self, crops: Image, guidance: Image | None) -> Image:
        del guidance
        self.calls += 1
        assert self.gate.wait(30)
        if self.fails:
            raise BackendError("gone")
        planes = np.zeros((*crops.shape[:3], len(FIELDS)), np.uint8)
        planes[..., field_index("person")] = planes[..., field_index("skin")] = 255
        return planes


@pytest.fixture
def network() -> GatedNetwork:
    return GatedNetwork()


class Frames:
    """Frames of one face, read in order."""

    def __init__(self, network: GatedNetwork, face: tuple[Image, Face], *, is_live: bool) -> None:
        self.reader = PeopleReader(network, DrawnParts(bodies=True, room=True, keeps_room=False), is_live=is_live)
        self.image, self._face = face
        self._time_s = 0.0

    def next(self, gap_s: float = 0.033) -> Prepared:
        self._time_s += gap_s
        aligned = [(self._face, crop_transform(self._face.landmarks, SMALL, self._face.fit))]
        return self.reader.prepare(self.image, aligned, self._time_s, ())


@pytest.fixture
def live(network, face):
    frames = Frames(network, face, is_live=True)
    yield frames
    network.gate.set()
    frames.reader.close()


def test_live_frames_do_not_wait_for_a_reading(live, network) -> None:
    first = live.next()
    assert first.people.known[0].carry is None
    network.gate.clear()
    for _ in range(3):
        carried = live.next()
        assert carried.reading == first.reading
        assert carried.people.known[0].carry is not None
        assert carried.people.known[0].scene is first.people.known[0].scene
    network.gate.set()
    live.reader.wait()
    assert live.next().reading == first.reading + 1


def test_one_live_frame_is_read_at_a_time(live, network) -> None:
    live.next()
    network.gate.clear()
    before = network.calls
    for _ in range(5):
        live.next()
    network.gate.set()
    live.reader.wait()
    assert network.calls == before + 2, "the frame and its head, once"


def test_frames_of_a_slow_camera_are_read_at_once(live) -> None:
    readings = [live.next(gap_s=0.69).reading for _ in range(3)]
    assert readings == [1, 2, 3]


@pytest.mark.parametrize("change", [lambda image: 255 - image, lambda image: np.pad(image, ((0, 40), (0, 0), (0, 0)))])
def test_nobody_is_carried_over_a_cut_or_into_frames_of_another_shape(live, change) -> None:
    assert live.next().reading == live.next().reading == 1
    live.image = change(live.image)
    assert live.next().people.known[0].carry is None


def test_an_engine_that_fails_beside_is_told_with_the_next_frame(live, network) -> None:
    live.next()
    network.fails = True
    live.next()
    with pytest.raises(BackendError, match="gone"):
        live.reader.wait()
    network.fails = False
    live.next()


def test_closing_waits_and_nothing_is_read_beside_afterwards(live, network) -> None:
    live.next()
    network.gate.clear()
    live.next()
    closing = threading.Thread(target=live.reader.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    network.gate.set()
    closing.join(30)
    assert not closing.is_alive()
    live.next()
    calls = network.calls
    assert live.next().people.known
    assert network.calls in (calls, calls + 2), "in the caller's thread, or carried"


def test_what_is_read_beside_is_forgotten_with_the_rest(live) -> None:
    live.next()
    live.next()
    live.reader.forget()
    assert live.next().reading == 1


@pytest.mark.parametrize(("gap_s", "readings"), [(0.033, [1, 1, 2, 2, 3]), (0.1, [1, 2, 3, 4, 5])])
def test_every_second_frame_of_a_file_is_read_unless_it_is_slow(network, face, gap_s, readings) -> None:
    frames = Frames(network, face, is_live=False)
    assert [frames.next(gap_s).reading for _ in range(5)] == readings


def test_pictures_on_their_own_are_all_read(network, face) -> None:
    frames = Frames(network, face, is_live=False)
    image, one = face
    aligned = [(one, crop_transform(one.landmarks, SMALL, one.fit))]
    readings = [frames.reader.prepare(image, aligned, None, ()).reading for _ in range(3)]
    assert readings == [1, 2, 3]
