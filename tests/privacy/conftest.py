"""A filter whose tracker and engine are told what to see and draw."""

from dataclasses import dataclass

import numpy as np
import pytest

from toonfilter.runtime.backends import Description, Opened
from toonfilter.runtime.faces.detection import Face, box_around
from toonfilter.runtime.faces.tracker import TrackingResult
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.frames import Frame
from toonfilter.runtime.geometry.alignment import fit_head, mean_face

HEIGHT, WIDTH = 180, 240
GREEN_STRIPES = np.zeros((512, 512, 4), np.uint8)
GREEN_STRIPES[..., 1] = 120
GREEN_STRIPES[np.arange(512) % 16 < 8, :, 1] = 220


def face_at(x=120.0, y=90.0, height=60.0, face_id=0):
    """The mean face at this place, in pixels."""
    landmarks = (mean_face() * height + np.array([x, y, 0])).astype(np.float32)
    return Face(landmarks, box_around(landmarks), fit_head(landmarks), face_id, 1.0)


class ToldTracker:
    """Sees what `sees` says; an exception in it is raised."""

    def __init__(self):
        self.sees = TrackingResult([face_at()])
        self.resets = 0

    def track(self, image, time_s):  # noqa: ARG002
        if isinstance(self.sees, Exception):
            raise self.sees
        return self.sees

    def reset(self):
        self.resets += 1

    def close(self):
        pass


class ToldEngine:
    """Draws green stripes with an empty matte, or what `answer` makes of the crops."""

    def __init__(self):
        self.answer = lambda crops: np.stack([GREEN_STRIPES[: crops.shape[1], : crops.shape[2]]] * len(crops))
        self.calls = self.closed = 0

    def translate(self, crops, guidance):  # noqa: ARG002
        self.calls += 1
        return self.answer(crops)

    def warm_up(self, size):
        pass

    def close(self):
        self.closed += 1

    def describe(self):
        return Description("told", "1", "uint8", "CPU")


@dataclass
class Told:
    """The filter and the parts that can be told."""

    filter: ToonFilter
    tracker: ToldTracker
    engine: ToldEngine
    engines: list[str]
    number: int = 0

    def show(self, time_s, image=None):
        """Process one more frame, a photo with red 200 everywhere and texture in the other colours."""
        self.number += 1
        return self.filter.process(Frame(photo() if image is None else image, self.number, time_s))


def photo(height=HEIGHT, width=WIDTH):
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    image[..., 0] = 200
    return image


@pytest.fixture
def told(tiny_bundle):
    """Makes a `Told`; keyword arguments are those of `FilterSettings`."""

    def make(**settings):
        tracker, engine, engines = ToldTracker(), ToldEngine(), []

        def opener(_, name, __):
            engines.append(name)
            return Opened(engine, {})

        chosen = FilterSettings(style=str(tiny_bundle.folder), **settings)
        toon = ToonFilter(chosen, tracker=tracker, opener=opener)
        return Told(toon, tracker, engine, engines)

    return make
