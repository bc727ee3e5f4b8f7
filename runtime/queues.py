"""Handing items from one thread to another: the newest wins (live), or every one arrives (files).

Both classes have the same methods. The side that ends calls `close`, with the error if there is one; the
other side gets that error out of its next call, so no thread dies alone and none waits for ever.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Item = TypeVar("Item")

_SWITCH_S = 0.0003
"""Python's switch interval: how long a thread may keep another one waiting. Raising it makes frames wait for each
other."""


@contextmanager
def quick_switching() -> Iterator[None]:
    """Threads that wait for the interpreter get it within a third of a millisecond, instead of five.

    The stages leave it at every call into a library and want it back after; five milliseconds are half a stage.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(min(before_s, _SWITCH_S))
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)


class QueueClosed(Exception):  # noqa: N818 - a signal between threads, not a fault
    """The other side has ended in order; nothing more will come or be taken."""


class _Queue(Generic[Item]):
    def __init__(self, capacity: int) -> None:
        self._items: deque[Item] = deque()
        self._capacity = capacity
        self._changed = threading.Condition()
        self._is_closed = False
        self._error: BaseException | None = None
        self.dropped = 0

    def get(self, timeout_s: float | None = None) -> Item | None:
        """The next item, waiting for it; None after `timeout_s` seconds without one.

        Raises:
            QueueClosed: closed in order and empty; or the error given to `close`, at once.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while not self._items:
                self._raise_if_closed()
                remaining_s = None if deadline_s is None else deadline_s - time.monotonic()
                if remaining_s is not None and remaining_s <= 0:
                    return None
                self._changed.wait(remaining_s)
            if self._error is not None:
                raise self._error
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self, error: BaseException | None = None) -> None:
        """End the handover. Items already there can still be taken, unless an error is given. Idempotent: the
        first error stays."""
        with self._changed:
            self._is_closed = True
            if error is not None and self._error is None:
                self._error = error
                self._items.clear()
            self._changed.notify_all()

    def _raise_if_closed(self) -> None:
        if self._error is not None:
            raise self._error
        if self._is_closed:
            raise QueueClosed


class LatestSlot(_Queue[Item]):
    """Room for one item: a new one replaces the one that nobody took, which counts as dropped."""

    def __init__(self) -> None:
        super().__init__(capacity=1)

    def put(self, item: Item) -> None:
        """Leave the item; never waits.

        Raises:
            QueueClosed: the slot is closed; or the error given to `close`.
        """
        with self._changed:
            self._raise_if_closed()
            self.dropped += len(self._items)
            self._items.clear()
            self._items.append(item)
            self._changed.notify_all()


class BoundedQueue(_Queue[Item]):
    """Room for `capacity` items in order: a full queue makes `put` wait; nothing is dropped."""

    def wait_for_room(self) -> None:
        """Wait until an item can be put without waiting, where one thread puts.

        Raises:
            QueueClosed: see `put`.
        """
        with self._changed:
            self._raise_if_closed()
            while len(self._items) >= self._capacity:
                self._changed.wait()
                self._raise_if_closed()

    def put(self, item: Item) -> None:
        """Append the item, waiting for room.

        Raises:
            QueueClosed: the queue is closed; or the error given to `close`.
        """
        with self._changed:
            self._raise_if_closed()
            while len(self._items) >= self._capacity:
                self._changed.wait()
                self._raise_if_closed()
            self._items.append(item)
            self._changed.notify_all()
