from typing import cast

import pytest

from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.faces.tracker import FaceTracker
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.head_crops import CropSizes
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.live.quality_control import (
    AdjustableFilter,
    Effort,
    EffortSettings,
    QualityController,
    SteeredFilter,
    effort_steps,
)

PERIOD_S = 1 / 32
STEPS = effort_steps([256, 384], 6)
WINDOW = EffortSettings().window_frames


class Machine:
    """Feeds a rule frame by frame. cost_s: of a frame at full effort; less at lower steps."""

    def __init__(self, rule: QualityController, cpu_cores: float = 1.0) -> None:
        self.rule = rule
        self.cpu_cores = cpu_cores
        self.now_s = 0.0
        self.cpu_s = 0.0

    def run(self, frames: int, busy_s: float) -> list[tuple[float, Effort]]:
        changes = []
        for _ in range(frames):
            changed = self.rule.note(self.now_s, busy_s, self.cpu_s)
            if changed:
                changes.append((self.now_s, changed))
            step_s = PERIOD_S * self.rule.effort.draw_every
            self.now_s += step_s
            self.cpu_s += self.cpu_cores * step_s
        return changes


def test_steps_go_from_the_least_visible_down() -> None:
    assert effort_steps([384, 256], 6) == [
        Effort(384, 6),
        Effort(256, 6),
        Effort(256, 12),
        Effort(256, 12, 2),
        Effort(256, 12, 3),
    ]


def test_in_time_nothing_changes() -> None:
    machine = Machine(QualityController(STEPS, PERIOD_S))
    assert machine.run(1000, 0.9 * PERIOD_S) == []


def test_too_slow_gives_up_one_step_per_window() -> None:
    machine = Machine(QualityController(STEPS, PERIOD_S))
    changes = machine.run(2 * (WINDOW + 1), 1.2 * PERIOD_S)
    assert changes == [(WINDOW * PERIOD_S, STEPS[1]), ((2 * WINDOW + 1) * PERIOD_S, STEPS[2])]


def test_single_slow_frames_do_not_count() -> None:
    machine = Machine(QualityController(STEPS, PERIOD_S))
    for _ in range(20):
        assert machine.run(20, 0.5 * PERIOD_S) == []
        assert machine.run(10, 9.0 * PERIOD_S) == []


def test_half_the_frames_double_the_period() -> None:
    machine = Machine(QualityController(STEPS, PERIOD_S))
    machine.run(3 * (WINDOW + 1), 1.8 * PERIOD_S)
    assert machine.rule.effort == STEPS[3]
    assert machine.run(1000, 1.8 * PERIOD_S) == []


def test_the_last_step_is_the_end() -> None:
    machine = Machine(QualityController(STEPS, PERIOD_S))
    machine.run(1000, 99 * PERIOD_S)
    assert machine.rule.effort == STEPS[-1]


def test_comes_back_after_patience_where_the_step_would_fit() -> None:
    machine = Machine(QualityController(STEPS, PERIOD_S))
    machine.run(WINDOW + 1, 1.2 * PERIOD_S)
    assert machine.rule.effort == STEPS[1]
    # 256 to 384 px costs up to 2.25 times as much: 0.4 would become 0.9, 0.3 becomes 0.675.
    assert machine.run(1000, 0.4 * PERIOD_S) == []
    start_s = machine.now_s
    ((changed_s, effort),) = machine.run(300, 0.3 * PERIOD_S)
    assert effort == STEPS[0]
    assert 5.0 <= changed_s - start_s <= 5.0 + 2 * (WINDOW + 1) * PERIOD_S


def test_a_step_that_does_not_hold_is_tried_less_often() -> None:
    machine = Machine(QualityController(STEPS, PERIOD_S))
    machine.run(WINDOW + 1, 1.2 * PERIOD_S)
    waits = []
    for _ in range(6):
        start_s = machine.now_s
        while machine.rule.effort == STEPS[1]:
            machine.run(1, 0.2 * PERIOD_S)
        waits.append(machine.now_s - start_s)
        while machine.rule.effort == STEPS[0]:
            machine.run(1, 1.2 * PERIOD_S)
    for wait, least_s in zip(waits, (5, 10, 20, 40, 80, 80), strict=True):
        assert least_s <= wait <= least_s + 2 * (WINDOW + 1) * PERIOD_S


def test_low_power_keeps_below_the_cap() -> None:
    rule = QualityController(STEPS, PERIOD_S, EffortSettings(cpu_cap_cores=0.5))
    machine = Machine(rule, cpu_cores=0.8)
    changes = machine.run(WINDOW + 1, 0.2 * PERIOD_S)
    assert [effort for _, effort in changes] == [STEPS[1]]
    machine.cpu_cores = 0.45
    assert machine.run(1000, 0.2 * PERIOD_S) == []


@pytest.mark.parametrize("wrong", [{"cpu_cap_cores": 0.0}, {"comfortable": 1.0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must"):
        EffortSettings(**wrong)


def test_says_what_holds() -> None:
    assert str(STEPS[0]) == "crops up to 384 px, every frame"
    assert str(STEPS[3]) == "crops up to 256 px, one frame in 2"


class Filter:
    """Stands in for a filter; remembers what it was told."""

    full_effort = ([256, 384], 6)

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def set_effort(self, size: int, detect_every: int) -> None:
        self.told.append((size, detect_every))


def test_controller_tells_filter_and_user_and_skips_frames() -> None:
    adjustable, texts = Filter(), list[str]()
    assert isinstance(adjustable, AdjustableFilter)
    steered = SteeredFilter(adjustable, PERIOD_S, EffortSettings(), texts.append, cpu_s=lambda: 0.0)
    assert not any(steered.skips() for _ in range(4))
    now_s = 0.0
    for _ in range(3 * (WINDOW + 1)):
        steered.drawn(now_s, 1.8 * PERIOD_S)
        now_s += PERIOD_S
    assert adjustable.told == [(256, 6), (256, 12), (256, 12)]
    assert texts[0] == "doing less: crops up to 256 px, every frame"
    assert texts[-1].endswith("one frame in 2")
    assert [steered.skips() for _ in range(4)] == [True, False, True, False]
    for _ in range(600):
        steered.drawn(now_s, 0.2 * PERIOD_S)
        now_s += 2 * PERIOD_S
    assert texts[-1] == "doing more again: crops up to 384 px, every frame"


def test_crops_share_what_a_frame_may_cost() -> None:
    sizes = CropSizes(limit_px=128, most_crops=2.0)
    assert [sizes.size_for(500, faces, [128, 64]) for faces in (1, 2, 3, 4)] == [128, 128, 64, 64]
    assert sizes.size_for(500, 1, [64, 128]) == 128
    assert sizes.size_for(500, 1, [64, 128], most_px=100) == 64
    sizes.limit_px = 64
    assert sizes.size_for(500, 1, [64, 128]) == 64
    assert CropSizes(limit_px=64, most_crops=2.0, fixed_px=128).size_for(10, 9, [64, 128]) == 128


def test_the_size_changes_only_when_a_face_clearly_grew_or_shrank() -> None:
    sizes = CropSizes(limit_px=128, most_crops=2.0)
    assert [sizes.size_for(side, 1, [64, 128]) for side in (80, 86, 90, 118, 110)] == [64, 64, 128, 128, 128]
    sizes.forget()
    assert sizes.size_for(80, 1, [64, 128]) == 64


def test_the_filter_obeys(tiny_bundle: Bundle) -> None:
    class Tracker:
        interval = 0

        def set_interval(self, detect_every: int) -> None:
            self.interval = detect_every

        def close(self) -> None:
            """Nothing to free."""

    tracker = Tracker()
    style = str(tiny_bundle.folder)
    toon = ToonFilter(FilterSettings(style=style, engine="onnxruntime"), tracker=cast(FaceTracker, tracker))
    assert toon.full_effort == ([64, 128], 6)
    toon.set_effort(64, 12)
    assert tracker.interval == 12
    toon.close()
    fixed = ToonFilter(FilterSettings(style=style, engine="onnxruntime", size=128), tracker=cast(FaceTracker, tracker))
    assert fixed.full_effort == ([128], 6)
    fixed.close()
