"""Filters that take their process down; in a module of their own, so that worker processes find them."""

import os
import time
from pathlib import Path

from covering_filter import CoveringFilter

from toonfilter.runtime.frames import Frame, SafeFrame


class DyingFilter(CoveringFilter):
    """Takes its whole process down at the tenth frame, as a crash of a codec would, unless `mark` exists already."""

    mark = ""

    def draw(self, tracked: Frame) -> SafeFrame:
        if tracked.index == 9 and not Path(self.mark).exists():
            if Path(self.mark).parent.exists():
                Path(self.mark).touch()
            os._exit(9)
        return super().draw(tracked)


class DyingFilterOpener:
    """Picklable; mark: see `DyingFilter`."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __call__(self) -> DyingFilter:
        dying = DyingFilter()
        dying.mark = self.mark
        return dying


class DarkDeathFilter(CoveringFilter):
    """Takes its process down at a black picture; others take it a while."""

    def draw(self, tracked: Frame) -> SafeFrame:
        if tracked.image.max() < 20:
            os._exit(9)
        time.sleep(0.02)
        return super().draw(tracked)
