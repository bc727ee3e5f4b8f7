"""Stand-ins for libraries that a server lacks; real ones are hidden by saying that they are not there."""

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from toonfilter.runtime.platform.graphics_libraries import stand_in, undefined_names

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="for Linux on two processors",
)

_WITHOUT_LIBRARIES = """
import ctypes

from toonfilter.runtime.platform import graphics_libraries

found = ctypes.CDLL


def refused(name, *rest, **more):
    if name is not None and "/" not in name:
        raise OSError(name)
    return found(name, *rest, **more)


ctypes.CDLL = refused
import cv2
import numpy as np
import skia

picture = np.full((40, 60, 3), 90, np.uint8)
assert cv2.resize(picture, (30, 20)).mean() == 90
assert cv2.imencode(".png", picture)[0]
surface = skia.Surface(16, 16)
with surface as canvas:
    canvas.drawRect(skia.Rect.MakeWH(16, 16), skia.Paint(Color=skia.ColorRED))
assert surface.makeImageSnapshot().toarray()[8, 8].tolist() == [0, 0, 255, 255]
assert {"libGL.so.1", "libEGL.so.1", "libglib-2.0.so.0"} <= graphics_libraries.missing

from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.frames import Frame
from toonfilter.runtime.live.sinks import Preview
from toonfilter.runtime.privacy import Guard

frame = Frame(image=picture, index=0, pts=0, captured_at_s=0.0)
try:
    Preview().send(Guard().cover(frame, "test"), 0.0)
except OutputError as error:
    print(error)
"""


def test_a_stand_in_answers_zero(tmp_path: Path) -> None:
    names = [f"answer_{number}" for number in range(300)]
    path = tmp_path / "libanswer.so.1"
    path.write_bytes(stand_in("libanswer.so.1", names))
    library = ctypes.CDLL(str(path))
    assert [library[names[number]]() for number in (0, 7, 299)] == [0, 0, 0]
    with pytest.raises(AttributeError):
        library["answer_300"]


def test_what_a_library_expects_from_others() -> None:
    (library,) = Path(cv2.__file__).parent.glob("cv2*.so")
    names = undefined_names(library.read_bytes())
    assert {name for name in names if name.startswith("Py")} >= {"PyErr_SetString", "PyGILState_Ensure"}
    assert "PyInit_cv2" not in names


def test_pictures_are_made_without_graphics_libraries_and_a_preview_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_LIBRARIES],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "DISPLAY": ":0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "libGL.so.1" in done.stdout
    assert "apt install libgl1" in done.stdout
