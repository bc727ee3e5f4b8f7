"""The filter draws in the style that is wished, also when its file is saved anew."""

from collections.abc import Callable

from toonfilter.runtime.live.style_watch import StyleFileWatch
from toonfilter.runtime.live.supervisor import FilterSupervisor


class StyleFollower:
    """Belongs to the thread that draws. first: the style in which the filter opens."""

    def __init__(self, first: str, notify: Callable[[str], None]) -> None:
        self._first = self._style = first
        self._notify = notify
        self._watch = StyleFileWatch()

    def start(self) -> None:
        """The filter is about to be opened, in its first style; what is wished now follows with the next frame."""
        self._style = self._first
        self._watch.follow(self._style)

    def follow(self, wished: str, supervisor: FilterSupervisor) -> None:
        """Change the style of the running filter if another one is wished, or its file was saved."""
        if supervisor.filter is None:
            return
        if wished != self._style:
            self._style = wished
            self._watch.follow(wished)
        elif not self._watch.was_saved():
            return
        try:
            # The frame that is tracked just now is done with the old style first.
            with supervisor.in_use:
                supervisor.filter.set_style(wished)
            self._notify(f"style: {wished}")
        except Exception as error:
            self._notify(f"style {wished} cannot be used ({error}); the old one stays")
