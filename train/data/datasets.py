"""Folders as data sets: paired, unpaired and single. A sample depends only on its number in the run, so that a
resumed run sees what it would have seen."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.train.data.augment import AUGMENTATIONS, Sample, squared
from toonfilter.train.data.landmark_files import has_landmarks, landmarks_path, read_landmarks
from toonfilter.train.data.pictures import picture_name, picture_paths, read_rgb, read_rgba
from toonfilter.train.data.published import (
    Picture,
    is_colorferet,
    labelled,
    read_celeba,
    read_colorferet,
    read_selfie2anime,
)
from toonfilter.train.data.splits import Split, lot_of, read_identities, split_of
from toonfilter.train.recipe import DataSettings

Image = NDArray[np.uint8]

# In every sample: int64 [2], the number of the sampled source and of the sampled picture of the other domain where it
# could not be read and another one stands in; -1 where it could.
BAD = "bad"


@dataclass(frozen=True)
class Draw:
    """One place in the order of a run: which picture, and the number that seeds its augmentation."""

    index: int
    number: int


@dataclass(frozen=True)
class Entry:
    """The files of one sample by name: `source`, `target`, ...; `weight`: of sampling, relative."""

    name: str
    files: Mapping[str, Path]
    weight: float = 1.0


class FolderData(Dataset[dict[str, Tensor]]):
    """Pictures of a folder as samples: uint8 [C, H, W], the names as in toonfilter.train.systems.

    Unpaired data: `entries` are the sources, `others` the pictures of the other domain, of which each draw takes a
    random one. Decoded pictures stay in memory up to `data.cache_mib` (a 384 px pair: 0.9 MB). A picture that cannot be
    read is replaced by the next one, never fatal; `BAD` says which it was. decoded: pictures kept in memory, of
    `cached_bytes` in all.
    """

    def __init__(
        self, settings: DataSettings, entries: Sequence[Entry], others: Sequence[Entry] = (), *, seed: int = 0
    ) -> None:
        if settings.augment not in AUGMENTATIONS:
            raise ConfigError(f"data.augment is {settings.augment!r}; there are: {', '.join(AUGMENTATIONS)}")
        if settings.landmarks and settings.augment != "none":
            raise ConfigError(f"data.augment is {settings.augment!r}; with data.landmarks it must be 'none'")
        self.settings = settings
        self.entries = list(entries)
        self.others = list(others)
        self.seed = seed
        self._augment = AUGMENTATIONS[settings.augment]
        self._decoded: dict[Path, Image | None] = {}
        self.cached_bytes = 0

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Relative frequency of each sample, [len]."""
        return np.array([entry.weight for entry in self.entries])

    def __getitem__(self, draw: Draw | int) -> dict[str, Tensor]:
        """The sample of a draw; a plain index gives it as the draw with that number."""
        if isinstance(draw, int):
            draw = Draw(draw, draw)
        return self._sample(draw)

    def _sample(self, draw: Draw, place: int | None = None) -> dict[str, Tensor]:
        """place: of the other domain's picture, which is drawn where it is None."""
        rng = np.random.default_rng((self.seed, draw.number))
        pictures, is_bad = self._readable(self.entries, draw.index)
        bad = [draw.index if is_bad else -1, -1]
        sample = self._augment(pictures, rng, self.settings.size_px)
        if not self.others:
            return {**_as_tensors(sample), BAD: torch.tensor(bad)}
        place = int(rng.integers(len(self.others))) if place is None else place
        other, is_bad = self._readable(self.others, place)
        bad[1] = place if is_bad else -1
        names = {"source" if name == "target" else name: picture for name, picture in other.items()}
        second = self._augment(names, rng, self.settings.size_px)
        renamed = {"target" if name == "source" else name: picture for name, picture in second.items()}
        return {**_as_tensors({**sample, **renamed}), BAD: torch.tensor(bad)}

    def at(self, place: int, other: int | None = None) -> dict[str, Tensor]:
        """The picture of this number, and beside it one of the other domain: of the number `other`, or of the same
        number. Each from its start again where there are fewer: for measuring, where nothing may be sampled."""
        second = place if other is None else other
        return self._sample(Draw(place % len(self.entries), place), second % max(1, len(self.others)))

    def _readable(self, entries: Sequence[Entry], index: int) -> tuple[dict[str, Image], bool]:
        """The pictures of an entry, or of the next one that can be read, and whether it is another one."""
        for offset in range(min(len(entries), 20)):
            entry = entries[(index + offset) % len(entries)]
            pictures = {name: self._read(path, name) for name, path in entry.files.items()}
            good = {name: picture for name, picture in pictures.items() if picture is not None}
            if len(good) == len(pictures):
                return squared(self._arranged(good), self.settings.fit), offset > 0
        raise DataError(f"{entries[index].name}: this picture and the 19 after it cannot be read")

    def _read(self, path: Path, name: str) -> Image | None:
        if path in self._decoded:
            return self._decoded[path]
        if name.endswith("landmarks"):
            decoded = read_landmarks(path)
        else:
            decoded = read_rgba(path) if name == "cartoon" else read_rgb(path)
        # What fits first stays: under random access that hits as often as any other choice of the same size.
        size = 0 if decoded is None else decoded.nbytes
        if self.cached_bytes + size <= self.settings.cache_mib << 20:
            self._decoded[path] = decoded
            self.cached_bytes += size
        return cast("Image | None", decoded)

    def _arranged(self, pictures: Mapping[str, Image]) -> dict[str, Image]:
        """photo and cartoon become source and target by the recipe's direction; alpha becomes the matte."""
        arranged = dict(pictures)
        if "aligned" in arranged:
            both = arranged.pop("aligned")
            halves = both[:, : both.shape[1] // 2], both[:, both.shape[1] // 2 :]
            left, right = (np.ascontiguousarray(half) for half in halves)
            is_left = self.settings.photo_half == "left"
            arranged |= {"photo": left, "cartoon": right} if is_left else {"photo": right, "cartoon": left}
        cartoon = arranged.pop("cartoon", None)
        photo = arranged.pop("photo", None)
        forth = self.settings.direction == "photo-to-cartoon"
        if photo is not None and not forth and "landmarks" in arranged:
            arranged["landmarks"], arranged["target_landmarks"] = arranged["target_landmarks"], arranged["landmarks"]
        if photo is not None:
            arranged["source" if forth else "target"] = photo
        if cartoon is not None:
            arranged["target" if forth else "source"] = np.ascontiguousarray(cartoon[..., :3])
            if cartoon.shape[2] == 4:
                arranged["matte"] = np.ascontiguousarray(cartoon[..., 3:])
        return arranged


class RunOrder(Sampler[list[Draw]]):
    """Batches of draws from step `first_step` to the end of the run, for one process of several.

    Each epoch visits pictures in proportion to their weights (systematic sampling), in an order that depends on
    (seed, epoch) alone: there is no state to save.
    """

    def __init__(
        self,
        weights: NDArray[np.float64],
        batch_size: int,
        total_steps: int,
        *,
        seed: int,
        first_step: int = 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._weights = weights
        self._batch_size = batch_size
        self._steps = range(first_step, total_steps)
        self._seed = seed
        self._rank = rank
        self._processes = processes
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[Draw]]:
        for step in self._steps:
            first = (step * self._processes + self._rank) * self._batch_size
            yield [Draw(self._index(number), number) for number in range(first, first + self._batch_size)]

    def _index(self, number: int) -> int:
        epoch, place = divmod(number, len(self._weights))
        if epoch != self._epoch:
            rng = np.random.default_rng((self._seed, 1, epoch))
            edges = np.cumsum(self._weights) / self._weights.sum()
            ticks = (np.arange(len(edges)) + rng.random()) / len(edges)
            self._order = rng.permutation(np.searchsorted(edges, ticks).clip(max=len(edges) - 1))
            self._epoch = epoch
        return int(self._order[place])


def open_data(root: Path, settings: DataSettings, split: Split, *, seed: int = 0) -> FolderData:
    """Open a folder for training or validation.

    Paired: `photo/` and `cartoon/` with files of the same stem (from `toonfilter prepare pairs`: also `guidance/` and
    `pairs.json`, which says the split and the weights), or `train/` and `val/` with both pictures side by side in one
    (see `data.photo_half`). Unpaired: `photo/` and `cartoon/` with any names, CelebA or colorFERET (the photos; their
    cartoons in `cartoon/`) or selfie2anime (trainA ... testB). Single: any folder of pictures.

    Raises:
        DataError: folders or pictures are missing.
    """
    if settings.layout == "paired":
        entries = [entry for entry, part in _paired(root, settings) if part == split]
        return FolderData(settings, _some(entries, root, split, settings), seed=seed)
    if settings.layout == "single":
        published = _published_photos(root, settings)
        if published is not None:
            found = [(Entry(picture_name(p.path), {"source": p.path}), p.split) for p in published]
        else:
            folder = root / "photo" if (root / "photo").is_dir() else root
            part_of = _splits(root)
            names = [(picture_name(p), p) for p in picture_paths(folder)]
            found = [(Entry(name, {"source": p}), part_of(name)) for name, p in names]
        return FolderData(settings, _some([e for e, part in found if part == split], root, split, settings), seed=seed)
    sources, targets = _unpaired(root, settings, split)
    sides = [_some(side, root, split, settings) for side in (sources, targets)]
    return FolderData(settings, *sides, seed=seed)


def warp_of(root: Path) -> dict[str, float]:
    """The proportions that `toonfilter prepare pairs` gave the faces of a folder; empty for any other folder.

    Raises:
        DataError: its pairs.json is damaged.
    """
    path = root / "pairs.json"
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        # Folders made by earlier versions have the older word.
        factors = content.get("warp", content.get("exaggeration", {}))
        return {str(name): float(value) for name, value in factors.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}); make the pairs again") from error


def to_floats(batch: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """A batch as the systems get it: pictures float32 in -1..1, mattes and guidance in 0..1, the rest as it is."""
    floats = {}
    for name, value in batch.items():
        value = value.to(device, non_blocking=True)
        if value.dtype == torch.uint8:
            value = value.float() / 255 if name in _UNIT_RANGE else value.float() / 127.5 - 1
        floats[name] = value
    return floats


_UNIT_RANGE = frozenset({"matte", "guidance", "again_guidance"})


def _paired(root: Path, settings: DataSettings) -> list[tuple[Entry, Split]]:
    if not (root / "photo").is_dir() and (root / "train").is_dir():
        return _aligned(root)
    photos = {picture_name(path): path for path in picture_paths(root / "photo")}
    cartoons = {picture_name(path): path for path in picture_paths(root / "cartoon")}
    records, part_of = _records(root), _splits(root)
    entries = []
    for name in sorted(set(photos) & set(cartoons)):
        if records and name not in records:
            continue
        if settings.landmarks and not has_landmarks(root, "photo", name):
            continue
        files = {"photo": photos[name], "cartoon": cartoons[name], **_extras(root, name, settings)}
        weight = float(records.get(name, {}).get("weight", 1.0))
        entries.append((Entry(name, files, weight), part_of(name)))
    if not entries:
        raise DataError(f"{root}: no file name is in both photo and cartoon; pairs have the same name in both folders")
    return entries


def _splits(root: Path) -> Callable[[str], Split]:
    """Which part a picture is in, by its name, in every layout: as pairs.json says, else by who is on it."""
    records, people = _records(root), read_identities(root)

    def part_of(name: str) -> Split:
        record = records.get(name, {})
        return cast(Split, record.get("split") or split_of(str(record.get("identity") or people.get(name, name))))

    return part_of


def _records(root: Path) -> dict[str, dict[str, Any]]:
    path = root / "pairs.json"
    if not path.is_file():
        return {}
    try:
        return {str(record["name"]): record for record in json.loads(path.read_text(encoding="utf-8"))["pairs"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not the list that `toonfilter prepare pairs` writes: {error!r}") from error


def _extras(root: Path, name: str, settings: DataSettings) -> dict[str, Path]:
    wanted = {"guidance": settings.guidance, "edges": settings.edges}
    files = {}
    for folder in (folder for folder, asked in wanted.items() if asked):
        path = root / folder / f"{name}.png"
        if not path.is_file():
            raise DataError(f"{path}: no such file; the recipe needs a {folder} picture for every pair")
        files[folder] = path
    if settings.landmarks:
        files["landmarks"] = landmarks_path(root, "photo", name)
        drawn = has_landmarks(root, "cartoon", name)
        # A pair shows one face in one place: without landmarks of its own the drawing has the photo's.
        files["target_landmarks"] = landmarks_path(root, "cartoon", name) if drawn else files["landmarks"]
    return files


def _published_photos(root: Path, settings: DataSettings) -> list[Picture] | None:
    """The photos of CelebA or colorFERET with the wanted labels; None where the folder is neither."""
    if (root / "img_align_celeba").is_dir() or (root / "Img").is_dir():
        return labelled(read_celeba(root), settings.labels)
    return labelled(read_colorferet(root), settings.labels) if is_colorferet(root) else None


def _aligned(root: Path) -> list[tuple[Entry, Split]]:
    """Two pictures in one, side by side, in train/ and val/ or test/: as pix2pix's data sets are published."""
    parts: tuple[tuple[str, Split], ...] = (("train", "train"), ("val", "validation"), ("test", "validation"))
    found: list[tuple[Entry, Split]] = []
    for folder, part in parts:
        is_taken = part == "validation" and any(split == part for _, split in found)
        if (root / folder).is_dir() and not is_taken:
            found += [(Entry(picture_name(p), {"aligned": p}), part) for p in picture_paths(root / folder)]
    return found


def _unpaired(root: Path, settings: DataSettings, split: Split) -> tuple[list[Entry], list[Entry]]:
    if (root / "trainA").is_dir():
        sides = [[(p.path, p.split) for p in side] for side in read_selfie2anime(root)]
    elif (photos := _published_photos(root, settings)) is not None:
        cartoons = [(p, split_of(picture_name(p))) for p in picture_paths(root / "cartoon")]
        sides = [[(p.path, p.split) for p in photos], cartoons]
    else:
        part_of = _splits(root)
        sides = [
            [(p, part_of(picture_name(p))) for p in picture_paths(root / folder)] for folder in ("photo", "cartoon")
        ]
    folders = ["photo", "cartoon"]
    if settings.direction == "cartoon-to-photo":
        sides.reverse()
        folders.reverse()
    source, target = (
        [
            p
            for p, part in side
            if part == split and (not settings.landmarks or has_landmarks(root, folder, picture_name(p)))
        ]
        for side, folder in zip(sides, folders, strict=True)
    )
    entries, others = [], []
    for path in source:
        marks = {"landmarks": landmarks_path(root, folders[0], picture_name(path))} if settings.landmarks else {}
        entries.append(Entry(picture_name(path), {"source": path, **marks}))
    for path in target:
        marks = {"target_landmarks": landmarks_path(root, folders[1], picture_name(path))} if settings.landmarks else {}
        edges = _extras(root, picture_name(path), replace(settings, landmarks=False)) if settings.edges else {}
        others.append(Entry(picture_name(path), {"target": path, **edges, **marks}))
    return entries, others


def _some(entries: list[Entry], root: Path, split: Split, settings: DataSettings) -> list[Entry]:
    """The entries, or as many of them as training may have: by a lot of their names, the same one in every layout."""
    if not entries:
        raise DataError(f"{root}: no pictures for {split}; identities are split nine to one, so some dozens are needed")
    if split != "train" or not 0 < settings.train_pictures < len(entries):
        return entries
    drawn = sorted(entries, key=lambda entry: lot_of(entry.name))[: settings.train_pictures]
    return sorted(drawn, key=lambda entry: entry.name)


def _as_tensors(sample: Sample) -> dict[str, Tensor]:
    return {
        name: torch.from_numpy(np.ascontiguousarray(value.transpose(2, 0, 1)) if value.ndim == 3 else value)
        for name, value in sample.items()
    }
