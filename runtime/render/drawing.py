"""Draws a frame in layers: ground, then each person from far to near: cloth, skin, features, hair, what lies over."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np
import skia

from toonfilter.runtime.backends.translator import Translator
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.proportions import Proportions
from toonfilter.runtime.render import layers
from toonfilter.runtime.render.beard import draw_beard
from toonfilter.runtime.render.canvas import canvas_on
from toonfilter.runtime.render.colour import colour_levels, lightened
from toonfilter.runtime.render.features.ages import proportions_for, skin_rules
from toonfilter.runtime.render.features.drawing import draw_features
from toonfilter.runtime.render.features.glasses import draw_glasses
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.ground import Ground, GroundPainter
from toonfilter.runtime.render.hair import draw_hair
from toonfilter.runtime.render.look import Look, LookAverage
from toonfilter.runtime.render.measures.measure import LookMeter
from toonfilter.runtime.render.measures.teeth import measure_teeth
from toonfilter.runtime.render.palette import (
    Palette,
    measure_palette,
    painted_colour,
    painted_colours,
    painted_hair,
    painted_skin,
)
from toonfilter.runtime.render.pencil import pencilled
from toonfilter.runtime.render.people import Person
from toonfilter.runtime.render.people_reader import DrawnParts, PeopleReader, Prepared
from toonfilter.runtime.render.renderer import AlignedFace
from toonfilter.runtime.render.scene import SceneFields
from toonfilter.runtime.render.shade import Light, fit_light
from toonfilter.runtime.render.tones import Swatches
from toonfilter.runtime.styles.style import BaseRules, Style

Extent = Literal["whole", "person", "head"]
_PALETTE_S = 1.5
"""Time constant of colours and light. Raising it calms them and follows a change of light later."""
_LIP_LIGHTER = 3.0
"""How much lighter lips are in pencil styles than in life, L*. Raising it leaves them whiter."""
_MEASURE_EVERY_S = 0.25
"""Time between two measurements, of colours and of features in turn. Raising it costs less and follows later."""
_UNKNOWN_UNIT = 0.09
"""Distance of the pupils of a person without a known face, in shorter sides of the frame."""

_COLOURLESS_LEVELS, _COLOURED_LEVELS = 14, 22
"""See `colour_levels`: up to the first a video is black and white, and then it stays so up to the second. Raising them
takes pale pictures for black and white ones."""


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
        palette = measure_palette(scene.photo, scene.planes, self.palette, self.look)
        self.palette = replace(self.palette.toward(palette, share), skin=self.look.skin)
        self.light = self.light.toward(fit_light(scene.photo, landmarks), share)
        self.colours_s = time_s

    def measure_teeth(self, scene: SceneFields, landmarks: Landmarks, time_s: float) -> None:
        """Teeth come and go with speech."""
        teeth = measure_teeth(scene.photo, landmarks, self.look.skin)
        self.look = self.average.update_teeth(teeth, time_s - self.teeth_s)
        self.teeth_s = time_s


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
        """is_live: fields are read less finely and beside the caller, so that there is time for the next frame."""
        self._style = style
        self._extent = extent
        ground = ground or Ground("keep" if extent != "whole" else "drawn")
        if ground.kind == "drawn" and style.base.fill == "paper":
            ground = Ground("paper")
        self._ground = GroundPainter(ground, style.base.ground_dots, style.base.ground_lightness)
        parts = DrawnParts(extent != "head", self.draws_whole_frame, not self._ground.is_opaque)
        self._reader = PeopleReader(translator, parts, is_live=is_live)
        self._memories: dict[int, _Memory] = {}
        self._was_colourless = False
        self._judged_reading: int | None = None

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

        places: where heads without a known face are; each becomes a head without features or, where all is drawn and
            the network sees no skin, smooth. Faces in much larger skin become places.

        Raises:
            BackendError: the engine failed.
        """
        return self._reader.prepare(image, faces, time_s, places)

    def render(
        self, image: Image, faces: Sequence[AlignedFace], time_s: float | None = None, prepared: Prepared | None = None
    ) -> None:
        """Draw the frame, in place. image: uint8 [H, W, 3] RGB; untouched when this raises."""
        prepared = prepared or self.prepare(image, faces, time_s)
        scene = prepared.scene
        if time_s is None:
            self._ground.forget()
            self._was_colourless, self._judged_reading = False, None
        ground = self._ground.paint(image, scene.photo, scene.planes["person"])
        is_pencil = self._style.base.fill == "paper"
        pixels = np.zeros((*ground.shape[:2], 4), np.uint8) if is_pencil else cv2.cvtColor(ground, cv2.COLOR_RGB2RGBA)
        canvas = canvas_on(pixels, is_opaque=not is_pencil)
        people = prepared.people
        self._memories = {
            one.face.id: self._memories[one.face.id] for one in people.known if one.face.id in self._memories
        }
        if people.strangers is not None:
            unit_px = _UNKNOWN_UNIT * min(scene.photo.shape[:2]) * scene.scale
            self._draw_strangers(canvas, people.strangers, unit_px)
        for person in people.known:
            self._draw_person(canvas, person, prepared, time_s)
        if is_pencil:
            np.copyto(image, pencilled(pixels, ground))
        else:
            cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB, dst=image)
            if self._style.base.saturation == 0 or self._is_colourless(prepared):
                # Nobody is pink in a black and white picture.
                cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB, dst=image)

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._reader.forget()
        self._ground.forget()
        self._memories = {}
        self._was_colourless, self._judged_reading = False, None

    def close(self) -> None:
        """See `FrameRenderer`."""
        self._reader.close()

    def _is_colourless(self, prepared: Prepared) -> bool:
        """Whether the video is black and white; it does not change its mind from frame to frame."""
        if prepared.reading != self._judged_reading:
            limit = _COLOURED_LEVELS if self._was_colourless else _COLOURLESS_LEVELS
            self._was_colourless = colour_levels(prepared.scene.photo) <= limit
            self._judged_reading = prepared.reading
        return self._was_colourless

    def _draw_person(self, canvas: skia.Canvas, person: Person, prepared: Prepared, time_s: float | None) -> None:
        scene = person.scene
        memory = self._remembered(person, prepared.scene, time_s)
        head = person.head.in_proportions(self._proportions(memory.look))
        memory.swatches.next_frame(head.middle, prepared.reading)
        swatches = None if time_s is None else memory.swatches
        figure = Figure(
            scene.photo, scene.planes, scene.to_frame, head.unit_px, head, head.warp.move, swatches, person.carry
        )
        palette = painted_colours(memory.palette, self._style.base)
        look = painted_look(memory.look, self._style.base)
        self._draw_figure(canvas, figure, palette, memory.light, look)

    def _proportions(self, look: Look) -> Proportions:
        proportions = proportions_for(look, self._style.proportions)
        if self.draws_whole_frame:
            return proportions
        # Hair that is lower than the person's own would show that above it.
        return replace(proportions, forehead=max(1.0, proportions.forehead))

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
        figure = figure.with_fields(layers.contested)
        layers.draw_silhouette(canvas, figure, palette, rules)
        layers.draw_skin(canvas, figure, palette.skin, light, rules if look is None else skin_rules(look, rules))
        layers.draw_cloth(canvas, figure, "cloth", palette.cloth, light, rules)
        draw_beard(canvas, figure, palette, light, rules)
        if look is not None and figure.head is not None:
            edge = layers.profile_silhouette(figure)
            draw_features(canvas, figure.head, look, self._style.features, rules.ink_black, edge)
        draw_hair(canvas, figure, palette.hair, light, rules)
        layers.draw_cloth(canvas, figure, "headwear", palette.headwear or palette.cloth, light, rules)
        if look is not None and figure.head is not None:
            draw_glasses(canvas, figure.head, look, self._style.features)
        layers.draw_cloth(canvas, figure, "over", palette.over, light, rules)

    def _draw_strangers(self, canvas: skia.Canvas, scene: SceneFields, unit_px: float) -> None:
        """People without a known face: flat figures without features."""
        palette = painted_colours(measure_palette(scene.photo, scene.planes), self._style.base)
        self._draw_figure(canvas, Figure(scene.photo, scene.planes, scene.to_frame, unit_px), palette, Light())

    def _remembered(self, person: Person, whole: SceneFields, time_s: float | None) -> _Memory:
        """Colours and light, measured now and then and averaged. whole: the frame, whose photo is newer than a person's
        fields."""
        key, scene = person.face.id, person.scene
        landmarks = scene.from_frame(person.read_at)
        last = self._memories.get(key)
        if last is None or time_s is None:
            meter, average, at_s = LookMeter(), LookAverage(), time_s or 0.0
            look = average.update(meter.measure(scene.photo, landmarks, scene.planes), 0.0)
            palette = measure_palette(scene.photo, scene.planes, look=look)
            palette = replace(palette, skin=look.skin)
            last = _Memory(palette, fit_light(scene.photo, landmarks), look, average, at_s, at_s, at_s, meter)
            self._memories[key] = last
        elif not 0 <= time_s - last.look_s < 2 * _MEASURE_EVERY_S:
            last.measure_look(scene, landmarks, time_s)
        elif not 0 <= time_s - last.colours_s < 2 * _MEASURE_EVERY_S and time_s - last.look_s >= _MEASURE_EVERY_S:
            last.measure_colours(scene, landmarks, time_s)
        else:
            last.measure_teeth(whole, whole.from_frame(person.face.landmarks), time_s)
        return last


def painted_look(look: Look, rules: BaseRules) -> Look:
    """The look with its colours as a style paints them."""
    look = replace(look, skin=painted_skin(look.skin, rules), shadow=painted_skin(look.shadow, rules))
    if rules.fill == "colour":
        lip, brow = painted_skin(look.lip, rules), painted_hair(look.brow, rules)
        return replace(look, lip=lip, brow=brow, iris=painted_colour(look.iris, rules))
    lip = lightened(look.lip + np.array([_LIP_LIGHTER, 0, 0], np.float32), rules.skin_lightness)
    glasses = look.glasses
    if glasses is not None:
        glasses = replace(glasses, colour=glasses.colour * np.array([1, 0.1, 0.1], np.float32))
    return replace(look, lip=lip, brow=lightened(look.brow, rules.hair_lightness), glasses=glasses)
