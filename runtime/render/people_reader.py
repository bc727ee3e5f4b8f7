"""Reading who is in a frame. Live this happens beside the caller, so that no frame waits for networks and rules: people
are drawn as they were read last, moved along with their heads. Of a file's frames every second one is read."""

import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Lock

from toonfilter.runtime.backends.translator import Translator
from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.render.carried import CarriedPeople
from toonfilter.runtime.render.fitting_skin import with_fitting_skin
from toonfilter.runtime.render.people import People, carried_to, people_in, strangers_in
from toonfilter.runtime.render.person_network import LIVE_SIDE_PX, SIDE_PX, PersonNetwork
from toonfilter.runtime.render.renderer import AlignedFace, far_to_near
from toonfilter.runtime.render.scene import LIVE_PLANES_PX, PLANES_PX, FieldsReader, SceneFields, Sight
from toonfilter.runtime.render.steady_parts import SteadyParts
from toonfilter.runtime.render.sure_regions import with_heads_at, without_things

_GAP_S = 0.7
"""Gap between two frames, or since the last reading, beyond which what was read says nothing of this frame."""
_LAG_S = 0.05
"""Gap between the frames of a file up to which every second one is read. Raising it costs less in slow videos, whose
hands then lag."""
_IDLE_SHARE = 0.4
"""A live frame is read at once where that takes no more than this share of the time between two frames. Raising it lets
slow cameras' frames wait, so that hands do not lag."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The fields of a frame, the faces that are drawn, far ones first, and who is drawn.

    reading: the number of the reading that the fields come from.
    """

    scene: SceneFields
    faces: Sequence[AlignedFace]
    people: People
    reading: int = 0


def drawn_faces(prepared: object, faces: Sequence[Face]) -> tuple[list[Face], list[Face]]:
    """Which of the faces get features, and which do not. prepared: what `FrameRenderer.prepare` made of them."""
    ids = {face.id for face, _ in prepared.faces} if isinstance(prepared, Prepared) else {face.id for face in faces}
    return [face for face in faces if face.id in ids], [face for face in faces if face.id not in ids]


@dataclass(frozen=True, slots=True)
class DrawnParts:
    """bodies: more than heads. room: nothing of the frame's pixels is left. keeps_room: the room's pixels stay, so that
    whatever may be a person must stay one."""

    bodies: bool
    room: bool
    keeps_room: bool


@dataclass(frozen=True, slots=True)
class _Reading:
    """A frame as it was read.

    scene: before what depends on places. passed_over: ids of faces that lie in somebody larger's skin.
    is_without_places: there were no heads without a mesh. time_s: of the frame. took_s: how long reading took.
    """

    prepared: Prepared
    scene: SceneFields
    carried: CarriedPeople
    passed_over: frozenset[int]
    is_without_places: bool
    time_s: float
    took_s: float


class PeopleReader:
    """Reads frames in order. One thread at a time; see the module."""

    def __init__(self, translator: Translator, parts: DrawnParts, *, is_live: bool) -> None:
        self._drawn = parts
        planes_px, side_px = (LIVE_PLANES_PX, LIVE_SIDE_PX) if is_live else (PLANES_PX, SIDE_PX)
        self._fields = FieldsReader(translator, planes_px, PersonNetwork(side_px), keep_person=not parts.room)
        self._beside = ThreadPoolExecutor(1, "reading") if is_live else None
        self._closing = Lock()
        self._pending: Future[_Reading] | None = None
        self._parts = SteadyParts()
        self._last: _Reading | None = None
        self._seen_at_s = -math.inf
        self._readings = 0

    def prepare(
        self, image: Image, faces: Sequence[AlignedFace], time_s: float | None, places: Sequence[Box]
    ) -> Prepared:
        """See `LayeredRenderer.prepare`."""
        ordered = far_to_near(faces)
        now_s = -math.inf if time_s is None else time_s
        gap_s, self._seen_at_s = now_s - self._seen_at_s, now_s
        sight = self._fields.look(image, steady=0 <= gap_s <= _GAP_S)
        has_news = self._collect()
        follows = sight.follows and not self._has_others(sight, ordered)
        carries = follows and self._can_carry(ordered, now_s, gap_s, sight.scale)
        if carries and (has_news or self._pending or self._beside is None):
            return self._carried_to(sight, ordered, places)
        close = self._fields.look_closely(image, sight, [(face.id, face.landmarks, at) for face, at in ordered])
        if carries:
            self._begin(close, ordered, places, now_s)
            return self._carried_to(sight, ordered, places)
        self.wait()
        self._last = self._read(close, ordered, places, now_s, steady=follows)
        return self._last.prepared

    def _begin(self, sight: Sight, faces: Sequence[AlignedFace], places: Sequence[Box], time_s: float) -> None:
        with self._closing:
            if self._beside is not None:
                self._pending = self._beside.submit(self._read, sight, faces, places, time_s, steady=True)

    def wait(self) -> None:
        """Until nothing is read beside the caller.

        Raises:
            BackendError: the engine failed.
        """
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._last = pending.result()

    def close(self) -> None:
        """Nothing is read beside anybody from now on."""
        with self._closing:
            beside, self._beside = self._beside, None
        if beside is not None:
            beside.shutdown()

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        if self._pending is not None:
            self._pending.exception()
        self._pending = None
        self._fields.forget()
        self._parts.forget()
        self._last = None
        self._seen_at_s = -math.inf
        self._readings = 0

    def _collect(self) -> bool:
        """Take a reading that is done; whether there was one."""
        is_done = self._pending is not None and self._pending.done()
        if is_done:
            self.wait()
        return is_done

    def _can_carry(self, faces: Sequence[AlignedFace], now_s: float, gap_s: float, scale: float) -> bool:
        last = self._last
        if last is None or not faces:
            return False
        age_s = now_s - last.time_s
        if self._beside is None:
            is_new = gap_s <= _LAG_S and 0 < age_s < 1.5 * gap_s
        else:
            is_new = 0 <= age_s <= _GAP_S and last.took_s > _IDLE_SHARE * gap_s
        if not is_new:
            return False
        return all(one[0].id in last.passed_over or last.carried.reaches(one, scale) for one in faces)

    def _has_others(self, sight: Sight, faces: Sequence[AlignedFace]) -> bool:
        """Whether anybody is somebody else than when they were read last."""
        last = self._last
        return last is not None and any(last.carried.is_another(one, sight.photo, sight.scale) for one in faces)

    def _read(
        self, sight: Sight, faces: Sequence[AlignedFace], places: Sequence[Box], time_s: float, *, steady: bool
    ) -> _Reading:
        began_s = time.perf_counter()
        self._readings += 1
        scene = self._fields.read(sight, steady=steady)
        before = self._last.carried.people if steady and self._last is not None else ()
        fitting = with_fitting_skin(scene, faces, before)
        passed_over = frozenset(face.id for face, _ in faces) - {face.id for face, _ in fitting}
        scene = without_things(scene)
        whole, places_seen = self._with_heads(scene, faces, fitting, places)
        parts = self._drawn
        people = people_in(whole, fitting, heads_alone=not parts.bodies, keep_person=parts.keeps_room)
        people = self._parts.steady(people, follows=steady)
        prepared = Prepared(whole, fitting, people, self._readings)
        carried = CarriedPeople.of(people, fitting, sight.photo, sight.scale)
        took_s = time.perf_counter() - began_s
        return _Reading(prepared, scene, carried, passed_over, not places_seen, time_s, took_s)

    def _carried_to(self, sight: Sight, faces: Sequence[AlignedFace], places: Sequence[Box]) -> Prepared:
        """Everybody as they were read last, where their heads are now."""
        last, heads_alone = self._last, not self._drawn.bodies
        photo_stays = heads_alone or self._drawn.keeps_room
        assert last is not None
        fitting = [one for one in faces if one[0].id not in last.passed_over]
        scene, has_places = self._with_heads(replace(last.scene, photo=sight.photo), faces, fitting, places)
        carried = last.carried.to(fitting)
        known = [carried_to(scene, face, *carried[face.id], photo_stays=photo_stays) for face, _ in fitting]
        strangers = last.prepared.people.strangers
        if has_places or not last.is_without_places:
            strangers = strangers_in(scene, fitting, heads_alone=heads_alone)
        return Prepared(scene, fitting, People(known, strangers), last.prepared.reading)

    def _with_heads(
        self, scene: SceneFields, faces: Sequence[AlignedFace], fitting: list[AlignedFace], places: Sequence[Box]
    ) -> tuple[SceneFields, bool]:
        """The scene with nobody to recognise where there is no mesh, and whether there are such places."""
        drawn, parts = {face.id for face, _ in fitting}, self._drawn
        everywhere = [*places, *(face.box for face, _ in faces if face.id not in drawn)]
        meshes = [face.box for face, _ in fitting]
        scene = with_heads_at(scene, everywhere, meshes, bodies_drawn=parts.bodies, room_drawn=parts.room)
        return scene, bool(everywhere)
