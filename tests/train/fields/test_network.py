"""The fields network: shapes, the ImageNet start, one step of training, and its ONNX files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from toonfilter.export.crops import Feeds
from toonfilter.export.fields_export import FieldsGraph, export_fp32, plane_differences, to_int8
from toonfilter.export.fields_files import export_run
from toonfilter.export.parity import model_reference
from toonfilter.runtime.bundle import load_bundle
from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.runtime.fields import FIELDS
from toonfilter.train.data.fields.store import LabelStore
from toonfilter.train.fields_training import CHECKPOINT, FieldsRecipe, FieldsTraining, split_indices
from toonfilter.train.losses.fields import fields_loss, overlap
from toonfilter.train.networks.fields import (
    FieldsNetwork,
    MobileNetFeatures,
    is_exported,
    load_exported,
    load_imagenet,
    settle_norms,
)

RECIPE = FieldsRecipe(
    steps=2, small_steps=1, small_px=64, large_px=64, batch_size=2, large_batch_size=2, save_every=1,
    validate_every=2, validation_pictures=1, bfloat16=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def network() -> FieldsNetwork:
    torch.manual_seed(0)
    made = FieldsNetwork()
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean = torch.randn(part.num_features) * 0.1
            part.running_var = torch.rand(part.num_features) + 0.5
    return made.eval()


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file with convolutions of MobileNetV2's shapes for three planes."""
    path: Path = tmp_path_factory.mktemp("imagenet") / "mobilenet.onnx"
    torch.manual_seed(1)
    nodes, weights, name = [], [], "input"
    for number, part in enumerate(m for m in MobileNetFeatures(3).modules() if isinstance(m, nn.Conv2d)):
        assert part.bias is not None
        for kind, tensor in (("w", part.weight), ("b", part.bias)):
            weights.append(numpy_helper.from_array(tensor.detach().numpy(), f"{kind}{number}"))
        nodes.append(helper.make_node("Conv", [name, f"w{number}", f"b{number}"], [f"t{number}"]))
        name = f"t{number}"
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("input", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)], weights,
    )  # fmt: skip
    onnx.save(helper.make_model(graph), path)
    return path


@pytest.mark.parametrize("size", [(64, 64), (96, 160)])
def test_planes_have_the_size_of_the_picture(network: FieldsNetwork, size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert network(torch.zeros(1, 4, *size)).shape == (1, len(FIELDS), *size)


def test_mesh_plane_starts_without_effect(imagenet: Path) -> None:
    features = MobileNetFeatures()
    load_imagenet(features, imagenet)
    picture = torch.rand(1, 4, 64, 64)
    other = picture.clone()
    other[:, 3] = 0
    with torch.no_grad():
        for first, second in zip(features(picture), features(other), strict=True):
            assert torch.equal(first, second)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.zeros((8, 3, 3, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [weight],
    )  # fmt: skip
    path = tmp_path / "small.onnx"
    onnx.save(helper.make_model(graph), path)
    with pytest.raises(DataError, match="1 convolutions"):
        load_imagenet(MobileNetFeatures(), path)


def test_unknown_planes_do_not_count() -> None:
    torch.manual_seed(0)
    logits, planes = torch.randn(2, 9, 32, 32), torch.rand(2, 9, 32, 32)
    known = torch.ones(2, 9)
    known[:, FIELDS.index("beard")] = 0
    changed = planes.clone()
    changed[:, FIELDS.index("beard")] = 1 - changed[:, FIELDS.index("beard")]
    assert fields_loss(logits, planes, known)[0] == fields_loss(logits, changed, known)[0]
    assert fields_loss(logits, planes, torch.ones(2, 9))[0] != fields_loss(logits, changed, torch.ones(2, 9))[0]


def test_loss_is_least_for_the_label_itself() -> None:
    planes = (torch.rand(1, 9, 32, 32) > 0.5).float()
    right, wrong = (planes * 2 - 1) * 12, (1 - planes * 2) * 12
    known = torch.ones(1, 9)
    assert fields_loss(right, planes, known)[0] < 0.01 < fields_loss(wrong, planes, known)[0]


def test_overlap_counts_lenses_as_glasses() -> None:
    planes = torch.zeros(1, 9, 4, 4)
    planes[:, FIELDS.index("glasses"), :2] = 0.5
    both, either = overlap(planes, planes)
    assert both[0, FIELDS.index("glasses")] == either[0, FIELDS.index("glasses")] == 8


def test_a_stopped_run_goes_on_as_if_it_had_not(store: LabelStore, imagenet: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    FieldsTraining(store.folder, whole, RECIPE, imagenet).run()
    first = FieldsTraining(store.folder, parts, RECIPE, imagenet)
    first.recipe = replace(RECIPE, steps=2)
    first.one_step()
    first.step = 1
    first.save()
    FieldsTraining(store.folder, parts, RECIPE, None).run()
    a, b = (torch.load(folder / CHECKPOINT, weights_only=True) for folder in (whole, parts))
    assert a["step"] == b["step"] == 2
    for name, value in a["network"].items():
        assert torch.equal(value, b["network"][name]), name


@pytest.mark.slow
def test_a_run_becomes_a_bundle(
    store: LabelStore, imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toonfilter.export.fields_files.split_indices", lambda _: (np.arange(5), np.array([5])))
    monkeypatch.setattr("toonfilter.export.fields_files.CALIBRATION_PICTURES", 2)
    training = FieldsTraining(store.folder, tmp_path / "run", RECIPE, imagenet)
    training.one_step()
    training.step = 1
    training.save()
    done = export_run(store.folder, tmp_path / "run", tmp_path / "bundle", data="painted")
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.output.kind == "fields"
    assert [entry.precision for entry in bundle.files] == ["fp32", "int8"]
    assert bundle.training.steps == 1
    assert set(done.int8_differences) == set(FIELDS)


def test_a_new_run_needs_the_imagenet_weights(store: LabelStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ImageNet"):
        FieldsTraining(store.folder, tmp_path / "run", RECIPE, None)


def test_nobody_is_on_both_sides(store: LabelStore) -> None:
    train, held = split_indices(store)
    assert set(train) | set(held) == set(range(len(store)))
    assert not {store.entries[i].cluster for i in train} & {store.entries[i].cluster for i in held}


def feeds(size: tuple[int, int] = (64, 64)) -> Feeds:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, *size, 3), np.uint8)
    return {"image": image, "guidance": np.full((1, *size, 1), 160, np.uint8)}


@pytest.fixture(scope="module")
def model(network: FieldsNetwork) -> onnx.ModelProto:
    return export_fp32(network, {"toonfilter.step": "7"})


@pytest.mark.slow
def test_onnx_file_draws_what_pytorch_draws(network: FieldsNetwork, model: onnx.ModelProto) -> None:
    run = model_reference(model)
    for size in ((64, 64), (96, 160)):
        given = feeds(size)
        planes = torch.from_numpy(np.concatenate([given["image"], given["guidance"]], 3)).permute(0, 3, 1, 2)
        with torch.no_grad():
            expected = torch.sigmoid(network((planes.float() - 128) / 127.5)) * 255
        found = run(given)
        assert found.shape == (1, *size, len(FIELDS))
        assert np.abs(found - expected.permute(0, 2, 3, 1).numpy()).max() < 1


@pytest.mark.slow
def test_int8_file_is_close_and_quantised_throughout(model: onnx.ModelProto) -> None:
    small = to_int8(model, [feeds()])
    assert not [node for node in small.graph.node if node.op_type in ("Clip", "Relu", "Cast") and "token" in node.name]
    assert {entry.key: entry.value for entry in small.metadata_props}["toonfilter.step"] == "7"
    assert max(plane_differences(model_reference(model), model_reference(small), [feeds()]).values()) < 6
    assert model_reference(small)(feeds((96, 160))).shape == (1, 96, 160, len(FIELDS))


@pytest.mark.slow
def test_an_exported_network_goes_on_as_it_was(network: FieldsNetwork, model: onnx.ModelProto, tmp_path: Path) -> None:
    onnx.save(model, tmp_path / "fields.onnx")
    assert is_exported(tmp_path / "fields.onnx")
    images = torch.randn(4, 4, 64, 64)
    with torch.no_grad():
        expected = network(images)
        again = FieldsNetwork().eval()
        load_exported(again, tmp_path / "fields.onnx")
        torch.testing.assert_close(again(images), expected, rtol=1e-3, atol=1e-3)
        settle_norms(again, images)
        torch.testing.assert_close(again(images), expected, rtol=1e-3, atol=1e-3)
        # In training, norms count with the batch's own statistics, which are these now.
        torch.testing.assert_close(again.train()(images), expected, rtol=0.05, atol=0.05)


def test_other_files_are_no_exported_network(imagenet: Path) -> None:
    assert not is_exported(imagenet)
    with pytest.raises(DataError, match="no exported fields network"):
        load_exported(FieldsNetwork(), imagenet)


@pytest.mark.parametrize("content", [None, b"no ONNX file"])
def test_weights_that_cannot_be_read_are_told(store: LabelStore, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "weights.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as ONNX"):
        FieldsTraining(store.folder, tmp_path / "run", RECIPE, path)


def test_frozen_stages_learn_nothing(store: LabelStore, imagenet: Path, tmp_path: Path) -> None:
    training = FieldsTraining(store.folder, tmp_path / "run", replace(RECIPE, frozen_stages=2), imagenet)
    before = {name: value.clone() for name, value in training.network.state_dict().items()}
    training.one_step()
    after = training.network.state_dict()
    changed = {
        name.split(".")[2]
        for name in before
        if name.startswith("features.stages")
        if not torch.equal(before[name], after[name])
    }
    assert changed == {"2", "3", "4", "5", "6"}
    assert torch.equal(before["features.stem.convolution.weight"], after["features.stem.convolution.weight"])


def test_graph_keeps_the_network_as_it_was(network: FieldsNetwork) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    FieldsGraph(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
