"""Training samples: a person of the store before some room, in some light, with things that the labels know exactly."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.fields import FIELDS, FieldName, draw_mesh_plane, field_index
from toonfilter.runtime.geometry.landmarks import FACE_SIDES, HEAD_POINTS
from toonfilter.train.data.fields.bodies import stand
from toonfilter.train.data.fields.drawn_glasses import put_on_glasses
from toonfilter.train.data.fields.headgear import put_on_cap, put_on_scarf, shave
from toonfilter.train.data.fields.labels import COMPLETE, UNKNOWN
from toonfilter.train.data.fields.layers import Layer, Matrix, paste, take
from toonfilter.train.data.fields.light import change_light, change_regions, photograph
from toonfilter.train.data.fields.occluders import hold_microphone, lay_hand, put_on_headwear, put_on_mask
from toonfilter.train.data.fields.store import SIDE_PX, LabelStore

_RARE_HEADWEAR = {"hat": 1.6, "scarf": 3.0, "turban": 4.0, "hood": 2.0, "helmet": 4.0, "headphones": 5.0, "band": 1.5}
"""How much more often a picture with such headwear is drawn: there are few of them."""
_CORRECTED_WEIGHT = 3.0
"""The same for pictures whose labels somebody corrected: they were chosen for being hard, and hold."""
_NEEDS_ATTRIBUTES: tuple[FieldName, ...] = ("skin", "beard", "headwear", "glasses", "over")


@dataclass(frozen=True, slots=True)
class CompositionSettings:
    """How often things happen, 0 to 1, and how large heads are.

    other_room, far, no_mesh, any_roll: share of samples before another background, with small people in a wide view,
    without the mesh plane, with any roll. glasses, headwear, hand, mask, microphone: share of near faces that get one.
    painted_headgear: share of near faces that get a painted cap or scarf, or are shaved.
    near_zoom, far_zoom: how much wider than the stored picture the sample is.
    """

    other_room: float = 0.5
    far: float = 0.3
    no_mesh: float = 0.35
    any_roll: float = 0.08
    glasses: float = 0.3
    headwear: float = 0.14
    painted_headgear: float = 0.16
    hand: float = 0.12
    mask: float = 0.04
    microphone: float = 0.05
    near_zoom: tuple[float, float] = (0.62, 1.45)
    far_zoom: tuple[float, float] = (1.6, 5.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """image: uint8 [S, S, 4], RGB and the mesh plane. planes: uint8 [S, S, 9]. known: float32 [9], 0 where unknown."""

    image: NDArray[np.uint8]
    planes: NDArray[np.uint8]
    known: NDArray[np.float32]


class Composer:
    """Makes samples from the pictures `indices` of a store; hands uint8 [N, 160, 160, 4]: see `hands`.

    shares: how often each of them that has labels is drawn, float64 [N], sum 1.
    """

    def __init__(
        self,
        store: LabelStore,
        indices: NDArray[np.int64],
        hands: NDArray[np.uint8],
        settings: CompositionSettings | None = None,
    ) -> None:
        self._store, self._hands = store, hands
        self.settings = settings or CompositionSettings()
        entries = store.entries
        self._indices = np.array([i for i in indices if entries[i].labelled != UNKNOWN], np.int64)
        self.shares = np.array([_weight(store, int(i)) for i in self._indices])
        self.shares /= self.shares.sum()
        self._hats: dict[str, list[int]] = {}
        for index in self._indices:
            kind = entries[index].attributes.headwear
            if kind not in ("none", "headphones"):
                self._hats.setdefault(kind, []).append(int(index))
        self._rooms = [int(i) for i in self._indices if entries[i].source not in ("us_congress_gpo",)]

    def sample(self, number: int, side_px: int, seed: int = 0) -> Sample:
        """The sample with this number; the same number always gives the same sample."""
        rng = np.random.default_rng((seed, number))
        if rng.random() < self.settings.far:
            return self._far(rng, side_px)
        return self._near(rng, side_px)

    def _near(self, rng: np.random.Generator, side_px: int) -> Sample:
        chosen = self.settings
        index = int(rng.choice(self._indices, p=self.shares))
        zoom = float(np.exp(rng.uniform(*np.log(chosen.near_zoom))))
        roll = _roll(rng, chosen.any_roll)
        other_room = rng.random() < chosen.other_room or zoom > 1.1
        matrix = _placement(rng, zoom, roll, side_px, shift=0.07)
        if other_room and rng.random() < 0.8:
            # Nobody floats: the lower edge of the cut-out lies below that of the sample.
            lowest = matrix @ np.array([SIDE_PX / 2, SIDE_PX, 1])
            matrix[1, 2] += max(0.0, side_px - lowest[1])
        mirror = bool(rng.random() < 0.5)
        person = take(self._store, index, matrix, side_px, foreground=other_room, mirror=mirror)
        attributes = self._store.entries[index].attributes
        complete = self._store.entries[index].labelled == COMPLETE
        if complete:
            self._dress(person, index, matrix, side_px, mirror, rng)
        change_regions(person, rng)
        if other_room:
            room = self._room(rng, side_px)
            paste(room, person)
            room.landmarks, person = person.landmarks, room
        if complete and attributes.over == "none":
            self._cover(person, rng)
        known = np.ones(len(FIELDS), np.float32)
        if not complete:
            known[[field_index(name) for name in _NEEDS_ATTRIBUTES]] = 0
        if attributes.over not in ("none", "") and complete:
            known[field_index("over")] = 0
        return self._finish([person], known, rng, told=rng.random() >= chosen.no_mesh)

    def _dress(
        self, person: Layer, index: int, matrix: Matrix, side_px: int, mirror: bool, rng: np.random.Generator
    ) -> None:
        attributes = self._store.entries[index].attributes
        painted = rng.random()
        if attributes.headwear == "none" and painted < self.settings.painted_headgear:
            if attributes.hair == "short" and rng.random() < 0.35:
                shave(person, rng)
            elif rng.random() < 0.75:
                put_on_cap(person, rng)
            else:
                put_on_scarf(person, rng)
        elif attributes.headwear == "none" and self._hats and rng.random() < self.settings.headwear:
            kind = list(self._hats)[int(rng.integers(len(self._hats)))] if rng.random() < 0.5 else "hat"
            donors = self._hats.get(kind) or next(iter(self._hats.values()))
            donor = donors[int(rng.integers(len(donors)))]
            onto = _head_to_head(self._store["mesh"][donor], self._store["mesh"][index])
            if onto is not None:
                square = np.vstack([onto, [0, 0, 1]])
                mirrored = matrix @ np.array([[-1, 0, SIDE_PX - 1], [0, 1, 0], [0, 0, 1]]) if mirror else matrix
                hat = take(self._store, donor, mirrored @ square, side_px, foreground=True, mirror=False)
                put_on_headwear(person, hat, rng)
        if attributes.glasses == "none" and rng.random() < self.settings.glasses:
            put_on_glasses(person, rng)

    def _cover(self, person: Layer, rng: np.random.Generator) -> None:
        if rng.random() < self.settings.mask:
            put_on_mask(person, rng)
        if rng.random() < self.settings.microphone:
            hold_microphone(person, rng)
        if rng.random() < self.settings.hand:
            lay_hand(person, self._hands, rng)

    def _far(self, rng: np.random.Generator, side_px: int) -> Sample:
        view = self._room(rng, side_px)
        people = []
        known = np.ones(len(FIELDS), np.float32)
        for _ in range(int(rng.choice([1, 1, 2, 3]))):
            index = int(rng.choice(self._indices, p=self.shares))
            zoom = float(np.exp(rng.uniform(*np.log(self.settings.far_zoom))))
            matrix = _far_placement(rng, zoom, side_px)
            mirror = bool(rng.random() < 0.5)
            person = take(self._store, index, matrix, side_px, foreground=True, mirror=mirror)
            attributes = self._store.entries[index].attributes
            if self._store.entries[index].labelled != COMPLETE:
                known[[field_index(name) for name in _NEEDS_ATTRIBUTES]] = 0
            elif attributes.glasses == "none" and rng.random() < self.settings.glasses:
                put_on_glasses(person, rng)
            change_regions(person, rng)
            lowest = matrix @ np.array([SIDE_PX / 2, SIDE_PX, 1])
            in_front = bool(rng.random() < 0.5)
            if not in_front:
                paste(view, person)
            stand(view, person, float(lowest[1]), self._hands, rng)
            if in_front:
                paste(view, person)
            people.append(person)
        layers = [view, *people]
        return self._finish(layers, known, rng, told=rng.random() < 0.25)

    def _room(self, rng: np.random.Generator, side_px: int) -> Layer:
        """A background without people: of another picture, sharp or blurred, or painted."""
        if rng.random() < 0.7:
            index = self._rooms[int(rng.integers(len(self._rooms)))]
            matrix = _placement(rng, float(rng.uniform(0.4, 1.0)), rng.normal(0, 0.1), side_px, shift=0.15)
            if rng.random() < 0.5:
                matrix = matrix @ np.array([[-1, 0, SIDE_PX - 1], [0, 1, 0], [0, 0, 1]])
            photo = self._store["background"][index]
            picture = cv2.warpAffine(photo, matrix, (side_px, side_px), borderMode=cv2.BORDER_REFLECT_101)
            picture = picture.astype(np.float32) / 255
            if rng.random() < 0.4:
                _furnish(picture, rng)
        else:
            picture = _painted_room(rng, side_px)
        if rng.random() < 0.3:
            picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 6) * side_px / 224)
        picture = np.clip(picture * np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.1, 3)), 0, 1)
        planes = np.zeros((side_px, side_px, len(FIELDS)), np.float32)
        planes[..., field_index("tone")] = cv2.GaussianBlur(picture.mean(-1).astype(np.float32), (0, 0), side_px / 90)
        return Layer(picture.astype(np.float32), planes, None)

    def _finish(
        self, layers: list[Layer], known: NDArray[np.float32], rng: np.random.Generator, *, told: bool
    ) -> Sample:
        picture = layers[0]
        change_light(picture, rng)
        side = picture.picture.shape[0]
        image = np.zeros((side, side, 4), np.uint8)
        image[..., :3] = photograph(picture.picture, rng)
        if told:
            mesh = np.zeros((side, side), np.uint8)
            for layer in layers:
                if layer.landmarks is not None:
                    wrong = rng.normal(0, 0.008, 2) * np.ptp(layer.landmarks[:, 1])
                    draw_mesh_plane(mesh, layer.landmarks[:, :2] + wrong)
            image[..., 3] = mesh
        planes = np.clip(picture.planes * 255 + 0.5, 0, 255).astype(np.uint8)
        return Sample(image, planes, known)


def plain_sample(store: LabelStore, index: int, side_px: int, *, told: bool) -> Sample:
    """A stored picture as it is, for validation."""
    matrix = _centred(1.0, 0.0, side_px, np.zeros(2))
    layer = take(store, index, matrix, side_px, foreground=False, mirror=False)
    image = np.zeros((side_px, side_px, 4), np.uint8)
    image[..., :3] = np.clip(layer.picture * 255 + 0.5, 0, 255).astype(np.uint8)
    if told and layer.landmarks is not None:
        mesh = np.zeros((side_px, side_px), np.uint8)
        draw_mesh_plane(mesh, layer.landmarks)
        image[..., 3] = mesh
    known = np.ones(len(FIELDS), np.float32)
    if store.entries[index].labelled != COMPLETE:
        known[[field_index(name) for name in _NEEDS_ATTRIBUTES]] = 0
    return Sample(image, np.clip(layer.planes * 255 + 0.5, 0, 255).astype(np.uint8), known)


def _weight(store: LabelStore, index: int) -> float:
    """Rare things more often, plain portraits before one blue backdrop less."""
    entry, chosen = store.entries[index], store.entries[index].attributes
    weight = {"us_congress_gpo": 0.6, "face_research_lab_london": 2.0, "webmorph_canada": 2.0}.get(entry.source, 1.0)
    if entry.labelled == COMPLETE:
        weight *= 1.5
        rare = (chosen.headwear != "none", chosen.facial_hair in ("beard", "goatee", "moustache"),
                chosen.glasses != "none", chosen.hair in ("long", "tied"))  # fmt: skip
        weight *= 2.5 if chosen.hair == "bald" else 1.0
        weight *= _RARE_HEADWEAR.get(chosen.headwear, 1.0)
        weight *= _CORRECTED_WEIGHT if entry.corrected else 1.0
        weight *= 1 + 0.8 * rare[0] + 0.6 * rare[1] + 0.5 * rare[2] + 0.4 * rare[3]
    return weight


def _roll(rng: np.random.Generator, any_roll: float) -> float:
    if rng.random() < any_roll:
        return float(rng.uniform(-np.pi, np.pi))
    return float(rng.normal(0, 0.2))


def _centred(zoom: float, roll: float, side_px: int, shift_px: NDArray[np.float64]) -> Matrix:
    scale = side_px / (SIDE_PX * zoom)
    turn = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    middle = np.array([(SIDE_PX - 1) / 2] * 2)
    target = np.array([(side_px - 1) / 2] * 2) + shift_px
    return np.column_stack([turn, target - turn @ middle])


def _placement(rng: np.random.Generator, zoom: float, roll: float, side_px: int, *, shift: float) -> Matrix:
    return _centred(zoom, roll, side_px, rng.normal(0, shift, 2) * side_px)


def _far_placement(rng: np.random.Generator, zoom: float, side_px: int) -> Matrix:
    """Most people are cut off by the lower edge, as those who sit before a camera."""
    size = side_px / zoom
    x = rng.uniform(-0.5, 0.5) * (side_px - 0.6 * size)
    lowest = (side_px - size) / 2
    # Or they stand, their bodies below.
    y = lowest + rng.uniform(-0.02, 0.3) * size if rng.random() < 0.5 else rng.uniform(-lowest, 0.7 * lowest)
    return _centred(zoom, float(rng.normal(0, 0.08)), side_px, np.array([x, y]))


def _head_to_head(donor: NDArray[np.float32], receiver: NDArray[np.float32]) -> Matrix | None:
    """Similarity from one stored picture to another; None where the heads are turned differently."""
    turned = []
    for mesh in (donor, receiver):
        left, right, nose = mesh[FACE_SIDES[0], 0], mesh[FACE_SIDES[1], 0], mesh[1, 0]
        turned.append((nose - (left + right) / 2) / max(abs(right - left), 1.0))
    if abs(turned[0] - turned[1]) > 0.12:
        return None
    points = list(HEAD_POINTS)
    matrix, _ = cv2.estimateAffinePartial2D(donor[points, :2], receiver[points, :2], method=cv2.LMEDS)
    return None if matrix is None else np.asarray(matrix, np.float64)


def _painted_room(rng: np.random.Generator, side_px: int) -> NDArray[np.float32]:
    """A wall with a gradient, and some boxes: shelves, windows, screens, furniture."""
    y, x = np.mgrid[:side_px, :side_px].astype(np.float32) / side_px
    first, second = rng.uniform(0.05, 0.95, (2, 3))
    ramp = np.clip(x * rng.normal(0, 0.7) + y * rng.normal(0, 0.7) + 0.5, 0, 1)[..., None]
    picture = (first * (1 - ramp) + second * ramp).astype(np.float32)
    _furnish(picture, rng)
    grain = rng.standard_normal((side_px // 4, side_px // 4), np.float32) * np.float32(rng.uniform(0, 0.08))
    picture += cv2.resize(grain, (side_px, side_px), interpolation=cv2.INTER_CUBIC)[..., None]
    room: NDArray[np.float32] = np.clip(picture, 0, 1)
    return room


def _furnish(picture: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Boxes, discs and lines, some of them in rows as books and blinds are."""
    side_px = picture.shape[0]
    first = rng.uniform(0.05, 0.95, 3)
    for _ in range(int(rng.integers(0, 14))):
        corner, extent = rng.uniform(-0.2, 1.0, 2) * side_px, rng.uniform(0.03, 0.6, 2) * side_px
        colour = rng.uniform(0, 1, 3) if rng.random() < 0.5 else first * rng.uniform(0.4, 1.6)
        low = tuple(int(value) for value in corner)
        high = tuple(int(value) for value in corner + extent)
        if rng.random() < 0.75:
            cv2.rectangle(picture, low, high, [float(c) for c in colour], -1 if rng.random() < 0.7 else 2)
        else:
            cv2.circle(picture, low, int(extent[0] / 2) + 1, [float(c) for c in colour], -1)
    if rng.random() < 0.4:
        start, step = rng.uniform(0, 0.8, 2) * side_px, rng.uniform(3, 14) * side_px / 192
        length = rng.uniform(0.1, 0.5) * side_px
        along = np.array([step, 0.0]) if rng.random() < 0.5 else np.array([0.0, step])
        extent = np.where(along > 0, step * 0.8, length)
        for number in range(int(rng.integers(3, 16))):
            box = np.array([start + along * number, start + along * number + extent]).astype(int).tolist()
            tint = [float(c) for c in np.clip(first * rng.uniform(0.5, 1.5, 3), 0, 1)]
            cv2.rectangle(picture, tuple(box[0]), tuple(box[1]), tint, -1)
