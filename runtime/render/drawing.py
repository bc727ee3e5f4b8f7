"""Draws a frame in layers: ground, then each person from far to near: cloth, skin, features, hair, what lies over."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import cv2
import numpy as np
import skia

from toonfilter.runtime.backends.translator import Translator
from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.landmarks import NOSE_TIP
from toonfilter.runtime.render import layers
from toonfilter.runtime.render.canvas import canvas_on
from toonfilter.runtime.render.colour_sense import with_colour_edges
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.drawing import draw_features
from toonfilter.runtime.render.features.glasses import draw_glasses
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.ground import Ground, GroundPainter
from toonfilter.runtime.render.live_size import live_scale, scaled_faces
from toonfilter.runtime.render.look import Look, LookAverage
from toonfilter.runtime.render.measures.measure import LookMeter
from toonfilter.runtime.render.measures.teeth import measure_teeth
from toonfilter.runtime.render.palette import Palette, measure_palette, painted_colour, painted_colours
from toonfilter.runtime.render.renderer import AlignedFace, far_to_near
from toonfilter.runtime.render.scene import LIVE_PLANES_PX, PLANES_PX, FieldsReader, SceneFields
from toonfilter.runtime.render.shade import Light, fit_light
from toonfilter.runtime.render.style import BaseRules, Style
from toonfilter.runtime.render.sure_regions import (
    bare_parts,
    head_alone,
    middle_of_face,
    with_heads_at,
    with_sure_face,
    with_sure_middle,
    without_islands,
    without_things,
    without_things_beside,
)
from toonfilter.runtime.render.tones import Swatches

Extent = Literal["whole", "person", "head"]
_PALETTE_S = 1.5
"""Time constant of colours and light. Raising it calms them and follows a change of light later."""
_GAP_S = 0.7
_PAPER = (246, 241, 228)
_COARSE_EVERY = 3
"""Every how many frames the whole frame is read. Raising it costs less; bodies and strangers lag behind."""
_FINE_EVERY = 2
"""Every how many live frames a head is read. Raising it costs less; hands and hair lag behind."""
_QUICK_S = 0.06
"""Gap between live frames below which that is not seen. Raising it costs less on slow cameras."""
_MEASURE_EVERY_S = 0.15
"""Time between two measurements, of colours and of features in turn. Raising it costs less and follows later."""
_LEAST_PERSON_PX = 60
"""Pixels of the planes that must show a person without a face. Raising it leaves more specks out."""
_DOUBTFUL_LEVEL = 40
_WINDOW_MARGIN_PX = 6
_UNKNOWN_UNIT = 0.09
"""Distance of the pupils of a person without a known face, in shorter sides of the frame."""


@dataclass(slots=True)
class _Memory:
    """What is known of a person, averaged over seconds. colours_s, look_s, teeth_s: when it was last measured.

    What is measured costs as much as a drawing; so no frame waits for all of it.
    """

    palette: Palette
    light: Light
    look: Look
    average: LookAverage
    colours_s: float
    look_s: float
    teeth_s: float
    meter: LookMeter
    swatches: Swatches = field(default_factory=Swatches)

    def measure_look(self, scene: SceneFields, landmarks: Landmarks, time_s: float) -> None:
        look = self.meter.measure(scene.photo, landmarks, scene.planes)
        self.look = self.average.update(look, max(0.0, time_s - self.look_s))
        self.palette = replace(self.palette, skin=self.look.skin)
        self.look_s = self.teeth_s = time_s

    def measure_colours(self, scene: SceneFields, landmarks: Landmarks, time_s: float) -> None:
        share = 1 - math.exp(-max(0.0, time_s - self.colours_s) / _PALETTE_S)
        palette = measure_palette(scene.photo, scene.planes, self.palette)
        self.palette = replace(self.palette.toward(palette, share), skin=self.look.skin)
        self.light = self.light.toward(fit_light(scene.photo, landmarks), share)
        self.colours_s = time_s

    def measure_teeth(self, scene: SceneFields, landmarks: Landmarks, time_s: float) -> None:
        """Teeth come and go with speech."""
        teeth = measure_teeth(scene.photo, landmarks, self.look.skin)
        self.look = self.average.update_teeth(teeth, time_s - self.teeth_s)
        self.teeth_s = time_s


@dataclass(frozen=True, slots=True)
class Prepared:
    """The fields of a frame and the faces they were read with, as the canvas has them.

    Both in px of the canvas. scale: of the canvas against the frame, at most 1.
    """

    scene: SceneFields
    faces: Sequence[AlignedFace]
    scale: float = 1.0


class LayeredRenderer:
    """Draws whole frames from the fields network's planes. `prepare` and `render` may run in two threads, in order."""

    def __init__(
        self,
        translator: Translator,
        style: Style,
        *,
        extent: Extent = "whole",
        ground: Ground | None = None,
        is_live: bool = False,
    ) -> None:
        """is_live: frames are drawn on a smaller canvas, so that there is time for the next one."""
        self._reader = FieldsReader(translator, LIVE_PLANES_PX if is_live else PLANES_PX)
        self._is_live = is_live
        self._style = style
        self._extent = extent
        ground = ground or Ground("keep" if extent != "whole" else "drawn")
        if ground.kind == "drawn" and style.base.fill == "paper":
            ground = Ground("colour", _PAPER)
        self._ground = GroundPainter(ground)
        self._memories: dict[int, _Memory] = {}
        self._read_at_s = -math.inf
        self._frame = 0

    @property
    def draws_whole_frame(self) -> bool:
        """Whether nothing of the frame's pixels is left."""
        return self._extent == "whole" and self._ground.is_opaque

    def prepare(
        self,
        image: Image,
        faces: Sequence[AlignedFace],
        time_s: float | None = None,
        places: Sequence[Box] = (),
    ) -> Prepared:
        """Read the fields. image: uint8 [H, W, 3] RGB, not changed.

        places: where heads without a known face are; each becomes a head without features, whatever the network sees.

        Raises:
            BackendError: the engine failed.
        """
        ordered = far_to_near(faces)
        gap_s = math.inf if time_s is None else time_s - self._read_at_s
        steady = 0 <= gap_s <= _GAP_S
        self._read_at_s = -math.inf if time_s is None else time_s
        heads = [(face.id, face.landmarks, transform) for face, transform in ordered]
        self._frame += 1
        coarse = not steady or self._frame % _COARSE_EVERY == 0
        fine_every = _FINE_EVERY if self._is_live and gap_s < _QUICK_S else 1
        scene = self._reader.read(image, heads, steady=steady, coarse=coarse, fine_every=fine_every)
        scene = with_heads_at(without_things(scene), places)
        scale = live_scale(image) if self._is_live and self._ground.is_opaque else 1.0
        if scale < 1:
            return Prepared(replace(scene, scale=scene.scale * scale), scaled_faces(ordered, scale), scale)
        return Prepared(scene, ordered)

    def render(
        self, image: Image, faces: Sequence[AlignedFace], time_s: float | None = None, prepared: Prepared | None = None
    ) -> None:
        """Draw the frame, in place. image: uint8 [H, W, 3] RGB; untouched when this raises."""
        prepared = prepared or self.prepare(image, faces, time_s)
        scene = prepared.scene
        height, width = image.shape[:2]
        size = (round(width * prepared.scale), round(height * prepared.scale))
        drawn = self._ground.paint(image, scene.photo, scene.planes["person"], size)
        pixels = cv2.cvtColor(drawn, cv2.COLOR_RGB2RGBA)
        canvas = canvas_on(pixels)
        self._memories = {face.id: self._memories[face.id] for face, _ in prepared.faces if face.id in self._memories}
        shares = _shares(scene, prepared.faces)
        self._draw_unknown(canvas, scene, shares[-1])
        for (face, _), share in zip(prepared.faces, shares, strict=False):
            self._draw_person(canvas, scene, face, share, time_s)
        if size == (width, height):
            cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB, dst=image)
            return
        small = cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB)
        cv2.resize(small, (width, height), dst=image, interpolation=cv2.INTER_LINEAR)

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._reader.forget()
        self._ground.forget()
        self._memories = {}
        self._read_at_s = -math.inf
        self._frame = 0

    def _draw_person(
        self, canvas: skia.Canvas, scene: SceneFields, face: Face, share: Plane | None, time_s: float | None
    ) -> None:
        head = FaceGeometry.of(face.landmarks, self._style.proportions, face.fit)
        planes = with_sure_face(scene.planes, scene.from_frame(face.landmarks))
        if self._extent == "head":
            planes = head_alone(planes, scene.from_frame(face.landmarks), head.unit_px / scene.scale)
        scene = _window(replace(scene, planes=planes), share)
        small = scene.from_frame(face.landmarks)
        unit = head.unit_px / scene.scale
        scene = replace(scene, planes=_cleared(scene, small, unit, keep_person=not self._ground.is_opaque))
        memory = self._remembered(face.id, scene, small, time_s)
        memory.swatches.next_frame(head.flat[NOSE_TIP])
        swatches = None if time_s is None else memory.swatches
        figure = Figure(scene.photo, scene.planes, scene.to_frame, head.unit_px, head, head.warp.move, swatches)
        palette = painted_colours(memory.palette, self._style.base)
        look = painted_look(memory.look, self._style.base)
        self._draw_figure(canvas, figure, palette, memory.light, look)

    def _draw_figure(
        self,
        canvas: skia.Canvas,
        figure: Figure,
        palette: Palette,
        light: Light,
        look: Look | None = None,
    ) -> None:
        """look: None draws a figure without features."""
        rules = self._style.base
        figure = replace(figure, fields=layers.contested(figure.fields))
        person = layers.draw_silhouette(canvas, figure, palette)
        layers.draw_skin(canvas, figure, palette.skin, light, rules)
        layers.draw_cloth(canvas, figure, "cloth", palette.cloth, rules)
        layers.draw_beard(canvas, figure, palette.skin, palette.beard, light, rules)
        if look is not None and figure.head is not None:
            draw_features(canvas, figure.head, look, self._style.features)
        layers.draw_hair(canvas, figure, palette.hair, light, rules)
        layers.draw_cloth(canvas, figure, "headwear", palette.headwear or palette.cloth, rules)
        if look is not None and figure.head is not None:
            draw_glasses(canvas, figure.head, look, self._style.features)
        layers.draw_cloth(canvas, figure, "over", palette.over, rules)
        layers.ink_silhouette(canvas, figure, person, palette, rules)

    def _draw_unknown(self, canvas: skia.Canvas, scene: SceneFields, share: Plane | None) -> None:
        """People without a known face: flat figures without features."""
        if self._extent == "head":
            scene = replace(scene, planes=bare_parts(scene.planes))
        person = scene.planes["person"] if share is None else cv2.min(scene.planes["person"], share)
        if int(np.count_nonzero(cv2.compare(person, 127, cv2.CMP_GT))) < _LEAST_PERSON_PX:
            return
        unit = _UNKNOWN_UNIT * min(scene.photo.shape[:2]) * scene.scale
        scene = _window(scene, share)
        palette = measure_palette(scene.photo, scene.planes)
        self._draw_figure(
            canvas,
            Figure(scene.photo, scene.planes, scene.to_frame, unit),
            painted_colours(palette, self._style.base),
            Light(),
        )

    def _remembered(self, key: int, scene: SceneFields, landmarks: Landmarks, time_s: float | None) -> _Memory:
        """Colours and light, measured now and then and averaged. landmarks: in px of the planes."""
        last = self._memories.get(key)
        if last is None or time_s is None:
            meter, average, at_s = LookMeter(), LookAverage(), time_s or 0.0
            look = average.update(meter.measure(scene.photo, landmarks, scene.planes), 0.0)
            palette = replace(measure_palette(scene.photo, scene.planes), skin=look.skin)
            last = _Memory(palette, fit_light(scene.photo, landmarks), look, average, at_s, at_s, at_s, meter)
            self._memories[key] = last
        elif not 0 <= time_s - last.look_s < 2 * _MEASURE_EVERY_S:
            last.measure_look(scene, landmarks, time_s)
        elif not 0 <= time_s - last.colours_s < 2 * _MEASURE_EVERY_S and time_s - last.look_s >= _MEASURE_EVERY_S:
            last.measure_colours(scene, landmarks, time_s)
        else:
            last.measure_teeth(scene, landmarks, time_s)
        return last


def _cleared(scene: SceneFields, landmarks: Landmarks, unit_px: float, *, keep_person: bool) -> dict[str, Plane]:
    """The planes of one person with edges where the colours change, and without patches that are not theirs.

    landmarks, unit_px: in px of the planes. keep_person: see `without_islands`.
    """
    middle = middle_of_face(landmarks, scene.photo.shape[:2], unit_px)
    planes = scene.planes if keep_person else without_things_beside(scene.planes, landmarks)
    planes = with_colour_edges(planes, scene.photo, unit_px, middle)
    planes = with_sure_middle(planes, landmarks, unit_px)
    nose = (float(landmarks[NOSE_TIP, 0]), float(landmarks[NOSE_TIP, 1]))
    return without_islands(planes, nose, unit_px, keep_person=keep_person)


def painted_look(look: Look, rules: BaseRules) -> Look:
    """The look with its colours as a style paints them."""
    if rules.fill == "colour" and rules.saturation == 1:
        return look
    names = ("skin", "shadow", "lip", "brow", "iris")
    colours: dict[str, Any] = {name: painted_colour(getattr(look, name), rules) for name in names}
    if rules.fill == "paper":
        colours["brow"] = look.brow * np.array([1, 0.2, 0.2], np.float32)
        colours["iris"] = look.iris * np.array([1, 0.2, 0.2], np.float32)
        if look.glasses is not None:
            grey = replace(look.glasses, colour=look.glasses.colour * np.array([1, 0.1, 0.1], np.float32))
            return replace(look, **colours, glasses=grey)
    return replace(look, **colours)


def _window(scene: SceneFields, share: Plane | None) -> SceneFields:
    """The part of the scene in which one person lies. share: uint8 [h, w], 255 where it is theirs; None: everywhere."""
    planes = scene.planes
    if share is not None:
        planes = {name: one if name in ("tone", "ink") else cv2.min(one, share) for name, one in planes.items()}
    left, top, width, height = cv2.boundingRect(cv2.compare(planes["person"], _DOUBTFUL_LEVEL, cv2.CMP_GT))
    margin = _WINDOW_MARGIN_PX
    whole = SceneFields(scene.photo, planes, scene.scale, scene.origin)
    return whole.cut(left - margin, top - margin, left + width + margin, top + height + margin)


def _shares(scene: SceneFields, faces: Sequence[AlignedFace]) -> list[Plane | None]:
    """Which part of the picture belongs to each face, and last to nobody known."""
    height, width = scene.photo.shape[:2]
    person = scene.planes["person"]
    if not faces:
        return [None]
    step = 8
    grid = np.stack(np.meshgrid(np.arange(0, width, step), np.arange(0, height, step)), -1) * scene.scale
    costs = []
    for _, transform in faces:
        centre = np.array([transform.centre_x_px, transform.centre_y_px])
        apart = (grid - centre) / transform.side_px
        apart[..., 1] = np.where(apart[..., 1] > 0, apart[..., 1] * 0.35, apart[..., 1])
        costs.append(np.hypot(apart[..., 0], apart[..., 1]))
    stacked = np.stack(costs)
    owner = stacked.argmin(0)
    owner[stacked.min(0) > 1.6] = len(faces)
    coarse = cv2.resize(person, (grid.shape[1], grid.shape[0]), interpolation=cv2.INTER_AREA)
    _, blobs = cv2.connectedComponents(cv2.compare(coarse, 100, cv2.CMP_GE))
    for blob in range(1, int(blobs.max()) + 1):
        # What hangs together with a known person is theirs, however far it reaches.
        inside = blobs == blob
        if (owner[inside] < len(faces)).any():
            stranger = inside & (owner == len(faces))
            owner[stranger] = stacked[:, stranger].argmin(0)
    if len(faces) == 1 and not (owner[blobs > 0] == 1).any():
        return [None, np.zeros((height, width), np.uint8)]
    shares = []
    for number in range(len(faces) + 1):
        mine = cv2.resize((owner == number).astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
        shares.append(mine)
    return shares
