"""The schedule of detection passes, and one face as a state machine."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from toonfilter.runtime.faces.config import SearchConfig, TrackingConfig
from toonfilter.runtime.faces.detector import (
    NETWORKS,
    TURNS,
    Detection,
    DetectionPass,
    FaceDetector,
    search_parts,
    thorough_passes,
)
from toonfilter.runtime.faces.motion import Change
from toonfilter.runtime.faces.schedule import DetectionSchedule
from toonfilter.runtime.faces.tracker import FaceTracker
from toonfilter.runtime.faces.tracks import Track, TrackState
from toonfilter.runtime.geometry.box import Box

BOX = Box(100, 100, 160, 160)
CONFIG, PATIENT = TrackingConfig(), TrackingConfig(is_patient=True)


def quiet(schedule, beats, width=1280, height=720):
    """The passes of beats in which nothing happens."""
    return [schedule.passes(width, height, Change(), is_new=False, is_searching=False) for _ in range(beats)]


@pytest.mark.parametrize("detect_every", [3, 6, 12])
def test_all_turns_edges_and_parts_are_looked_at_in_turn(detect_every):
    schedule = DetectionSchedule(TrackingConfig(search=SearchConfig(detect_every=detect_every)))
    passes = quiet(schedule, detect_every * 12 * len(search_parts(1280, 720, CONFIG)))
    seen = {one for beat in passes for one in beat}
    assert {DetectionPass(network, "whole", turn) for network in NETWORKS for turn in TURNS} <= seen
    assert {DetectionPass(network, part) for network in NETWORKS for part in ("sides", "ends")} <= seen
    assert {DetectionPass("full", part) for part in search_parts(1280, 720, CONFIG)} <= seen
    assert {turn for _, part, turn in seen if isinstance(part, Box)} == set(TURNS)


def test_most_beats_have_one_pass_or_none():
    passes = quiet(DetectionSchedule(CONFIG), 600)
    assert sum(map(len, passes)) <= 5 / 6 * 600 + 5
    assert max(map(len, passes)) <= 1


@pytest.mark.parametrize("is_patient", [False, True])
def test_a_first_look_is_thorough_and_a_cut_too_but_not_every_frame(is_patient):
    schedule = DetectionSchedule(TrackingConfig(is_patient, SearchConfig(cut_beats=10)))
    first = schedule.passes(1280, 720, Change(), is_new=True, is_searching=False)
    assert {(one.network, one.quarter_turns) for one in first} == {(n, t) for n in NETWORKS for t in TURNS}
    counts = [
        len(schedule.passes(1280, 720, Change(Box(0, 0, 1280, 720), is_cut=True), is_new=False, is_searching=False))
        for _ in range(20)
    ]
    assert [count > 20 for count in counts].count(True) == 2


def test_where_nobody_waits_upright_faces_are_looked_for_in_squares_of_one_more_size():
    hurried, patient = (thorough_passes(1920, 1080, TrackingConfig(is_patient=one)) for one in (False, True))
    more = set(patient) - set(hurried)
    assert set(hurried) < set(patient)
    assert {(one.network, one.quarter_turns, round(one.part.width)) for one in more} == {("full", 0, 360)}
    faces = [Box(x, y, x + 60, y + 60) for x in (0, 700, 1860) for y in (0, 511, 1020)]
    assert all(any(one.part.contains(face) for one in more) for face in faces)


def test_a_small_change_at_an_edge_is_looked_at_closely_at_once():
    passes = DetectionSchedule(CONFIG).passes(
        1280, 720, Change(Box(300, 640, 380, 720)), is_new=False, is_searching=False
    )
    assert DetectionPass("full", "ends") in passes
    assert any(isinstance(one.part, Box) and one.part.contains(Box(300, 640, 380, 720)) for one in passes)


def picture(value=0):
    image = np.full((300, 300, 3), 90, np.uint8)
    coarse = np.random.default_rng(value).integers(0, 256, (15, 15, 3), np.uint8)
    image[100:160, 100:160] = coarse.repeat(4, 0).repeat(4, 1)
    return image


def test_a_place_without_a_mesh_is_kept_while_it_is_seen_and_forgotten_after_close_looks():
    track = Track(TrackState.TENTATIVE, BOX, BOX, 0)
    track.see(picture(), 1)
    track.unseen = 500
    assert not track.is_over(picture(), CONFIG)
    track.looks.missed = CONFIG.places.unmeshed_looks
    assert track.is_over(picture(), CONFIG)
    track.see(picture(), 2)
    assert not track.is_over(picture(), CONFIG)


def test_where_nobody_waits_a_place_without_a_mesh_is_cleared_at_once_when_its_picture_is_gone(monkeypatch):
    tracker = FaceTracker(PATIENT)
    tracker._suspect(picture(), Detection(BOX, is_certain=True))
    told, real = ToldDetector(None), tracker._detector
    monkeypatch.setattr(tracker, "_detector", told)
    for image, left in ((picture(), 1), (picture(1), 0)):
        for place in tracker._memory.places:
            place.unseen = 1
        tracker._memory.schedule.beat += PATIENT.search.place_beats
        tracker._look_at_places(image)
        tracker._memory.forget(image)
        assert len(tracker._memory.places) == left
    assert told.looks == [(TURNS, True)] * 2
    monkeypatch.setattr(tracker, "_detector", real)
    tracker.close()


def test_a_lost_face_stays_while_its_picture_does():
    track = Track(TrackState.TRACKED, BOX, BOX, 0, face_id=3)
    track.see(picture(), 1)
    track.lose(1)
    assert (track.state, track.face_id, track.unseen) == (TrackState.LOST, 3, 1)
    assert track.cover(CONFIG).width > BOX.width
    track.unseen, track.looks.missed = CONFIG.places.lost_beats + 1, CONFIG.places.vacant_looks
    assert not track.is_over(picture(), CONFIG)
    assert track.is_over(picture(1), CONFIG)
    track.unseen = CONFIG.places.most_lost_beats + 1
    assert track.is_over(picture(), CONFIG)


def test_an_empty_place_is_cleared_by_close_looks_before_its_time():
    track = Track(TrackState.TRACKED, BOX, BOX, 0, face_id=3)
    track.see(picture(), 1)
    track.lose(1)
    track.unseen, track.looks.missed = CONFIG.places.vacant_beats, CONFIG.places.vacant_looks - 1
    assert not track.is_over(picture(1), CONFIG)
    track.looks.missed += 1
    assert track.is_over(picture(1), CONFIG)


def test_where_nobody_waits_a_place_that_shows_something_else_is_cleared_once_all_turns_were_looked_at():
    track = Track(TrackState.TRACKED, BOX, BOX, 0, face_id=3)
    track.see(picture(), 1)
    track.lose(1)
    half = picture()
    half[100:160, 138:160] = picture(1)[100:160, 138:160]
    wall = np.full((300, 300, 3), 90, np.uint8)
    track.looks.missed = CONFIG.places.vacant_looks - 1
    assert not track.is_over(picture(1), PATIENT)
    track.looks.missed += 1
    assert not track.is_over(picture(1), CONFIG)
    assert not track.is_over(picture(), PATIENT)
    assert not track.is_over(half, PATIENT)
    assert track.is_over(picture(1), PATIENT)
    assert track.is_over(wall, PATIENT)


class ToldDetector:
    """Finds in close looks what it is told, and counts them. Every search finds `certain`."""

    def __init__(self, near):
        self.near, self.looks = near, []

    def look_closely(self, image, box, roll_rad=0.0, turns=(0,), *, is_certain=False, known=()):  # noqa: ARG002
        self.looks.append((tuple(turns), is_certain))
        return self.near


@pytest.mark.parametrize(
    ("evidence", "is_patient", "is_near", "believed", "looks"),
    [
        (0.7, False, False, True, 0),
        (0.7, True, False, False, 2),
        (0.7, True, True, True, 1),
        (1.4, True, False, True, 0),
    ],
)
def test_a_texture_that_one_pass_takes_for_a_face_is_looked_at_where_nobody_waits(
    evidence, is_patient, is_near, believed, looks
):
    tracker = FaceTracker(TrackingConfig(is_patient=is_patient))
    one = Detection(BOX, is_certain=True, score=0.7, evidence=evidence)
    told = ToldDetector(one if is_near else None)
    real, tracker._detector = tracker._detector, told
    assert tracker._is_surely_a_face(picture(), one) is believed
    assert len(told.looks) == looks
    tracker._detector = real
    tracker.close()


def test_a_part_of_a_half_hidden_face_does_not_shrink_its_place():
    tracker = FaceTracker()
    memory = tracker._memory
    tracker._suspect(picture(), Detection(BOX, is_certain=True))
    for box, covered in ((Box(120, 110, 140, 130), BOX), (Box(104, 100, 170, 166), Box(104, 100, 170, 166))):
        tracker._suspect(picture(), Detection(box, is_certain=True))
        assert [place.box for place in memory.places] == [covered]
    tracker.close()


@pytest.mark.parametrize(
    ("box", "is_known"), [(BOX.moved(5, 0), True), (BOX.moved(80, 0), False), (BOX.grown(-0.4), False)]
)
def test_a_doubt_is_believed_where_the_face_was_and_not_beside_it_or_in_it(box, is_known):
    tracker = FaceTracker(PATIENT)
    real, tracker._detector = tracker._detector, ToldDetector(None)
    tracker._suspect(picture(), Detection(BOX, is_certain=True))
    tracker._memory.places[0].unseen = 4
    assert tracker._is_surely_a_face(picture(), Detection(box, is_certain=False, score=0.4, evidence=0.4)) is is_known
    tracker._detector = real
    tracker.close()


def followed(box, face_id):
    return Track(TrackState.TRACKED, box, box, 0, face_id=face_id)


@pytest.mark.parametrize(
    ("box", "left"),
    [(Box(120, 110, 150, 150), [0]), (Box(102, 101, 159, 158), [0]), (Box(150, 100, 210, 160), [0, 1])],
)
def test_a_mesh_within_another_or_over_it_is_the_same_face(box, left):
    tracker = FaceTracker()
    memory = tracker._memory
    memory.tracks = [followed(BOX, 0), followed(box, 1)]
    memory.drop_doubles()
    assert [track.face_id for track in memory.followed] == left
    assert len(memory.tracks) == 2
    tracker.close()


@pytest.mark.parametrize("is_certain", [False, True])
def test_a_doubt_starts_no_second_mesh_where_a_face_is_followed(astronaut, is_certain):
    tracker = FaceTracker()
    (face,) = tracker.track(astronaut).faces
    tracker._mesher.find = lambda *_, real=tracker._mesher.find: real(astronaut, face.box, (0,))
    body = Detection(face.box.grown(1.0), is_certain=is_certain, quarter_turns=2, score=0.6, evidence=0.6)
    assert tracker._start(astronaut, body) is is_certain
    assert len(tracker._memory.followed) == 1 + is_certain
    tracker.close()


@pytest.mark.parametrize(
    ("seen", "doubts"),
    [(None, 1), (BOX.moved(6, 4), 0), (Box(190, 110, 250, 170), 1), (BOX.moved(20, 0), 0), (BOX.moved(50, 0), 1)],
)
def test_a_mesh_is_not_confirmed_by_the_face_of_a_neighbour(seen, doubts):
    tracker, beat = FaceTracker(PATIENT), 40
    face = SimpleNamespace(fit=SimpleNamespace(roll_rad=0.0))
    track = Track(TrackState.TRACKED, BOX, BOX, 0, face, 0)
    neighbour = Track(TrackState.TRACKED, Box(180, 100, 240, 160), BOX, beat, face, 1)
    tracker._memory.tracks, tracker._memory.schedule.beat = [track, neighbour], beat
    told = None if seen is None else Detection(seen, is_certain=True)
    real, tracker._detector = tracker._detector, ToldDetector(told)
    tracker._confirm(picture())
    tracker._detector = real
    assert (track.looks.doubts, track.seen_at) == (doubts, 0 if doubts else beat)
    tracker.close()


def test_a_doubt_is_not_believed_for_the_face_of_somebody_who_is_followed_beside_it(astronaut):
    tracker = FaceTracker(PATIENT)
    (face,) = tracker.track(astronaut).faces
    tracker._take_up(astronaut, [])
    doubt = Detection(face.box.grown(0.3).moved(-0.8 * face.box.width, 0), False, 3, 0.45, 0.45)
    assert not tracker._is_surely_a_face(astronaut, doubt)
    tracker._memory.tracks, tracker._memory._dismissed = [], []
    assert tracker._is_surely_a_face(astronaut, doubt)
    tracker.close()


@pytest.mark.parametrize("is_certain", [False, True])
def test_a_doubt_starts_no_mesh_around_a_face_that_is_followed(astronaut, is_certain, monkeypatch):
    tracker = FaceTracker()
    (face,) = tracker.track(astronaut).faces
    wall = replace(face, box=Box(face.box.left - 200, face.box.top - 60, face.box.right, face.box.bottom + 60))
    assert not face.box.holds(wall.box.centre)
    monkeypatch.setattr("toonfilter.runtime.faces.tracker.face_from", lambda *_: wall)
    assert tracker._start(astronaut, Detection(wall.box, is_certain)) is is_certain
    tracker.close()


def test_a_speck_in_the_hair_is_drawn_only_where_a_close_look_is_sure_of_a_face():
    tracker, head = FaceTracker(PATIENT), Box(100, 100, 200, 220)
    real = tracker._detector
    speck, beside = Detection(Box(140, 70, 155, 85), is_certain=True), Detection(Box(300, 70, 315, 85), is_certain=True)
    for near, is_speck in ((None, True), (speck, False)):
        tracker._detector = ToldDetector(near)
        assert tracker._is_speck(picture(), speck, [head]) is is_speck
        assert not tracker._is_speck(picture(), beside, [head])
    tracker._detector = real
    tracker.close()


def test_at_a_cut_of_a_file_nobody_is_looked_for_where_somebody_was_before(astronaut):
    """The detector's doubts are believed at the places of faces; after a cut those are places of another room."""
    shots = [np.full((360, 640, 3), level, np.uint8) for level in (30, 200)]
    shots[0][60:260, 60:260] = astronaut[20:220, 130:330]
    shots[1][60:260, 380:580] = astronaut[20:220, 130:330]
    for is_patient in (False, True):
        tracker = FaceTracker(TrackingConfig(is_patient, SearchConfig(cut_beats=3)))
        told = []
        for number in range(8):
            tracking = tracker.track(shots[number // 4], number / 25)
            found = [face.box for face in tracking.faces] + tracking.pending_detections()
            told.append((bool(found), len(tracking.lost), tracking.is_cut))
        tracker.close()
        assert [is_cut for _, _, is_cut in told] == [number == 4 for number in range(8)]
        assert all(found for found, _, _ in told[4:])
        assert [lost for _, lost, _ in told[4:]] == ([0] * 4 if is_patient else [1] * 4)


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_face_is_found_where_it_is(astronaut, turn):
    """The portrait, turned clockwise."""
    image = np.ascontiguousarray(np.rot90(astronaut[:400], -turn))
    detector = FaceDetector()
    found = [one for network in NETWORKS for one in detector.look(image, DetectionPass(network, "whole", turn))]
    detector.close()
    centre = np.argwhere(np.rot90(_mark(), -turn))[0][::-1]
    assert any(one.is_certain and one.box.holds(tuple(centre)) and 60 < one.box.width < 160 for one in found)


def _mark():
    mark = np.zeros((400, 512), bool)
    mark[125, 225] = True
    return mark
