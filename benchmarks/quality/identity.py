"""Would a face recogniser know the person: cosine of face embeddings.

The recogniser measures and is never trained against: a loss on one net fools that net and no other.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.geometry.landmarks import FIVE_POINTS

Embedding = NDArray[np.float32]

# Deng et al. 2019, "ArcFace", section 3.1 and the published code: eyes, nose tip, mouth corners in a 112 x 112 picture.
_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
SIDE = 112


def alignment(landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Similarity that puts a mesh's irises, nose tip and mouth corners onto the ArcFace template, float64 [2, 3].

    Umeyama 1991, eqs. 40 to 42, over the five points.
    """
    points = landmarks[[*FIVE_POINTS], :2].astype(np.float64)
    source, target = points - points.mean(0), _TEMPLATE - _TEMPLATE.mean(0)
    # In the plane the least-squares similarity is one complex factor: no reflection can come out.
    from_complex, to_complex = source @ np.array([1, 1j]), target @ np.array([1, 1j])
    factor = (np.conj(from_complex) @ to_complex) / (np.abs(from_complex) ** 2).sum()
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.hstack([linear, (_TEMPLATE.mean(0) - linear @ points.mean(0))[:, None]])


class Recogniser:
    """A face recognition net as ONNX: input [N, 3, 112, 112] RGB 0..255, one embedding out. Thread safe."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        import onnxruntime

        if not path.is_file():
            raise DataError(f"identity net {path} does not exist; give the ONNX file of a face recogniser")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        shape = self._session.get_inputs()[0].shape
        if list(shape[1:]) != [3, SIDE, SIDE]:
            raise DataError(f"identity net {path.name} takes {shape}; must take [N, 3, {SIDE}, {SIDE}]")
        self._input = self._session.get_inputs()[0].name
        self.name = path.stem

    def embedding(self, image: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]]) -> Embedding:
        """Unit vector float32 [D] of the face.

        image: uint8 [H, W, 3] RGB. landmarks: [478, 2 or 3] px.
        """
        crop = cv2.warpAffine(image, alignment(landmarks), (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        planes = crop.transpose(2, 0, 1)[None].astype(np.float32)
        vector: Embedding = self._session.run(None, {self._input: planes})[0][0]
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def cosine(first: Embedding, second: Embedding) -> float:
    """Cosine of two unit vectors."""
    return float(first @ second)
