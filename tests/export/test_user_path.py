"""A user's own folder of faces becomes a style for the camera, with the commands of the README."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from toonfilter.runtime.bundle import find_bundle
from toonfilter.runtime.geometry.warp import FaceWarp

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SHORT = ["run.epochs=0", "run.steps=2", "data.size_px=64", "data.workers=0", "generator.options.width=4"]
SHORT += ["discriminator.options.width=4"]
UNPAIRED = ["generator.options.blocks=1"]


# On a busy machine a model takes long to be loaded; `cam` waits for what is loaded still, however soon it is to end.
PROGRAM = """
from toonfilter.runtime.live import stage_threads
stage_threads.END_S = 600.0
from toonfilter.cli import main
main()
"""


def toonfilter(*words: object) -> str:
    """Run the command as a user does, in a process of its own; it must end well. What it writes, errors after the rest.

    A native library that crashes ends that process, with a status and a trace, and not the tests.
    """
    command = [sys.executable, "-X", "faulthandler", "-c", PROGRAM, *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    told = done.stdout + done.stderr
    assert done.returncode == 0, f"status {done.returncode}: {told[-4000:]}"
    return told


@pytest.fixture
def faces(tmp_path: Path, astronaut: np.ndarray) -> Path:
    """Three pictures of people, who are one."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for name, picture in {"a": astronaut, "b": astronaut[:, ::-1], "c": np.roll(astronaut, 40, 1)}.items():
        cv2.imwrite(str(folder / f"{name}.png"), np.ascontiguousarray(picture[..., ::-1]))
    return folder


@pytest.mark.parametrize(("recipe", "changes"), [("pix2pix", ["generator.options.downs=6"]), ("cyclegan", UNPAIRED)])
def test_from_a_folder_of_faces_to_the_camera(
    recipe: str, changes: list[str], faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOONFILTER_HOME", str(tmp_path / "home"))
    pairs, run = tmp_path / "pairs", tmp_path / "runs" / "mine"
    toonfilter("prepare", "pairs", faces, "-o", pairs, "--size", 128, "--workers", 1, "--proportion", "eyes=1.25")
    sets = [word for change in (*SHORT, *changes) for word in ("--set", change)]
    toonfilter("train", recipe, "--data", pairs, "--out", run, "--accelerator", "cpu", *sets)
    assert "use it with --to mine" in toonfilter("export", run, "--name", "mine")
    if recipe == "pix2pix":
        assert find_bundle("mine").warp == FaceWarp(eyes=1.25).to_dict()
    toonfilter("image", faces / "a.png", "-o", tmp_path / "drawn", "--to", "mine")
    before, after = (cv2.imread(str(folder / "a.png")).astype(float) for folder in (faces, tmp_path / "drawn"))
    changed = np.abs(after - before).max(2) > 8
    # The face is covered by the new style's drawing, and the rest is as it was.
    assert changed[60:160, 180:260].mean() > 0.9
    assert not changed[400:].any()
    clip = Path(__file__).parents[2] / "examples" / "astronaut.mp4"
    talk = tmp_path / "talk.mp4"
    words = toonfilter("cam", "--to", "mine", "--camera", clip, "-o", talk, "--size", "640x360", "--seconds", 6)
    assert "exposed 0" in words
    assert talk.stat().st_size > 0
