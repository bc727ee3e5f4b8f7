"""What other programs use: `from toonfilter import ...`, and nothing private."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import toonfilter
from toonfilter import BackendError, BundleError, ConfigError, Drawing, Filter, PrivacyState, Sliders, ToonfilterError
from toonfilter import styles as installed

ROOT = Path(__file__).resolve().parents[2]


def test_everything_promised_is_there_and_nothing_else_is_imported_for_the_version():
    assert all(getattr(toonfilter, name) is not None for name in toonfilter.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Filters'"):
        _ = toonfilter.Filters
    code = "import sys, toonfilter; print(toonfilter.__version__, sorted(m for m in sys.modules if 'numpy' in m))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == f"{toonfilter.__version__} []\n"


def test_the_page_names_everything_promised():
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    told = set(re.findall(r"\w+", page))
    for name in set(toonfilter.__all__) - {"__version__", "CaptureError", "OutputError"}:
        assert name in told, name


@pytest.fixture
def cartoon(tiny_bundle):
    with Filter(str(tiny_bundle.folder), engine="onnxruntime") as opened:
        yield opened


def test_a_frame_goes_in_and_a_safe_one_comes_out(cartoon, astronaut):
    image = astronaut.copy()
    for number in range(3):
        safe = cartoon(image, number / 25)
    assert (safe.state, safe.faces_found, safe.faces_drawn, safe.index) == (PrivacyState.PROTECTED, 1, 1, 2)
    assert safe.image.shape == image.shape
    assert (image == astronaut).all()
    assert not (safe.image == image).all()


def test_a_frame_can_be_covered(cartoon, astronaut):
    safe = cartoon.cover(astronaut)
    assert safe.state is PrivacyState.COVERED
    assert len(np.unique(safe.image.reshape(-1, 3), axis=0)) < 200


def test_another_file_starts_anew(cartoon, astronaut):
    cartoon(astronaut, 10.0)
    cartoon.reset()
    assert cartoon(astronaut, 0.0).state is PrivacyState.PROTECTED


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), None, [[0]]])
def test_an_image_of_another_kind_is_refused(cartoon, wrong):
    for call in (cartoon, cartoon.cover):
        with pytest.raises(ConfigError, match="must be uint8"):
            call(wrong)


def test_wrong_styles_are_named_and_the_old_one_stays(cartoon, astronaut):
    with pytest.raises(BundleError, match="known styles"):
        cartoon.set_style("no such style")
    assert cartoon(astronaut).state is PrivacyState.PROTECTED
    assert issubclass(BundleError, ToonfilterError)
    assert issubclass(BackendError, ToonfilterError)


def test_styles_are_those_that_ship():
    assert {"cartoon", "anime", "comic", "sketch"} <= set(installed())


@pytest.mark.slow
def test_the_example_runs_and_sliders_are_taken(astronaut):
    told = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "own_program.py")], capture_output=True, text=True, check=True
    ).stdout
    assert told.splitlines()[-1] == "26 frames, the last with 1 of 1 faces drawn"
    pictures = []
    for sliders in (Sliders(), Sliders(colour=0.0)):
        with Filter("cartoon", drawing=Drawing(sliders=sliders)) as cartoon:
            pictures.append(cartoon(astronaut, 0.0).image)
    assert (
        np.ptp(pictures[1][100:220, 180:300].astype(int), axis=2).mean()
        < 0.6 * np.ptp(pictures[0][100:220, 180:300].astype(int), axis=2).mean()
    )
