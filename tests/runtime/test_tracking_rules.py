"""The schedule of detection passes, and one face as a state machine."""

import numpy as np
import pytest

from toonfilter.runtime.faces.config import TrackingConfig
from toonfilter.runtime.faces.detection import FaceMesher, box_around
from toonfilter.runtime.faces.detector import (
    NETWORKS,
    TURNS,
    Detection,
    DetectionPass,
    FaceDetector,
    search_parts,
    thorough_passes,
)
from toonfilter.runtime.faces.memory import TrackMemory
from toonfilter.runtime.faces.motion import Change
from toonfilter.runtime.faces.schedule import DetectionSchedule
from toonfilter.runtime.faces.search_config import SearchConfig
from toonfilter.runtime.faces.still_faces import StillFaceFinder
from toonfilter.runtime.faces.tracker import FaceTracker
from toonfilter.runtime.faces.tracks import Track, TrackState
from toonfilter.runtime.faces.verification import DetectionVerifier
from toonfilter.runtime.geometry.alignment import mean_face
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
    track.see(picture(), 1, CONFIG)
    track.unseen = 500
    assert not track.is_over(picture(), CONFIG)
    track.looks.missed = CONFIG.places.unmeshed_looks
    assert track.is_over(picture(), CONFIG)
    track.see(picture(), 2, CONFIG)
    assert not track.is_over(picture(), CONFIG)


class Told:
    """What networks are told to see: searches find `found`, close looks `near`, meshes are `meshes`."""

    def __init__(self):
        self.found, self.near, self.meshes, self.looks = [], None, [], []

    def search(self, image, passes):  # noqa: ARG002
        return list(self.found)

    def look_closely(self, image, box, roll_rad=0.0, turns=(0,), *, is_certain=False, known=()):  # noqa: ARG002
        self.looks.append((tuple(turns), is_certain))
        return self.near

    def find(self, image, around, turns=(0,)):  # noqa: ARG002
        return next((one for one in self.meshes if around.holds(box_around(one).centre)), None)

    def follow(self, image, before):  # noqa: ARG002
        there = box_around(before)
        nearest = max(self.meshes, key=lambda one: there.overlap(box_around(one)), default=None)
        return nearest if nearest is not None and there.overlap(box_around(nearest)) > 0 else None


def mesh_at(x, y, height=60.0):
    """The mean face with its middle there, px."""
    landmarks = mean_face() * height
    middle = box_around(landmarks).centre
    return (landmarks + np.array([x - middle[0], y - middle[1], 0.0])).astype(np.float32)


def sure(box, **more):
    """A detection in which several passes agree."""
    return Detection(box, is_certain=True, **({"evidence": 1.4} | more))


@pytest.fixture
def told(monkeypatch):
    """The networks of all trackers of a test."""
    one = Told()
    for owner, names in ((FaceDetector, ("search", "look_closely")), (FaceMesher, ("find", "follow"))):
        for name in names:
            told_method = getattr(one, name)
            monkeypatch.setattr(owner, name, lambda _, *words, call=told_method, **more: call(*words, **more))
    return one


@pytest.fixture
def open_tracker(told):  # noqa: ARG001
    """Trackers that see what `told` says, in every beat."""
    opened = []

    def open_one(*, is_patient=False):
        opened.append(FaceTracker(TrackingConfig(is_patient, SearchConfig(detect_every=1))))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def places_of(tracking):
    return [*tracking.unmeshed, *tracking.lost, *tracking.pending_detections()]


def test_where_nobody_waits_a_place_without_a_mesh_is_cleared_at_once_when_its_picture_is_gone(told, open_tracker):
    tracker = open_tracker(is_patient=True)
    told.found = [sure(BOX)]
    assert places_of(tracker.track(picture())) == [BOX]
    told.found, told.looks = [], []
    kept = [len(places_of(tracker.track(picture()))) for _ in range(8)]
    assert kept == [1] * 8
    assert set(told.looks) == {(TURNS, True)}
    for _ in range(PATIENT.search.place_beats):
        left = places_of(tracker.track(picture(1)))
    assert left == []


def test_a_lost_face_stays_while_its_picture_does():
    track = Track(TrackState.TRACKED, BOX, BOX, 0, face_id=3)
    track.see(picture(), 1, CONFIG)
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
    track.see(picture(), 1, CONFIG)
    track.lose(1)
    track.unseen, track.looks.missed = CONFIG.places.vacant_beats, CONFIG.places.vacant_looks - 1
    assert not track.is_over(picture(1), CONFIG)
    track.looks.missed += 1
    assert track.is_over(picture(1), CONFIG)


def test_where_nobody_waits_a_place_that_shows_something_else_is_cleared_once_all_turns_were_looked_at():
    track = Track(TrackState.TRACKED, BOX, BOX, 0, face_id=3)
    track.see(picture(), 1, CONFIG)
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
    config, told = TrackingConfig(is_patient=is_patient), Told()
    one = Detection(BOX, is_certain=True, score=0.7, evidence=evidence)
    told.near = one if is_near else None
    assert DetectionVerifier(told, config).is_surely_a_face(picture(), one, TrackMemory(config)) is believed
    assert len(told.looks) == looks


def test_a_doubt_that_was_dismissed_is_left_alone_for_a_while(told, open_tracker):
    tracker = open_tracker()
    told.found = [Detection(BOX, is_certain=False, score=0.4, evidence=0.4)]
    looks = []
    for _ in range(CONFIG.search.dismissed_beats + 1):
        assert places_of(tracker.track(picture())) == []
        looks.append(len(told.looks))
    assert looks == [1] * CONFIG.search.dismissed_beats + [2]


def test_a_part_of_a_half_hidden_face_does_not_shrink_its_place(told, open_tracker):
    tracker, larger = open_tracker(), Box(104, 100, 170, 166)
    for box, covered in ((BOX, BOX), (Box(120, 110, 140, 130), BOX), (larger, larger)):
        told.found = [sure(box)]
        assert places_of(tracker.track(picture())) == [covered]


@pytest.mark.parametrize(
    ("box", "is_known"), [(BOX.moved(5, 0), True), (BOX.moved(80, 0), False), (BOX.grown(-0.4), False)]
)
def test_a_doubt_is_believed_where_the_face_was_and_not_beside_it_or_in_it(box, is_known):
    memory = TrackMemory(PATIENT)
    memory.tracks = [Track(TrackState.TENTATIVE, BOX, BOX, 0, unseen=4)]
    doubt = Detection(box, is_certain=False, score=0.4, evidence=0.4)
    assert DetectionVerifier(Told(), PATIENT).is_surely_a_face(picture(), doubt, memory) is is_known


def followed(box, face_id):
    return Track(TrackState.TRACKED, box, box, 0, face_id=face_id)


@pytest.mark.parametrize(
    ("box", "left"),
    [(Box(120, 110, 150, 150), [0]), (Box(102, 101, 159, 158), [0]), (Box(150, 100, 210, 160), [0, 1])],
)
def test_a_mesh_within_another_or_over_it_is_the_same_face(box, left):
    memory = TrackMemory(CONFIG)
    memory.tracks = [followed(BOX, 0), followed(box, 1)]
    memory.drop_doubles()
    assert [track.face_id for track in memory.followed] == left
    assert len(memory.tracks) == 2


@pytest.mark.parametrize("is_certain", [False, True])
@pytest.mark.parametrize(
    ("mesh", "aside_px"),
    [(mesh_at(174, 156), 14), (mesh_at(105, 125, 130), -8)],
    ids=["beside its middle", "around it"],
)
def test_a_doubt_starts_no_mesh_over_a_face_that_is_followed(told, open_tracker, mesh, aside_px, is_certain):
    """A body upside down, or a wall around a head, gets a mesh that lies on that face."""
    tracker, face = open_tracker(), mesh_at(150, 130)
    told.meshes, told.found = [face], [sure(box_around(face))]
    assert [one.id for one in tracker.track(picture()).faces] == [0]
    told.meshes = [mesh, face]
    told.found.append(Detection(box_around(mesh).moved(aside_px, 0), is_certain, 2, 0.6, 0.6))
    for _ in range(2):
        tracking = tracker.track(picture())
        tracking.pending_detections()
    assert ([one.id for one in tracking.faces] == [0]) is not is_certain


@pytest.mark.parametrize(
    ("seen", "is_kept"), [(None, False), ((0.1, 0.07), True), ((1.34, 0), False), ((0.3, 0), True), ((0.85, 0), False)]
)
def test_a_mesh_is_not_confirmed_by_the_face_of_a_neighbour(told, open_tracker, seen, is_kept):
    """seen: where a close look at the face finds one, in its widths; the neighbour is 1.34 of them beside it."""
    tracker, face = open_tracker(is_patient=True), mesh_at(130, 130)
    box = box_around(face)
    neighbour = box.moved(1.34 * box.width, 0)
    told.meshes = [face, mesh_at(*neighbour.centre)]
    told.found = [sure(box), sure(neighbour)]
    assert len(tracker.track(picture()).faces) == 2
    told.found = [sure(neighbour)]
    told.near = None if seen is None else sure(box.moved(seen[0] * box.width, seen[1] * box.width))
    for _ in range(PATIENT.mesh.confirm_beats + PATIENT.mesh.most_doubts + 1):
        tracking = tracker.track(picture())
        tracking.pending_detections()
    assert [one.id for one in tracking.faces] == ([0, 1] if is_kept else [1])


@pytest.mark.parametrize("was_apart", [True, False])
def test_a_person_taken_up_again_and_lost_behind_another_stays_a_place(told, open_tracker, was_apart):
    """As where a mesh slips from the face behind to the one in front, and back, before both are one to the detector."""
    tracker, behind = open_tracker(), mesh_at(100, 130)
    before = [mesh_at(x, 130, height) for x, height in ((200, 60), (160, 70), (125, 85), (105, 100))]
    told.meshes = [behind, before[0]]
    told.found = [sure(box_around(one)) for one in told.meshes]
    assert [one.id for one in tracker.track(picture()).faces] == [0, 1]
    told.found = told.found if was_apart else []
    tracker.track(picture()).pending_detections()
    told.meshes, told.found = before[:1], []
    assert [one.id for one in tracker.track(picture()).faces] == [1]
    told.meshes, told.found = [behind, before[0]], [sure(box_around(behind))] if was_apart else []
    tracker.track(picture()).pending_detections()
    told.found = []
    for front in before[1:]:
        told.meshes = [front]
        tracking = tracker.track(picture())
        tracking.pending_detections()
    assert [one.id for one in tracking.faces] == [1]
    assert bool(tracking.lost) is was_apart


def test_a_doubt_is_not_believed_for_the_face_of_somebody_who_is_followed_beside_it(astronaut):
    finder, detector = StillFaceFinder(), FaceDetector(PATIENT)
    face = finder.find(astronaut)[0][0]
    doubt = Detection(face.box.grown(0.3).moved(-0.8 * face.box.width, 0), False, 3, 0.45, 0.45)
    for tracks in ([Track(TrackState.TRACKED, face.box, face.box, 0, face, 0)], []):
        memory = TrackMemory(PATIENT)
        memory.tracks = list(tracks)
        believed = DetectionVerifier(detector, PATIENT).is_surely_a_face(astronaut, doubt, memory)
        assert believed is not bool(tracks)
    detector.close()
    finder.close()


@pytest.mark.parametrize(
    ("seen", "is_kept"),
    [
        pytest.param(None, False, id="nothing"),
        pytest.param(Detection(Box(20, 200, 80, 260), is_certain=False, score=0.3), False, id="hardly a doubt"),
        pytest.param(Detection(Box(20, 200, 80, 260), is_certain=False, score=0.6), True, id="a doubt"),
    ],
)
def test_of_a_still_only_places_that_a_close_look_doubts_are_hidden_beside_known_faces(told, seen, is_kept):
    finder, mesh = StillFaceFinder(), mesh_at(200, 110)
    face, place = (Detection(box, is_certain=True, evidence=2.5) for box in (box_around(mesh), Box(20, 200, 80, 260)))
    told.found, told.meshes, told.near = [face, place], [mesh], seen
    faces, places = finder.find(np.zeros((400, 400, 3), np.uint8))
    assert len(faces) == 1
    assert places == [place.box] * is_kept
    finder.close()


def test_a_close_look_takes_no_mirror_image_beyond_the_border_for_a_face_and_finds_cut_faces(astronaut):
    detector, finder = FaceDetector(CONFIG), StillFaceFinder()
    face = finder.find(astronaut)[0][0].box
    border = round(face.right + 0.1 * face.width)
    beside = astronaut[:, :border]
    mirrored = Box(2 * border - face.right, face.top, 2 * border - face.left, face.bottom)
    assert detector.look_closely(beside, mirrored, is_certain=True) is None
    assert detector.look_closely(beside, face, is_certain=True) is not None
    half = astronaut[:, : round(face.centre[0])]
    assert detector.look_closely(half, face) is not None
    detector.close()
    finder.close()


@pytest.mark.parametrize(("evidence", "is_drawn"), [(0.9, False), (1.2, True)])
def test_of_a_still_a_doubt_with_a_mesh_is_drawn_if_there_is_nobody_else(told, evidence, is_drawn):
    finder, mesh, other = StillFaceFinder(), mesh_at(200, 110), mesh_at(300, 300)
    doubt = Detection(box_around(mesh), is_certain=False, evidence=evidence)
    told.found, told.meshes = [doubt], [mesh, other]
    faces, places = finder.find(np.zeros((400, 400, 3), np.uint8))
    assert len(faces) == int(is_drawn)
    assert not places
    told.found = [Detection(box_around(other), is_certain=True, evidence=2.5), doubt]
    assert len(finder.find(np.zeros((400, 400, 3), np.uint8))[0]) == 1
    finder.close()


def test_of_a_still_the_mesh_of_another_turn_is_taken_where_the_likeliest_lies_elsewhere(told, monkeypatch):
    finder, mesh, slipped = StillFaceFinder(), mesh_at(200, 110), mesh_at(230, 150)
    told.found = [Detection(box_around(mesh), is_certain=True, quarter_turns=2, evidence=4.0)]
    monkeypatch.setattr(FaceMesher, "find", lambda *words: mesh if tuple(words[3]) == (0,) else slipped)
    faces, places = finder.find(np.zeros((400, 400, 3), np.uint8))
    assert [face.box for face in faces] == [box_around(mesh)]
    assert not places
    finder.close()


def test_a_speck_in_the_hair_is_drawn_only_where_a_close_look_is_sure_of_a_face():
    told, head = Told(), Box(100, 100, 200, 220)
    speck, beside = Detection(Box(140, 70, 155, 85), is_certain=True), Detection(Box(300, 70, 315, 85), is_certain=True)
    verifier = DetectionVerifier(told, PATIENT)
    for told.near, is_speck in ((None, True), (speck, False)):
        assert verifier.is_speck(picture(), speck, [head]) is is_speck
        assert not verifier.is_speck(picture(), beside, [head])


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
