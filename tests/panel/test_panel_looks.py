"""Looks: chosen, undone, named, remembered; the person's own face in other styles."""

import json

import cv2
import numpy as np
import pytest
from panel_rig import client_of, eventually

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.frames import Frame
from toonfilter.runtime.panel.look_filter import LookFilter, Looks, StyleSampler, open_look
from toonfilter.runtime.panel.looks import Look, filter_settings, look_from, style_cards
from toonfilter.runtime.panel.store import PanelStore
from toonfilter.runtime.styles.style import Sliders


def do(client, action, **content):
    answer = client.post(f"/api/{action}", json=content)
    assert answer.status_code == 200, answer.text


def test_styles_that_would_show_a_face_are_not_offered():
    names = [card.name for card in style_cards()]
    assert names[0] == "cartoon"
    assert "human" not in names


def test_a_look_is_what_the_filter_draws():
    settings = filter_settings(Look(background="#102030", extent="person", motion="responsive"))
    assert settings.rendering.extent == "person"
    assert settings.rendering.ground.colour == (16, 32, 48)
    assert filter_settings(Look(sliders={"line": 2.0, "unknown": 3.0})).rendering.sliders == Sliders(line=2.0)
    assert settings.smoothing.min_cutoff_hz > filter_settings(Look()).smoothing.min_cutoff_hz


@pytest.mark.parametrize(
    "content",
    [
        {"style": "human"},
        {"style": "../cartoon"},
        {"background": "/etc/passwd"},
        {"background": "#12"},
        {"extent": "none"},
        {"unknown": 1},
        {"sliders": {"line": "thick"}},
        {"sliders": {"line": 99.0}},
        {"sliders": {"unknown": 0.5}},
        [],
        None,
    ],
)
def test_wrong_looks_are_refused_and_change_nothing(client, panel, content):
    before = panel.look
    assert client.post("/api/look/set", json={"look": content}).status_code == 400
    assert panel.look == before
    with pytest.raises(ConfigError):
        look_from(content, style_cards(), panel.pictures)


def test_undo_reset_and_presets(client, panel):
    do(client, "look/set", look={"region": "face"})
    do(client, "presets/save", name="  my   face ")
    do(client, "look/set", look={"region": "face", "motion": "responsive"})
    do(client, "look/undo")
    assert panel.look == Look(region="face")
    do(client, "look/reset")
    assert panel.look == Look()
    do(client, "presets/use", name="my face")
    assert panel.look == Look(region="face")
    do(client, "presets/delete", name="my face")
    assert client.post("/api/presets/use", json={"name": "my face"}).status_code == 400
    for _ in range(10):
        do(client, "look/undo")
    assert panel.look == Look()


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "a\u202eb", "a\0b"])
def test_presets_have_plain_names(client, name):
    assert client.post("/api/presets/save", json={"name": name}).status_code == 400


def test_what_was_chosen_is_there_in_the_next_run(make_panel):
    first = make_panel()
    with client_of(first) as client:
        do(client, "look/set", look={"region": "face"})
        do(client, "presets/save", name="Öffentlich")
        do(client, "settings", language="de", is_known=True)
        assert client.post("/api/settings", json={"language": "xx"}).status_code == 400
    first.close()
    seen = make_panel().snapshot()
    assert (seen["look"]["region"], seen["presets"], seen["language"], seen["is_known"]) == (
        "face",
        ["Öffentlich"],
        "de",
        True,
    )


@pytest.mark.parametrize("content", ["", "{", "[]", '{"look": {"style": 3}}', '{"unknown": 1}', "[" * 100_000])
def test_damaged_settings_are_as_none(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    assert PanelStore(tmp_path).known.look == Look()


def test_the_look_changes_while_the_camera_runs(client, panel):
    do(client, "camera/start", camera="test", output="none")
    eventually(lambda: panel.snapshot()["camera"]["state"] == "protected")
    do(client, "look/set", look={"region": "face"})
    eventually(lambda: panel.snapshot()["camera"]["state"] == "protected")
    assert json.loads(panel.camera.controls.state.style)["region"] == "face"


def test_looks_change_between_tracking_and_drawing(astronaut):
    """Within a filter the frame is drawn in the new look; where the filter itself is new, it is covered."""
    looks = Looks()
    first, near, far = (looks.keep(look) for look in (Look(), Look(region="face"), Look(motion="responsive")))
    toon = LookFilter(looks, first, StyleSampler())
    try:
        tracked = toon.track(Frame(cv2.resize(astronaut, (320, 320)), 0))
        toon.set_style(near)
        assert toon.draw(tracked).state == "protected"
        tracked = toon.track(Frame(cv2.resize(astronaut, (320, 320)), 1, 0.03))
        toon.set_style(far)
        assert toon.draw(tracked).state == "covered"
        assert toon.draw(toon.track(Frame(cv2.resize(astronaut, (320, 320)), 2, 0.07))).state == "protected"
    finally:
        toon.close()


def test_the_own_face_in_every_style_is_drawn_never_raw(astronaut):
    sampler = StyleSampler()
    frame = Frame(cv2.resize(astronaut, (400, 400)), 0)
    sampler.offer(frame)
    assert sampler.rounds == {}, "nobody asked"
    sampler.ask([Look()])
    sampler.offer(frame)
    picture = eventually(lambda: sampler.picture("cartoon"))
    shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape[0] == shown.shape[1]
    raw = cv2.resize(frame.image[..., ::-1], shown.shape[1::-1])
    assert np.corrcoef(shown.ravel(), raw.ravel())[0, 1] < 0.98
    sampler.forget()
    assert sampler.picture("cartoon") is None
    sampler.close()


def test_a_style_that_does_not_find_the_face_gets_no_picture():
    sampler = StyleSampler(open_look)
    sampler.ask([Look()])
    sampler.offer(Frame(np.full((240, 320, 3), 128, np.uint8), 0))
    eventually(lambda: not sampler.is_drawing)
    assert sampler.rounds == {}
    sampler.close()


def test_a_style_that_fails_gets_no_picture_and_the_others_do(astronaut):
    class Broken:
        def track(self, _):
            raise RuntimeError("graph failed")

        def close(self):
            pass

    sampler = StyleSampler(lambda look: Broken() if look.style == "comic" else open_look(look))
    sampler.ask([Look(style="comic"), Look()])
    sampler.offer(Frame(cv2.resize(astronaut, (400, 400)), 0))
    assert eventually(lambda: sampler.picture("cartoon"))
    assert sampler.rounds == {"cartoon": 1}
    sampler.close()


def test_one_filter_draws_the_face_in_all_styles(astronaut):
    opened = []

    def opening(look):
        opened.append(look.style)
        return open_look(look)

    sampler = StyleSampler(opening)
    for number in (1, 2):
        sampler.ask([Look(style=card.name) for card in style_cards()])
        sampler.offer(Frame(cv2.resize(astronaut, (400, 400)), 0))
        eventually(lambda: not sampler.is_drawing)
        assert sampler.rounds == {card.name: number for card in style_cards()}
    assert len(opened) == 2
    pictures = {sampler.picture(card.name) for card in style_cards()}
    assert len(pictures) == len(style_cards()), "each is of its own style"
    sampler.close()


def test_sliders_of_styles_of_rules_reach_the_drawing():
    card = next(card for card in style_cards() if card.sliders)
    assert {slider.name for slider in card.sliders} == {"likeness", "line", "shade", "colour", "softness"}
    for slider in card.sliders:
        assert slider.low <= slider.usual <= slider.high
        settings = filter_settings(Look(style=card.name, sliders={slider.name: slider.high}))
        assert getattr(settings.rendering.sliders, slider.name) == slider.high


def test_an_own_picture_behind_people(client, panel):
    _, content = cv2.imencode(".png", np.full((30, 40, 3), 200, np.uint8))
    answer = client.put("/background", params={"name": "beach.png"}, content=content.tobytes())
    assert answer.status_code == 200, answer.text
    assert panel.look.background.startswith(str(panel.pictures))
    assert filter_settings(panel.look).rendering.ground.picture.shape == (30, 40, 3)
    do(client, "look/set", look={"background": panel.look.background, "motion": "responsive"})
    for bad in (b"<svg onload=alert(1)>", b"", content.tobytes()[:40]):
        assert client.put("/background", params={"name": "x.png"}, content=bad).status_code == 400
    too_large = {"Content-Length": "40000000"}
    assert client.put("/background", params={"name": "x.png"}, content=b"", headers=too_large).status_code == 413
    assert client.put("/background", content=b"x", headers={"Origin": "https://attacker.example"}).status_code == 403
