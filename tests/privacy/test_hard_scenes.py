"""Turned heads, crowds, close heads, edges and faces of one frame, as files are converted: nobody's face leaves."""

import numpy as np
import pytest

from toonfilter.benchmarks.face_scenes import play
from toonfilter.benchmarks.hard_scenes import ALL_SCENES, HARD_SCENES
from toonfilter.benchmarks.leak_clips import ClipResult, Judge, played, summary
from toonfilter.benchmarks.leaks import leaked
from toonfilter.benchmarks.quality.identity import SIDE
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.frames import Frame, PrivacyState
from toonfilter.runtime.privacy import cover
from toonfilter.runtime.video.file_filter import file_filter_opener

FRAMES = {"gallery of 49": 8}
"""Of scenes that take minutes; others have 14."""
QUICK = ("rolled by 90 degrees", "rolled by 180 degrees", "face for one frame", "bottom edge", "gallery of 9")


@pytest.fixture(scope="module")
def toon(tiny_bundle):
    opened = file_filter_opener(FilterSettings(style=str(tiny_bundle.folder), engine="onnxruntime"))()
    yield opened
    opened.close()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "scene", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in HARD_SCENES]
)
def test_no_face_leaves_a_file(toon, scene):
    script, size = ALL_SCENES[scene]
    toon.reset()
    faces = drawn = 0
    for shown, safe in played(toon, play(script, size, FRAMES.get(scene, 14)), looks_back=True):
        large = [face for face in shown.faces if int((face > 127).any(axis=1).sum()) >= 40]
        assert not any(leaked(shown.image, safe.image, face)[0] for face in large)
        faces += len(large)
        drawn += safe.faces_drawn > 0
    assert faces >= 10
    assert drawn >= 7


class Everybody:
    """A recogniser that takes the mean colours for the person."""

    def embedding(self, image, points):
        del points
        mean = image.reshape(-1, 3).mean(0) - 128
        return (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)


def test_the_judge_counts_what_leaves(astronaut):
    assert SIDE == 112
    frame = next(iter(play("swap", frames=2)))

    class Person:
        image, landmarks = frame.image, None

    result = ClipResult()
    judge = Judge(Everybody(), [Person(), Person()])
    raw = cover(Frame(astronaut, 0), "test")
    raw.image = frame.image
    judge.judge(frame, raw, result)
    there = result.faces
    assert there >= 1
    assert (result.leaks, result.leak_frames) == (there, 1)
    raw.image = 255 - frame.image
    judge.judge(frame, raw, result)
    assert (result.faces, result.leaks, result.frames) == (2 * there, there, 2)
    assert result.states == {PrivacyState.COVERED.value: 2}
    total = summary({"one": {name: getattr(result, name) for name in ClipResult.__annotations__}})
    assert (total["clips"], total["leaks"], total["drawn_share"]) == (1, there, 0.0)
