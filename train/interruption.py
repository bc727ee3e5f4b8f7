"""Ctrl-C between two steps, never inside one: the step in progress is finished, and a checkpoint can be written."""

import signal
import threading
from types import FrameType, TracebackType

import torch


class Interruption:
    """While it is entered, the first Ctrl-C (or a request to end) is remembered; the second one ends at once."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interruption":
        # Signals reach the main thread only; elsewhere nobody can ask.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _remember(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the signature of a handler)
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def is_asked(self, processes: int) -> bool:
        """Whether to stop now. With several processes all get the same answer: one that was asked stops all.

        Every process must call this at the same steps.
        """
        if processes == 1:
            return self._asked
        asked = torch.tensor(float(self._asked))
        if torch.distributed.get_backend() == "nccl":
            asked = asked.cuda()
        torch.distributed.all_reduce(asked)
        return bool(asked > 0)
