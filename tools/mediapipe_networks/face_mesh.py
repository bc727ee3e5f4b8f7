"""MediaPipe's face mesh with attention (Grishchenko et al. 2020, "Attention Mesh") as an ONNX file for
`toonfilter.runtime.faces.mesh`.

The TensorFlow Lite file needs operations that only MediaPipe has, and leaves it to MediaPipe to join the mesh with the
finer lips, eyes and irises. Here all of that is in the graph, in operations of ONNX. Landmarks differ from MediaPipe's
by the order of sums only. For speed

- the parts of the network that read lips and eyes, alike but for their weights, run as one with grouped convolutions
- a PReLU is two convolutions of one weight for each channel, the second one with its sum: `a x + relu((1 - a) x)`,
  because ONNX Runtime has no PReLU for pictures in blocks of channels
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mediapipe_networks.onnx_graphs import GraphWriter, convolution_border, filled_up
from toonfilter.export.onnx_export import ExportError
from toonfilter.train.tflite import Operation, TfliteGraph, read_tflite

if TYPE_CHECKING:
    from onnx import ModelProto

Group = tuple[Operation, ...]
"""Operations of one kind in like parts of the network, which become one node."""
Rows = NDArray[np.int64]
_POINTS = 468
_PASSED_ON = ("RESHAPE", "MUL", "STRIDED_SLICE")


@dataclass(frozen=True, slots=True)
class Refinement:
    """points: the numbers of the landmarks that a part of the network tells. depth_from: the landmarks whose mean depth
    they get; none leaves the depth that they have.
    """

    points: tuple[int, ...]
    depth_from: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Stack:
    """Like tensors of a group, one behind the other in their channels. members: their numbers. width: of each."""

    name: str
    members: tuple[int, ...]
    width: int


def convert_mesh(path: Path, refinements: list[Refinement]) -> "ModelProto":
    """The mesh in a TensorFlow Lite file as an ONNX model.

    refinements: one for each of the file's outputs but the last, in their order.
    Input uint8 [1, 192, 192, 3] RGB. Outputs: landmarks float32 [478, 3] in pixels of the input, and
    presence float32 [1, 1, 1, 1] before the sigmoid.

    Raises:
        ExportError: the file holds something that the mesh does not.
    """
    return _Conversion(read_tflite(path), refinements).run()


def read_refinements() -> list[Refinement]:
    """What MediaPipe joins and how, from the text of its own graph."""
    from google.protobuf import text_format
    from mediapipe.calculators.util.landmarks_refinement_calculator_pb2 import LandmarksRefinementCalculatorOptions
    from mediapipe.framework.calculator_pb2 import CalculatorGraphConfig
    from mediapipe.python.solutions.face_mesh import FaceMesh

    with FaceMesh(refine_landmarks=True) as opened:
        config = text_format.Parse(opened._graph.text_config, CalculatorGraphConfig())
    options = (node.options.Extensions[LandmarksRefinementCalculatorOptions.ext] for node in config.node)
    joined = next(one for one in options if one.refinement)
    return [
        Refinement(tuple(one.indexes_mapping), tuple(one.z_refinement.assign_average.indexes_for_average))
        for one in joined.refinement
    ]


class _Conversion:
    """stacks: by the number of each tensor that is in one. chosen: names of some members of a stack, reordered."""

    def __init__(self, graph: TfliteGraph, refinements: list[Refinement]) -> None:
        self._graph, self._refinements = graph, refinements
        self._makers = {operation.output: operation for operation in graph.operations}
        self._writer = GraphWriter()
        self._stacks: dict[int, _Stack] = {
            graph.input: _Stack(self._writer.picture("planes", 1 / 255, 0), (graph.input,), 3)
        }
        self._chosen: dict[tuple[str, tuple[int, ...]], str] = {}
        self._map_stride = 1
        self._converters: dict[str, Callable[[Group], None]] = {
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._convolution,
            "PRELU": self._activation,
            "ADD": self._sum,
            "MAX_POOL_2D": self._pooling,
            "PAD": self._padding,
            "Landmarks2TransformMatrix": self._regions,
            "TransformTensorBilinear": self._sampling,
            "TransformLandmarks": self._refined,
        }

    def run(self) -> "ModelProto":
        for group in _grouped(self._graph):
            kind = group[0].kind
            if kind in _PASSED_ON:
                continue
            if kind not in self._converters:
                raise ExportError(f"the face mesh has no {kind}")
            self._converters[kind](group)
        side = self._graph.shapes[self._graph.input][1]
        presence = self._stacks[self._graph.outputs[-1]].name
        outputs = {"landmarks": [_POINTS + 10, 3], presence: [1, 1, 1, 1]}
        return self._writer.model("face_mesh", side, outputs)

    def _convolution(self, group: Group) -> None:
        first = group[0]
        source = self._source(group)
        is_dense = first.kind == "CONV_2D"
        out_width = max(self._graph.shapes[one.output][3] for one in group)
        if len(group) > 1:
            out_width = filled_up(out_width)
        in_width = self._width(group) if is_dense else 1
        kernels, offsets = [], []
        for one in group:
            _, kernel, bias = one.inputs
            # From [out, H, W, in], or [1, H, W, channels] where every channel has its own, to [out, in, H, W].
            weights = self._graph.constants[kernel].transpose((0, 3, 1, 2) if is_dense else (3, 0, 1, 2))
            missing = out_width - len(weights)
            kernels.append(np.pad(weights, ((0, missing), (0, in_width - weights.shape[1]), (0, 0), (0, 0))))
            offsets.append(np.pad(self._graph.constants[bias], (0, missing)))
        strides = (first.options.strideH, first.options.strideW)
        sides = self._graph.shapes[first.inputs[0]][1:3]
        border = convolution_border(first.options.padding, sides, kernels[0].shape[2:], strides)
        name = self._stacked(group, out_width)
        sources = [
            source,
            self._writer.weight(f"{name}_kernel", np.concatenate(kernels)),
            self._writer.weight(f"{name}_bias", np.concatenate(offsets)),
        ]
        parts = len(group) if is_dense else len(group) * out_width
        self._writer.add("Conv", sources, name, pads=border.tolist(), strides=list(strides), group=parts)

    def _activation(self, group: Group) -> None:
        """PReLU. Where a slope is above 1 its half of the sum is taken off, not added."""
        source, width = self._source(group), self._width(group)
        slopes = np.concatenate([self._graph.constants[one.inputs[1]].reshape(-1) for one in group]).astype(np.float32)
        name = self._stacked(group, width)
        upper = self._writer.add("Relu", [self._scaled(source, abs(1 - slopes), f"{name}_scaled")], f"{name}_upper")
        if (slopes > 1).any():
            upper = self._scaled(upper, np.sign(1 - slopes), f"{name}_signed")
        self._writer.add("Add", [self._scaled(source, slopes, f"{name}_line"), upper], name)

    def _scaled(self, source: str, factors: NDArray[np.float32], name: str) -> str:
        weights = self._writer.weight(f"{name}_by", factors.reshape(-1, 1, 1, 1))
        return self._writer.add("Conv", [source, weights], name, group=len(factors))

    def _sum(self, group: Group) -> None:
        sources = [self._source(group, place) for place in (0, 1)]
        self._writer.add("Add", sources, self._stacked(group, self._width(group)))

    def _pooling(self, group: Group) -> None:
        options = group[0].options
        sides, strides = [options.filterHeight, options.filterWidth], [options.strideH, options.strideW]
        name = self._stacked(group, self._width(group))
        self._writer.add("MaxPool", [self._source(group)], name, kernel_shape=sides, strides=strides)

    def _padding(self, group: Group) -> None:
        """Further channels of zeros, by a convolution: its result is in blocks of channels already."""
        source, width = self._source(group), self._width(group)
        if self._graph.constants[group[0].inputs[1]][:3].any():
            raise ExportError("the face mesh pads channels only")
        wider = self._graph.shapes[group[0].output][3]
        name = self._stacked(group, wider)
        same = np.tile(np.eye(wider, width, dtype=np.float32), (len(group), 1))[:, :, None, None]
        self._writer.add("Conv", [source, self._writer.weight(f"{name}_same", same)], name, group=len(group))

    def _regions(self, group: Group) -> None:
        """Where lips and eyes lie: turned as the line between two points of theirs, and half as large again as the
        points that they have. Row vectors: a place in cells of a region times `turn`, plus `place`, is one in pixels.
        """
        add, constant = self._writer.add, self._writer.constant
        mesh = self._stacks[self._origin(group[0].inputs[0])].name
        add("Reshape", [mesh, constant("mesh_shape", np.array([_POINTS, 3]))], "mesh")
        add("Gather", ["mesh", constant("across_and_down", np.array([0, 1]))], "flat", axis=1)
        options = [one.options for one in group]
        longest = max(len(one["subset_idxs"]) for one in options)
        # Repeating a point changes neither the highest nor the lowest.
        subsets = [np.resize(list(one["subset_idxs"]), longest) for one in options]
        ends = [(one["left_rotation_idx"], one["right_rotation_idx"]) for one in options]
        add("Gather", ["flat", constant("ends", np.array(ends))], "end_points")
        add("MatMul", [constant("difference", np.array([[-1, 1]], np.float32)), "end_points"], "line")
        add("ReduceL2", ["line"], "length", axes=[2])
        add("Div", ["line", "length"], "direction")
        turning = np.array([[1, 0, 0, 1], [0, -1, 1, 0]], np.float32)
        add("MatMul", ["direction", constant("turning", turning)], "turned")
        add("Reshape", ["turned", constant("turn_shape", np.array([len(group), 2, 2]))], "upright")
        add("Transpose", ["upright"], "back", perm=[0, 2, 1])
        add("Gather", ["flat", constant("subsets", np.array(subsets))], "subset_points")
        add("MatMul", ["subset_points", "upright"], "upright_points")
        add("ReduceMax", ["upright_points"], "highest", axes=[1])
        add("ReduceMin", ["upright_points"], "lowest", axes=[1])
        add("Sub", ["highest", "lowest"], "size")
        add("Add", ["highest", "lowest"], "twice_middle")
        add("Mul", ["twice_middle", constant("half", np.array(0.5, np.float32))], "upright_middle")
        add("MatMul", ["upright_middle", "back"], "middle")
        cells = options[0]["output_width"]
        add("Mul", ["size", constant("per_cell", np.array(options[0]["scale_x"] / cells, np.float32))], "scale")
        add("Transpose", ["scale"], "scales", perm=[0, 2, 1])
        add("Mul", ["back", "scales"], "turn")
        add("MatMul", [constant("to_corner", np.full((1, 2), -cells / 2, np.float32)), "turn"], "to_corners")
        add("Add", ["middle", "to_corners"], "place")
        self._stacked(group, 0)

    def _sampling(self, group: Group) -> None:
        """The features under each region, from the map that all share."""
        add, constant = self._writer.add, self._writer.constant
        features = self._stacks[group[0].inputs[0]]
        cells, width = group[0].options["output_width"], features.width
        side = self._graph.shapes[self._graph.input][1]
        self._map_stride = side // self._graph.shapes[group[0].inputs[0]][1]
        down, across = np.mgrid[:cells, :cells] + 0.5
        middles = np.stack([across, down], -1).reshape(-1, 2).astype(np.float32)
        add("MatMul", [constant("cells", middles), "turn"], "turned_cells")
        add("Add", ["turned_cells", "place"], "places")
        add("Mul", ["places", constant("per_px", np.array(2 / side, np.float32))], "shares")
        add("Sub", ["shares", constant("middle_share", np.array(1, np.float32))], "centred")
        add("Reshape", ["centred", constant("grid_shape", np.array([1, len(group) * cells, cells, 2]))], "grid")
        add("GridSample", [features.name, "grid"], "sampled", padding_mode="zeros", align_corners=0)
        apart = constant("apart_shape", np.array([width, len(group), cells * cells]))
        add("Reshape", ["sampled", apart], "apart")
        add("Transpose", ["apart"], "in_order", perm=[1, 0, 2])
        together = constant("together_shape", np.array([1, len(group) * width, cells, cells]))
        add("Reshape", ["in_order", together], self._stacked(group, width))

    def _refined(self, group: Group) -> None:
        """The landmarks: the finer points of the regions in the place of the mesh's."""
        add, constant = self._writer.add, self._writer.constant
        raw = self._stacks[self._origin(group[0].inputs[0])]
        regions = self._stacks[self._origin(group[0].inputs[1])]
        of_region = [regions.members.index(self._origin(one.inputs[1])) for one in group]
        per_region = raw.width // 2
        region_numbers = constant("region_numbers", np.array(of_region))
        add("Gather", ["turn", region_numbers], "turns")
        add("Gather", ["place", region_numbers], "corners")
        add("Reshape", [raw.name, constant("raw_shape", np.array([len(group), per_region, 2]))], "raw_points")
        # They come in so many units for each cell as the map has pixels of the picture in each of its own.
        add("Mul", ["turns", constant("per_unit", np.array(1 / self._map_stride, np.float32))], "turns_px")
        add("MatMul", ["raw_points", "turns_px"], "turned_points")
        add("Add", ["turned_points", "corners"], "fine_points")
        add("Reshape", ["fine_points", constant("fine_shape", np.array([len(group) * per_region, 2]))], "fine")
        add("Concat", ["flat", "fine"], "all_flat", axis=0)
        flat_rows, depth_rows, means = self._rows([one.output for one in group], per_region)
        add("Gather", ["all_flat", constant("flat_rows", flat_rows)], "landmarks_flat")
        add("Gather", ["mesh", constant("downwards", np.array([2]))], "depths", axis=1)
        add("Gather", ["depths", constant("averaged", means)], "eye_depths")
        add("ReduceMean", ["eye_depths"], "iris_depths", axes=[1], keepdims=0)
        add("Concat", ["depths", "iris_depths"], "all_depths", axis=0)
        add("Gather", ["all_depths", constant("depth_rows", depth_rows)], "landmarks_depth")
        add("Concat", ["landmarks_flat", "landmarks_depth"], "landmarks", axis=1)

    def _rows(self, outputs: list[int], per_region: int) -> tuple[Rows, Rows, Rows]:
        """Which of all points each landmark is; which of all depths it has; and of which landmarks depths are means.

        outputs: the tensor of each region's points, of which the first count.
        """
        count = 1 + max(max(one.points) for one in self._refinements)
        flat_rows, depth_rows = np.zeros(count, np.int64), np.zeros(count, np.int64)
        means: list[tuple[int, ...]] = []
        mesh, *finer = zip(self._graph.outputs[:-1], self._refinements, strict=True)
        flat_rows[list(mesh[1].points)] = depth_rows[list(mesh[1].points)] = np.arange(_POINTS)
        for number, refinement in finer:
            points = list(refinement.points)
            region = outputs.index(self._makers[number].inputs[0])
            flat_rows[points] = _POINTS + region * per_region + np.arange(len(points))
            if refinement.depth_from:
                depth_rows[points] = _POINTS + len(means)
                means.append(refinement.depth_from)
        return flat_rows, depth_rows, np.array(means)

    def _stacked(self, group: Group, width: int) -> str:
        """Remember the group's result, which is still to be made; returns its name."""
        members = tuple(one.output for one in group)
        stack = _Stack(f"t{members[0]}", members, width)
        self._stacks |= dict.fromkeys(members, stack)
        return stack.name

    def _width(self, group: Group) -> int:
        return self._stacks[self._origin(group[0].inputs[0])].width

    def _source(self, group: Group, place: int = 0) -> str:
        """The input of a group: a stack, or those of its members that are wanted, in the group's order."""
        numbers = tuple(one.inputs[place] for one in group)
        stack = self._stacks[numbers[0]]
        if numbers == stack.members:
            return stack.name
        if (stack.name, numbers) not in self._chosen:
            starts = [stack.members.index(number) * stack.width for number in numbers]
            channels = np.concatenate([np.arange(start, start + stack.width) for start in starts])
            name = f"{stack.name}_for_{group[0].output}"
            places = self._writer.constant(f"{name}_channels", channels)
            self._chosen[stack.name, numbers] = self._writer.add("Gather", [stack.name, places], name, axis=1)
        return self._chosen[stack.name, numbers]

    def _origin(self, number: int) -> int:
        """The tensor of which this one is only another shape or scale."""
        while number in self._makers and self._makers[number].kind in _PASSED_ON:
            number = self._makers[number].inputs[0]
        return number


def _grouped(graph: TfliteGraph) -> list[Group]:
    """The operations, those together that do the same to what was made in the same way, in an order that works."""
    numbers = {graph.input: 0}
    groups: dict[tuple[Any, ...], list[Operation]] = {}
    keys: dict[tuple[Any, ...], int] = {}
    for operation in graph.operations:
        sources = [number for number in operation.inputs if number in numbers]
        key: tuple[Any, ...] = (operation.kind, *(numbers[number] for number in sources))
        # Two answers from one tensor are not alike.
        shape = graph.shapes[operation.output]
        if any(one.inputs[0] == sources[0] and graph.shapes[one.output] != shape for one in groups.get(key, ())):
            key = (*key, shape)
        groups.setdefault(key, []).append(operation)
        numbers[operation.output] = keys.setdefault(key, len(keys) + 1)
    place = {operation.output: at for at, operation in enumerate(graph.operations)}
    return sorted((tuple(group) for group in groups.values()), key=lambda group: place[group[-1].output])
