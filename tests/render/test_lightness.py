"""How light a style draws skin, hair and the room."""

import time
from contextlib import nullcontext
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
from test_layers import rendered, scene

from toonfilter.runtime.faces.tracker import TrackingResult
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.frames import Frame, PrivacyState
from toonfilter.runtime.live.style_follower import StyleFollower
from toonfilter.runtime.render.colour import lightened, picture_lab
from toonfilter.runtime.render.drawing import painted_look
from toonfilter.runtime.render.ground import Ground
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.render.palette import Palette, painted_colours
from toonfilter.runtime.styles.style import BaseRules, Style

PARTS = {"skin": np.s_[190:215, 300:340], "hair": np.s_[100:115, 310:330], "ground": np.s_[40:80, 60:120]}
"""Where they are in `test_layers.scene`."""
COLOURS = ("skin", "shadow", "lip", "brow", "iris")


def lightness(style: Style, **options) -> dict[str, float]:
    """Mean L* of each part of a drawing."""
    lab = picture_lab(rendered(scene(), style=style, **options))
    return {part: float(lab[place][..., 0].mean()) for part, place in PARTS.items()}


@pytest.mark.parametrize("part", PARTS)
def test_a_key_lightens_and_darkens_its_part_alone(part: str) -> None:
    usual = lightness(Style("x"))
    darker, lighter = (lightness(Style("x", base=BaseRules(**{f"{part}_lightness": share}))) for share in (-0.5, 0.5))
    assert darker[part] < 0.7 * usual[part]
    assert lighter[part] > usual[part] + 0.3 * (98 - usual[part])
    for other in set(PARTS) - {part}:
        assert darker[other] == pytest.approx(usual[other], abs=0.5)
        assert lighter[other] == pytest.approx(usual[other], abs=0.5)


def test_a_room_that_the_user_chose_stays() -> None:
    bright = Style("x", base=BaseRules(ground_lightness=0.5))
    for kind in ("blur", "colour"):
        assert lightness(bright, ground=Ground(kind)) == lightness(Style("x"), ground=Ground(kind))


def test_who_is_lighter_stays_so_and_nobody_is_grey() -> None:
    people = np.array([[30, 12, 14], [62, 14, 19], [84, 9, 14]], np.float32)
    assert np.array_equal(lightened(people, 0.0), people)
    for share in (-0.6, 0.6):
        changed = lightened(people, share)
        assert (np.diff(changed[:, 0]) > 5).all()
        assert (changed[:, 0] < people[:, 0]).all() == (share < 0)
    assert (np.hypot(*lightened(people, -0.6)[:, 1:].T) > 12).all()


@pytest.mark.parametrize("fill", ["colour", "paper"])
@pytest.mark.parametrize(
    ("key", "changed"), [("skin_lightness", {"skin", "shadow", "lip"}), ("hair_lightness", {"brow", "hair", "beard"})]
)
def test_lips_are_of_the_skin_and_brows_and_beard_of_the_hair(fill: str, key: str, changed: set[str]) -> None:
    usual, darker = BaseRules(fill=fill), BaseRules(fill=fill, **{key: -0.4})
    seen = set()
    for make in (lambda rules: painted_look(Look.plain(), rules), lambda rules: painted_colours(Palette(), rules)):
        before, after = make(usual), make(darker)
        for name in {field.name for field in fields(before)} & {*COLOURS, "hair", "beard"}:
            if not np.array_equal(getattr(after, name), getattr(before, name)):
                assert getattr(after, name)[0] < getattr(before, name)[0] - 3
                seen.add(name)
    assert seen == changed


class OneFace:
    """A tracker that always finds the same."""

    def __init__(self, face) -> None:
        self.face = face

    def track(self, *_):
        return TrackingResult([self.face])

    def reset(self):
        pass

    def close(self):
        pass


def test_a_key_that_is_saved_is_seen_in_the_next_picture(tmp_path, face) -> None:
    portrait, found = face
    path, notes = tmp_path / "mine.toml", []
    path.write_text("[base]\nground_lightness = -0.5\n")
    toon = ToonFilter(FilterSettings(style=str(path)), tracker=OneFace(found))
    follower = StyleFollower(str(path), notes.append)
    follower.start()
    dark = toon.process(Frame(portrait.copy(), 0))
    path.write_text("[base]\nground_lightness = 0.25\n")
    while not notes:
        follower.follow(str(path), SimpleNamespace(filter=toon, in_use=nullcontext()))
        time.sleep(0.02)
    light = toon.process(Frame(portrait.copy(), 1, 1 / 30))
    toon.close()
    assert notes == [f"style: {path}"]
    assert dark.state is light.state is PrivacyState.PROTECTED
    corner = np.s_[:60, -60:]
    assert light.image[corner].mean() > dark.image[corner].mean() + 40
