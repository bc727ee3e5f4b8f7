"""How a process that works for another one behaves."""

import os
import signal
import threading
from multiprocessing import get_context, parent_process
from multiprocessing.context import SpawnContext


def spawning() -> SpawnContext:
    """For new interpreters, which look for modules in their installation, not in the current folder."""
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    return get_context("spawn")


def obey_parent() -> None:
    """In the child: only the parent ends it, by its word or by its death; Ctrl-C and hang-ups go to the whole group."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        # It was killed: another program may be at work on its segments by now.
        signal.raise_signal(signal.SIGTERM)
