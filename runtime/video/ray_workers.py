"""Workers on a Ray cluster (extra `cluster`): one task for each segment, so that one long lecture spreads out too.

The machines share the storage that the recordings lie on, under the same path; results come back through Ray, so only
the machine that runs the batch writes.
"""

import socket
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import CaptureError, ConfigError, ToonfilterError, require
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.video.segment_pipeline import ConversionStopped, SegmentJob
from toonfilter.runtime.video.segment_workers import (
    ATTEMPTS,
    OpenerNames,
    OpenFilter,
    SegmentBatch,
    convert_segment,
    died_too_often,
)
from toonfilter.runtime.video.segments import Segment, SegmentResult, WorkFolder

_POLL_S = 0.2
"""Between two looks at workers and at `stop`. Raising it stops later."""
_CPUS_PER_SEGMENT = 2
"""That Ray sets aside. Raising it converts fewer segments at once."""
_CONNECT_S = 5.0
"""How long a cluster may take to answer. Raising it waits longer for one that is not there."""


@dataclass(frozen=True, slots=True)
class SegmentFiles:
    """A converted segment on its way back. node: the machine that made it."""

    video: bytes
    audit: bytes
    result: SegmentResult
    node: str


class RayWorkers:
    """See `SegmentWorkers`. segments_by_node: how many segments each machine has made.

    address: of the cluster's head, `HOST:PORT` or `auto`. cpus_per_segment: cores that Ray sets aside for one segment;
    its decoding, tracking, drawing and encoding run beside each other.
    """

    def __init__(self, address: str, *, cpus_per_segment: float = _CPUS_PER_SEGMENT) -> None:
        """Raises: ConfigError: Ray is not installed, or there is no cluster at this address."""
        ray = require("ray", extra="cluster")
        self._ray: Any = ray
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            _check_reachable(address)
            try:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
                raise ConfigError(
                    f"no Ray cluster at {address} ({str(error).splitlines()[0]}); start one with `ray start --head`"
                ) from error
        largest = max((node["Resources"].get("CPU", 0.0) for node in self._nodes()), default=0.0)
        # A task that no machine is large enough for would wait for ever.
        self._cpus = min(cpus_per_segment, largest) if largest else cpus_per_segment
        self._task: Any = ray.remote(num_cpus=self._cpus, max_retries=ATTEMPTS - 1)(convert_remotely)
        self.segments_by_node: dict[str, int] = {}
        self._names = OpenerNames()
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        return max(1, sum(int(node["Resources"].get("CPU", 0.0) / self._cpus) for node in self._nodes()))

    def map(self, batch: SegmentBatch) -> None:
        job, open_filter, key = batch.job, batch.open_filter, self._names.name(batch.open_filter)
        waiting = {self._task.remote(job, segment, open_filter, key): segment for segment in batch.segments}
        try:
            while waiting:
                done, _ = self._ray.wait(list(waiting), timeout=_POLL_S)
                if batch.stop.is_set():
                    raise ConversionStopped
                for reference in done:
                    segment = waiting.pop(reference)
                    files = self._fetched(reference, job, segment)
                    store_segment(job.folder, segment, files)
                    with self._lock:
                        self.segments_by_node[files.node] = self.segments_by_node.get(files.node, 0) + 1
                    batch.on_frames(files.result.frames)
                    batch.on_result(segment, files.result)
        finally:
            for reference in waiting:
                self._ray.cancel(reference, force=True)

    def close(self) -> None:
        if self._is_ours:
            self._ray.shutdown()

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _fetched(self, reference: Any, job: SegmentJob, segment: Segment) -> SegmentFiles:
        exceptions = self._ray.exceptions
        try:
            files: SegmentFiles = self._ray.get(reference)
        except exceptions.RayTaskError as error:
            if isinstance(error.cause, ToonfilterError):
                raise error.cause from None
            reason = str(error.cause).splitlines()[0]
            raise ToonfilterError(f"{job.info.path}: segment {segment.number} failed: {reason}") from error
        except exceptions.RayError as error:
            raise died_too_often(job, segment) from error
        return files


def _check_reachable(address: str) -> None:
    """Ray itself asks a wrong address again and again, for minutes.

    Raises:
        ConfigError: nothing answers there.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        raise ConfigError(
            f"no Ray cluster at {address} ({error.strerror or error}); start one with `ray start --head`"
        ) from error


def convert_remotely(job: SegmentJob, segment: Segment, open_filter: OpenFilter, key: str) -> SegmentFiles:
    """Convert a segment on a machine of the cluster, in a folder of its own: a task that was given up cannot disturb.

    Raises:
        CaptureError: this machine does not see the recording. Any error of the conversion.
    """
    node = socket.gethostname()
    if not job.info.path.exists():
        raise CaptureError(f"{job.info.path}: {node} does not see it; the cluster's machines must share the storage")
    with tempfile.TemporaryDirectory(prefix="toonfilter-segment-") as temporary:
        folder = WorkFolder(Path(temporary) / "segment.mp4")
        folder.path.mkdir()
        result = convert_segment(replace(job, folder=folder), segment, open_filter, key, stop=threading.Event())
        # There is no file where no picture could be decoded.
        video = folder.video_path(segment).read_bytes() if result.frames else b""
        audit = folder.audit_path(segment).read_bytes()
        return SegmentFiles(video, audit, result, _node_name())


def _node_name() -> str:
    import ray

    return f"{socket.gethostname()}/{ray.get_runtime_context().get_node_id()[:8]}"


def store_segment(folder: WorkFolder, segment: Segment, files: SegmentFiles) -> None:
    """Put a segment that came back into the work folder, and note it as done."""
    parts = [(folder.audit_path(segment), files.audit)]
    if files.result.frames:
        parts.append((folder.video_path(segment), files.video))
    for path, content in parts:
        write_whole(path, content)
    folder.finish(segment, files.result)
