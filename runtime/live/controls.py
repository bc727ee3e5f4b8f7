"""What the user wants of the live loop now."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ControlState:
    """What the user wants now. revision: grows with every change; pictures of an older one are not shown any more."""

    revision: int
    is_hidden: bool
    style: str


class Controls:
    """The user's wishes, changed and read from any thread."""

    def __init__(self, styles: tuple[str, ...] = ("cartoon",)) -> None:
        self._styles = styles
        self._lock = threading.Lock()
        self._state = ControlState(0, False, styles[0])

    @property
    def state(self) -> ControlState:
        """What holds now."""
        with self._lock:
            return self._state

    def toggle_hidden(self) -> None:
        """Cover everything at once, or show the cartoon again."""
        with self._lock:
            old = self._state
            self._state = ControlState(old.revision + 1, not old.is_hidden, old.style)

    def set_hidden(self, is_hidden: bool) -> None:
        """Cover everything at once, or show the cartoon again; nothing changes where it is so already."""
        with self._lock:
            old = self._state
            if is_hidden != old.is_hidden:
                self._state = ControlState(old.revision + 1, is_hidden, old.style)

    def set_style(self, style: str, *, keeps_pictures: bool = False) -> None:
        """Draw in this style, which need not be one of those that `next_style` goes through.

        keeps_pictures: what was drawn before may be shown until then; for changes within a style.
        """
        with self._lock:
            old = self._state
            if style != old.style:
                self._state = ControlState(old.revision + (not keeps_pictures), old.is_hidden, style)

    def next_style(self) -> None:
        """Go on to the next of the styles; nothing changes where there is one."""
        with self._lock:
            old = self._state
            place = self._styles.index(old.style) if old.style in self._styles else -1
            following = self._styles[(place + 1) % len(self._styles)]
            if following != old.style:
                self._state = ControlState(old.revision + 1, old.is_hidden, following)
