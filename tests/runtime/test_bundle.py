import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toonfilter.runtime.bundle import Bundle, find_bundle, known_bundles, load_bundle
from toonfilter.runtime.errors import BundleError
from toonfilter.runtime.strict import Problem, parse


@pytest.fixture
def copy(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle.folder, tmp_path / "copy"))


def edit(folder: Path, **changes: Any) -> None:
    manifest = folder / "bundle.json"
    content = json.loads(manifest.read_text())
    content.update(changes)
    manifest.write_text(json.dumps(content))


def test_round_trip(tiny_bundle: Bundle) -> None:
    loaded = load_bundle(tiny_bundle.folder)
    assert loaded == tiny_bundle
    assert loaded.path_of(loaded.file_for("fp32", 64)).is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format is 2; this toonfilter reads format 1"),
        ({"colour": 1}, "unknown key colour"),
        ({"name": "../x"}, "must be a plain folder name"),
        ({"input": {"sizes": [250], "guidance_channels": 3}}, "input.sizes has 250"),
        ({"input": {"sizes": [256], "guidance_channels": 3, "mean": 0.5}}, "unknown key input.mean"),
        ({"output": {"channels": 2}}, "output.channels is 2"),
        ({"files": []}, "files is empty"),
        ({"files": 3}, "files is '3'; must be a list"),
        ({"geometry": {"eyes": "big"}}, "geometry.eyes is 'big'"),
    ],
)
def test_each_fault_is_named(copy: Path, changes: dict[str, Any], message: str) -> None:
    edit(copy, **changes)
    with pytest.raises(BundleError, match=message):
        load_bundle(copy)


def test_missing_key_is_named(copy: Path) -> None:
    content = json.loads((copy / "bundle.json").read_text())
    del content["training"]["steps"]
    (copy / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match=r"training\.steps is missing"):
        load_bundle(copy)


def test_tampered_file_is_refused(copy: Path) -> None:
    with (copy / "tiny.onnx").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(BundleError, match="damaged or changed"):
        load_bundle(copy)


def test_missing_file_is_named(copy: Path) -> None:
    (copy / "tiny.onnx").unlink()
    with pytest.raises(BundleError, match=r"tiny\.onnx is missing"):
        load_bundle(copy)


def test_file_that_cannot_be_read_is_named(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("toonfilter.runtime.bundle.sha256_of", refuse)
    with pytest.raises(BundleError, match=r"tiny\.onnx cannot be read \(Permission denied\)"):
        load_bundle(copy)


def test_path_out_of_the_bundle_is_refused(copy: Path) -> None:
    content = json.loads((copy / "bundle.json").read_text())
    content["files"][0]["path"] = "../tiny.onnx"
    (copy / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match="leads out of the bundle"):
        load_bundle(copy)


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00", '{"format": 1}'])
def test_nonsense_is_refused_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(BundleError):
        load_bundle(tmp_path)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_any_json_in_any_field_is_refused(value: Any) -> None:
    with pytest.raises(Problem):
        parse(Bundle, {"format": 1, "name": value, "files": value, "input": value})


def test_the_users_bundles_come_first(tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOONFILTER_HOME", str(tmp_path))
    shutil.copytree(tiny_bundle.folder, tmp_path / "models" / "cartoon")
    assert known_bundles()["cartoon"] == tmp_path / "models" / "cartoon"
    assert find_bundle("cartoon").folder == tmp_path / "models" / "cartoon"


def test_unknown_style_lists_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    monkeypatch.setenv("TOONFILTER_HOME", str(tmp_path))
    shutil.copytree(tiny_bundle.folder, tmp_path / "models" / "mine")
    with pytest.raises(BundleError, match=r"unknown style 'nobody'; known styles: .*mine"):
        find_bundle("nobody")
