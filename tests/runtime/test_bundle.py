import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toonfilter.runtime.backends import bundle_trial
from toonfilter.runtime.bundle import MANIFEST, Bundle, find_bundle, known_bundles, load_bundle, sha256_of
from toonfilter.runtime.errors import BundleError
from toonfilter.runtime.files.strict import Problem, parse


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
        ({"format": 3}, "format is 3; this toonfilter reads 1 and 2"),
        ({"colour": 1}, "unknown key colour"),
        ({"name": "../x"}, "must be a plain folder name"),
        ({"input": {"sizes": [250], "guidance_channels": 3}}, "input.sizes has 250"),
        ({"input": {"sizes": [256], "guidance_channels": 3, "mean": 0.5}}, "unknown key input.mean"),
        ({"output": {"channels": 2}}, "output.channels is 2"),
        ({"files": []}, "files is empty"),
        ({"files": 3}, "files is '3'; must be a list"),
        ({"warp": {"eyes": "big"}}, "warp.eyes is 'big'"),
    ],
)
def test_each_fault_is_named(copy: Path, changes: dict[str, Any], message: str) -> None:
    edit(copy, **changes)
    with pytest.raises(BundleError, match=message):
        load_bundle(copy)


def test_what_an_older_version_wrote_is_read(copy: Path, tiny_bundle: Bundle) -> None:
    content = json.loads((copy / "bundle.json").read_text())
    older = {key: value for key, value in content.items() if key != "warp"} | {"format": 1, "geometry": content["warp"]}
    for takes_drawings, domain in ((False, "photo"), (True, "drawing")):
        sizes = {"sizes": content["input"]["sizes"], "guidance_channels": 3}
        (copy / "bundle.json").write_text(json.dumps(older | {"takes_drawings": takes_drawings, "input": sizes}))
        loaded = load_bundle(copy)
        assert loaded.input.domain == domain
        assert replace(loaded, input=tiny_bundle.input) == tiny_bundle


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
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
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
        parse(Bundle, {"format": 2, "name": value, "files": value, "input": value})


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


def test_what_would_fill_memory_or_hang_is_refused_before_it_is_read(copy: Path) -> None:
    with (copy / "tiny.onnx").open("r+b") as stream:
        stream.truncate(200 << 30)
    with pytest.raises(BundleError, match="GB at most"):
        load_bundle(copy)
    manifest = copy / MANIFEST
    text = manifest.read_text()
    for content, told in (("[" * 200_000, "not JSON"), (text + " " * 5_000_000, "larger than")):
        manifest.write_text(content)
        with pytest.raises(BundleError, match=told):
            load_bundle(copy)
    manifest.write_text(re.sub(r'"eyes": [0-9.]+', '"eyes": NaN', text))
    with pytest.raises(BundleError, match="NaN"):
        load_bundle(copy)
    manifest.write_text(re.sub(r'"eyes": [0-9.]+', '"eyes": 1e308', text))
    with pytest.raises(BundleError, match=r"warp\.eyes"):
        load_bundle(copy)
    if hasattr(os, "mkfifo"):
        manifest.unlink()
        os.mkfifo(manifest)
        with pytest.raises(BundleError, match="no ordinary file"):
            load_bundle(copy)


def test_weights_in_other_files_are_refused(copy: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(copy / "tiny.onnx"))
    onnx.save(model, str(copy / "tiny.onnx"), save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (copy / "weights.bin").is_file()
    manifest = copy / MANIFEST
    content = json.loads(manifest.read_text())
    content["files"][0]["sha256"] = sha256_of(copy / "tiny.onnx")
    manifest.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="weights in other files"):
        load_bundle(copy)


def test_a_model_that_computes_for_ever_is_refused_in_a_process_of_its_own(
    copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    monkeypatch.setattr(bundle_trial, "trials_folder", lambda: tmp_path / "tried")
    bundle_trial.try_once(load_bundle(copy))
    assert len(list((tmp_path / "tried").iterdir())) == 1
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["was"], ["is"])],
        "body",
        [
            helper.make_tensor_value_info("turn", types.INT64, []),
            helper.make_tensor_value_info("go", types.BOOL, []),
            helper.make_tensor_value_info("was", types.UINT8, None),
        ],
        [
            helper.make_tensor_value_info("go_on", types.BOOL, []),
            helper.make_tensor_value_info("is", types.UINT8, None),
        ],
    )
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["guidance", "from", "to", "axis"], ["alpha"]),
            helper.make_node("Loop", ["turns", "true", "image"], ["rgb"], body=body),
            helper.make_node("Concat", ["rgb", "alpha"], ["cartoon"], axis=3),
        ],
        "endless",
        [helper.make_tensor_value_info(name, types.UINT8, ["N", "S", "S", 3]) for name in ("image", "guidance")],
        [helper.make_tensor_value_info("cartoon", types.UINT8, ["N", "S", "S", 4])],
        [
            onnx.numpy_helper.from_array(np.array(value), name)
            for name, value in {"turns": np.int64(2**62), "true": True, "from": [0], "to": [1], "axis": [3]}.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, str(copy / "tiny.onnx"))
    manifest = copy / MANIFEST
    content = json.loads(manifest.read_text())
    content["files"][0]["sha256"] = sha256_of(copy / "tiny.onnx")
    manifest.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="not ready after"):
        bundle_trial.try_once(load_bundle(copy))
    assert len(list((tmp_path / "tried").iterdir())) == 1
