"""Steadiness in video: what changes between successive results beyond the motion, over the same of the inputs."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.bootstrap import Estimate, bootstrap
from toonfilter.benchmarks.quality.clips import (
    MOTIONS,
    Matrix,
    list_videos,
    moving_still,
    read_frames,
    step_between,
)
from toonfilter.benchmarks.quality.face_reader import FaceReader
from toonfilter.benchmarks.quality.models import Drawer, Model
from toonfilter.benchmarks.quality.pictures import Image, Picture, read_picture
from toonfilter.runtime.errors import DataError
from toonfilter.runtime.progress import Progress, ShowProgress

Region = NDArray[np.bool_]
"""bool [H, W]."""
_HEAD_FACTOR = 1.25
_MIN_CLIPS = 3
_VIDEO_FRAMES = 50

TITLES = {
    "temporal_ratio": "change between frames, known motion (ratio)",
    **{f"temporal_{name}": f"change between frames, {name} (ratio)" for name in MOTIONS},
    "temporal_real": "change between frames, recorded clips (ratio)",
}


@dataclass(frozen=True, slots=True)
class TemporalOptions:
    """stills: pictures that are moved; 0 leaves the measure out. videos: folder of recorded clips."""

    stills: int = 8
    videos: Path | None = None
    seed: int = 0


def warped_difference(previous: Image, current: Image, step: Matrix, region: Region) -> float:
    """Mean absolute difference in levels between a frame and its predecessor moved onto it, within the region.

    step: predecessor to frame. region: in the frame. NaN where nothing of the region was in sight before.
    """
    height, width = current.shape[:2]
    moved = cv2.warpAffine(previous, step, (width, height), flags=cv2.INTER_LINEAR)
    in_sight = cv2.warpAffine(np.full((height, width), 255, np.uint8), step, (width, height), flags=cv2.INTER_LINEAR)
    return _mean_difference(moved, current, region & (in_sight == 255))


def flow_difference(previous: Image, current: Image, flow: NDArray[np.float32], region: Region) -> float:
    """The same with a dense flow float32 [H, W, 2] px from the frame back to its predecessor."""
    height, width = current.shape[:2]
    grid = np.dstack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))
    places = grid + flow
    moved = cv2.remap(previous, places, None, cv2.INTER_LINEAR)
    in_sight = (places >= 0).all(2) & (places[..., 0] <= width - 1) & (places[..., 1] <= height - 1)
    return _mean_difference(moved, current, region & in_sight)


def _mean_difference(first: Image, second: Image, region: Region) -> float:
    differences = cv2.absdiff(first, second)[region]
    return float(differences.mean()) if differences.size else float("nan")


def known_motion_ratio(
    inputs: Sequence[Image], outputs: Sequence[Image], places: Sequence[Matrix], head: Region
) -> float:
    """Sum of warped differences of the outputs over that of the inputs, along one clip: 1 is as steady as the input.

    places: still to frame. head: bool [H, W] in the still.
    """
    height, width = head.shape
    sums = np.zeros(2)
    for index in range(1, len(inputs)):
        step = step_between(places[index - 1], places[index])
        region = cv2.warpAffine(head.astype(np.uint8), places[index], (width, height), flags=cv2.INTER_NEAREST) > 0
        sums += [warped_difference(frames[index - 1], frames[index], step, region) for frames in (outputs, inputs)]
    return float(sums[0] / sums[1]) if sums[1] > 0 else float("nan")


def recorded_ratio(inputs: Sequence[Image], outputs: Sequence[Image], heads: Sequence[Region | None]) -> float:
    """The same along a recorded clip, with the optical flow of the inputs (DIS, Kroeger et al. 2016).

    heads: per frame, or None where no face was found: those frames are left out.
    """
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in inputs]
    sums = np.zeros(2)
    for index in range(1, len(inputs)):
        head = heads[index]
        if head is None:
            continue
        flow = estimator.calc(gray[index], gray[index - 1], None)
        sums += [flow_difference(frames[index - 1], frames[index], flow, head) for frames in (outputs, inputs)]
    return float(sums[0] / sums[1]) if sums[1] > 0 else float("nan")


def head_region(landmarks: NDArray[np.floating[Any]], height: int, width: int) -> Region:
    """The mesh's outline, a quarter larger, as bool [H, W]."""
    points = landmarks[:, :2]
    centre = (points.min(0) + points.max(0)) / 2
    hull = cv2.convexHull(np.round(centre + _HEAD_FACTOR * (points - centre)).astype(np.int32))
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, hull, 1)
    region: Region = mask > 0
    return region


def measure_temporal(
    models: Sequence[Model],
    pictures: Sequence[Picture],
    options: TemporalOptions,
    progress: ShowProgress,
) -> list[tuple[dict[str, Estimate], dict[str, str]]]:
    """Per model: figures by key of TITLES, and by key what is missing."""
    with ExitStack() as stack:
        reader = FaceReader()
        stack.callback(reader.close)
        drawers = [stack.enter_context(model.open()) if model.draws_clips else None for model in models]
        ratios: list[dict[str, list[float]]] = [{} for _ in models]
        if any(drawers):
            _measure_stills(drawers, _stills(pictures, reader, options), ratios, progress)
        if options.videos is not None:
            _measure_videos(models, drawers, reader, list_videos(options.videos), ratios, progress)
    return [_sum_up(found, model, options) for found, model in zip(ratios, models, strict=True)]


def _stills(pictures: Sequence[Picture], reader: FaceReader, options: TemporalOptions) -> list[tuple[Image, Region]]:
    found: list[tuple[Image, Region]] = []
    for row in np.random.default_rng(options.seed).permutation(len(pictures)):
        if len(found) == options.stills:
            break
        try:
            image = np.ascontiguousarray(read_picture(pictures[row].path)[..., :3])
        except DataError:
            continue
        face = reader.read(image)
        if face is not None:
            found.append((image, head_region(face.landmarks, *image.shape[:2])))
    return found


def _measure_stills(
    drawers: Sequence[Drawer | None],
    stills: Sequence[tuple[Image, Region]],
    ratios: list[dict[str, list[float]]],
    progress: ShowProgress,
) -> None:
    done = 0
    for seed, (still, head) in enumerate(stills):
        for name, motion in MOTIONS.items():
            clip = moving_still(still, motion, seed=seed)
            for found, drawer in zip(ratios, drawers, strict=True):
                if drawer is not None:
                    outputs = list(drawer.draw_clip(clip.frames))
                    found.setdefault(name, []).append(known_motion_ratio(clip.frames, outputs, clip.places, head))
            done += 1
            progress(Progress(done, len(stills) * len(MOTIONS), "moving stills"))


def _measure_videos(
    models: Sequence[Model],
    drawers: Sequence[Drawer | None],
    reader: FaceReader,
    videos: Sequence[Path],
    ratios: list[dict[str, list[float]]],
    progress: ShowProgress,
) -> None:
    for done, path in enumerate(videos, 1):
        inputs = list(read_frames(path, _VIDEO_FRAMES))
        faces = [reader.read(image) for image in inputs]
        heads = [
            None if face is None else head_region(face.landmarks, *image.shape[:2])
            for face, image in zip(faces, inputs, strict=True)
        ]
        for found, drawer, model in zip(ratios, drawers, models, strict=True):
            outputs = _results(path, inputs, drawer, model)
            if len(outputs) == len(inputs):
                found.setdefault("real", []).append(recorded_ratio(inputs, outputs, heads))
        progress(Progress(done, len(videos), "recorded clips"))


def _results(path: Path, inputs: Sequence[Image], drawer: Drawer | None, model: Model) -> list[Image]:
    """The model's frames for a video: drawn, or those of a video of the same stem among its results."""
    if drawer is not None:
        return list(drawer.draw_clip(inputs))
    if model.pairing is None:
        return []
    own = next((one for one in _videos_of(model.pairing.folder) if one.stem == path.stem), None)
    if own is None:
        return []
    height, width = inputs[0].shape[:2]
    return [cv2.resize(image, (width, height)) for image in read_frames(own, _VIDEO_FRAMES)]


def _videos_of(folder: Path) -> list[Path]:
    try:
        return list_videos(folder)
    except DataError:
        return []


def _sum_up(
    ratios: dict[str, list[float]], model: Model, options: TemporalOptions
) -> tuple[dict[str, Estimate], dict[str, str]]:
    figures: dict[str, Estimate] = {}
    missing: dict[str, str] = {}
    groups = {name: ratios.get(name, []) for name in (*MOTIONS, "real")}
    groups["ratio"] = [value for name in MOTIONS for value in ratios.get(name, [])]
    for name, values in groups.items():
        key = f"temporal_{name}"
        finite = np.array([value for value in values if np.isfinite(value)])
        if len(finite) >= _MIN_CLIPS:
            figures[key] = bootstrap(finite, lambda rows: float(rows.mean()))
        elif name == "real" and options.videos is None:
            missing[key] = "needs --clips DIR (videos with a face)"
        elif not model.draws_clips:
            missing[key] = "needs a model that draws new frames, not a folder of stills"
        else:
            missing[key] = f"{len(finite)} clips, needs {_MIN_CLIPS}"
    return figures, missing
