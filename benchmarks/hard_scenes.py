"""Scenes that are hard for privacy: turned heads, crowds, people close together, cuts, faces of one frame, edges."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from toonfilter.benchmarks.face_scenes import SCENES, Actor, Scene, Shot

_WIDE = 16 / 9


class HardScene(NamedTuple):
    """A script, and the size of its frames: width, height px."""

    script: Scene
    size: tuple[int, int] = (640, 360)


def _swayed(n: int, who: int, x: float, y: float, height: float, roll: float = 0.0) -> Actor:
    """Somebody who sits still, as far as people do."""
    return Actor(x + 0.012 * math.sin(n / 5 + who), y + 0.01 * math.sin(n / 7 + 2 * who), height, roll, who=who)


def _host(n: int) -> Actor:
    return _swayed(n, 0, 1.3, 0.55, 0.32)


def _rolled(roll: float) -> Scene:
    def script(frames: int) -> Iterator[Shot]:
        for n in range(frames):
            yield Shot([_swayed(n, 1, 0.45, 0.45, 0.3, roll), _host(n)])

    return script


def _rolls_over(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(0.9, 0.5, 0.4, 360 * n / frames, who=1)])


def _roll_jumps(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(0.9, 0.5, 0.4, (0, 90, 180, 270, 45, 135)[n // 6 % 6], who=1)])


def _gallery(columns: int, *, is_filling: bool = False, is_switching: bool = False) -> Scene:
    """columns x columns people; is_filling: one more in every second frame. is_switching: others in every eighth."""

    def script(frames: int) -> Iterator[Shot]:
        for n in range(frames):
            actors = []
            for place in range(columns * columns):
                if is_filling and place > 1 + n // 2:
                    continue
                if is_switching and (place + n // 8) % 3:
                    continue
                column, row = place % columns, place // columns
                who = place + (n // 8 if is_switching else 0)
                x, y = (column + 0.5) / columns * _WIDE, (row + 0.5) / columns
                actors.append(_swayed(n, who, x, y, 0.42 / columns))
            yield Shot(actors)

    return script


def _close(distance: float, roll: float) -> Scene:
    def script(frames: int) -> Iterator[Shot]:
        for n in range(frames):
            sway = 0.02 * math.sin(n / 4)
            yield Shot(
                [
                    Actor(0.9 - 0.18 * distance + sway, 0.5, 0.36, roll, who=1),
                    Actor(0.9 + 0.18 * distance - sway, 0.51, 0.4, -roll),
                ]
            )

    return script


def _hug(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        way = min(1.0, 1.6 * n / frames)
        yield Shot(
            [Actor(0.3 + 0.45 * way, 0.5, 0.36, 14 * way, who=1), Actor(1.5 - 0.45 * way, 0.52, 0.38, -14 * way)]
        )


def _lap(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([_swayed(n, 0, 0.95, 0.3, 0.3), _swayed(n, 1, 0.85, 0.62, 0.26, 6)])


def _cuts(every: int) -> Scene:
    def script(frames: int) -> Iterator[Shot]:
        for n in range(frames):
            cut = n // every
            actors = [_swayed(n, 3 * cut, 0.5 + 0.3 * (cut % 3), 0.5, 0.3)]
            if cut % 2:
                actors.append(_swayed(n, 3 * cut + 1, 1.5, 0.45, 0.25))
            yield Shot(actors, room=10 + cut)

    return script


def _flashes(period: int, shown: int) -> Scene:
    """A second face is there for a few frames only."""

    def script(frames: int) -> Iterator[Shot]:
        for n in range(frames):
            flash, moment = divmod(n, period)
            x, y = ((0.3, 0.3), (0.4, 0.65), (0.7, 0.3))[flash % 3]
            there = [Actor(x, y, 0.25, who=1 + flash)] if moment >= period - shown else []
            yield Shot([*there, _host(n)])

    return script


def _whip_pan(frames: int) -> Iterator[Shot]:
    before = 0.0
    for n in range(frames):
        way = 0.5 - 0.5 * math.cos(math.pi * min(1.0, max(0.0, (n % 16 - 6) / 5)))
        pan = 2.2 * (way if n // 16 % 2 == 0 else 1 - way)
        blur_px = int(200 * abs(pan - before))
        before = pan
        actors = [
            Actor(0.6 - pan, 0.5, 0.35, who=0),
            Actor(1.9 - pan, 0.5, 0.35, who=1),
            Actor(3.0 - pan, 0.5, 0.35, who=2),
        ]
        yield Shot(actors, pan=-pan, blur_px=blur_px)


def _edge(side: str) -> Scene:
    """Peeks over an edge, then comes in and goes again."""

    def script(frames: int) -> Iterator[Shot]:
        for n in range(frames):
            depth = 0.04 + 0.16 * math.sin(math.pi * n / frames)
            x, y = {
                "bottom": (0.4, 1.1 - depth),
                "top": (0.4, -0.1 + depth),
                "left": (-0.1 + depth, 0.5),
                "right": (_WIDE + 0.1 - depth, 0.5),
            }[side]
            yield Shot([Actor(x, y, 0.3, who=1), _swayed(n, 0, 0.95, 0.5, 0.3)])

    return script


def _small(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        small = [_swayed(n, 1 + k, 0.15 + 0.27 * k, 0.2, px / 720) for k, px in enumerate((20, 26, 32, 40, 50, 60))]
        yield Shot([*small, _swayed(n, 0, 0.9, 0.65, 0.3)])


def _small_alone(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([_swayed(n, k, 0.3 + 0.55 * k, 0.5, px / 720) for k, px in enumerate((40, 50, 60))])


def _very_near(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(0.9 + 0.1 * math.sin(n / 6), 0.5 + 0.1 * math.sin(n / 8), 0.95 + 0.35 * math.sin(n / 9))])


def _walks_nearer(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(0.5, 0.4 + 0.1 * n / frames, 0.05 + 0.3 * n / frames, who=1), _host(n)])


def _walks_through(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        actors = [Actor(-0.1 + 0.35 * (n % 16), 0.4, 0.26, who=1 + n // 16)] if n % 16 < 6 else []
        yield Shot([*actors, _host(n)])


def _veiled(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(0.45, 0.5, 0.36, cover=(-0.3, 0.45, 1.3, 1.6), who=1), _host(n)])


def _goggles(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(0.45, 0.5, 0.36, cover=(-0.1, 0.1, 1.1, 0.42), who=1), _host(n)])


def _half_hidden(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([Actor(0.45, 0.5, 0.36, cover=(0.45 + 0.1 * math.sin(n / 6), -0.3, 1.4, 1.4), who=1), _host(n)])


def _fades_in(frames: int) -> Iterator[Shot]:
    for n in range(frames):
        yield Shot([_swayed(n, 1, 0.9, 0.5, 0.35)], light=0.04 + 0.96 * n / frames)


HARD_SCENES: dict[str, HardScene] = {
    **{f"rolled by {roll} degrees": HardScene(_rolled(roll)) for roll in (35, 60, 90, 135, 180, 225, 270)},
    "rolls over": HardScene(_rolls_over),
    "roll jumps": HardScene(_roll_jumps),
    "gallery of 9": HardScene(_gallery(3), (1280, 720)),
    "gallery of 25": HardScene(_gallery(5), (1280, 720)),
    "gallery of 49": HardScene(_gallery(7), (1920, 1080)),
    "gallery fills": HardScene(_gallery(4, is_filling=True), (1280, 720)),
    "gallery switches": HardScene(_gallery(3, is_switching=True), (1280, 720)),
    "close heads": HardScene(_close(0.9, 8)),
    "cheek to cheek": HardScene(_close(0.75, 12)),
    "hug": HardScene(_hug),
    "child on a lap": HardScene(_lap),
    "cuts": HardScene(_cuts(10)),
    "fast cuts": HardScene(_cuts(4)),
    "face for one frame": HardScene(_flashes(6, 1)),
    "face for two frames": HardScene(_flashes(7, 2)),
    "whip pan": HardScene(_whip_pan),
    **{f"{side} edge": HardScene(_edge(side)) for side in ("bottom", "top", "left", "right")},
    "small beside large": HardScene(_small, (1280, 720)),
    "small alone": HardScene(_small_alone, (1280, 720)),
    "very near": HardScene(_very_near),
    "walks nearer": HardScene(_walks_nearer, (1280, 720)),
    "walks through": HardScene(_walks_through),
    "veiled": HardScene(_veiled),
    "goggles": HardScene(_goggles),
    "half hidden": HardScene(_half_hidden),
    "light comes on": HardScene(_fades_in),
}
ALL_SCENES: dict[str, HardScene] = {**{name: HardScene(script) for name, script in SCENES.items()}, **HARD_SCENES}
