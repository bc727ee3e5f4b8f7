"""The webcam, and one run of the program for the tests of a file."""

import shutil
import subprocess

import pytest
from v4l2_rig import OUT, START_S, WEBCAM, Webcam, ffmpeg_pictures, is_cartoon, is_offered, run_cam, wait_for


@pytest.fixture(scope="session")
def webcam():
    subprocess.run(["pkill", "-f", f"ffmpeg.*{WEBCAM}"], check=False)
    camera = Webcam()
    camera.plug_in()
    camera.find_faces()
    yield camera
    camera.unplug()


@pytest.fixture(scope="module")
def cam(request, webcam, tmp_path_factory):  # noqa: ARG001 - plays the camera
    """One run of the program, with its audit. The first pictures are watched from the moment the device offers them."""
    folder = tmp_path_factory.mktemp("cam")
    options = getattr(request.module, "CAM_OPTIONS", ())
    process = run_cam("--audit", str(folder / "audit.jsonl"), *options, log=folder / "log.txt")
    process.folder = folder
    process.early = []
    wait_for(is_offered, START_S, "the virtual camera")
    for _, image in ffmpeg_pictures(START_S):
        process.early.append(image)
        if is_cartoon(image) or process.poll() is not None:
            break
        del process.early[:-400]
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()
    shutil.copy(folder / "log.txt", OUT / "cam.log")
