"""The commands video, batch, cam and doctor as people call them: words, files and exit status."""

import dataclasses
import json
import signal
import subprocess
import sys
from collections import Counter

import av
import numpy as np
import pytest

from toonfilter import cli
from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.live import status_line
from toonfilter.runtime.live.status_line import StatusLine, status_words


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["toonfilter", *map(str, words)])
        try:
            cli.main()
        except SystemExit as end:
            status = end.code or 0
        else:
            status = 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def clip(tmp_path_factory, write_noise_clip):
    path = tmp_path_factory.mktemp("clip") / "in.mkv"
    write_noise_clip(path, (64, 48), 60, {"g": "10"})
    return path


@pytest.fixture
def clip_without_faces(tmp_path):
    """60 frames of a moving slope from dark to light: detectors find nothing in it, while noise is a face at times."""
    path = tmp_path / "slope.mkv"
    slope = np.linspace(40, 200, 64).astype(np.uint8)[None, :, None].repeat(48, 0).repeat(3, 2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(60):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(slope + number % 20, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.slow
def test_video_writes_the_file_and_reports_no_leak(run, clip, tiny_bundle, tmp_path):
    status, out, err = run("video", clip, "-o", tmp_path / "out.mp4", "--to", tiny_bundle.folder, "--codec", "h264")
    assert status == 0, err
    assert "60 frames" in out
    assert "exposed 0" in out
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].frames == 60


@pytest.mark.slow
def test_the_leak_report_and_the_audit_count_what_was_exposed(run, clip_without_faces, tiny_bundle, tmp_path):
    words = ("--on-lost", "pass", "--i-accept-exposure", "--audit", tmp_path / "audit.jsonl", "--codec", "h264")
    status, out, err = run("video", clip_without_faces, "-o", tmp_path / "out.mp4", "--to", tiny_bundle.folder, *words)
    assert status == 0, err
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert Counter(line["state"] for line in lines) == {"exposed": 60}
    assert out.strip().splitlines()[-1].startswith("leak report")
    assert "exposed 60" in out


@pytest.mark.slow
def test_a_truncated_video_ends_with_its_own_status(run, clip, tiny_bundle, tmp_path):
    content = clip.read_bytes()
    (tmp_path / "short.mkv").write_bytes(content[: len(content) // 2])
    status, _, err = run("video", tmp_path / "short.mkv", "-o", tmp_path / "out.mkv", "--to", tiny_bundle.folder)
    assert status == 3
    assert "not whole" in err
    assert (tmp_path / "out.mkv").exists()


@pytest.mark.slow
def test_batch_tells_what_failed_and_what_was_cut_off_and_goes_on_where_it_was(
    run, clip, tiny_bundle, tmp_path, monkeypatch
):
    # Lines of progress come after some seconds: only on a slow machine.
    monkeypatch.setattr(terminal, "LINE_EVERY_S", float("inf"))
    archive, out = tmp_path / "archive", tmp_path / "out"
    (archive / "week 1").mkdir(parents=True)
    content = clip.read_bytes()
    (archive / "whole.mkv").write_bytes(content)
    (archive / "week 1" / "cut off.mkv").write_bytes(content[: len(content) // 2])
    (archive / "notes.mp4").write_text("no video")
    words = ("batch", archive, "-o", out, "--to", tiny_bundle.folder, "--codec", "h264")
    status, told, err = run(*words)
    assert status == 1
    assert "2 recordings done, 0 of them before" in told
    assert "exposed 0" in told
    first, second = err.strip().splitlines()
    assert first.startswith("note: week 1/cut off.mkv: the source is not whole")
    assert second.startswith("error: notes.mp4: ")
    made = {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in out.rglob("*.mkv")}
    assert set(made) == {"whole.mkv", "week 1/cut off.mkv"}
    (archive / "notes.mp4").unlink()
    status, told, err = run(*words)
    assert status == 0, err
    assert "2 recordings done, 2 of them before; 0 frames now" in told
    assert {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in out.rglob("*.mkv")} == made


def test_an_error_that_nobody_thought_of_is_one_line_too(run, monkeypatch):
    def fail():
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("toonfilter.runtime.doctor.checks.examine", fail)
    status, _, err = run("doctor")
    assert status == 1
    assert err.strip().splitlines() == [
        "error: ZeroDivisionError: division by zero (unexpected; TOONFILTER_TRACEBACK=1 shows where it happened)"
    ]
    monkeypatch.setenv("TOONFILTER_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run("doctor")


def test_video_refuses_in_one_line(run, clip, tiny_bundle, tmp_path):
    (tmp_path / "out.mp4").write_text("precious")
    (tmp_path / "empty.mp4").write_bytes(b"")
    style = ("--to", tiny_bundle.folder)
    cases = [
        ((clip, "-o", tmp_path / "out.mp4", *style), "--overwrite"),
        ((clip, "-o", clip, *style, "--overwrite"), "same file"),
        ((tmp_path / "gone.mp4", "-o", tmp_path / "a.mp4", *style), "no such file"),
        ((tmp_path / "empty.mp4", "-o", tmp_path / "a.mp4", *style), "0 bytes"),
        ((clip, "-o", tmp_path / "a.mp4", "--to", "no-such-style"), "no-such-style"),
        ((clip, "-o", tmp_path / "a.mp4", *style, "--quality", "best"), "'small', 'normal', 'high'"),
        ((clip, "-o", tmp_path / "a.mp4", *style, "--on-lost", "pass"), "--i-accept-exposure"),
        ((clip, "-o", tmp_path / "a.mp4", *style, "--region", "body"), "'head', 'face'"),
    ]
    for words, expected in cases:
        status, _, err = run("video", *words)
        assert status == (2 if {"--region", "--quality"} & set(words) else 1), words
        assert expected in err
        assert len(err.strip().splitlines()) == 1
    assert (tmp_path / "out.mp4").read_text() == "precious"


def test_cam_without_a_virtual_camera_says_what_to_do(run, monkeypatch):
    from toonfilter.runtime.live import virtual_camera

    monkeypatch.setattr(virtual_camera, "list_devices", list)
    monkeypatch.setattr(virtual_camera.sys, "platform", "linux")
    status, _, err = run("cam")
    assert status == 1
    assert "modprobe v4l2loopback" in err
    assert "--output preview" in err


def test_cam_without_a_camera_says_what_to_do(run, tmp_path, tiny_bundle, monkeypatch):
    from toonfilter.runtime.live import sources as cameras

    monkeypatch.setattr(cameras, "list_devices", list)
    status, _, err = run("cam", "-o", tmp_path / "out.mp4", "--camera", "Logitech", "--to", tiny_bundle.folder)
    assert status == 1
    assert "no camera 'Logitech'" in err


def test_cam_refuses_what_makes_no_sense(run, tmp_path):
    for words, expected in (
        (("--on-lost", "pass"), "--i-accept-exposure"),
        (("--size", "2", "2"), "--size"),
        (("--fps", "900"), "--fps"),
        (("-o", tmp_path / "out.avi"), ".mkv"),
    ):
        status, _, err = run("cam", *words)
        assert status == 1
        assert expected in err


@pytest.mark.slow
def test_cam_plays_a_file_into_a_file_and_reports(run, clip, tiny_bundle, tmp_path):
    words = ("--camera", clip, "-o", tmp_path / "out.mp4", "--to", tiny_bundle.folder, "--size", 64, 48, "--seconds", 3)
    status, out, err = run("cam", *words, "--audit", tmp_path / "audit.jsonl")
    assert status == 0, err
    assert "exposed 0" in out
    assert "added latency" in out
    sent = len((tmp_path / "audit.jsonl").read_text().splitlines())
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].frames == sent


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent differently there")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_cam_ends_in_order_when_asked_to(tiny_bundle, tmp_path, number):
    # On a busy machine the model takes long to be loaded; what is loaded still is waited for.
    patience = "from toonfilter.runtime.live import stage_threads; stage_threads.END_S = 600.0"
    program = [sys.executable, "-c", f"{patience}; from toonfilter.cli import main; main()", "cam", "--camera", "test"]
    words = ["-o", str(tmp_path / "out.mp4"), "--to", str(tiny_bundle.folder), "--size", "64", "48"]
    process = subprocess.Popen([*program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "test pattern" in process.stderr.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert "sent" in out
    assert (tmp_path / "out.mp4").exists()


def test_the_status_line_says_what_is_seen():
    from toonfilter.runtime.frames import PrivacyState
    from toonfilter.runtime.live.pipeline import CameraStatus, LiveStatus

    plain = LiveStatus(
        camera=CameraStatus("HD Webcam", 30.1, True),
        fps=29.7,
        latency_p50_ms=11.6,
        latency_p95_ms=17.2,
        dropped=3,
        state=PrivacyState.PROTECTED,
        reason="",
        faces=1,
        is_model_loaded=True,
        style="cartoon",
        is_hidden=False,
    )
    words = status_words(plain)
    assert words == "protected | 30 fps (camera 30) | latency 12 ms, p95 17 | dropped 3 | faces 1 | cartoon"
    for change, expected in (
        ({"is_hidden": True}, "hidden |"),
        ({"is_model_loaded": False}, "covered (the model is being loaded)"),
        ({"camera": CameraStatus("HD Webcam", 0.0, False)}, "covered (waiting for the camera)"),
        ({"state": PrivacyState.COVERED, "reason": "no face found"}, "covered (no face found)"),
    ):
        assert status_words(dataclasses.replace(plain, **change)).startswith(expected)


def test_the_status_line_is_only_for_terminals(monkeypatch, capsys):
    line = StatusLine()
    with line:
        line.show(None)
        line.note("camera: HD Webcam")
    assert capsys.readouterr().err == "camera: HD Webcam\n"
    monkeypatch.setattr(status_line, "status_words", lambda status: f"status {status}")
    with line:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        line.show("one")
        line.note("camera lost [again]")
        line.show("two")
    assert "camera lost [again]" in capsys.readouterr().err


def test_doctor_lists_every_check_and_its_status_tells(run, monkeypatch):
    from toonfilter.runtime.doctor import checks as doctor

    checks = [
        doctor.Check("numpy", "ok", "1.26"),
        doctor.Check("cameras", "fault", "none found", "plug one in", "live"),
    ]
    monkeypatch.setattr(doctor, "examine", lambda: iter(checks))
    status, out, _ = run("doctor")
    assert status == 1
    assert "numpy: 1.26" in out
    assert "what to do: plug one in" in out
    assert "cam does not" in out


def test_cam_with_a_style_that_is_not_there_leaves_no_recording(run, tmp_path):
    status, _, told = run("cam", "--to", "nobody", "--camera", "test", "--output", tmp_path / "out.mp4")
    assert status == 1
    assert "unknown style 'nobody'" in told
    assert not list(tmp_path.iterdir())
