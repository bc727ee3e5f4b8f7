"""Which pictures a report shows: sampled, and the worst by each measure, not only the best."""

import base64
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.measures import Columns
from toonfilter.benchmarks.quality.models import Model
from toonfilter.benchmarks.quality.pictures import Image, Picture, read_picture
from toonfilter.runtime.errors import DataError

PICTURES_A_SHEET = 8
TILE_PX = 168
_JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture: its name, JPEGs as base64 text (input, then one per model; "" where there is none), captions."""

    key: str
    jpegs: tuple[str, ...]
    captions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Pictures side by side under one heading."""

    title: str
    tiles: tuple[Tile, ...]


def choose_sheets(names: Sequence[str], columns: Sequence[Columns], *, seed: int = 0) -> list[tuple[str, list[int]]]:
    """Heading and picture numbers of every sheet: some sampled, then for each model best, worst and lost.

    names, columns: by model, all of the same pictures.
    """
    faces = np.flatnonzero(np.isfinite(columns[0].get("found", np.full(len(columns[0]["ita_before"]), np.nan))))
    if not len(faces):
        faces = np.arange(len(columns[0]["ita_before"]))
    sampled = np.random.default_rng(seed).permutation(faces)[:PICTURES_A_SHEET]
    sheets = [("Sampled", sorted(sampled.tolist()))]
    for name, figures in zip(names, columns, strict=True):
        if "found" not in figures:
            continue
        lost = np.flatnonzero(figures["found"] == 0)
        sheets.append((f"{name}: no face is found in the result, or it is covered", lost[:PICTURES_A_SHEET].tolist()))
        for title, score in _scores(figures).items():
            sheets.append((f"{name}: worst, {title}", _highest(score)))
        sheets.append((f"{name}: best over all", _highest(-overall(figures))))
    return [(title, rows) for title, rows in sheets if rows]


def overall(figures: Columns) -> NDArray[np.float64]:
    """How far off each picture is: the mean of its deviations, each in units of what is allowed. NaN without a face."""
    parts = [score / allowed for score, allowed in _deviations(figures).values()]
    if not parts:
        return np.full(len(figures["ita_before"]), np.nan)
    stacked = np.vstack(parts)
    with_any = np.isfinite(stacked).any(0)
    result = np.full(stacked.shape[1], np.nan)
    result[with_any] = np.nanmean(stacked[:, with_any], axis=0)
    return result


def draw_sheets(
    chosen: Sequence[tuple[str, list[int]]],
    pictures: Sequence[Picture],
    models: Sequence[Model],
    columns: Sequence[Columns],
) -> list[Sheet]:
    """Draw the chosen pictures once more and make tiles of them; memory holds only the tiles."""
    made: dict[int, Tile] = {}
    with ExitStack() as stack:
        drawers = [stack.enter_context(model.open()) for model in models]
        for row in sorted({row for _, rows in chosen for row in rows}):
            picture = pictures[row]
            try:
                source = np.ascontiguousarray(read_picture(picture.path)[..., :3])
            except DataError:
                continue
            jpegs = [_jpeg(source)]
            for drawer in drawers:
                try:
                    jpegs.append(_jpeg(drawer.draw(picture, source).image))
                except DataError:
                    jpegs.append("")
            captions = tuple(_caption(figures, row) for figures in columns)
            made[row] = Tile(picture.key, tuple(jpegs), captions)
    return [Sheet(title, tuple(made[row] for row in rows if row in made)) for title, rows in chosen]


def _scores(figures: Columns) -> dict[str, NDArray[np.float64]]:
    return {title: score for title, (score, _) in _deviations(figures).items()} | {"over all": overall(figures)}


def _deviations(figures: Columns) -> dict[str, tuple[NDArray[np.float64], float]]:
    """Per picture, higher is worse, with what is about allowed."""
    found: dict[str, tuple[NDArray[np.float64], float]] = {}
    if "identity" in figures:
        found["most recognisable"] = (figures["identity"], 0.5)
    if "mouth_after" in figures:
        found["mouth"] = (np.abs(figures["mouth_after"] - figures["mouth_before"]), 0.04)
        found["eyes"] = (np.abs(figures["eyes_after"] - figures["eyes_before"]), 0.08)
        found["gaze"] = (figures["gaze_difference"], 0.03)
        angles = [figures[f"{name}_difference"] for name in ("yaw", "pitch", "roll")]
        found["head pose"] = (np.max(angles, axis=0), 3.0)
    if "ita_after" in figures:
        found["skin tone"] = (np.abs(figures["ita_after"] - figures["ita_before"]), 6.0)
    return found


def _highest(score: NDArray[np.float64]) -> list[int]:
    order = np.argsort(-score)
    return [int(row) for row in order if np.isfinite(score[row])][:PICTURES_A_SHEET]


def _caption(figures: Columns, row: int) -> str:
    if figures.get("found", np.full(row + 1, np.nan))[row] == 0:
        return "face covered" if figures.get("covered", np.zeros(row + 1))[row] == 1 else "face lost"
    parts = []
    for column, text in (("identity", "id {:.2f}"), ("gaze_difference", "gaze {:.3f}")):
        if column in figures and np.isfinite(figures[column][row]):
            parts.append(text.format(figures[column][row]))
    if "ita_after" in figures and np.isfinite(figures["ita_after"][row]):
        parts.append(f"ITA {figures['ita_before'][row]:.0f} to {figures['ita_after'][row]:.0f}")
    return ", ".join(parts)


def _jpeg(image: Image) -> str:
    height, width = image.shape[:2]
    factor = TILE_PX / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return base64.b64encode(encoded.tobytes()).decode("ascii")
