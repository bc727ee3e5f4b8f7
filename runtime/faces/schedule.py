"""When the detector looks where: the routine that sees everything in turn, and what cannot wait."""

from toonfilter.runtime.faces.config import TrackingConfig
from toonfilter.runtime.faces.detector import (
    NETWORKS,
    TURNS,
    DetectionPass,
    Network,
    search_parts,
    thorough_passes,
    tiles,
)
from toonfilter.runtime.faces.motion import Change
from toonfilter.runtime.geometry.box import Box

_TURNED = [DetectionPass(network, "whole", turn) for turn in TURNS[1:] for network in NETWORKS]
_EDGES = [
    DetectionPass("short", "sides"),
    DetectionPass("short", "ends"),
    DetectionPass("full", "sides"),
    DetectionPass("full", "ends"),
]
_SLOTS = 5
"""Passes of the routine, in each `detect_every` beats."""


class DetectionSchedule:
    """What the detector does in each beat. All of the routine comes in turn, so that most beats have one pass or none.

    The routine, every `detect_every` beats: the whole picture by each network; an edge; a part of the picture; and the
    whole picture turned. Edges, parts and turns each advance by one.
    """

    def __init__(self, config: TrackingConfig) -> None:
        self._config = config
        self.detect_every = config.search.detect_every
        self.beat = 0
        self._routine = self._urgent = 0
        self._cut_at: int | None = None

    def passes(
        self, width: int, height: int, change: Change, *, is_new: bool, is_searching: bool
    ) -> list[DetectionPass]:
        """The passes for this beat. is_new: nothing was looked at before. is_searching: somebody was there just now."""
        self.beat += 1
        if is_new or (change.is_cut and self._may_be_thorough()):
            self._cut_at = self.beat
            return self._everything(width, height)
        # Everything in the routine has its turn in `detect_every` beats.
        first, end = (beat * _SLOTS // self.detect_every for beat in (self.beat - 1, self.beat))
        routine = [self._in_turn(slot % _SLOTS, width, height) for slot in range(first, end)]
        urgent = self._for_change(change.around, width, height)
        if change.around is None and is_searching:
            urgent = [DetectionPass("full")]
        most_urgent = self._config.schedule.most_urgent
        if len(urgent) >= most_urgent and routine and self.beat % 2:
            urgent.pop()
        return list(dict.fromkeys(urgent + (routine if len(urgent) < most_urgent else [])))

    @property
    def is_thorough(self) -> bool:
        """Whether this beat looks everywhere."""
        return self._cut_at == self.beat

    def _may_be_thorough(self) -> bool:
        return self._cut_at is None or self.beat - self._cut_at >= self._config.search.cut_beats

    def _everything(self, width: int, height: int) -> list[DetectionPass]:
        """As for a picture on its own; while somebody waits, faces on their side only where they are large."""
        if self._config.is_patient:
            return thorough_passes(width, height, self._config)
        return thorough_passes(width, height, self._config, TURNS[:1]) + _TURNED

    def _in_turn(self, slot: int, width: int, height: int) -> DetectionPass:
        number = self._routine
        if slot == _SLOTS - 1:
            self._routine += 1
        parts = search_parts(width, height, self._config)
        match slot:
            case 0:
                return DetectionPass("full")
            case 1:
                return _EDGES[number % len(_EDGES)]
            case 2:
                return DetectionPass("short")
            case 3 if parts:
                turned, since = divmod(number, self._config.schedule.turned_every)
                if since == 0:
                    return DetectionPass("full", parts[turned % len(parts)], TURNS[1 + turned // len(parts) % 3])
                return DetectionPass("full", parts[(number - turned) % len(parts)])
            case _:
                return _TURNED[(number + (slot == 3) * len(_TURNED) // 2) % len(_TURNED)]

    def _for_change(self, around: Box | None, width: int, height: int) -> list[DetectionPass]:
        """An edge where something comes in, and the place of the change: closely, if it is small."""
        if around is None:
            return []
        self._urgent += 1
        config, urgent = self._config, []
        at_edge, turned_every = config.schedule.at_edge, config.schedule.turned_every
        is_everywhere = around.width > config.change.large * width and around.height > config.change.large * height
        # A small change may be a small face, which only a closer look finds.
        is_small = max(around.width, around.height) < config.change.small * height
        if not is_everywhere:
            network: Network = "full" if is_small else "short"
            if around.left < at_edge * width or around.right > (1 - at_edge) * width:
                urgent.append(DetectionPass(network, "sides"))
            elif around.top < at_edge * height or around.bottom > (1 - at_edge) * height:
                urgent.append(DetectionPass(network, "ends"))
        turn = TURNS[self._urgent // turned_every % len(TURNS)] if self._urgent % turned_every == 0 else 0
        parts = tiles(width, height, min(width, height)) if is_small else []
        nearest = max(parts, key=lambda part: part.overlap(around), default=None)
        urgent.append(DetectionPass("full", nearest or "whole", turn))
        return urgent
