import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toonfilter.runtime.queues import BoundedQueue, LatestSlot, QueueClosed, quick_switching


@given(st.lists(st.booleans(), max_size=60))
def test_the_slot_keeps_order_delivers_none_twice_and_counts_the_rest(puts_or_gets):
    slot = LatestSlot[int]()
    put, got = 0, []
    for is_put in puts_or_gets:
        if is_put:
            slot.put(put)
            put += 1
        else:
            item = slot.get(timeout_s=0)
            if item is not None:
                got.append(item)
    waiting = slot.get(timeout_s=0)
    assert got == sorted(set(got))
    assert len(got) + slot.dropped + (waiting is not None) == put


def test_the_newest_item_wins():
    slot = LatestSlot[str]()
    slot.put("old")
    slot.put("new")
    assert slot.get() == "new"
    assert slot.dropped == 1
    assert slot.get(timeout_s=0) is None


@pytest.mark.parametrize("make", [LatestSlot, lambda: BoundedQueue(4)])
def test_what_is_there_when_it_closes_can_still_be_taken(make):
    handover = make()
    handover.put(1)
    handover.close()
    assert handover.get() == 1
    with pytest.raises(QueueClosed):
        handover.get()
    with pytest.raises(QueueClosed):
        handover.put(2)


@pytest.mark.parametrize("make", [LatestSlot, lambda: BoundedQueue(4)])
def test_an_error_comes_out_on_the_other_side_at_once_and_the_first_stays(make):
    handover = make()
    handover.put(1)
    handover.close(ValueError("first"))
    handover.close(ValueError("second"))
    with pytest.raises(ValueError, match="first"):
        handover.get()
    with pytest.raises(ValueError, match="first"):
        handover.put(2)


def test_a_full_queue_waits_and_loses_nothing():
    queue = BoundedQueue[int](2)

    def produce() -> None:
        for number in range(500):
            queue.put(number)
        queue.close()

    producer = threading.Thread(target=produce)
    producer.start()
    got = [queue.get() for _ in range(500)]
    with pytest.raises(QueueClosed):
        queue.get()
    producer.join(120)
    assert not producer.is_alive()
    assert got == list(range(500))
    assert queue.dropped == 0


def test_a_producer_blocked_on_a_full_queue_is_freed_by_closing():
    queue = BoundedQueue[int](1)
    queue.put(0)
    outcome = []

    def produce() -> None:
        try:
            queue.put(1)
        except RuntimeError as error:
            outcome.append(str(error))

    producer = threading.Thread(target=produce)
    producer.start()
    queue.close(RuntimeError("consumer failed"))
    producer.join(120)
    assert outcome == ["consumer failed"]


def test_quick_switching_lasts_only_as_long_as_it_is_needed():
    before_s = sys.getswitchinterval()
    with quick_switching():
        assert sys.getswitchinterval() < 0.001
    assert sys.getswitchinterval() == pytest.approx(before_s)
