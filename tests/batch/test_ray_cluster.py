"""A real Ray cluster of two nodes on this machine; one is killed in the middle of the work."""

import os
import sys
import threading
import time
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from covering_filter import CoveringFilter

from toonfilter.runtime.errors import CaptureError, ConfigError
from toonfilter.runtime.frames import Frame, SafeFrame
from toonfilter.runtime.video.batch import BatchOptions, run_batch
from toonfilter.runtime.video.ray_workers import RayWorkers, SegmentFiles, convert_remotely, store_segment
from toonfilter.runtime.video.segments import Segment, SegmentResult, WorkFolder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    # Ray's own code, not ours.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(900),
]

SECONDS = 6


class StuckOnOneNode(CoveringFilter):
    """Leaves a mark of its node. One node comes to no end, so that it is killed while it works; others wait for it to
    begin."""

    def __init__(self, marks: Path, victim: str) -> None:
        super().__init__()
        self.marks, self.victim = marks, victim

    def draw(self, tracked: Frame) -> SafeFrame:
        import ray

        node = ray.get_runtime_context().get_node_id()
        (self.marks / node).touch()
        while node == self.victim or not (self.marks / self.victim).exists():
            time.sleep(0.05)
        return super().draw(tracked)


class FailingFilter(CoveringFilter):
    def track(self, frame: Frame) -> Frame:  # noqa: ARG002
        raise CaptureError("deliberate")


def make_recording(path: Path, seconds: int, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10 * seconds):
            tiles = rng.integers(0, 255, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(tiles, format="rgb24").reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def cluster():
    # A busy machine takes longer than Ray waits by itself; read when Ray is imported.
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    # The workers cannot import this file and its neighbours.
    for name in (__name__, CoveringFilter.__module__):
        ray.cloudpickle.register_pickle_by_value(sys.modules[name])

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    # Ray ends a process whose cluster has been gone for a minute, and with it all tests that follow.
    made.global_state.disconnect()
    made.shutdown()
    ray.shutdown()


def test_a_node_is_killed_and_nothing_is_lost(cluster, tmp_path: Path) -> None:
    victim = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    make_recording(tmp_path / "archive" / "lecture.mp4", SECONDS, 1)
    make_recording(tmp_path / "archive" / "short.mp4", 2, 2)
    (tmp_path / "archive" / "broken.mp4").write_bytes(b"no video" * 50)
    workers = RayWorkers(cluster.address)
    assert workers.count == 2
    marks = tmp_path / "marks"
    marks.mkdir()
    done_when_killed: list[int] = []

    def kill_while_it_works() -> None:
        deadline_s = time.monotonic() + 200
        while not (marks / victim.node_id).exists() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        done_when_killed.append(sum(workers.segments_by_node.values()))
        cluster.remove_node(victim, allow_graceful=False)

    killer = threading.Thread(target=kill_while_it_works)
    killer.start()
    try:
        report = run_batch(
            tmp_path / "archive",
            tmp_path / "out",
            partial(StuckOnOneNode, marks, victim.node_id),
            workers,
            BatchOptions(segment_s=1.0),
        )
        # The head notices a silent death after a while only.
        deadline_s = time.monotonic() + 300
        while workers.count != 1 and time.monotonic() < deadline_s:
            time.sleep(1)
        assert workers.count == 1
    finally:
        killer.join()
        workers.close()
    assert list(report.failures) == ["broken.mp4"]
    assert done_when_killed[0] < SECONDS + 2
    assert len(list(marks.iterdir())) == 2
    for name, seconds in (("lecture.mp4", SECONDS), ("short.mp4", 2)):
        with av.open(str(tmp_path / "out" / name)) as container:
            stamps = [frame.pts for frame in container.decode(video=0)]
        assert len(stamps) == 10 * seconds
        assert (np.diff(stamps) == stamps[1] - stamps[0]).all()


def test_errors_of_a_worker_come_back_as_they_are(cluster, tmp_path: Path) -> None:
    make_recording(tmp_path / "archive" / "lecture.mp4", 1, 1)
    workers = RayWorkers(cluster.address)
    try:
        report = run_batch(tmp_path / "archive", tmp_path / "out", FailingFilter, workers)
    finally:
        workers.close()
    assert report.failures["lecture.mp4"].reason == "deliberate"


def test_no_cluster_there() -> None:
    pytest.importorskip("ray")
    with pytest.raises(ConfigError, match="no Ray cluster"):
        RayWorkers("127.0.0.1:1")


def test_a_machine_that_does_not_see_the_recording_says_so(tmp_path: Path) -> None:
    from toonfilter.runtime.video.reader import inspect_video, scan_video
    from toonfilter.runtime.video.segment_pipeline import SegmentJob
    from toonfilter.runtime.video.segments import Segment, WorkFolder
    from toonfilter.runtime.video.writer import Encoder

    path = make_recording(tmp_path / "lecture.mp4", 1, 1)
    info = inspect_video(path)
    timeline = scan_video(info).timeline
    job = SegmentJob(info, Encoder("libx264", {}, 1), WorkFolder(tmp_path / "out.mp4"), timeline)
    path.unlink()
    with pytest.raises(CaptureError, match="share the storage"):
        convert_remotely(job, Segment(0, None, None, None), CoveringFilter, "key")


def test_a_segment_without_pictures_comes_back_without_a_file(tmp_path: Path) -> None:
    folder, segment = WorkFolder(tmp_path / "out.mp4"), Segment(0, None, None, None)
    folder.path.mkdir()
    store_segment(folder, segment, SegmentFiles(b"", b"", SegmentResult(0, {}, 3, 0, 0), "node"))
    found = folder.result(segment)
    assert found is not None
    assert (found.frames, found.damaged_packets) == (0, 3)
    assert not folder.video_path(segment).exists()
