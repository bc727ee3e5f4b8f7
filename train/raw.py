"""What a generator makes of whole pictures, without the filter around it: no face is found, nothing is blended."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.bundle import MANIFEST, Bundle, Domain, find_bundle, known_bundles, load_bundle
from toonfilter.runtime.errors import ConfigError

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class RawGenerator:
    """A generator as a function on pictures. Thread safe.

    draw: uint8 [S, S, 3] RGB to [S, S, 3], or [S, S, 4] where it draws a matte too. domain: what it is shown.
    """

    name: str
    size_px: int
    draw: Callable[[Image], Image]
    domain: Domain = "photo"

    def __call__(self, image: Image) -> Image:
        """The result for uint8 [H, W, 3] RGB of any size, at that size.

        A picture that is not square keeps its aspect: it is filled up by reflection, and the result is cut back. A
        matte lays the drawing over the picture.
        """
        height, width = image.shape[:2]
        side = max(height, width)
        top, left = (side - height) // 2, (side - width) // 2
        edges = (top, side - height - top, left, side - width - left)
        square = cv2.copyMakeBorder(image, *edges, cv2.BORDER_REFLECT) if height != width else image
        result = _resized(self.draw(_resized(square, self.size_px)), side)
        result = result[top : top + height, left : left + width]
        if result.shape[2] == 3:
            return np.ascontiguousarray(result)
        weight = result[..., 3:].astype(np.float32) / 255
        return cast(Image, np.round(result[..., :3] * weight + image * (1 - weight)).astype(np.uint8))


def open_raw(path: Path, head: str = "") -> RawGenerator:
    """The generator of a run, checkpoint or bundle (a folder, or the name of an installed one).

    head: another exportable network of a run by name (the way back of a cycle).

    Raises:
        ConfigError: the generator draws along landmarks, which a whole picture does not have.
        TrainingError, BundleError: it cannot be read, or its method translates no pictures.
    """
    if (path / MANIFEST).is_file():
        return _of_bundle(load_bundle(path))
    if not path.exists() and str(path) in known_bundles():
        return _of_bundle(find_bundle(str(path)))
    return _of_checkpoint(path, head)


def _of_checkpoint(path: Path, head: str) -> RawGenerator:
    import torch

    from toonfilter.train.checkpoint import load_generator

    network, spec, checkpoint = load_generator(path, head)
    if spec.guidance_channels:
        raise _needs_guidance(str(path))

    def draw(image: Image) -> Image:
        x = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)[None]).astype(np.float32)) / 127.5 - 1
        with torch.inference_mode():
            y = network(x)[0].float().clamp(-1, 1) * 127.5 + 127.5
        return cast(Image, y.round().byte().permute(1, 2, 0).numpy())

    domain: Domain = "drawing" if (checkpoint.recipe.data.direction == "cartoon-to-photo") != bool(head) else "photo"
    return RawGenerator(checkpoint.recipe.name, spec.sizes_px[0], draw, domain)


def _of_bundle(bundle: Bundle) -> RawGenerator:
    from threading import Lock

    from toonfilter.runtime.backends import EngineOptions, open_translator

    if bundle.input.guidance_channels:
        raise _needs_guidance(bundle.name)
    size, lock = bundle.input.sizes[0], Lock()
    translator = open_translator(bundle, "onnxruntime", EngineOptions(size, "fp32", 1)).translator

    def draw(image: Image) -> Image:
        with lock:
            return cast(Image, translator.translate(np.ascontiguousarray(image[None]), None)[0].copy())

    return RawGenerator(bundle.name, size, draw, bundle.input.domain)


def _needs_guidance(name: str) -> ConfigError:
    return ConfigError(
        f"{name}: this generator draws along the landmarks of a face and has no result for a whole picture; "
        "measure it through the filter (--filter)"
    )


def _resized(picture: Image, side: int) -> Image:
    if picture.shape[:2] == (side, side):
        return picture
    how = cv2.INTER_AREA if picture.shape[0] > side else cv2.INTER_CUBIC
    return cast(Image, cv2.resize(picture, (side, side), interpolation=how))
