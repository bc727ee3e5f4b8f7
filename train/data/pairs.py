"""Training pairs by algorithm: photo crops, warped, and the teacher's drawing of each.

The folder: `photo/NAME.png` RGB, `cartoon/NAME.png` RGBA, `guidance/NAME.png`, `records/NAME.json`, and `pairs.json`,
written last, with everything about every pair. A picture whose record is there, made with the same settings, is not
drawn again.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.geometry.alignment import CropTransform, crop_transform
from toonfilter.runtime.geometry.warp import FaceWarp
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.train.data.opencv_cartoon import opencv_cartoon
from toonfilter.train.data.pictures import picture_paths, read_rgb, write_png
from toonfilter.train.data.splits import split_of

FORMAT = 1
_MIN_FACE_PX = 80.0


@dataclass(frozen=True, slots=True)
class PairOptions:
    """What to draw from and where to.

    faces: folder of pictures, one face each; `index.csv` in it, where there is one, names identities, look-alike
    clusters and sources. size: crop side in px. weights: how often pictures count in training, as (pattern of the path
    below `faces`, factor); the factors of all patterns that match are multiplied.
    drawing: by our algorithm, or by the plain OpenCV filter, which keeps true proportions whatever `warp` says.
    new_backdrops: replace uniform backgrounds. limit: at most so many pictures, sampled with `seed`.
    """

    faces: Path
    output: Path
    size: int = 384
    limit: int | None = None
    seed: int = 0
    workers: int = 2
    new_backdrops: bool = True
    weights: tuple[tuple[str, float], ...] = ()
    warp: FaceWarp = field(default_factory=FaceWarp)
    drawing: Literal["teacher", "opencv"] = "teacher"

    def __post_init__(self) -> None:
        if self.drawing not in ("teacher", "opencv"):
            raise ConfigError(f"drawing is {self.drawing!r}; must be teacher or opencv.")
        if self.drawing == "opencv":
            object.__setattr__(self, "warp", FaceWarp.none())
        if self.size < 128 or self.size % 32:
            raise ConfigError(f"size is {self.size}; must be a multiple of 32 and at least 128.")
        if self.workers < 1:
            raise ConfigError(f"workers is {self.workers}; must be at least 1.")


@dataclass(frozen=True, slots=True)
class PairsReport:
    """made: drawn now. kept: found finished. skipped: why pictures gave no pair, by reason; reasons: by name."""

    made: int
    kept: int
    skipped: dict[str, int]
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Task:
    path: Path
    name: str
    source: str
    identity: str
    key: str
    weight: float
    options: PairOptions


def prepare_pairs(options: PairOptions, progress: ShowProgress | None = None) -> PairsReport:
    """Draw every picture of a folder; bad ones are skipped and counted, finished ones kept.

    progress: called with pictures done and pictures in all.

    Raises:
        DataError: no such folder, no pictures, an index that names none of them, or the disk is full.
    """
    tasks = _tasks(options)
    mark = _settings_mark(options)
    records: list[dict[str, Any]] = []
    waiting = []
    for task in tasks:
        record = _read_record(task, mark)
        if record is None:
            waiting.append(task)
        else:
            records.append(record)
    kept = sum("skipped" not in record for record in records)
    for done, record in enumerate(_run(waiting, options.workers), start=len(records) + 1):
        records.append(record)
        if progress:
            progress(Progress(done, len(tasks), "pictures"))
    skipped = Counter(record["skipped"] for record in records if "skipped" in record)
    pairs = sorted((r for r in records if "skipped" not in r), key=lambda record: str(record["name"]))
    _write_json(options.output / "pairs.json", _summary(options, mark, pairs, dict(skipped)))
    reasons = {str(record["name"]): record["skipped"] for record in records if "skipped" in record}
    return PairsReport(len(pairs) - kept, kept, dict(skipped), reasons)


def _summary(options: PairOptions, mark: str, pairs: list[dict[str, Any]], skipped: dict[str, int]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "size": options.size,
        "warp": options.warp.to_dict(),
        "settings": mark,
        "skipped": skipped,
        "pairs": pairs,
    }


def _tasks(options: PairOptions) -> list[_Task]:
    index = _read_index(options.faces)
    tasks = []
    for path in picture_paths(options.faces):
        relative = path.relative_to(options.faces)
        row = index.get(relative.as_posix(), {})
        if index and not row:
            continue
        name = "__".join(relative.with_suffix("").parts)
        source = row.get("source") or (relative.parts[0] if len(relative.parts) > 1 else "")
        identity = row.get("identity") or name
        key = row.get("cluster") or identity
        weight = float(np.prod([w for pattern, w in options.weights if fnmatch(relative.as_posix(), pattern)]))
        tasks.append(_Task(path, name, source, identity, key, weight, options))
    if not tasks:
        raise DataError(
            f"{options.faces}: index.csv names none of the pictures there; paths in it start at this folder."
        )
    if options.limit is not None and options.limit < len(tasks):
        chosen = np.random.default_rng(options.seed).choice(len(tasks), options.limit, replace=False)
        tasks = [tasks[i] for i in sorted(chosen)]
    return tasks


def _read_index(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / "index.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if "file" not in (reader.fieldnames or ()):
            raise DataError(f"{path}: columns are {reader.fieldnames}; there must be one named file.")
        return {row["file"]: row for row in reader}


def _settings_mark(options: PairOptions) -> str:
    from toonfilter.train.data.cartooniser.teacher import STYLE_VERSION

    chosen = {
        "format": FORMAT,
        "style": STYLE_VERSION,
        "size": options.size,
        "new_backdrops": options.new_backdrops,
        "warp": options.warp.to_dict(),
        **({} if options.drawing == "teacher" else {"drawing": options.drawing}),
    }
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]


def _read_record(task: _Task, mark: str) -> dict[str, Any] | None:
    try:
        record = json.loads(_record_path(task).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("settings") != mark:
        return None
    if "skipped" in record:
        return record
    folder = task.options.output
    if not all((folder / kind / f"{task.name}.png").is_file() for kind in ("photo", "cartoon", "guidance")):
        return None
    return record | {"weight": task.weight}


def _record_path(task: _Task) -> Path:
    return task.options.output / "records" / f"{task.name}.json"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, json.dumps(content, indent=1) + "\n")


def _run(tasks: list[_Task], workers: int) -> Iterator[dict[str, Any]]:
    if workers == 1 or len(tasks) < 2:
        maker = _PairMaker()
        try:
            for task in tasks:
                yield maker.make(task)
        finally:
            maker.close()
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker) as pool:
        futures = [pool.submit(_make_in_worker, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_worker: "_PairMaker | None" = None


def _start_worker() -> None:
    global _worker
    cv2.setNumThreads(1)
    _worker = _PairMaker()


def _make_in_worker(task: _Task) -> dict[str, Any]:
    assert _worker is not None
    return _worker.make(task)


class _PairMaker:
    """Draws pairs, one after another."""

    def __init__(self) -> None:
        from toonfilter.runtime.faces.detection import FaceMesher
        from toonfilter.runtime.faces.detector import FaceDetector
        from toonfilter.train.data.cartooniser.teacher import Cartooniser

        self._detector = FaceDetector()
        self._mesher = FaceMesher(self._detector)
        self._cartooniser = Cartooniser()

    def close(self) -> None:
        self._detector.close()
        self._mesher.close()
        self._cartooniser.close()

    def make(self, task: _Task) -> dict[str, Any]:
        mark = _settings_mark(task.options)
        outcome = self._draw(task)
        record = {"name": task.name, "settings": mark}
        record |= {"skipped": outcome} if isinstance(outcome, str) else outcome
        _write_json(_record_path(task), record)
        return record

    def _draw(self, task: _Task) -> dict[str, Any] | str:
        """The pair's record, or why there is none."""
        from toonfilter.runtime.render.portrait import take_portrait
        from toonfilter.train.data.backdrops import draw_backdrop, is_uniform, replace_backdrop

        options = task.options
        image = read_rgb(task.path)
        if image is None:
            return "unreadable"
        boxes = self._detector.find(image)
        if not boxes:
            return "no face"
        landmarks = self._mesher.find(image, boxes[0])
        if landmarks is None:
            return "no face"
        transform = crop_transform(landmarks, options.size)
        if transform.side_px / 1.85 < _MIN_FACE_PX:
            return "face too small"
        portrait = take_portrait(image, landmarks, transform, options.warp, with_guidance=True)
        assert portrait.guidance is not None
        photo, matte = portrait.crop, self._cartooniser.matte(portrait.crop)
        number = int(hashlib.sha256(task.name.encode()).hexdigest()[:12], 16)
        new_backdrop = options.new_backdrops and is_uniform(photo, matte)
        if new_backdrop:
            photo = replace_backdrop(photo, matte, draw_backdrop(options.size, number))
        if options.drawing == "teacher":
            cartoon = self._cartooniser.draw(photo, portrait.landmarks, matte)
        else:
            cartoon = np.dstack([opencv_cartoon(photo), np.round(matte * 255).astype(np.uint8)])
        for kind, picture in (("photo", photo), ("cartoon", cartoon), ("guidance", portrait.guidance)):
            write_png(options.output / kind / f"{task.name}.png", picture)
        return _record(task, transform, new_backdrop)


def _record(task: _Task, transform: CropTransform, new_backdrop: bool) -> dict[str, Any]:
    return {
        "source": task.source,
        "identity": task.identity,
        "split": split_of(task.key),
        "weight": task.weight,
        "new_backdrop": new_backdrop,
        "crop": {k: v if k == "size" else round(v, 4) for k, v in asdict(transform).items()},
    }
