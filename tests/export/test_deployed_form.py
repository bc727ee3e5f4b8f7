"""The small generator in the form that ships draws what the plain network draws."""

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from toonfilter.export.deployed import DeployedToon  # noqa: E402
from toonfilter.export.doubling import double_by_copying  # noqa: E402
from toonfilter.export.onnx_export import example_inputs, export_graph, picture_graph  # noqa: E402
from toonfilter.export.parity import check_parity, compare, model_reference, torch_reference  # noqa: E402
from toonfilter.export.picture_levels import Levels  # noqa: E402
from toonfilter.export.precision import to_fp16, to_int8  # noqa: E402
from toonfilter.train.networks.toon import ToonGenerator  # noqa: E402
from toonfilter.train.systems import ExportSpec  # noqa: E402


def lively_toon(guidance: int, channels: int, *, copy_input: bool) -> ToonGenerator:
    """Random weights that make use of the whole range of levels, and beyond."""
    torch.manual_seed(7)
    network = ToonGenerator(
        3 + guidance, channels, widths=(8, 12, 16), blocks=(1, 1, 1), top_blocks=1, copy_input=copy_input
    )
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            gain = 3.0 if name.startswith("leave") else 1.0
            parameter.normal_(0, gain * parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.1)
    return network


@pytest.mark.parametrize("copy_input", [True, False])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("guidance", [0, 3])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 40), (8, 104)])
def test_deployed_form_equals_the_plain_network(guidance, channels, copy_input, height, width) -> None:
    network = lively_toon(guidance, channels, copy_input=copy_input)
    spec = ExportSpec("generator", guidance, channels)
    plain = picture_graph(network, spec)
    deployed = DeployedToon(plain.network, spec).eval()
    random = torch.Generator().manual_seed(1)
    inputs = [
        torch.randint(0, 256, (2, height, width, entry.shape[3]), dtype=torch.uint8, generator=random)
        for entry in example_inputs(spec, 32)
    ]
    with torch.inference_mode():
        expected, result = plain(*inputs), deployed(*inputs)
    assert result.shape == (2, height, width, channels)
    assert result.dtype == torch.uint8
    assert expected.float().std() > 30
    error = (result.int() - expected.int()).abs()
    # A sum that falls on the middle between two levels may be rounded either way.
    assert error.max() <= 1
    assert error.float().mean() < 0.002


@pytest.fixture(scope="module")
def toon_files(crops):
    """(plain graph, fp32, fp16 and int8 models by precision) of a small generator, for every size."""
    spec = ExportSpec("generator", 3, 4, (64, 96), 8)
    plain = picture_graph(lively_toon(3, 4, copy_input=True), spec)
    model = export_graph(plain, spec, [64, 96], {"toonfilter.licence": "MIT"})[None]
    feeds = crops.feeds(64)
    return plain, {"fp32": model, "fp16": to_fp16(model, feeds[:2]), "int8": to_int8(model, feeds, last_in_fp32=0)}


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_files_draw_what_the_plain_network_draws(toon_files, crops, precision) -> None:
    plain, models = toon_files
    parity = compare(torch_reference(plain), model_reference(models[precision]), crops, [64, 96]).as_parity(precision)
    check_parity(parity, precision)


def test_int8_has_no_float_work_on_pictures_and_every_convolution_quantised(toon_files, crops) -> None:
    plain, models = toon_files
    quantised = models["int8"]
    kinds = {node.op_type for node in quantised.graph.node}
    assert not kinds & {"Cast", "Clip", "Relu", "Resize", "Round", "Sub"}
    makers = {name: node.op_type for node in quantised.graph.node for name in node.output}
    readers = {name: node.op_type for node in quantised.graph.node for name in node.input}
    for node in quantised.graph.node:
        if node.op_type in ("Conv", "Add"):
            assert {makers[name] for name in node.input} == {"DequantizeLinear"}
            assert readers[node.output[0]] == "QuantizeLinear"
    # These weights are wild: most answers lie at 0 or 255, and some pixels change sides.
    parity = compare(torch_reference(plain), model_reference(quantised), crops, [64, 96]).as_parity("int8")
    assert parity.mean_abs_error < 6


def test_int8_may_keep_the_last_convolution_in_fp32(toon_files, crops) -> None:
    plain, models = toon_files
    kept = to_int8(models["fp32"], crops.feeds(64), last_in_fp32=1)
    makers = {name: node.op_type for node in kept.graph.node for name in node.output}
    floats = [node for node in kept.graph.node if node.op_type == "Conv" and node.input[1] not in makers]
    assert [tuple(weight_of(kept, node).shape[:2]) for node in floats] == [(16, 8)]
    errors = [
        compare(torch_reference(plain), model_reference(model), crops, [64]).as_parity("").mean_abs_error
        for model in (kept, models["int8"])
    ]
    assert errors[0] < errors[1]


def weight_of(model: onnx.ModelProto, node: onnx.NodeProto) -> np.ndarray:
    return next(onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer if entry.name == node.input[1])


def test_levels_know_what_they_can_hold() -> None:
    picture, drawn = Levels(1.0, 128), Levels(0.5, 0)
    assert picture.covers(drawn)
    assert not drawn.covers(picture)
    assert Levels(1.0, 0).shifted(-128.0) == picture
    assert picture.shifted(0.5) is None
    assert picture.shifted(200.0) is None


def test_doubling_by_copying_is_the_resize_it_replaces() -> None:
    value, constant = onnx.helper.make_tensor_value_info, onnx.numpy_helper.from_array
    quantisation = ["scale", "zero"]
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["x", *quantisation], ["float"], "dequantise"),
        onnx.helper.make_node("Resize", ["float", "", "twice"], ["large"], "up", mode="nearest"),
        onnx.helper.make_node("QuantizeLinear", ["large", *quantisation], ["y"], "quantise"),
        onnx.helper.make_node("Identity", ["y"], ["answer"], "end"),
    ]
    shape = ["batch", 5, "height", "width"]
    weights = [
        constant(np.array(0.3, np.float32), "scale"),
        constant(np.array(7, np.uint8), "zero"),
        constant(np.array([1, 1, 2, 2], np.float32), "twice"),
    ]
    ends = (
        [value("x", onnx.TensorProto.UINT8, shape)],
        [value("answer", onnx.TensorProto.UINT8, ["batch", 5, "up", "across"])],
    )
    model = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "g", *ends, weights), opset_imports=[onnx.helper.make_opsetid("", 20)]
    )
    model.ir_version = 10
    double_by_copying(model)
    onnx.checker.check_model(model)
    assert "Resize" not in {node.op_type for node in model.graph.node}
    pixels = np.random.default_rng(2).integers(0, 256, (2, 5, 3, 4), np.uint8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"x": pixels})[0], pixels.repeat(2, axis=2).repeat(2, axis=3))
