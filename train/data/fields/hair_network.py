"""MediaPipe's hair network of 2019 in PyTorch.

OpenCV's dnn runs the file, too, but its padding is not TensorFlow's: hair in the left half of a picture is half lost.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from toonfilter.runtime.errors import DataError
from toonfilter.train.tflite import Operation, read_tflite

INPUT_PX = 512


class HairNetwork:
    """The network of a `hair_segmentation.tflite`; 0.1 s for a picture on one core."""

    def __init__(self, path: Path) -> None:
        self._graph = read_tflite(path)
        self._constants = {number: torch.tensor(values) for number, values in self._graph.constants.items()}

    def hair(self, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probability of hair float32 [512, 512] in a photo uint8 [H, W, 3] RGB: mean of it and its mirror image."""
        side = (INPUT_PX, INPUT_PX)
        interpolation = cv2.INTER_AREA if photo.shape[0] > INPUT_PX else cv2.INTER_CUBIC
        picture = cv2.resize(photo, side, interpolation=interpolation).astype(np.float32) / 255
        planes = torch.zeros((2, 4, *side))
        planes[0, :3] = torch.from_numpy(picture.transpose(2, 0, 1))
        planes[1] = planes[0].flip(-1)
        with torch.inference_mode():
            logits = self._run(planes)
        hair = torch.sigmoid(logits[:, 1] - logits[:, 0])
        answer: NDArray[np.float32] = ((hair[0] + hair[1].flip(-1)) / 2).numpy()
        return answer

    def _run(self, planes: Tensor) -> Tensor:
        values: dict[int, Tensor] = {self._graph.input: planes}
        for operation in self._graph.operations:
            values[operation.output] = self._step(operation, values)
        return values[self._graph.outputs[0]]

    def _step(self, operation: Operation, values: dict[int, Tensor]) -> Tensor:
        first = values[operation.inputs[0]]
        kind = operation.kind
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            return self._convolution(operation, first)
        if kind == "Convolution2DTransposeBias":
            weight, bias = (self._constants[number] for number in operation.inputs[1:3])
            full = F.conv_transpose2d(first, weight.permute(3, 0, 1, 2), bias, stride=2)
            return full[..., : 2 * first.shape[2], : 2 * first.shape[3]]
        if kind == "PRELU":
            return F.prelu(first, self._constants[operation.inputs[1]].flatten())
        if kind == "ADD":
            return first + values[operation.inputs[1]]
        if kind == "CONCATENATION":
            return torch.cat([values[number] for number in operation.inputs], 1)
        if kind == "MaxPoolingWithArgmax2D":
            pooled, places = F.max_pool2d(first, 2, return_indices=True)
            # The file lists the places as the pooling's second output, whose number is one lower.
            values[operation.output - 1] = places
            return pooled
        if kind == "MaxUnpooling2D":
            return F.max_unpool2d(first, values[operation.inputs[1]], [2, 2])
        raise DataError(f"the hair network has an operation {kind}, which is not known here")

    def _convolution(self, operation: Operation, first: Tensor) -> Tensor:
        weight, bias = (self._constants[number] for number in operation.inputs[1:3])
        depthwise = operation.kind == "DEPTHWISE_CONV_2D"
        kernel = weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2)
        stride = int(operation.options.strideH)
        dilation = int(operation.options.dilationHFactor or 1)
        # TensorFlow's "same": what does not divide goes to the bottom and the right.
        pads = []
        for side, length in zip(first.shape[:1:-1], kernel.shape[:1:-1], strict=True):
            total = max((-(-side // stride) - 1) * stride + (length - 1) * dilation + 1 - side, 0)
            pads += [total // 2, total - total // 2]
        if operation.options.padding == 1:
            pads = [0, 0, 0, 0]
        groups = first.shape[1] if depthwise else 1
        return F.conv2d(F.pad(first, pads), kernel, bias, stride, 0, dilation, groups)
