"""Figures over many pictures: which columns each measure needs, how it sums them up, and how many it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.bootstrap import Estimate, bootstrap
from toonfilter.benchmarks.quality.expression import correlation
from toonfilter.benchmarks.quality.skin_tone import GROUP_TITLES

Columns = dict[str, NDArray[np.float64]]
"""One float64 [N] per column, NaN where a picture has no such figure; all of the same length."""
Samples = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of the report.

    columns: what it is made of, one row a picture. needs: what the user has to give so that the columns exist.
    """

    key: str
    title: str
    unit: str
    columns: tuple[str, ...]
    statistic: Callable[[Samples], float]
    min_count: int = 5
    needs: str = "pictures in which a face is found"

    @property
    def heading(self) -> str:
        """Title with unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


def _mean(samples: Samples) -> float:
    return float(samples.mean())


def _median(samples: Samples) -> float:
    return float(np.median(samples))


def _percentile_95(samples: Samples) -> float:
    return float(np.percentile(samples, 95))


_RESULT_FACES = "results in which a face is found"
_IDENTITY = "--identity FILE.onnx (a face recogniser)"
_TARGET = "--target DIR (ground truth of the same names)"

CLASS_MEASURES = (
    Measure("face_found", "face found", "share", ("found",), _mean),
    Measure("covered", "face covered instead of drawn", "share", ("covered",), _mean, needs="a bundle or checkpoint"),
    Measure("identity_median", "identity, median", "cosine", ("identity",), _median, needs=_IDENTITY),
    Measure("identity_p95", "identity, 95th percentile", "cosine", ("identity",), _percentile_95, 20, _IDENTITY),
    Measure("mouth_correlation", "mouth opening", "r", ("mouth_before", "mouth_after"), correlation, 10, _RESULT_FACES),
    Measure("eye_correlation", "eye opening", "r", ("eyes_before", "eyes_after"), correlation, 10, _RESULT_FACES),
    Measure("gaze_difference", "gaze", "eye widths", ("gaze_difference",), _mean, needs=_RESULT_FACES),
    Measure("yaw_difference", "head yaw", "degrees", ("yaw_difference",), _mean, needs=_RESULT_FACES),
    Measure("pitch_difference", "head pitch", "degrees", ("pitch_difference",), _mean, needs=_RESULT_FACES),
    Measure("roll_difference", "head roll", "degrees", ("roll_difference",), _mean, needs=_RESULT_FACES),
    *(
        Measure(
            f"ita_change_{group}",
            f"skin tone change, {title}",
            "degrees ITA",
            (f"ita_change_{group}",),
            _mean,
            needs=f"faces in colour with {title}",
        )
        for group, title in GROUP_TITLES.items()
    ),
    Measure(
        "seam_ratio",
        "seam of the blend",
        "ratio",
        ("seam",),
        _median,
        needs="a bundle, or results with an alpha channel",
    ),
)

PAIRED_MEASURES = (
    Measure("l1", "L1 to the target", "0 to 1", ("l1",), _mean, needs=_TARGET),
    Measure("psnr", "PSNR", "dB", ("psnr",), _mean, needs=_TARGET),
    Measure("ssim", "SSIM", "", ("ssim",), _mean, needs=_TARGET),
    Measure(
        "perceptual",
        "perceptual distance, LPIPS-style",
        "",
        ("perceptual",),
        _mean,
        needs="--target DIR and a feature net with feature maps (--net FILE.onnx)",
    ),
    Measure(
        "lpips", "LPIPS (AlexNet)", "", ("lpips",), _mean, needs="--target DIR and AlexNet's weights (--weights DIR)"
    ),
    Measure("sift_matches", "SIFT matches, ratio test", "a picture", ("sift_matches",), _mean, needs=_TARGET),
    Measure("sift_inliers", "SIFT matches, RANSAC", "a picture", ("sift_inliers",), _mean, needs=_TARGET),
)


def estimate(measure: Measure, columns: Columns) -> Estimate | str:
    """The figure with its interval, or in words what is missing."""
    if any(name not in columns for name in measure.columns):
        return f"needs {measure.needs}"
    rows = np.column_stack([columns[name] for name in measure.columns])
    rows = rows[np.isfinite(rows).all(1)]
    if len(rows) == 0:
        return f"needs {measure.needs}"
    if len(rows) < measure.min_count:
        return f"{len(rows)} {'picture' if len(rows) == 1 else 'pictures'}, needs {measure.min_count} ({measure.needs})"
    return bootstrap(rows if rows.shape[1] > 1 else rows[:, 0], measure.statistic)


def groups_of(columns: Columns, facts: list[dict[str, str]], names: tuple[str, ...]) -> dict[str, NDArray[np.str_]]:
    """Group label of every picture by group name; "" where it is in none.

    Skin tone and head turn are measured on the input; the rest are columns of the index that have values.
    """
    ita, yaw = columns["ita_before"], columns["yaw_before"]
    tone = np.select(
        [np.isnan(ita), ita < 10, ita <= 41], ["", *list(GROUP_TITLES.values())[:2]], GROUP_TITLES["light"]
    )
    turn = np.select([np.isnan(yaw), np.abs(yaw) < 25], ["", "under 25 degrees"], "25 degrees and more")
    groups = {"skin tone": tone, "head turn": turn}
    for name in names:
        labels = np.array([row.get(name, "") for row in facts], dtype=np.str_)
        if (labels != "").any():
            groups[name] = labels
    return groups


def select(columns: Columns, keep: NDArray[np.bool_]) -> Columns:
    """The columns of those pictures only."""
    return {name: values[keep] for name, values in columns.items()}
