"""Time stamps as they should be: beginning at zero, growing, without jumps; sound and pictures kept together.

Transport streams begin at the broadcaster's clock, joined ones begin again in the middle, clocks of 33 bits overflow.
What is found while reading through a file becomes a `Timeline`; everybody who reads packets asks it.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

JUMP_BACK_S = 0.25
"""Decoding stamps that go back by more are another clock; smaller ones are slips of one packet."""
JUMP_AHEAD_S = 10.0
"""In formats whose clock may be set anew, a gap that is longer is another clock; raising it keeps longer pauses."""
LATE_START_S = 0.1
"""First stamps farther from zero than this are moved to zero."""
_SAME_CLOCK_S = 5.0
"""A jump of stamps that is shorter is of the same clock. Raising it leaves gaps where recordings were joined."""
_TICKS = 90_000
"""Of a second, to which shifts are rounded: the clock of MPEG."""
_CLOCKS_SET_ANEW = ("mpeg", "mpegts", "flv", "ogg")


@dataclass(frozen=True, slots=True)
class Jump:
    """From this packet of a track on (counted from 0, in the file's order) `shift_s` is added to its stamps."""

    packet: int
    shift_s: Fraction


@dataclass(frozen=True, slots=True)
class Timeline:
    """jumps: by track index, ascending. start_s: what the file's first stamp is moved by; see `start_ticks`.

    slips: packets whose stamps do not grow and are made to.
    """

    jumps: dict[int, tuple[Jump, ...]]
    start_s: Fraction = Fraction(0)
    slips: int = 0

    @property
    def has_jumps(self) -> bool:
        return any(self.jumps.values())

    def start_ticks(self, unit: Fraction) -> int:
        """What is subtracted from stamps of a track with this time base, so that the file begins at zero."""
        return round(self.start_s / unit)

    def notes(self) -> list[str]:
        """What was mended, a line each."""
        notes = []
        if self.start_s:
            notes.append(f"the file's clock begins at {float(self.start_s):.1f} s; the result begins at 0")
        clocks = max((len(jumps) for jumps in self.jumps.values()), default=0)
        if clocks:
            times = "once" if clocks == 1 else f"{clocks} times"
            notes.append(f"the file's clock jumps {times}; the jumps were bridged")
        if self.slips:
            slips = "1 time stamp does" if self.slips == 1 else f"{self.slips} time stamps do"
            notes.append(f"{slips} not grow; made to")
        return notes


class StampReader:
    """Mends the stamps of packets as they are read from the file's beginning, all packets of a track in order."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._count: dict[int, int] = {}
        self._place: dict[int, int] = {}

    def mend(self, packet: Any) -> None:
        """Add what the timeline says to the packet's stamps; the start stays (see `Timeline.start_ticks`)."""
        track = packet.stream_index
        number = self._count[track] = self._count.get(track, -1) + 1
        jumps = self._timeline.jumps.get(track, ())
        place = self._place.get(track, 0)
        while place < len(jumps) and jumps[place].packet <= number:
            place += 1
        self._place[track] = place
        if place:
            shift = round(jumps[place - 1].shift_s / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + shift
            packet.dts = None if packet.dts is None else packet.dts + shift


class TimelineFinder:
    """Finds a file's timeline from its packets in the file's order."""

    def __init__(self, format_name: str) -> None:
        self._may_jump_ahead = any(name in format_name.split(",") for name in _CLOCKS_SET_ANEW)
        self._shifts_s = [0.0]
        self._jumps: dict[int, list[Jump]] = {}
        self._clock: dict[int, int] = {}
        self._count: dict[int, int] = {}
        self._last_s: dict[int, float] = {}
        self._next_s: dict[int, float] = {}
        self._end_s = 0.0
        self._first_s: float | None = None
        self._slips = 0

    def see(self, packet: Any, kind: str) -> float:
        """Take a packet of a video, audio or subtitle track into account; the shift of its stamps in seconds."""
        track = packet.stream_index
        number = self._count[track] = self._count.get(track, -1) + 1
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            return self._shifts_s[self._clock.get(track, 0)]
        unit_s = float(packet.time_base)
        if kind == "subtitle":
            self._set_clock(track, number, len(self._shifts_s) - 1)
            return self._shifts_s[-1]
        self._follow(track, number, stamp * unit_s)
        shift_s = self._shifts_s[self._clock.get(track, 0)]
        self._note(packet, track, stamp * unit_s + shift_s, unit_s, shift_s)
        return shift_s

    def _follow(self, track: int, number: int, raw_s: float) -> None:
        expected_s = self._next_s.get(track)
        clock = self._clock.get(track, 0)
        if expected_s is None or self._fits(raw_s + self._shifts_s[clock], expected_s):
            return
        for newer in range(clock + 1, len(self._shifts_s)):
            if abs(raw_s + self._shifts_s[newer] - expected_s) < _SAME_CLOCK_S:
                self._set_clock(track, number, newer)
                return
        # A whole number of the ticks that transport streams count.
        self._shifts_s.append(round((max(self._end_s, expected_s) - raw_s) * _TICKS) / _TICKS)
        self._set_clock(track, number, len(self._shifts_s) - 1)

    def _fits(self, stamp_s: float, expected_s: float) -> bool:
        if stamp_s < expected_s - JUMP_BACK_S:
            return False
        return not self._may_jump_ahead or stamp_s < expected_s + JUMP_AHEAD_S

    def _set_clock(self, track: int, number: int, clock: int) -> None:
        if clock != self._clock.get(track, 0):
            self._clock[track] = clock
            shift = Fraction(round(self._shifts_s[clock] * _TICKS), _TICKS)
            self._jumps.setdefault(track, []).append(Jump(number, shift))

    def _note(self, packet: Any, track: int, stamp_s: float, unit_s: float, shift_s: float) -> None:
        if packet.dts is not None:
            self._slips += stamp_s <= self._last_s.get(track, float("-inf"))
            self._last_s[track] = stamp_s
        following_s = stamp_s + (packet.duration or 1) * unit_s
        self._next_s[track] = max(following_s, self._next_s.get(track, following_s))
        self._end_s = max(self._end_s, following_s)
        if packet.pts is not None and not packet.is_discard:
            shown_s = packet.pts * unit_s + shift_s
            self._first_s = shown_s if self._first_s is None else min(self._first_s, shown_s)

    def timeline(self, unit: Fraction) -> Timeline:
        """What was found. unit: time base of the pictures; the start is a whole number of it."""
        first_s = self._first_s or 0.0
        start = math.floor(first_s / unit + 1e-6) * unit if abs(first_s) > LATE_START_S else Fraction(0)
        return Timeline({track: tuple(jumps) for track, jumps in self._jumps.items()}, start, self._slips)
