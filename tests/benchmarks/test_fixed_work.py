"""The work by which the speed of machines is told: what is in the file, and that it runs everywhere."""

import math
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper, shape_inference

from toonfilter.benchmarks.machine_speed import FIXED_WORK, INPUT_SHAPE, fixed_picture, open_fixed_work

ROOT = Path(__file__).parents[2]
MOST_BYTES = 50_000

# Weights' shape, output's shape, stride and groups of a convolution.
Convolution = tuple[tuple[int, ...], tuple[int, ...], int, int]


def operations(convolutions: list[Convolution]) -> int:
    """Multiplications and additions."""
    return sum(2 * math.prod(output) * math.prod(weight[1:]) for weight, output, _, _ in convolutions)


def in_file(model: onnx.ModelProto) -> list[Convolution]:
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {
        value.name: tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    found = []
    for node in graph.node:
        if node.op_type == "Conv":
            attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
            stride, groups = attributes.get("strides", [1, 1])[0], attributes.get("group", 1)
            found.append((shapes[node.input[1]], shapes[node.output[0]], stride, groups))
    return found


def in_generator(torch: Any) -> list[Convolution]:
    from toonfilter.benchmarks.animegan import AnimeGanGenerator

    found: list[Convolution] = []

    def note(layer: Any, _: Any, output: Any) -> None:
        found.append((tuple(layer.weight.shape), tuple(output.shape), layer.stride[0], layer.groups))

    generator = AnimeGanGenerator().eval()
    for layer in generator.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(note)
    with torch.no_grad():
        generator(torch.zeros(INPUT_SHAPE))
    return found


def test_the_file_has_the_convolutions_of_the_generator() -> None:
    torch = pytest.importorskip("torch")
    shipped, real = in_file(onnx.load(FIXED_WORK)), in_generator(torch)
    assert len(shipped) == 25
    assert shipped == real
    assert operations(shipped) == pytest.approx(operations(real), rel=0.01)


@pytest.mark.slow
def test_the_file_is_what_the_tool_makes() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    from make_fixed_work import make_fixed_work

    made, shipped = make_fixed_work(), onnx.load(FIXED_WORK)
    if made.producer_version == shipped.producer_version:
        assert made.SerializeToString(deterministic=True) == FIXED_WORK.read_bytes(), "run tools/make_fixed_work.py"
    # Another torch may write the same work in other words.
    assert in_file(made) == in_file(shipped)
    feeds = {"picture": fixed_picture()}
    answers = [open_fixed_work(one.SerializeToString()).run(None, feeds)[0] for one in (made, shipped)]
    np.testing.assert_allclose(*answers, atol=1e-3)


def test_the_file_is_small_and_names_no_machine() -> None:
    content = FIXED_WORK.read_bytes()
    assert len(content) < MOST_BYTES
    model = onnx.load(FIXED_WORK)
    assert not any(node.metadata_props for node in model.graph.node)
    assert b".py" not in content
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["toonfilter"]
    assert any(FIXED_WORK.relative_to(ROOT).match(pattern) for pattern in listed)


def test_constants_are_weights_once_the_file_is_open(tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "open.onnx")
    onnxruntime.InferenceSession(str(FIXED_WORK), options, providers=["CPUExecutionProvider"])
    graph = onnx.load(tmp_path / "open.onnx").graph
    assert not [node for node in graph.node if node.op_type == "ConstantOfShape"]
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    used = [node.input[1] for node in graph.node if node.op_type == "Conv"]
    # None is shared, as none would be in a trained network.
    assert len(set(used)) == 25
    assert sum(weights[name].size for name in used) > 2_000_000


def test_nothing_on_the_way_is_infinite_or_so_small_that_it_is_slow() -> None:
    model = onnx.load(FIXED_WORK)
    # Others pass numbers on as they are.
    kinds = {"Conv", "InstanceNormalization", "Mul", "Add", "LeakyRelu", "Resize", "Tanh"}
    names = [node.output[0] for node in model.graph.node if node.op_type in kinds]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    values = open_fixed_work(model.SerializeToString()).run(None, {"picture": fixed_picture()})
    for name, value in zip(names, values, strict=True):
        sizes = np.abs(value)
        # NaN is not below, either.
        assert sizes.max() < 1e3, name
        assert sizes[sizes > 0].min() >= np.finfo(np.float32).tiny, name


def test_it_runs_where_only_the_base_packages_are() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'onnxscript', 'openvino'):\n"
        "    sys.modules[name] = None\n"
        "import numpy\n"
        "from toonfilter.benchmarks.machine_speed import FIXED_WORK, fixed_picture, open_fixed_work\n"
        "drawn = open_fixed_work(FIXED_WORK).run(None, {'picture': fixed_picture()})[0]\n"
        "assert drawn.shape == (1, 3, 256, 256), drawn.shape\n"
        "assert numpy.isfinite(drawn).all()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
