"""When the parts of a person are painted anew."""

import numpy as np

from toonfilter.runtime.render.tones import Swatches

ANCHOR = np.zeros(2, np.float32)


def painted(readings: list[int], *parts: str) -> list[str]:
    """What is painted in frames whose fields come from these readings, a word for each frame."""
    swatches, frames = Swatches(), []
    for reading in readings:
        swatches.next_frame(ANCHOR, reading)
        now: list[str] = []
        for part in parts:
            swatches.keep(part, lambda part=part, now=now: now.append(part) or part)
        frames.append(" ".join(now))
    return frames


def test_parts_are_painted_when_their_fields_are_new() -> None:
    assert painted([1, 1, 1, 2, 2, 2, 3], "form") == ["form", "", "", "form", "", "", "form"]


def test_where_every_frame_is_read_every_second_one_is_painted_and_hair_less_often() -> None:
    frames = painted(list(range(16)), "form", "hair")
    assert [number for number, words in enumerate(frames) if "form" in words] == list(range(0, 16, 2))
    assert [number for number, words in enumerate(frames) if "hair" in words] == [0, 8, 14]


def test_what_is_dear_waits_for_the_frames_after_new_fields() -> None:
    assert painted([1, 1, 2, 2, 2, 2], "form", "cloth", "cast") == ["form cloth cast", "", "form", "cloth", "cast", ""]


def test_no_frame_but_the_first_waits_for_all_parts() -> None:
    frames = painted([1, 1, *range(2, 40)], "form", "cast", "hair", "beard")
    assert max(len(words.split()) for words in frames[1:]) <= 2


def test_patches_move_with_the_head() -> None:
    swatches = Swatches()
    swatches.next_frame(ANCHOR, 1)
    assert swatches.keep("form", lambda: 7) == 7
    swatches.next_frame(ANCHOR + 1, 1)
    assert swatches.keep("form", lambda: 8) == 7
