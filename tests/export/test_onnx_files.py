"""What the exported files compute, say about themselves, and refuse."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from toonfilter.export.half import convert_to_half
from toonfilter.export.onnx_export import NORM_NODES_KEY, ExportError, PictureGraph, export_graph, picture_graph
from toonfilter.export.parity import compare, model_reference, torch_reference
from toonfilter.export.precision import overflowing_nodes, to_fp16, to_int8
from toonfilter.runtime.errors import ConfigError
from toonfilter.train.systems import ExportSpec


class Shift(nn.Module):
    """Returns the picture 20 levels lighter, with a matte of the first guidance plane."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x[:, :3] + 20 / 127.5, x[:, 3:4] * 2 - 1], 1)


class Undecided(nn.Module):
    """Takes a way that depends on the picture, which no graph can."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if bool(x.sum() > 0) else -x


def properties(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def run(model: onnx.ModelProto, **feeds: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)[
        0
    ]


def test_scaling_rounding_and_clamping_are_inside_the_graph() -> None:
    spec = ExportSpec("", 3, 4, (32,), 1)
    model = export_graph(picture_graph(Shift(), spec), spec, [32], {})[32]
    image = np.arange(32 * 32 * 3, dtype=np.int64).reshape(1, 32, 32, 3).astype(np.uint8)
    guidance = image[:, ::-1].copy()
    for converted in (model, to_fp16(model, [])):
        result = run(converted, image=image, guidance=guidance)
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result[..., :3], np.minimum(image.astype(int) + 20, 255))
        np.testing.assert_array_equal(result[..., 3], guidance[..., 0])


@pytest.mark.parametrize(("guidance", "channels", "norm"), [(3, 4, "group"), (0, 3, "instance")])
def test_one_file_takes_every_size_and_batch(make_source, crops, guidance, channels, norm) -> None:
    source = make_source(guidance, channels, norm)
    graph = picture_graph(source.network, source.spec)
    models = export_graph(graph, source.spec, [64, 96], {"toonfilter.name": "tiny"})
    assert list(models) == [None]
    session = onnxruntime.InferenceSession(models[None].SerializeToString(), providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_inputs()] == (["image", "guidance"] if guidance else ["image"])
    assert session.get_inputs()[0].shape == ["batch", "height", "width", 3]
    assert session.get_outputs()[0].shape == ["batch", "height", "width", channels]
    for size, batch in ((64, 1), (64, 4), (96, 3), (128, 2)):
        feeds = crops.feeds(size, batch, batch=batch)[0]
        if not guidance:
            del feeds["guidance"]
        result = session.run(None, feeds)[0].astype(int)
        assert result.shape == (batch, size, size, channels)
        assert np.abs(result - torch_reference(graph)(feeds)).max() <= 1


def test_a_size_the_generator_cannot_change_gets_its_own_file() -> None:
    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.linspace(0, 1, x.shape[2]).reshape(1, 1, -1, 1) if x.shape[2] == 32 else x * 0.5

    spec = ExportSpec("", 0, 3, (32, 64), 32)
    models = export_graph(picture_graph(Fixed(), spec), spec, [32, 64], {})
    assert list(models) == [32, 64]
    image = np.full((4, 64, 64, 3), 200, np.uint8)
    assert run(models[64], image=image).shape == image.shape


def test_files_carry_metadata_and_no_traces_of_the_exporting_machine(tiny_model) -> None:
    _, model = tiny_model("instance")
    assert properties(model)["toonfilter.licence"] == "MIT"
    assert properties(to_fp16(model, []))["toonfilter.licence"] == "MIT"
    text = model.SerializeToString()
    assert b".py" not in text
    assert b"/" not in b"".join(entry.value.encode() for entry in model.metadata_props)


def test_norm_layers_stay_fp32_and_batch_norm_is_gone(tiny_model, crops) -> None:
    for norm, expected in (("instance", 2), ("batch", 0)):
        _, model = tiny_model(norm)
        half = to_fp16(model, crops.feeds(64, 2))
        norms = [node for node in half.graph.node if node.op_type == "InstanceNormalization"]
        assert len(norms) == expected
        assert not any(node.op_type == "BatchNormalization" for node in half.graph.node)
        assert bool(properties(model)[NORM_NODES_KEY]) == (norm != "batch")
        types = {
            value.name: value.type.tensor_type.elem_type
            for value in onnx.shape_inference.infer_shapes(half).graph.value_info
        }
        assert all(types[node.output[0]] == onnx.TensorProto.FLOAT for node in norms)
        convolutions = [node for node in half.graph.node if node.op_type == "Conv"]
        assert all(types[node.output[0]] == onnx.TensorProto.FLOAT16 for node in convolutions)


def test_what_overflows_in_fp16_stays_fp32(tiny_model, crops) -> None:
    graph, model = tiny_model(gain=1e5)
    feeds = crops.feeds(64, 2)
    assert overflowing_nodes(model, feeds)
    kept = compare(torch_reference(graph), model_reference(to_fp16(model, feeds)), crops, [64], 2).as_parity("")
    assert kept.mean_abs_error < 0.5


def test_int8_is_qdq_per_channel_with_the_last_convolution_in_fp32(tiny_model, crops) -> None:
    graph, model = tiny_model()
    quantised = to_int8(model, crops.feeds(64))
    assert properties(quantised)["toonfilter.licence"] == "MIT"
    makers = {name: node for node in quantised.graph.node for name in node.output}
    scales = {entry.name: onnx.numpy_helper.to_array(entry) for entry in quantised.graph.initializer}
    first, *_, last = (node for node in quantised.graph.node if node.op_type == "Conv")
    weights = makers[first.input[1]]
    assert weights.op_type == "DequantizeLinear"
    assert scales[weights.input[1]].shape == (8,)
    assert last.input[1] not in makers
    parity = compare(torch_reference(graph), model_reference(quantised), crops, [64, 96]).as_parity("")
    assert parity.mean_abs_error < 2.5


def test_int8_without_crops_is_refused(tiny_model) -> None:
    _, model = tiny_model()
    with pytest.raises(ExportError, match="--crops"):
        to_int8(model, [])


def test_half_conversion_keeps_float_ends_and_shared_weights() -> None:
    weight = onnx.numpy_helper.from_array(np.full((3,), 0.1, np.float32), "weight")
    nodes = [
        onnx.helper.make_node("Mul", ["x", "weight"], ["scaled"], "mul"),
        onnx.helper.make_node("Add", ["scaled", "weight"], ["y"], "add"),
    ]
    value = onnx.helper.make_tensor_value_info
    ends = [value("x", onnx.TensorProto.FLOAT, [3])], [value("y", onnx.TensorProto.FLOAT, [3])]
    graph = onnx.helper.make_graph(nodes, "g", *ends, [weight])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)])
    model.ir_version = 10
    for kept in ([], ["mul"], ["add"], ["mul", "add"]):
        half = convert_to_half(model, kept)
        onnx.checker.check_model(half, full_check=True)
        result = run(half, x=np.array([1, 2, 3], np.float32))
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, [0.2, 0.3, 0.4], atol=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_an_unexportable_module_is_named_by_its_path() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(nn.ReLU(), Undecided()))
    spec = ExportSpec("", 0, 3, (32,), 32)
    with pytest.raises(ExportError, match=r"module 1\.1 \(Undecided\) cannot be exported to ONNX at size 32"):
        export_graph(picture_graph(network, spec), spec, [32], {})


def test_wrong_sizes_and_channels_are_refused() -> None:
    spec = ExportSpec("", 0, 3, (48,), 32)
    with pytest.raises(ConfigError, match="48 is not a multiple of 32"):
        export_graph(PictureGraph(nn.Identity(), spec), spec, [48], {})
    with pytest.raises(ConfigError, match="2 guidance"):
        picture_graph(nn.Identity(), ExportSpec("", 2, 3))


def test_the_exported_network_is_a_copy_in_eval_mode(make_source) -> None:
    source = make_source()
    source.network.train()
    graph = picture_graph(source.network.half(), source.spec)
    assert source.network.training
    assert not graph.training
    assert {parameter.dtype for parameter in graph.parameters()} == {torch.float32}
