"""When the next frame is tracked."""

import threading

import pytest

from toonfilter.runtime.live.work_pace import WorkPace
from toonfilter.runtime.queues import BoundedQueue, QueueClosed


def pace() -> WorkPace:
    return WorkPace(1 / 30, None, lambda _: None)


def test_tracking_waits_until_drawing_is_nearly_done() -> None:
    known = pace()
    known.drawing(10.0)
    known.drawn(10.06, 0.02, 0.06)
    known.drawing(11.0)
    assert known.early_s(11.0) == pytest.approx(0.04)
    assert known.early_s(11.03) == pytest.approx(0.01)
    assert known.early_s(11.05) == 0


def test_it_waits_for_nothing_where_nothing_is_drawn_or_known() -> None:
    known = pace()
    known.drawing(10.0)
    assert known.early_s(10.0) == 0
    known.drawn(10.06, 0.02, 0.06)
    assert known.early_s(10.06) == 0


def test_the_quickest_drawing_and_the_slowest_tracking_count() -> None:
    known = pace()
    for track_s, draw_s in ((0.01, 0.08), (0.03, 0.05), (0.02, 0.07)):
        known.drawn(10.0, track_s, draw_s)
    known.drawing(11.0)
    assert known.early_s(11.0) == pytest.approx(0.02)


def test_room_is_waited_for_until_it_is_there_or_the_queue_is_closed() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1)
    queue.wait_for_room()
    queue.put(1)
    waiting = threading.Thread(target=queue.wait_for_room)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    assert queue.get() == 1
    waiting.join(30)
    assert not waiting.is_alive()
    queue.put(2)
    queue.close()
    with pytest.raises(QueueClosed):
        queue.wait_for_room()
