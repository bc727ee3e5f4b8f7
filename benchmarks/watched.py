"""A live loop that is watched on the panel's page: what the preview costs."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from toonfilter.runtime.live.sinks import LiveSink, SeveralSinks
from toonfilter.runtime.panel.preview import PreviewSink

PAGE_FPS = 20.0
"""How often the page asks for a picture at most (`MOST_PER_SECOND` in `preview.js`)."""
_PAGE_PX = 1280
_WAIT_S = 0.5


@contextmanager
def watched(sink: LiveSink) -> Iterator[LiveSink]:
    """The sink and the panel's preview in one; a tab of the greatest width asks for pictures until the block ends."""
    preview, is_over = PreviewSink(), threading.Event()
    tab = threading.Thread(target=_look, args=(preview, is_over), name="bench-tab")
    tab.start()
    try:
        yield SeveralSinks([sink, preview])
    finally:
        is_over.set()
        tab.join()


def _look(preview: PreviewSink, is_over: threading.Event) -> None:
    shown = 0
    while not is_over.is_set():
        start_s = time.perf_counter()
        if preview.wait_newer(shown, _WAIT_S) > shown:
            shown, _ = preview.jpeg(_PAGE_PX)
        is_over.wait(max(0.0, 1 / PAGE_FPS - (time.perf_counter() - start_s)))
