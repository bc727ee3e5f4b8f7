"""The robustness study of the cartoon-to-photo report: drawings that the network never saw, through the trained net."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError, require
from toonfilter.runtime.files.image_files import write_image
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.train.checkpoint import load_generator
from toonfilter.train.data.datasets import open_data
from toonfilter.train.data.opencv_cartoon import opencv_cartoon
from toonfilter.train.title_strip import title_strip
from toonfilter.train.validation import spread

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Robustness:
    """Mean distances to the photo by kind of drawing: `l1` (0..255 levels), `psnr_db`, `ssim`; and the grid."""

    pictures: int
    scores: Mapping[str, Mapping[str, float]]
    grid: Path


def edge_sketch(photo: Image) -> Image:
    """Dark lines on white: Canny edges, thickened and softened. uint8 [H, W, 3] to the same."""
    gray = cv2.bilateralFilter(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), 7, 50, 7)
    lines = cv2.GaussianBlur(cv2.dilate(cv2.Canny(gray, 40, 110), np.ones((2, 2), np.uint8)), (0, 0), 0.7)
    return cast(Image, cv2.cvtColor(255 - lines, cv2.COLOR_GRAY2RGB))


def grayscale(drawing: Image) -> Image:
    """The drawing without its colours. uint8 [H, W, 3] to the same."""
    return cast(Image, cv2.cvtColor(cv2.cvtColor(drawing, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def small_face(picture: Image) -> Image:
    """The picture at half its size in the middle, its edges drawn out around it. uint8 [H, W, 3] to the same."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    top, left = (height - height // 2) // 2, (width - width // 2) // 2
    bottom, right = height - height // 2 - top, width - width // 2 - left
    return cast(Image, cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_REPLICATE))


def robustness_study(run: Path, data: Path, out: Path, *, pictures: int = 24) -> Robustness:
    """Put held-out faces through a trained cartoon-to-photo generator in five drawings: as trained, by the OpenCV
    cartoon filter, as an edge sketch, without colours, and at half the size. Writes `robustness.png` (drawing and
    result, side by side, and the photo, under titles) and `robustness.json` into `out`.

    Raises:
        ConfigError: the run goes from photo to cartoon, or needs landmarks.
    """
    generator, spec, checkpoint = load_generator(run)
    settings = checkpoint.recipe.data
    if settings.direction != "cartoon-to-photo" or spec.guidance_channels:
        raise ConfigError(f"{run}: recipe {checkpoint.recipe.name!r} does not go from cartoon to photo alone")
    side = max(settings.size_px, settings.sample_px)
    plain = replace(settings, augment="none", size_px=side, guidance=False, landmarks=False, edges=False)
    held = open_data(data, plain, "validation")
    places = spread(len(held), pictures)
    rows, found = [], dict[str, list[dict[str, float]]]()
    for place in places:
        sample = held[place]
        photo = _image(sample["target"])
        cells: list[Image] = []
        drawings: dict[str, Image] = {"as trained": _image(sample["source"])}
        drawings |= {name: draw(photo) for name, draw in _SECOND_DRAWINGS.items()}
        drawings |= {name: change(drawings["as trained"]) for name, change in _CHANGES.items()}
        for name, drawing in drawings.items():
            result = _through(generator, drawing)
            # A small face is compared with the photo made small in the same way.
            found.setdefault(name, []).append(_distances(result, small_face(photo) if name == "small face" else photo))
            cells += [drawing, result]
        rows.append(np.hstack([*cells, photo]))
    out.mkdir(parents=True, exist_ok=True)
    grid = out / "robustness.png"
    titles = [title for name in found for title in (name, "result")] + ["photo"]
    write_image(grid, np.vstack([title_strip(titles, side, rows[0].shape[1]), *rows[:8]]))
    scores = {
        name: {key: float(np.mean([line[key] for line in lines])) for key in lines[0]} for name, lines in found.items()
    }
    report = {"run": checkpoint.recipe.name, "step": checkpoint.step, "pictures": len(places), "scores": scores}
    write_whole(out / "robustness.json", json.dumps(report, indent=1) + "\n")
    return Robustness(len(places), scores, grid)


_CHANGES: Mapping[str, Callable[[Image], Image]] = {"grayscale": grayscale, "small face": small_face}
_SECOND_DRAWINGS: Mapping[str, Callable[[Image], Image]] = {"opencv filter": opencv_cartoon, "edge sketch": edge_sketch}


def _image(picture: Tensor) -> Image:
    return np.ascontiguousarray(picture.numpy().transpose(1, 2, 0))


@torch.no_grad()
def _through(generator: nn.Module, drawing: Image) -> Image:
    x = torch.from_numpy(drawing.transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1
    y = generator(x)[0, :3].clamp(-1, 1) * 127.5 + 127.5
    return cast(Image, y.round().numpy().transpose(1, 2, 0).astype(np.uint8))


def _distances(result: Image, photo: Image) -> dict[str, float]:
    metrics = require("skimage.metrics", extra="train")
    difference = result.astype(np.float64) - photo
    error = float((difference**2).mean())
    return {
        "l1": float(np.abs(difference).mean()),
        "psnr_db": 10 * float(np.log10(255**2 / max(error, 1e-6))),
        "ssim": float(metrics.structural_similarity(result, photo, channel_axis=2)),
    }
