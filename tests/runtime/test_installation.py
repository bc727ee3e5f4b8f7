import importlib.metadata
import importlib.util
import json
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from toonfilter import cli
from toonfilter.runtime.doctor.checks import check_extras
from toonfilter.runtime.errors import explained
from toonfilter.runtime.platform import installation
from toonfilter.runtime.platform.installation import EXTRAS, how_to_add, import_conflict, install_command

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn", "torch_fidelity": "torch-fidelity"}


class Copy:
    """An installed copy with this origin, as PEP 610 writes it down."""

    def __init__(self, origin):
        self.origin = origin

    def read_text(self, name):
        return self.origin if name == "direct_url.json" else None


@pytest.fixture
def place(monkeypatch, tmp_path):
    """Puts the copy into an environment of its own, with this origin and this set of modules."""

    def put(origin=None, receipt="", modules=("pip",)):
        text = json.dumps(origin) if isinstance(origin, dict) else origin
        monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Copy(text))
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in modules else None)
        monkeypatch.setattr(sys, "prefix", str(tmp_path))
        monkeypatch.setattr(sys, "executable", "/somewhere/my env/python")
        if receipt:
            (tmp_path / receipt).touch()

    return put


def test_the_extras_are_the_declared_ones():
    for extra, modules in EXTRAS.items():
        declared = " ".join(PROJECT["optional-dependencies"][extra])
        for module in modules:
            assert DISTRIBUTIONS.get(module, module) in declared
        assert len(modules) == len(PROJECT["optional-dependencies"][extra])


def test_a_copy_from_an_index_is_known_by_name(place):
    place()
    expected = ["/somewhere/my env/python", "-m", "pip", "install", "toonfilter[train]"]
    assert shlex.split(install_command("train")) == expected
    assert install_command().endswith("pip install toonfilter")


def test_a_clone_stays_a_clone(place, tmp_path):
    clone = tmp_path / "with space"
    clone.mkdir()
    place({"url": clone.as_uri(), "dir_info": {"editable": True}})
    assert shlex.split(install_command("train"))[-2:] == ["-e", f"{clone}[train]"]
    place({"url": clone.as_uri(), "dir_info": {}})
    assert shlex.split(install_command("train"))[-2:] == ["install", f"{clone}[train]"]


def test_a_wheel_is_taken_from_where_it_was(place, tmp_path):
    wheel = tmp_path / "toonfilter-0.1.0-py3-none-any.whl"
    place({"url": wheel.as_uri(), "archive_info": {}})
    assert shlex.split(install_command("app"))[-1] == "toonfilter[app]"
    wheel.touch()
    assert shlex.split(install_command("app"))[-1] == f"toonfilter[app] @ {wheel.as_uri()}"


def test_an_environment_without_pip_is_changed_by_uv(place):
    place(modules=())
    assert shlex.split(install_command("app"))[:5] == ["uv", "pip", "install", "--python", "/somewhere/my env/python"]


@pytest.mark.parametrize(("receipt", "tool"), [("uv-receipt.toml", "uv tool"), ("pipx_metadata.json", "pipx")])
def test_tool_installers_keep_the_extras_that_are_there(place, receipt, tool):
    place(receipt=receipt, modules=EXTRAS["app"])
    expected = [
        *tool.split(),
        "install",
        "--force",
        "--python",
        getattr(sys, "_base_executable", sys.executable),
        "toonfilter[app,mediapipe]",
    ]
    assert shlex.split(install_command("mediapipe")) == expected


def test_what_runs_out_of_a_cache_is_run_with_the_extra(place, monkeypatch, tmp_path):
    place(modules=())
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "uv" / "archive-v0" / "RxTwRmk"))
    assert install_command("app") == "uvx --from 'toonfilter[app]' toonfilter"


def test_a_damaged_origin_is_none(place):
    place("no json")
    assert install_command("app").endswith("'toonfilter[app]'")


def test_the_doctor_names_the_command_of_each_missing_extra(place):
    place(modules=("pip", *EXTRAS["train"][1:]))
    checks = {check.name: check for check in check_extras()}
    assert set(checks) == {f"extra {name}" for name in EXTRAS}
    assert checks["extra train"].verdict == "note"
    assert "(lightning)" in checks["extra train"].found
    assert checks["extra train"].advice == install_command("train")


def test_no_command_where_no_wheel_is(place, monkeypatch):
    place()
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    assert "3.12" in how_to_add("mediapipe")
    monkeypatch.setattr(sys, "version_info", (3, 12, 0))
    assert how_to_add("mediapipe") == install_command("mediapipe")


def test_a_package_that_vanished_is_told_with_its_cure(place):
    place()
    assert "install 'toonfilter[train]'" in str(explained(ModuleNotFoundError(name="lightning.pytorch")))
    assert "install toonfilter" in str(explained(ModuleNotFoundError(name="skia")))


@pytest.mark.parametrize(
    ("numpy", "opencv", "fits"),
    [
        ("1.26.4", {"opencv-python": "4.9.0.80"}, True),
        ("2.0.0", {"opencv-python": "4.9.0.80"}, False),
        ("2.5.5", {"opencv-python-headless": "4.9.0.80"}, False),
        ("2.5.5", {"opencv-python": "4.10.0.84"}, True),
        ("2.5.5", {"opencv-python": "5.0.0.93"}, True),
        ("2.5.5", {}, True),
    ],
)
def test_an_opencv_that_numpy_does_not_take_is_told_with_its_cure(place, numpy, opencv, fits):
    place()
    found = {"numpy": numpy, **opencv}

    def version(name):
        if name not in found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[name]

    told = import_conflict(version)
    assert (told == "") == fits
    if not fits:
        name = next(iter(opencv))
        assert told.startswith(f"{name} 4.9.0.80 cannot be loaded beside numpy {numpy}. ")
        assert f"pip install '{name}>=4.10,<6'" in told


def test_the_command_tells_a_conflict_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(installation, "import_conflict", lambda: "numpy is too new")
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    assert capsys.readouterr().err == "error: numpy is too new\n"
