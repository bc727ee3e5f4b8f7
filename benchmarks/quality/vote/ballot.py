"""What is voted on: pictures drawn once by every model, under file names that say nothing."""

import hashlib
import json
import secrets
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from toonfilter.benchmarks.quality.models import Exporter, find_model
from toonfilter.benchmarks.quality.pictures import Image, choose, list_pictures, read_picture
from toonfilter.runtime.errors import DataError
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.progress import Progress, ShowProgress

FILE_NAME = "ballot.json"
MOST_MODELS = 9
QUESTION = "Which one would you rather be in a video class?"
_PICTURE_PX = 512


@dataclass(frozen=True, slots=True)
class Item:
    """One picture. source: token of the input; results: tokens by model, in the ballot's order."""

    picture: str
    source: str
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ballot:
    """models: names, in the order of every item's results. seed: of the order in which reviewers see things."""

    question: str
    models: tuple[str, ...]
    items: tuple[Item, ...]
    seed: int

    def order_for(self, reviewer: str) -> list[int]:
        """Item numbers in the order for this reviewer; the same after every break."""
        return [int(number) for number in self._generator(reviewer, "items").permutation(len(self.items))]

    def places_for(self, reviewer: str, number: int) -> list[int]:
        """Model numbers from left to right for this reviewer and item."""
        return [int(place) for place in self._generator(reviewer, str(number)).permutation(len(self.models))]

    def _generator(self, *words: str) -> np.random.Generator:
        digest = hashlib.sha256(json.dumps([self.seed, *words]).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))


@dataclass(frozen=True, slots=True)
class BallotOptions:
    """models, export, raw: as `find_model` takes them. limit: at most so many pictures, sampled with the seed."""

    models: tuple[str, ...]
    source: Path
    output: Path
    question: str = QUESTION
    limit: int | None = 40
    seed: int = 0
    export: Exporter | None = None
    raw: bool | None = None


def prepare_ballot(options: BallotOptions, progress: ShowProgress | None = None) -> Ballot:
    """Draw every picture with every model into the output folder and write ballot.json; or take up the one there.

    Raises:
        DataError: fewer than two models, no common pictures, or another ballot in the folder.
        ConfigError, BundleError: a model cannot be opened.
    """
    models = [find_model(text, options.export, options.raw) for text in options.models]
    names = tuple(model.name for model in models)
    if not 2 <= len(set(names)) == len(names) <= MOST_MODELS:
        raise DataError(f"vote needs 2 to {MOST_MODELS} models of different names; found {', '.join(names) or 'none'}")
    if (options.output / FILE_NAME).is_file():
        ballot = read_ballot(options.output)
        if ballot.models != names or ballot.seed != options.seed:
            raise DataError(
                f"{options.output} holds a vote on {', '.join(ballot.models)} with seed {ballot.seed}; "
                "use another folder, or the same models and seed"
            )
        return ballot
    pictures = choose(list_pictures(options.source), split="all", limit=options.limit, seed=options.seed)
    folder = options.output / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    with ExitStack() as stack:
        drawers = [stack.enter_context(model.open()) for model in models]
        for done, picture in enumerate(pictures, 1):
            try:
                source = np.ascontiguousarray(read_picture(picture.path)[..., :3])
                results = [drawer.draw(picture, source).image for drawer in drawers]
            except DataError:
                continue
            tokens = [_write_picture(folder, image) for image in (source, *results)]
            items.append(Item(picture.key, tokens[0], tuple(tokens[1:])))
            if progress:
                progress(Progress(done, len(pictures), "pictures"))
    if not items:
        raise DataError(f"no picture of {options.source} has a result of every model; names must be the same")
    ballot = Ballot(options.question, names, tuple(items), options.seed)
    write_whole(options.output / FILE_NAME, json.dumps(asdict(ballot), indent=1, ensure_ascii=False) + "\n")
    return ballot


def read_ballot(folder: Path) -> Ballot:
    """The ballot of a folder.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        items = tuple(Item(one["picture"], one["source"], tuple(one["results"])) for one in content["items"])
        return Ballot(content["question"], tuple(content["models"]), items, int(content["seed"]))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); start a vote with models first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}); use another folder") from error


def _write_picture(folder: Path, image: Image) -> str:
    """A JPEG under a random name, at most 512 px: size and name tell nothing about its model."""
    factor = _PICTURE_PX / max(image.shape[:2])
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    token = secrets.token_hex(16)
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    write_whole(folder / f"{token}.jpg", encoded.tobytes())
    return token
