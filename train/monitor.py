"""What a run leaves to look at: scalars as JSON lines, TensorBoard and PNG curves, sample grids."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from toonfilter.runtime.errors import require
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.train.title_strip import title_strip

if TYPE_CHECKING:
    from torch import Tensor


# A curve is some 500 px wide: more points would not be seen, and 50,000 take seconds to draw.
CURVE_POINTS = 600


class Monitor:
    """Writes into a run folder: `scalars.jsonl`, `curves.png`, `samples/step-N.png`, `tensorboard/`.

    A resumed run goes on in the same files: lines after `first_step` are dropped first.
    """

    def __init__(self, run: Path, first_step: int = 0) -> None:
        tensorboard = require("torch.utils.tensorboard", extra="train")
        self._run = run
        self._history = [line for line in read_scalars(run) if line["step"] <= first_step]
        self._path = run / "scalars.jsonl"
        write_whole(self._path, "".join(json.dumps(line) + "\n" for line in self._history))
        self._board = tensorboard.SummaryWriter(str(run / "tensorboard"), purge_step=first_step or None)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add one line: the step and its values."""
        line = {"step": step, **values}
        self._history.append(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def samples(self, step: int, columns: Sequence["Tensor"], titles: Sequence[str] = ()) -> Path:
        """Write a grid: each column [N, 3, H, W] in -1..1, one row for each picture; titles above the columns."""
        from torchvision.utils import make_grid, save_image

        side = min(column.shape[-1] for column in columns)
        fitted = [_resized(column.detach().float().cpu().clamp(-1, 1), side) for column in columns]
        rows = torch.stack(fitted, dim=1).flatten(0, 1) * 0.5 + 0.5
        grid = make_grid(rows, nrow=len(columns), padding=2)
        if len(titles) == len(columns):
            strip = title_strip(titles, side + 2, grid.shape[2])
            grid = torch.cat([torch.from_numpy(strip).permute(2, 0, 1).float() / 255, grid], 1)
        folder = self._run / "samples"
        folder.mkdir(exist_ok=True)
        path = folder / f"step-{step:07d}.png"
        save_image(grid, path)
        self._board.add_image("samples", grid, step)
        return path

    def curves(self) -> None:
        """Draw every scalar of the run so far into curves.png."""
        draw_curves(self._history, self._run / "curves.png")

    def close(self) -> None:
        """Draw the last curves and flush."""
        self.curves()
        self._board.close()


def read_scalars(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's scalars.jsonl; none where there is no such file. A line cut short at the end is left out."""
    path = run / "scalars.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    history = []
    for line in lines:
        try:
            history.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return history


def draw_curves(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """One small plot for each scalar over the steps, of means over at most `CURVE_POINTS` stretches of the run."""
    require("matplotlib", extra="train")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [name for name in dict.fromkeys(key for line in history for key in line) if name != "step"]
    if not names:
        return
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(5 * columns, 3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, columns, place)
        axes.plot(*thinned(np.array([(line["step"], line[name]) for line in history if name in line])).T, linewidth=0.8)
        axes.set_title(name, fontsize=9)
    figure.savefig(path, dpi=90)


def thinned(points: NDArray[np.float64], most: int = CURVE_POINTS) -> NDArray[np.float64]:
    """Rows [N, 2] as they are, or the means of at most `most` stretches of equal length in their order."""
    if len(points) <= most:
        return points
    edges = np.linspace(0, len(points), most + 1).astype(np.int64)
    sums = np.add.reduceat(points, edges[:-1], axis=0)
    means: NDArray[np.float64] = sums / np.diff(edges)[:, None]
    return means


def _resized(pictures: "Tensor", side: int) -> "Tensor":
    if pictures.shape[-1] == side:
        return pictures
    return torch.nn.functional.interpolate(pictures, (side, side), mode="area")
