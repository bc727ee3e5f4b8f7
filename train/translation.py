"""`toonfilter translate`: raw results of a generator for a folder of pictures, or of noise, with a gallery."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.train.checkpoint import read_checkpoint
from toonfilter.train.data.datasets import open_data
from toonfilter.train.data.pictures import picture_paths, read_rgb, write_png
from toonfilter.train.gallery import Row, write_gallery
from toonfilter.train.raw import RawGenerator, open_raw
from toonfilter.train.recipe import DataSettings

if TYPE_CHECKING:
    from torch import Tensor

Image = NDArray[np.uint8]

_SHOWN_PX = 512
INTERPOLATION = 8
"""Pictures on the way from one noise to another, ends included."""


@dataclass(frozen=True)
class Translation:
    """What was written: results, the page, and pictures that could not be read."""

    written: int
    page: Path
    unreadable: tuple[str, ...] = ()


def translate(
    model: Path,
    pictures: Path,
    out: Path,
    *,
    head: str = "",
    limit: int | None = None,
    report: ShowProgress | None = None,
    generator: RawGenerator | None = None,
) -> Translation:
    """Draw pictures with the generator alone into OUT/result/NAME.png, and OUT/index.html that shows them.

    pictures: a folder of pictures, or a data folder (photo/ and cartoon/): then the held-out ones of the side that the
    generator takes, beside what they belong to. limit: at most so many, evenly spread. generator: in place of the
    model's own.

    Raises:
        ConfigError, TrainingError, BundleError: see `open_raw`. DataError: no pictures, or a disk that takes none.
    """
    generator = generator or open_raw(model, head)
    sources = _held_out(pictures, generator) if (pictures / "photo").is_dir() else _plain(pictures)
    chosen = sources[:: max(1, -(-len(sources) // limit))] if limit else sources
    rows, unreadable, has_target = [], [], False
    for number, (name, source_of, target_of) in enumerate(chosen, 1):
        source, target = source_of(), target_of()
        if source is None:
            unreadable.append(name)
            continue
        result = out / "result" / f"{name}.png"
        write_png(result, generator(source))
        shown = [_shown(out / "source" / f"{name}.jpg", source), result]
        if target is not None:
            has_target = True
            shown.append(_shown(out / "target" / f"{name}.jpg", target))
        rows.append(Row(name, shown))
        if report is not None:
            report(Progress(number, len(chosen), "pictures"))
    if not rows:
        raise DataError(f"{pictures}: none of {len(chosen)} pictures can be read")
    columns = ["source", generator.name, *(["belongs to it"] if has_target else [])]
    write_gallery(out / "index.html", f"{generator.name}: raw results", columns, rows, f"{len(rows)} of {pictures}")
    return Translation(len(rows), out / "index.html", tuple(unreadable))


def caricature(run: Path, degree: float | None, exemplar: Path | None) -> RawGenerator:
    """A caricature run at a degree of exaggeration (1 where none is given), in the style of an exemplar.

    Raises:
        ConfigError: another method's run.
    """
    from toonfilter.train.caricature_use import Caricaturist

    drawer = Caricaturist(run, exemplar)
    amount = 1.0 if degree is None else degree
    return RawGenerator(f"caricature, degree {amount:g}", drawer.size_px, lambda image: drawer(image, amount))


_Loaded = Callable[[], Image | None]


def _plain(folder: Path) -> list[tuple[str, _Loaded, _Loaded]]:
    def loader(path: Path) -> _Loaded:
        return lambda: read_rgb(path)

    paths = picture_paths(folder)
    return [(p.relative_to(folder).with_suffix("").as_posix(), loader(p), lambda: None) for p in paths]


def _held_out(root: Path, generator: RawGenerator) -> list[tuple[str, _Loaded, _Loaded]]:
    direction = "cartoon-to-photo" if generator.domain == "drawing" else "photo-to-cartoon"
    settings = DataSettings(layout="unpaired", size_px=generator.size_px, direction=direction, fit="pad")  # type: ignore[arg-type]
    try:
        held = open_data(root, replace(settings, layout="paired"), "validation")
    except DataError:
        held = open_data(root, settings, "validation")
    is_paired = not held.others

    def loader(index: int, side: str) -> _Loaded:
        return lambda: np.ascontiguousarray(held.at(index)[side].numpy().transpose(1, 2, 0))

    return [
        (entry.name, loader(index, "source"), loader(index, "target") if is_paired else lambda: None)
        for index, entry in enumerate(held.entries)
    ]


def draw_from_noise(run: Path, out: Path, *, count: int = 64, seed: int = 0) -> Translation:
    """Draw samples of a generator from noise (dcgan) into OUT/sample/N.png, the way between pairs of them into
    OUT/interpolation/N.png, and OUT/index.html that shows both.

    Raises:
        ConfigError: the run's generator takes pictures, not noise.
    """
    rows = []
    for folder, pictures in (
        ("sample", noise_samples(run, count, seed)),
        ("interpolation", _interpolations(run, count, seed)),
    ):
        for name, image in pictures:
            path = out / folder / f"{name}.png"
            write_png(path, image)
            rows.append(Row(f"{folder} {name}", [path]))
    write_gallery(out / "index.html", "samples from noise", ["picture"], rows, f"{count} samples, seed {seed}")
    return Translation(count, out / "index.html")


def noise_samples(run: Path, count: int, seed: int) -> Iterator[tuple[str, Image]]:
    """Samples of a generator from noise by name, uint8 [H, W, 3]: the same for the same seed.

    Raises:
        ConfigError: the run's generator takes pictures, not noise.
    """
    draw, noise = _open_noise(run, count, seed)
    for number, z in enumerate(noise):
        yield f"{number:05}", draw(z[None])[0]


def _interpolations(run: Path, count: int, seed: int) -> Iterator[tuple[str, Image]]:
    """The way between neighbouring samples, its pictures side by side."""
    from toonfilter.train.systems.dcgan import interpolate

    draw, noise = _open_noise(run, count, seed)
    for number in range(min(8, count // 2)):
        way = interpolate(noise[2 * number], noise[2 * number + 1], INTERPOLATION)
        yield f"{number:05}", np.concatenate(list(draw(way)), axis=1)


def _open_noise(run: Path, count: int, seed: int) -> "tuple[Callable[[Tensor], Image], Tensor]":
    """What draws noise [N, Z] as uint8 [N, H, W, 3], and the noise."""
    import torch

    from toonfilter.train.checkpoint import load_weights
    from toonfilter.train.systems.dcgan import build

    checkpoint = read_checkpoint(run)
    if checkpoint.recipe.system != "dcgan":
        raise ConfigError(f"{run}: recipe {checkpoint.recipe.name!r} takes pictures; give a folder of them")
    system = build(checkpoint.recipe)
    load_weights(system.networks, {**checkpoint.weights, **checkpoint.averaged}, str(checkpoint.path))
    network = system.networks["generator"].eval()

    def draw(z: "Tensor") -> Image:
        with torch.inference_mode():
            levels = (network(z).float() * 127.5 + 127.5).round().clamp(0, 255).byte()
        return np.ascontiguousarray(levels.permute(0, 2, 3, 1).numpy())

    return draw, torch.randn(count, system.options.noise, generator=torch.Generator().manual_seed(seed))


def _shown(path: Path, image: Image) -> Path:
    """A JPEG of at most 512 px for the page."""
    factor = _SHOWN_PX / max(image.shape[:2])
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92]):
        raise DataError(f"{path}: cannot be written")
    return path
