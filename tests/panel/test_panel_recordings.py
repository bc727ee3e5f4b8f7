"""The queue: files taken safely, converted by `convert`, paused, resumed, kept over a restart, told in states."""

import json
import os
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from panel_rig import LIVE, OURS, client_of, eventually, losing_conversion, quick_conversion

from toonfilter.runtime.errors import CaptureError, ConfigError
from toonfilter.runtime.panel.recording_list import RecordingSettings
from toonfilter.runtime.panel.recordings import RecordingQueue, convert_options, run_conversion
from toonfilter.runtime.panel.uploads import UploadLimits, safe_name
from toonfilter.runtime.progress import Progress
from toonfilter.runtime.video.convert import ConvertReport

LIMITS = UploadLimits(most_bytes=1000, spare_bytes=0, at_once=1)


def items(panel):
    return panel.recordings.snapshot()["items"]


def put(client, name, content=b"video", **headers):
    return client.put("/upload", params={"name": name}, content=content, headers=headers)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("lecture.mp4", "lecture.mp4"),
        ("../../etc/cron.d/x.mp4", "x.mp4"),
        ("C:\\Windows\\evil.MKV", "evil.mkv"),
        ("a\0b\n.mp4", "ab.mp4"),
        ("..mp4", "recording.mp4"),
        ("invoice\u202e4pm.exe.mp4", "invoice4pm.exe.mp4"),
        ("CON.mp4", "_CON.mp4"),
        ("<script>alert(1)</script>.webm", "script.webm"),
        ("x" * 300 + ".mov", "x" * 80 + ".mov"),
        ("日本語.mp4", "日本語.mp4"),
    ],
)
def test_names_of_dropped_files_become_plain(told, kept):
    assert safe_name(told) == kept


@pytest.mark.parametrize("name", ["page.html", "run.exe", "x.mp4.sh", "mp4", "", ".mp4/", "a.svg"])
def test_only_videos_are_taken(client, panel, name):
    assert put(client, name).status_code == 400
    assert items(panel) == []
    assert not list(panel.recordings.inbox.glob("*/*"))


def test_a_dropped_file_is_converted_and_its_copy_goes_with_it(client, panel):
    assert put(client, "my lecture.mp4", b"v" * 5000).status_code == 200
    (done,) = eventually(lambda: items(panel) if items(panel)[0]["status"] == "done" else None)
    assert done["states"]["protected"] == 9
    assert done["result"] == "my lecture-cartoon.mp4"
    (copy,) = panel.recordings.inbox.glob("*/*")
    assert copy.read_bytes() == b"v" * 5000
    assert client.post("/api/recordings/remove", json={"id": done["id"]}).status_code == 200
    assert not list(panel.recordings.inbox.iterdir())
    assert items(panel) == []


def test_uploads_have_limits(panel):
    with client_of(panel, limits=LIMITS) as client:
        assert put(client, "big.mp4", b"v" * 1001).status_code == 413
        assert put(client, "fits.mp4", b"v" * 1000).status_code == 200

        def endless():
            while True:
                yield b"v" * 400

        assert client.put("/upload?name=a.mp4", content=endless()).status_code == 411
    assert not list(panel.recordings.inbox.glob("*/part"))


def test_more_bytes_than_were_told_leave_nothing_behind(tmp_path):
    import asyncio

    from toonfilter.runtime.errors import OutputError
    from toonfilter.runtime.panel.uploads import Inbox, TooLargeError

    async def chunks():
        yield b"v" * 300
        yield b"v" * 300

    inbox = Inbox(tmp_path, LIMITS)
    with pytest.raises(TooLargeError):
        asyncio.run(inbox.take("a.mp4", 500, chunks()))
    with pytest.raises(OutputError, match="only 600 of 700"):
        asyncio.run(inbox.take("a.mp4", 700, chunks()))
    assert not list(tmp_path.iterdir())


def test_a_disk_without_room_is_told_first(panel, monkeypatch):
    from types import SimpleNamespace

    monkeypatch.setattr(
        "toonfilter.runtime.panel.uploads.shutil.disk_usage", lambda _: SimpleNamespace(free=2_000_000_000)
    )
    with client_of(panel) as client:
        answer = put(client, "a.mp4", b"", **{"Content-Length": "1900000000"})
    assert answer.status_code == 413
    assert "free" in answer.json()["error"]


def test_requests_have_limits(client):
    assert (
        client.post(
            "/api/camera/stop", content=b"x" * 100_000, headers={"Content-Type": "application/json"}
        ).status_code
        == 413
    )
    assert client.post("/api/camera/stop", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    for body in (b"[]", b"{", b"3", b"[" * 60_000):
        answer = client.post("/api/camera/stop", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
    assert client.post("/api/__class__", json={}).status_code == 404


def test_the_original_is_shown_only_to_who_asked_in_this_run(client, panel):
    put(client, "a.mp4", b"the real face")
    (done,) = eventually(lambda: items(panel) if items(panel)[0]["status"] == "done" else None)
    after, before = (f"/recordings/{done['id']}/{which}" for which in ("after", "before"))
    assert client.get(after).content == b"drawn"
    assert client.get(before).status_code == 404
    assert client.post("/api/recordings/compare", json={"id": done["id"]}).status_code == 200
    assert client.get(before).content == b"the real face"
    part = client.get(after, headers={"Range": "bytes=1-2"})
    assert (part.status_code, part.content) == (206, b"ra")
    assert client.get(f"/recordings/{done['id']}/other").status_code == 404
    assert client.get("/recordings/unknown/after").status_code == 404


def test_files_and_folders_of_this_machine_are_taken_without_a_copy(client, panel, tmp_path):
    archive = tmp_path / "archive" / "monday"
    archive.mkdir(parents=True)
    for name in ("a.mp4", "b.avi", "notes.txt", ".hidden.mp4"):
        (archive / name).write_bytes(b"v")
    listing = client.post("/api/folder", json={"path": str(archive)}).json()
    assert [one["name"] for one in listing["videos"]] == ["a.mp4", "b.avi"]
    assert client.post("/api/recordings/add", json={"path": str(archive.parent)}).json() == {"added": 2}
    eventually(lambda: all(one["status"] == "done" for one in items(panel)))
    assert not any(one["is_copy"] for one in items(panel))
    for path in (str(archive / "notes.txt"), "relative.mp4", str(tmp_path / "nothing.mp4")):
        assert client.post("/api/recordings/add", json={"path": path}).status_code == 400
    for one in items(panel):
        client.post("/api/recordings/remove", json={"id": one["id"]})
    assert (archive / "a.mp4").read_bytes() == b"v", "originals are never touched"


def slow_conversion(started, resumed):
    def run(recording, is_resuming, progress, stop):
        resumed.append(is_resuming)
        progress(Progress(1, 10, "frames", 5.0, 2.0))
        started.set()
        if is_resuming:
            return quick_conversion(recording, is_resuming, progress, stop)
        assert stop.wait(120)
        return ConvertReport("interrupted", Path(recording.target), 1, {}, 5.0, 0.1, "libx264", ())

    return run


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_text_are_shown_and_converted(make_panel, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    odd = folder / os.fsdecode(b"\xff\xfe lecture.mp4")
    odd.write_bytes(b"v")
    panel = make_panel()
    with client_of(panel) as client, client.websocket_connect(LIVE) as socket:
        (shown,) = client.post("/api/folder", json={"path": str(folder)}).json()["videos"]
        asked = json.dumps({"path": str(folder / shown["name"])})
        answer = client.post("/api/recordings/add", content=asked, headers={"Content-Type": "application/json"})
        assert answer.json() == {"added": 1}
        eventually(lambda: items(panel)[0]["status"] == "done")
        eventually(
            lambda: (json.loads(socket.receive_text())["recordings"]["items"] or [{}])[0].get("status") == "done"
        )
        lone = client.post(
            "/api/recordings/add", content='{"path": "/\\ud800.mp4"}', headers={"Content-Type": "application/json"}
        )
        assert lone.status_code == 400
    panel.close()
    assert items(make_panel())[0]["name"] == odd.name


def test_lengths_that_are_none_are_refused(client):
    for length in ("²", "1" * 5000, "-1", ""):
        headers = {"Content-Type": "application/json", "Content-Length": length.encode("latin1")}
        assert client.post("/api/camera/stop", content=b"{}", headers=headers).status_code == 411
        assert client.put("/upload?name=a.mp4", content=b"", headers=headers).status_code == 411


def test_pausing_and_a_restart_go_on_where_it_stopped(make_panel, tmp_path):
    started, resumed = threading.Event(), []
    (tmp_path / "a.mp4").write_bytes(b"v")
    first = make_panel(run=slow_conversion(started, resumed))
    first.actions["recordings/add"]({"path": str(tmp_path / "a.mp4")})
    assert started.wait(120)
    (at_work,) = items(first)
    assert (at_work["status"], at_work["done"], at_work["total"], at_work["left_s"]) == ("converting", 1, 10, 2.0)
    first.actions["recordings/pause"]({"paused": True})
    eventually(lambda: items(first)[0]["status"] == "waiting")
    first.close()
    second = make_panel(run=slow_conversion(started, resumed))
    assert second.recordings.snapshot()["paused"]
    second.actions["recordings/pause"]({"paused": False})
    eventually(lambda: items(second)[0]["status"] == "done")
    assert resumed == [False, True]


def test_a_program_that_was_killed_goes_on_with_what_was_at_work(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"v")
    started, resumed = threading.Event(), []
    first = RecordingQueue(tmp_path / "home", tmp_path / "out", run=slow_conversion(started, resumed))

    first.add_path(tmp_path / "a.mp4", RecordingSettings())
    assert started.wait(120)
    killed = (tmp_path / "home" / "recordings.json").read_text()
    first.close()
    (tmp_path / "home" / "recordings.json").write_text(killed)
    second = RecordingQueue(tmp_path / "home", tmp_path / "out", run=slow_conversion(started, resumed))
    eventually(lambda: second.snapshot()["items"][0]["status"] == "done")
    second.close()
    assert resumed[-1] is True


def test_conversions_wait_for_the_camera(client, panel):
    client.post("/api/camera/start", json={"camera": "test", "output": "none"})
    put(client, "a.mp4")
    assert panel.recordings.snapshot()["held"]
    eventually(lambda: panel.snapshot()["camera"]["state"] == "protected")
    assert items(panel)[0]["status"] == "waiting"
    client.post("/api/camera/stop", json={})
    eventually(lambda: items(panel)[0]["status"] == "done")


def test_a_failure_is_told_and_can_be_tried_again(make_panel, tmp_path):
    tries = []

    def run(recording, is_resuming, progress, stop):
        tries.append(is_resuming)
        if len(tries) == 1:
            raise CaptureError("a.mp4: no video track in it")
        return quick_conversion(recording, is_resuming, progress, stop)

    (tmp_path / "a.mp4").write_bytes(b"v")
    panel = make_panel(run=run)
    panel.actions["recordings/add"]({"path": str(tmp_path / "a.mp4")})
    eventually(lambda: items(panel)[0]["status"] == "failed")
    assert items(panel)[0]["problem"] == "a.mp4: no video track in it"
    panel.actions["recordings/again"]({"id": items(panel)[0]["id"]})
    eventually(lambda: items(panel)[0]["status"] == "done")
    with pytest.raises(ConfigError):
        panel.actions["recordings/again"]({"id": "unknown"})


def test_a_recording_removed_at_work_leaves_nothing(make_panel):
    started = threading.Event()
    panel = make_panel(run=slow_conversion(started, []))
    with client_of(panel) as client:
        put(client, "a.mp4")
        assert started.wait(120)
        client.post("/api/recordings/remove", json={"id": items(panel)[0]["id"]})
        eventually(lambda: not list(panel.recordings.inbox.iterdir()))
    assert items(panel) == []


def test_results_never_replace_files(panel, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a-cartoon.mp4").write_bytes(b"mine")
    (tmp_path / "a.mp4").write_bytes(b"v")
    panel.actions["recordings/add"]({"path": str(tmp_path / "a.mp4")})
    panel.actions["recordings/add"]({"path": str(tmp_path / "a.mp4")})
    eventually(lambda: all(one["status"] == "done" for one in items(panel)))
    assert {one["result"] for one in items(panel)} == {"a-cartoon-2.mp4", "a-cartoon-3.mp4"}
    assert (tmp_path / "videos" / "a-cartoon.mp4").read_bytes() == b"mine"


def test_a_real_clip_through_the_real_engine(make_panel, tmp_path, write_noise_clip):
    write_noise_clip(tmp_path / "noise.mp4", (64, 48), 8, {})
    panel = make_panel(run=run_conversion)
    panel.actions["recordings/add"]({"path": str(tmp_path / "noise.mp4")})
    (done,) = eventually(lambda: items(panel) if items(panel)[0]["status"] in ("done", "failed") else None, 600)
    assert done["status"] == "done", done["problem"]
    assert sum(done["states"].values()) == done["frames"] == 8
    assert done["states"]["exposed"] == 0
    assert (tmp_path / "videos" / "noise-cartoon.mp4").stat().st_size > 100


@pytest.fixture
def doubtful(make_panel, tmp_path, write_noise_clip):
    """A panel whose person wants to look first, and one recording of which some pictures are in doubt."""
    write_noise_clip(tmp_path / "noise.mp4", (96, 64), 30, {})
    panel = make_panel(run=losing_conversion)
    panel.actions["settings"]({"looks_first": True})
    panel.actions["recordings/add"]({"path": str(tmp_path / "noise.mp4")})
    eventually(lambda: items(panel)[0]["status"] == "review")
    return panel


def test_doubtful_pictures_come_before_the_file(doubtful, tmp_path):
    (asked,) = items(doubtful)
    told = doubtful.actions["recordings/doubts"]({"id": asked["id"]})["doubts"]
    assert "covered" in {one["reason"] for one in told}
    assert len(told) == asked["doubts"]
    target = tmp_path / "videos" / "noise-cartoon.mp4"
    assert not target.exists()
    with client_of(doubtful) as client:
        for place in range(len(told)):
            assert client.get(f"/recordings/{asked['id']}/doubts/{place}").headers["content-type"] == "image/jpeg"
        assert client.get(f"/recordings/{asked['id']}/doubts/{len(told)}").status_code == 404
        assert client.get(f"/recordings/{asked['id']}/doubts/../after").status_code == 404
    covers = [{"from": 0, "to": 0.2, "box": [0, 0, 48, 64]}]
    with pytest.raises(ConfigError):
        doubtful.actions["recordings/finish"]({"id": asked["id"], "covers": None})
    doubtful.actions["recordings/finish"]({"id": asked["id"], "covers": covers})
    eventually(lambda: items(doubtful)[0]["status"] == "done")
    detail = [[np.abs(np.diff(half, axis=1)).mean() for half in np.split(level, 2, 1)] for level in levels_of(target)]
    assert detail[3][0] < 0.5 * detail[3][1]
    assert detail[-3][0] > 0.5 * detail[-3][1]
    # Pictures and segments are gone, a moment after the file is told to be there.
    eventually(lambda: list(target.parent.iterdir()) == [target])


def levels_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray").astype(float) for frame in container.decode(video=0)]


def test_a_look_goes_on_after_a_restart(doubtful, make_panel):
    (asked,) = items(doubtful)
    covers = [{"from": 0.5, "to": 1.0, "box": [1, 2, 30, 40]}]
    doubtful.actions["recordings/cover"]({"id": asked["id"], "covers": covers})
    doubtful.close()
    again = make_panel(run=losing_conversion)
    assert items(again)[0]["covers"] == [{"from_s": 0.5, "to_s": 1.0, "box": (1, 2, 30, 40)}]
    again.actions["recordings/remove"]({"id": asked["id"]})
    assert not list((again.recordings.output).iterdir())


def test_wrong_regions_are_refused_and_change_nothing(doubtful):
    (asked,) = items(doubtful)
    good = {"from": 0.0, "to": 1.0, "box": [0, 0, 8, 8]}
    wrong = [None, "x", [3], [{}], [{**good, "box": [8, 0, 0, 8]}], [{**good, "more": 1}], [{**good, "to": -1}]]
    for covers in [*wrong, [good] * 201]:
        with pytest.raises(ConfigError):
            doubtful.actions["recordings/cover"]({"id": asked["id"], "covers": covers})
    assert items(doubtful)[0]["covers"] == []
    doubtful.actions["recordings/finish"]({"id": asked["id"], "covers": []})
    with pytest.raises(ConfigError, match="not waiting"):
        doubtful.actions["recordings/cover"]({"id": asked["id"], "covers": [good]})


@pytest.mark.parametrize("sound", ["keep", "disguise", "drop"])
def test_the_sound_is_what_was_chosen_when_it_was_added(make_panel, tmp_path, sound):
    asked = []

    def run(recording, is_resuming, progress, stop):
        asked.append(convert_options(recording, is_resuming).sound)
        return quick_conversion(recording, is_resuming, progress, stop)

    (tmp_path / "a.mp4").write_bytes(b"v")
    panel = make_panel(run=run)
    with pytest.raises(ConfigError, match="keep, drop, disguise"):
        panel.actions["settings"]({"sound": "louder"})
    panel.actions["settings"]({"sound": sound})
    panel.actions["recordings/add"]({"path": str(tmp_path / "a.mp4")})
    eventually(lambda: asked == [sound])


def test_other_origins_cannot_read_recordings(client, panel):
    put(client, "a.mp4")
    (done,) = eventually(lambda: items(panel) if items(panel)[0]["status"] == "done" else None)
    for headers in ({"Origin": "https://attacker.example"}, {**OURS, "Sec-Fetch-Site": "cross-site"}):
        assert client.get(f"/recordings/{done['id']}/after", headers=headers).status_code == 403
