"""The guard's rules, situation by situation, with a tracker and an engine that are told what to do."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from toonfilter.runtime import frames
from toonfilter.runtime.errors import BackendError, ConfigError
from toonfilter.runtime.faces.tracker import TrackingResult
from toonfilter.runtime.filter.style_engine import FALLBACK_ENGINE
from toonfilter.runtime.frames import Frame, PrivacyState, SafeFrame
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.likeness import MOST_LIKENESS, likeness, view_of
from toonfilter.runtime.privacy import COVER_TILES, Guard, HiddenFace, LostPolicy, cover
from toonfilter.runtime.render.opening import RenderOptions
from toonfilter.runtime.render.renderer import Renderer

from .conftest import HEIGHT, WIDTH, face_at, photo  # noqa: TID252 - the tests are no package of ours

PROTECTED, HOLDING, COVERED, EXPOSED = PrivacyState
NOBODY = TrackingResult()


def is_pixelated(image):
    return len(np.unique(image.reshape(-1, 3), axis=0)) <= COVER_TILES**2


def is_soft(image):
    """Nothing finer than the noise of rounding is left."""
    return int(cv2.absdiff(image, cv2.blur(image, (3, 3)))[2:-2, 2:-2].max()) < 12


def untouched(safe, raw=None):
    """Share of pixels that are as they were."""
    return float((np.abs(safe.image.astype(int) - (photo() if raw is None else raw)).max(2) <= 1).mean())


def hull_of(face, shape=(HEIGHT, WIDTH)):
    mask = np.zeros(shape, np.uint8)
    points = np.rint(cv2.convexHull(np.ascontiguousarray(face.landmarks[:, :2]))).astype(np.int32)
    cv2.fillConvexPoly(mask, points, 255)
    return mask > 0


@pytest.mark.parametrize("key", [None, object(), frames.Frame, True])
def test_only_the_guard_makes_safe_frames(key):
    with pytest.raises(ConfigError, match="outside the privacy guard"):
        SafeFrame(photo(), Frame(photo(), 0), PROTECTED, _guard=key)


def test_only_the_guard_has_the_key():
    package = Path(frames.__file__).parents[1]
    users = {
        path.relative_to(package).as_posix()
        for folder in ("runtime", "train", "export", "benchmarks")
        for path in (package / folder).rglob("*.py")
        if "_GUARD" in path.read_text(encoding="utf-8")
    }
    assert users == {"runtime/frames.py", "runtime/privacy.py"}


def test_before_the_first_face_the_frame_is_covered(told):
    toon = told()
    toon.tracker.sees = NOBODY
    safe = toon.show(0.0)
    assert safe.state is COVERED
    assert is_pixelated(safe.image)


@pytest.mark.parametrize("region", ["head", "face"])
def test_the_face_is_drawn_to_the_last_pixel_even_with_an_empty_matte(told, region):
    toon = told(rendering=RenderOptions(region=region))
    toon.tracker.sees = TrackingResult([face_at(100, 95, 70), face_at(190, 60, 30, 1)])
    safe = toon.show(0.0)
    assert (safe.state, safe.faces_found, safe.faces_drawn, safe.faces_covered) == (PROTECTED, 2, 2, 0)
    for face in toon.tracker.sees.faces:
        # Red is 200 in the photo and 0 in the drawing.
        assert safe.image[hull_of(face)][:, 0].max() <= 2


@pytest.mark.parametrize("place", [(5, 90), (236, 90), (120, 4), (120, 176), (-10, 90), (3, 3)])
def test_a_face_half_out_of_the_frame_is_drawn_where_it_shows(told, place):
    toon = told()
    toon.tracker.sees = TrackingResult([face_at(*place)])
    safe = toon.show(0.0)
    shown = hull_of(face_at(*place))
    assert safe.state is COVERED or safe.image[shown][:, 0].max() <= 2


def test_a_lost_face_is_held_for_half_a_second_and_then_covered(told):
    toon = told()
    shown = toon.show(10.0)
    toon.tracker.sees = NOBODY
    times = [10.1, 10.3, 10.5, 10.51, 10.6, 11.0]
    states = []
    for time_s in times:
        safe = toon.show(time_s)
        states.append(safe.state)
        assert safe.state is not HOLDING or safe.image is shown.image
    assert states == [HOLDING] * 3 + [COVERED] * 3


def test_after_covering_nothing_old_comes_back(told):
    toon = told()
    toon.show(10.0)
    toon.filter.cover(Frame(photo(), 5, 10.1), "for a moment")
    toon.tracker.sees = NOBODY
    assert toon.show(10.2).state is COVERED


@pytest.mark.parametrize("time_s", [9.9, 10.6, 3600.0, float("nan"), float("inf"), -5.0])
def test_a_jump_in_time_is_not_held_over_and_starts_tracking_anew(told, time_s):
    toon = told()
    toon.show(10.0)
    before = toon.tracker.resets
    toon.tracker.sees = NOBODY
    assert toon.show(time_s).state is COVERED
    if time_s != 10.6:
        assert toon.tracker.resets == before + 1


def test_frames_of_a_slow_machine_start_tracking_anew_now_and_then_only(told):
    toon = told()
    for number in range(25):
        assert toon.show(10.0 + number).state is PROTECTED
    # At the first frame, and then at most every five seconds: each time costs a thorough look.
    assert 2 <= toon.tracker.resets <= 5


def test_a_new_format_in_mid_stream_is_not_held_over(told):
    toon = told()
    toon.show(10.0)
    before = toon.tracker.resets
    toon.tracker.sees = NOBODY
    safe = toon.show(10.1, photo(90, 120))
    assert (safe.state, safe.image.shape, toon.tracker.resets) == (COVERED, (90, 120, 3), before + 1)
    toon.tracker.sees = TrackingResult([face_at(60, 45, 30)])
    assert toon.show(10.2, photo(90, 120)).state is PROTECTED


def test_on_lost_cover_and_image_do_not_hold(told):
    placeholder = np.full((30, 40, 3), (10, 200, 30), np.uint8)
    for policy in (LostPolicy("cover"), LostPolicy("image", placeholder=placeholder)):
        toon = told(lost=policy)
        toon.show(10.0)
        toon.tracker.sees = NOBODY
        safe = toon.show(10.1)
        assert safe.state is COVERED
        assert policy.action == "cover" or (safe.image == (10, 200, 30)).all()


def test_exposure_needs_a_confirmation_and_is_named(told):
    with pytest.raises(ConfigError, match="i-accept-exposure"):
        LostPolicy("pass")
    toon = told(lost=LostPolicy("pass", confirmed=True))
    assert toon.show(10.0).state is PROTECTED
    toon.tracker.sees = NOBODY
    safe = toon.show(10.1)
    assert (safe.state, untouched(safe)) == (EXPOSED, 1.0)


@pytest.mark.parametrize("hold_s", [-0.1, 0.51, 10])
def test_nobody_can_hold_longer(hold_s):
    with pytest.raises(ConfigError, match=r"0 to 0\.5"):
        LostPolicy(hold_s=hold_s)


def test_a_face_without_a_mesh_x_beside_one_that_is_drawn(told):
    toon = told()
    box = Box(180, 30, 210, 60)
    for sees in (TrackingResult([face_at(80)], unmeshed=[box]), TrackingResult([face_at(80)], lost=[box])):
        toon.tracker.sees = sees
        safe = toon.show(0.0)
        assert (safe.state, safe.faces_found, safe.faces_drawn, safe.faces_covered) == (PROTECTED, 2, 1, 1)
        assert is_soft(safe.image[30:60, 180:210])


def test_tiles_beside_a_drawn_face_leave_the_drawing(told):
    toon, face = told(), face_at(100)
    box = Box(110, 60, 170, 130)
    for sees in (
        TrackingResult([face], unmeshed=[box]),
        TrackingResult([face], lost=[box]),
        TrackingResult([face], pending_detections=lambda: [box]),
    ):
        toon.tracker.sees = sees
        safe = toon.show(0.0)
        drawn = hull_of(face)
        assert (safe.state, safe.faces_drawn, safe.faces_covered) == (PROTECTED, 1, 1)
        assert (safe.image[drawn][:, 0] <= 2).all()
        assert np.isin(safe.image[drawn][:, 1], (120, 220)).mean() > 0.3
        hidden = ~drawn[60:130, 110:170]
        rest = np.where(hidden[..., None], safe.image[60:130, 110:170], 128).astype(np.uint8)
        assert (
            cv2.absdiff(rest, cv2.blur(rest, (3, 3))).max(2)[cv2.erode(hidden.astype(np.uint8), np.ones((5, 5))) > 0]
            < 12
        ).all()


def test_what_the_looks_find_while_others_are_drawn_is_hidden_in_the_same_frame(told):
    toon = told()
    box = Box(180, 30, 210, 60)
    toon.tracker.sees = TrackingResult([face_at(80)], pending_detections=lambda: [box])
    safe = toon.show(0.0)
    assert (safe.state, safe.faces_found, safe.faces_drawn, safe.faces_covered) == (PROTECTED, 2, 1, 1)
    assert is_soft(safe.image[30:60, 180:210])


def test_looks_that_fail_while_faces_are_drawn_are_told(told):
    def fail():
        raise RuntimeError("graph failed")

    toon = told()
    toon.tracker.sees = TrackingResult([face_at(80)], pending_detections=fail)
    with pytest.raises(RuntimeError, match="graph failed"):
        toon.show(0.0)


def test_only_faces_without_a_mesh_is_doubt_and_covered(told):
    toon = told()
    for sees in (TrackingResult(unmeshed=[Box(60, 60, 90, 90)]), TrackingResult(lost=[Box(60, 60, 90, 90)])):
        toon.tracker.sees = sees
        safe = toon.show(0.0)
        assert safe.state is COVERED
        assert is_pixelated(safe.image)


def test_exposure_still_hides_a_face_that_has_no_mesh(told):
    toon = told(lost=LostPolicy("pass", confirmed=True))
    toon.tracker.sees = TrackingResult(lost=[Box(100, 60, 140, 100)])
    safe = toon.show(0.0)
    assert safe.state is EXPOSED
    assert is_soft(safe.image[60:100, 100:140])


def test_a_failing_tracker_is_told_and_the_next_frame_goes_on(told):
    toon = told()
    toon.show(10.0)
    toon.tracker.sees = RuntimeError("graph failed")
    with pytest.raises(RuntimeError, match="graph failed"):
        toon.show(10.1)
    toon.tracker.sees = TrackingResult([face_at()])
    assert toon.show(10.2).state is PROTECTED


def _raises(error):
    def answer(_):
        raise error

    return answer


def _with_alpha(colours):
    return np.concatenate([colours, np.full_like(colours[..., :1], 255)], 3)


BAD_ENGINES = {
    "raises": _raises(BackendError("device lost")),
    "raises something else": _raises(MemoryError("out of memory")),
    "not a number": lambda crops: np.full((*crops.shape[:3], 4), np.nan, np.float32),
    "all black": lambda crops: np.zeros((*crops.shape[:3], 4), np.uint8),
    "all white": lambda crops: np.full((*crops.shape[:3], 4), 255, np.uint8),
    "its input": lambda crops: _with_alpha(crops.copy()),
    "its input, darker": lambda crops: _with_alpha((crops * 0.7).astype(np.uint8)),
    "its input, other colours": lambda crops: _with_alpha(np.ascontiguousarray(crops[..., ::-1])),
    "its input, a little blurred": lambda crops: _with_alpha(np.stack([cv2.blur(crop, (2, 2)) for crop in crops])),
    "too few pictures": lambda crops: np.zeros((0, *crops.shape[1:3], 4), np.uint8),
    "another size": lambda crops: np.full((len(crops), 32, 32, 4), 99, np.uint8),
    "no alpha": lambda crops: 255 - crops,
    "nothing": lambda _: None,
}


@pytest.mark.parametrize("name", BAD_ENGINES)
def test_a_bad_engine_is_told_and_the_frame_can_be_covered(told, name, astronaut):
    raw = cv2.resize(astronaut[40:240, 90:357], (WIDTH, HEIGHT))
    toon = told()
    good = toon.engine.answer
    toon.show(10.0)
    toon.engine.answer = BAD_ENGINES[name]
    frame = Frame(raw.copy(), 2, 10.1)
    with pytest.raises(Exception, match=r".+"):
        toon.filter.process(frame)
    safe = toon.filter.cover(frame, "the engine failed")
    assert safe.state is COVERED
    assert is_pixelated(safe.image)
    toon.tracker.sees = NOBODY
    assert toon.show(10.15).state is COVERED
    toon.tracker.sees, toon.engine.answer = TrackingResult([face_at()]), good
    assert toon.show(10.2).state is PROTECTED


@pytest.mark.parametrize(("fallback", "engine"), [(False, "auto"), (True, FALLBACK_ENGINE)])
def test_a_lost_device_is_opened_again(told, fallback, engine):
    toon = told()
    toon.show(10.0)
    toon.filter.reopen_engine(fallback=fallback)
    assert (toon.engine.closed, toon.engines) == (1, ["auto", engine])
    assert toon.show(10.1).state is PROTECTED


def test_after_a_change_of_style_nothing_in_the_old_one_is_held(told, tiny_bundle):
    toon = told()
    toon.show(10.0)
    toon.filter.set_style(str(tiny_bundle.folder))
    toon.tracker.sees = NOBODY
    assert toon.show(10.1).state is COVERED


def test_a_style_that_cannot_be_opened_leaves_the_old_one_drawing(told):
    toon = told()
    with pytest.raises(ConfigError.__base__):
        toon.filter.set_style("no such style")
    assert toon.show(10.0).state is PROTECTED


def test_a_style_whose_proportions_are_out_of_range_leaves_the_old_one_drawing(told, tiny_bundle, tmp_path):
    toon = told()
    shutil.copytree(tiny_bundle.folder, tmp_path / "odd")
    content = json.loads((tmp_path / "odd" / "bundle.json").read_text())
    content["warp"]["eyes"] = 9.0
    (tmp_path / "odd" / "bundle.json").write_text(json.dumps(content))
    before = toon.filter.opened
    with pytest.raises(ConfigError, match=r"warp\.eyes is 9\.0"):
        toon.filter.set_style(str(tmp_path / "odd"))
    assert toon.filter.opened is before
    assert toon.show(10.0).state is PROTECTED


def test_a_face_that_outruns_its_steadied_crop_is_drawn_where_it_is(told):
    toon = told()
    for number in range(20):
        face = face_at(60 + 25 * (number % 6), 60 + 20 * (number % 4), 40)
        toon.tracker.sees = TrackingResult([face])
        safe = toon.show(10 + number / 30)
        assert safe.state is PROTECTED
        assert safe.image[hull_of(face)][:, 0].max() <= 2


def test_the_guard_measures_what_it_lets_out(astronaut):
    raw = cv2.resize(astronaut[40:240, 90:357], (WIDTH, HEIGHT))
    there = HiddenFace(Box(70, 20, 160, 130))
    for let_out in (raw, np.roll(raw, 3, 1), raw[:, ::-1], 255 - raw, cv2.blur(raw, (5, 5)), raw // 2 + 60):
        for face in (there, HiddenFace(there.box, face_at(115, 75, 90).landmarks)):
            safe = Guard().release(Frame(raw.copy(), 0), raw, let_out.copy(), [face])
            assert (safe.state, safe.faces_found, safe.faces_drawn, safe.faces_covered) == (PROTECTED, 1, 0, 1)
            assert is_soft(safe.image[30:120, 80:150])
    assert Guard().release(Frame(raw, 0), raw, raw.copy(), []).state is COVERED
    # Without the original there is nothing to measure against.
    assert is_pixelated(Guard().release(Frame(raw, 0), raw, raw, [there]).image)


def test_a_frame_without_a_face_is_measured_too(astronaut):
    """People may be in it whom nobody found: only a picture that was drawn may stand in for tiles."""
    raw = cv2.resize(astronaut[40:240, 90:357], (WIDTH, HEIGHT))
    there = HiddenFace(Box(70, 20, 160, 130))
    half = raw.copy()
    half[:10] = 0
    for let_out in (raw, raw.copy(), half):
        assert is_pixelated(Guard().lost(Frame(raw, 0), "no face found", drawn=(raw, let_out)).image)
    drawn = np.full_like(raw, 90)
    drawn[::8] = 200
    safe = Guard().lost(Frame(raw, 0), "no face found", drawn=(raw, drawn.copy()))
    assert safe.state is COVERED
    assert (safe.image == drawn).all()
    # A head that the drawing leaves as it was is covered there, and the rest of the drawing stays.
    drawn[20:130, 70:160] = raw[20:130, 70:160]
    safe = Guard().lost(Frame(raw, 0), "no face found", drawn=(raw, drawn.copy()), places=[there])
    assert not there.is_shown(raw, safe.image)
    assert (safe.image[:, 215:] == drawn[:, 215:]).all()


def test_a_place_that_a_drawing_hides_needs_no_cover():
    raw, drawing = photo(), np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    drawing[::8] = 200
    safe = Guard().release(Frame(raw, 0), raw, drawing.copy(), [HiddenFace(Box(60, 40, 120, 100))])
    assert (safe.state, safe.faces_drawn, safe.faces_covered) == (PROTECTED, 0, 1)
    assert (safe.image == drawing).all()


def test_covers_of_one_face_are_counted_once():
    raw, drawing = photo(), np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    drawing[::8] = 200
    one, grown, beside = Box(40, 40, 80, 80), Box(20, 30, 90, 100), Box(130, 40, 170, 80)
    drawn = HiddenFace.drawn(face_at(150, 60, 50))
    for faces, found, covered in (
        ([HiddenFace(one), HiddenFace(grown)], 1, 1),
        ([HiddenFace(grown), HiddenFace(one), HiddenFace(beside)], 2, 2),
        ([HiddenFace(beside), drawn], 2, 1),
        ([HiddenFace(one), drawn, HiddenFace.drawn(face_at(155, 60, 50, 1))], 3, 1),
    ):
        safe = Guard().release(Frame(raw, 0), raw, drawing.copy(), faces)
        assert (safe.faces_found, safe.faces_covered) == (found, covered)


def walls():
    """uint8 [360, 640, 3] each: bare but for a soft shadow and a stripe, as a camera that turns sees them."""
    random = np.random.default_rng(0)
    for _ in range(12):
        bare = 180 + random.uniform(-60, 60) * np.linspace(0, 1, 640)[None, :, None]
        bare = bare + random.normal(0, random.uniform(0, 3), (360, 640, 3))
        ends = [(int(x), y) for x, y in zip(random.integers(0, 640, 2), (0, 360), strict=True)]
        cv2.line(bare, *ends, (90, 80, 60), int(random.integers(2, 60)))
        yield np.clip(bare, 0, 255).astype(np.uint8)


def test_a_pan_over_bare_walls_is_never_covered_whole():
    """Newcomers are looked for at its sides, half beyond the frame; what covers them looks like the wall itself."""
    random = np.random.default_rng(1)
    for raw in walls():
        for x, y, half in zip(*random.uniform((0, 0, 20), (640, 360, 90), (16, 3)).T, strict=True):
            place = HiddenFace(Box(x - half, y - half, x + half, y + half))
            assert Guard().release(Frame(raw, 0), raw, raw.copy(), [place]).state is PROTECTED


def head(astronaut):
    return cv2.resize(astronaut[60:190, 160:290], (60, 60), interpolation=cv2.INTER_AREA)


def door(_):
    bare = np.full((60, 60, 3), 180, np.uint8)
    bare[:, 26:34] = 90
    return bare


@pytest.mark.parametrize(("content", "state"), [(head, COVERED), (door, PROTECTED)])
def test_what_a_neighbours_drawing_shows_of_a_place_is_measured(astronaut, content, state):
    """Covers leave drawings as they are; where such a drawing shows a head that has no mesh, nothing leaves."""
    raw = photo()
    raw[60:120, 90:150] = content(astronaut)
    before, place = face_at(120, 95, 170), HiddenFace(Box(95, 65, 145, 115))
    drawn = raw.copy()
    drawn[hull_of(before)] = (90, 60, 40)
    drawn[::6][hull_of(before)[::6]] = (200, 220, 160)
    faces = [HiddenFace.drawn(before), place]
    hidden = Guard().release(Frame(raw, 0), raw, drawn.copy(), faces)
    assert (hidden.state, hidden.faces_drawn, hidden.faces_covered) == (PROTECTED, 1, 1)
    drawn[60:120, 90:150] = np.clip(raw[60:120, 90:150] * 0.8 + 30, 0, 255)
    assert [face.is_hidden(raw, drawn) for face in faces] == [True, False]
    assert likeness(raw, drawn, view_of(place.box)) > MOST_LIKENESS
    assert Guard().release(Frame(raw, 0), raw, drawn.copy(), faces).state is state


def test_half_a_face_at_the_edge_is_measured_by_what_is_in_the_frame(astronaut):
    raw = np.ascontiguousarray(cv2.resize(astronaut[40:240, 90:357], (WIDTH, HEIGHT))[:, 115:])
    place = HiddenFace(Box(-45, 20, 45, 130))
    assert not place.is_hidden(raw, (raw * 0.8 + 20).astype(np.uint8))
    assert place.is_shown(raw, (raw * 0.8 + 20).astype(np.uint8))
    assert place.is_hidden(raw, cv2.resize(cv2.resize(raw, (5, 5)), raw.shape[1::-1]))
    assert not place.is_shown(raw, raw[:, ::-1] // 3 + np.random.default_rng(0).integers(0, 60, raw.shape, np.uint8))


def test_a_face_that_was_not_drawn_or_only_half_is_not_hidden():
    faces = [HiddenFace.drawn(face) for face in (face_at(70), face_at(180, 90, 40, 1))]
    raw, image = photo(), photo()
    assert [face.is_hidden(raw, image) for face in faces] == [False, False]
    stripes = np.where(np.arange(HEIGHT)[:, None, None] % 16 < 8, (0, 120, 0), (0, 220, 0)).astype(np.uint8)
    image[hull_of(face_at(70))] = np.broadcast_to(stripes, image.shape)[hull_of(face_at(70))]
    assert [face.is_hidden(raw, image) for face in faces] == [True, False]
    half = hull_of(face_at(180, 90, 40, 1))
    half[:, 180:] = False
    image[half] = np.broadcast_to(stripes, image.shape)[half]
    assert [face.is_hidden(raw, image) for face in faces] == [True, False]


def test_a_face_that_the_renderer_forgets_is_covered(told, monkeypatch):
    toon = told()
    monkeypatch.setattr(Renderer, "render", lambda *_: [])
    safe = toon.show(10.0)
    assert (safe.state, safe.faces_drawn, safe.faces_covered) == (PROTECTED, 0, 1)
    assert is_soft(safe.image[70:120, 100:140])


def test_a_face_wholly_outside_is_hidden():
    assert HiddenFace.drawn(face_at(-500, 90)).is_hidden(photo(), photo())


def test_a_cover_that_is_the_frame_itself_is_none(astronaut):
    for cover_picture in (astronaut, astronaut.copy(), astronaut[:, ::-1].copy(), 255 - astronaut):
        assert is_pixelated(cover(Frame(astronaut, 0), "", cover_picture).image)


def test_styles_that_hide_nobody_are_asked_for_and_never_called_protected(told, tiny_bundle, tmp_path):
    shutil.copytree(tiny_bundle.folder, tmp_path / "people")
    content = json.loads((tmp_path / "people" / "bundle.json").read_text())
    (tmp_path / "people" / "bundle.json").write_text(
        json.dumps(content | {"input": {**content["input"], "domain": "drawing"}})
    )
    toon = told()
    with pytest.raises(ConfigError, match="use it on cartoons"):
        toon.filter.set_style(str(tmp_path / "people"))
    toon = told(on_drawings=True)
    with pytest.raises(ConfigError, match="i-accept-exposure"):
        toon.filter.set_style(str(tmp_path / "people"))
    toon = told(on_drawings=True, lost=LostPolicy(confirmed=True))
    toon.filter.set_style(str(tmp_path / "people"))
    assert toon.show(10.0).state is EXPOSED


@pytest.mark.parametrize("shape", [(1, 1), (1, 64), (64, 1), (3, 5), (1080, 1920)])
def test_any_frame_can_be_covered(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    safe = cover(Frame(image, 0), "test")
    assert safe.image.shape == image.shape
    assert safe.image is not image
    assert cover(Frame(image, 0), "test", np.zeros((8, 8, 3), np.uint8)).image.max() == 0


def test_a_covered_face_keeps_no_detail(astronaut):
    safe = cover(Frame(astronaut, 0), "test")
    face = safe.image[60:180, 165:285]
    assert len(np.unique(face.reshape(-1, 3), axis=0)) <= 16
