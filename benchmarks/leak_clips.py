"""Would a face recogniser know anybody in what leaves? Judged by a net that the runtime does not have.

    python -m toonfilter.benchmarks.leak_clips -o benchmarks/results/leak-clips.json --recogniser NET.onnx
        --portraits FOLDER [--mode files|live] [--extent whole|person|head] [--scenes NAME ...]

Clips are made from portraits, so that it is known who is where. A face leaks that the recogniser knows in what leaves
while it changed little; where it is known in a drawing, that is counted apart. Clips that the result file has already
are not played again.
"""

import argparse
import json
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.face_scenes import Cutout, SceneFrame, cut_out, play
from toonfilter.benchmarks.hard_scenes import ALL_SCENES
from toonfilter.benchmarks.quality.identity import SIDE, Embedding, Recogniser, alignment, cosine
from toonfilter.runtime.faces.config import LOOKAHEAD_FRAMES
from toonfilter.runtime.files.image_files import read_image
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter, TrackedFrame
from toonfilter.runtime.frames import Frame, Image, SafeFrame
from toonfilter.runtime.geometry.landmarks import CHIN, FOREHEAD
from toonfilter.runtime.render.drawing import Extent
from toonfilter.runtime.render.ground import Ground
from toonfilter.runtime.render.opening import RenderOptions
from toonfilter.runtime.styles.identity import KNOWN_FROM
from toonfilter.runtime.video.file_filter import file_filter_opener

LEAST_FACE_PX = 40
MOST_CHANGE = 12.0
"""Mean change in levels, up to which a face that is known counts as shown, above as drawn."""
_LEAST_SHOWN = 0.35
_FPS = 25.0


@dataclass(slots=True)
class ClipResult:
    """What happened in one clip.

    faces: of 40 px and more that the recogniser knows in the raw frames. leaks: of those, known in what left although
    it changed little. known_drawings: known in what left, which changed. false_covers: frames with more faces found
    than there are. drawn: frames with somebody in them and a cartoon. states: frames by privacy state.
    """

    frames: int = 0
    faces: int = 0
    leaks: int = 0
    leak_frames: int = 0
    known_drawings: int = 0
    false_covers: int = 0
    with_people: int = 0
    drawn: int = 0
    worst_cosine: float = 0.0
    states: dict[str, int] = field(default_factory=dict)


class Judge:
    """Knows the people of a cast. cast: by number, as in `SceneFrame.people`."""

    def __init__(self, recogniser: Recogniser, cast: Sequence[Cutout]) -> None:
        self._recogniser = recogniser
        self._known = [self._embeddings(one) for one in cast]

    def judge(self, scene: SceneFrame, safe: SafeFrame, result: ClipResult) -> None:
        """Count one frame."""
        leaks = 0
        for who, points in scene.people:
            height_px = float(np.linalg.norm(points[FOREHEAD] - points[CHIN]))
            if height_px < LEAST_FACE_PX or not _is_inside(points, scene.image):
                continue
            if self._cosine(who, scene.image, points) < KNOWN_FROM:
                continue
            result.faces += 1
            found = self._cosine(who, safe.image, points)
            result.worst_cosine = max(result.worst_cosine, round(found, 2))
            if found >= KNOWN_FROM:
                is_drawn = _change(scene.image, safe.image, points) > MOST_CHANGE
                leaks += not is_drawn
                result.known_drawings += is_drawn
        result.frames += 1
        result.leaks += leaks
        result.leak_frames += leaks > 0
        result.false_covers += safe.faces_found > sum(_is_near(points, scene.image) for _, points in scene.people)
        result.with_people += bool(scene.people)
        result.drawn += bool(scene.people) and safe.faces_drawn > 0
        result.states = dict(Counter(result.states) + Counter([safe.state.value]))

    def _cosine(self, who: int, image: Image, points: NDArray[np.float32]) -> float:
        found = self._recogniser.embedding(image, points)
        return max(cosine(known, found) for known in self._known[who])

    def _embeddings(self, one: Cutout) -> list[Embedding]:
        return [self._recogniser.embedding(one.image, one.landmarks)]


def played(
    toon: ToonFilter, frames: Iterable[SceneFrame], *, looks_back: bool
) -> Iterator[tuple[SceneFrame, SafeFrame]]:
    """What leaves for each frame. looks_back: as for files, where frames wait."""
    waiting: deque[tuple[SceneFrame, TrackedFrame]] = deque()
    for number, scene in enumerate(frames):
        tracked = toon.track(Frame(scene.image.copy(), number, number / _FPS))
        if not looks_back:
            yield scene, toon.draw(tracked)
            continue
        toon.look_back([one for _, one in waiting], tracked)
        waiting.append((scene, tracked))
        if len(waiting) > LOOKAHEAD_FRAMES:
            earlier, ready = waiting.popleft()
            yield earlier, toon.draw(ready)
    toon.look_back([one for _, one in waiting], None)
    for earlier, ready in waiting:
        yield earlier, toon.draw(ready)


def run_clip(
    toon: ToonFilter, judge: Judge, scene: str, cast: Sequence[Cutout], frames: int, *, looks_back: bool
) -> ClipResult:
    """One scene with one cast."""
    script, size = ALL_SCENES[scene]
    toon.reset()
    result = ClipResult()
    for shown, safe in played(toon, play(script, size, frames, cast), looks_back=looks_back):
        judge.judge(shown, safe, result)
    return result


def summary(clips: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """All clips together."""
    total = {
        key: sum(clip[key] for clip in clips.values()) for key in ClipResult.__annotations__ if key not in _NO_SUMS
    }
    return {
        "clips": len(clips),
        **total,
        "false_covers_share": round(total["false_covers"] / max(1, total["frames"]), 4),
        "drawn_share": round(total["drawn"] / max(1, total["with_people"]), 4),
    }


_NO_SUMS = ("worst_cosine", "states")


def _is_inside(points: NDArray[np.float32], image: Image) -> bool:
    """Whether enough of the face's aligned picture lies in the frame to be recognised."""
    height, width = image.shape[:2]
    shown = cv2.warpAffine(np.full((height, width), 255, np.uint8), alignment(points), (SIDE, SIDE))
    return float((shown > 0).mean()) >= _LEAST_SHOWN


def _is_near(points: NDArray[np.float32], image: Image) -> bool:
    """Whether any of the head may be in the frame."""
    height, width = image.shape[:2]
    low, high = points.min(0), points.max(0)
    margin = 0.5 * (high - low).max()
    return bool((high > -margin).all() and low[0] < width + margin and low[1] < height + margin)


def _change(raw: Image, shown: Image, points: NDArray[np.float32]) -> float:
    first, second = (cv2.warpAffine(image, alignment(points), (SIDE, SIDE)) for image in (raw, shown))
    return float(cv2.absdiff(first, second).mean())


@lru_cache(maxsize=1)
def _cast(folder: Path, size: int, number: int) -> list[Cutout]:
    """People of a folder of portraits, spread over it; others for each number."""
    paths = sorted(folder.glob("*.jpg"))
    step = max(1, len(paths) // (3 * size))
    people: list[Cutout] = []
    for path in paths[number * step // 2 :: step]:
        try:
            people.append(cut_out(read_image(path)))
        except IndexError:
            continue
        if len(people) == size:
            break
    return people


def main() -> None:
    """Play, judge, and write the result after every clip."""
    parser = argparse.ArgumentParser(description="leaks of real faces, counted by a face recogniser")
    parser.add_argument("--output", "-o", type=Path, required=True)
    parser.add_argument(
        "--recogniser", type=Path, required=True, help="ONNX: [N, 3, 112, 112] RGB 0..255 in, embedding out"
    )
    parser.add_argument("--portraits", type=Path, required=True, help="folder of portraits, *.jpg")
    parser.add_argument("--style", default="cartoon")
    parser.add_argument("--mode", choices=("files", "live"), default="files")
    parser.add_argument("--extent", choices=get_args(Extent), default="whole", help="see `toonfilter cam --frame`")
    parser.add_argument("--casts", type=int, default=2, help="how often every scene is played, with other people")
    parser.add_argument("--frames", type=int, default=36)
    parser.add_argument("--scenes", nargs="*", default=list(ALL_SCENES))
    chosen = parser.parse_args()
    content: dict[str, Any] = {"clips": {}}
    if chosen.output.exists():
        content = json.loads(chosen.output.read_text(encoding="utf-8"))
    recogniser = Recogniser(chosen.recogniser)
    drawn = "" if chosen.extent == "whole" else f", {chosen.extent} alone"
    content["conditions"] = (
        f"{chosen.frames} frames a clip, style {chosen.style}{drawn}, as for {chosen.mode}, {recogniser.name}"
    )
    ground = Ground("drawn" if chosen.extent == "whole" else "keep")
    rendering = RenderOptions(chosen.extent, ground, is_live=chosen.mode == "live")
    settings = FilterSettings(style=chosen.style, rendering=rendering)
    toon = file_filter_opener(settings)() if chosen.mode == "files" else ToonFilter(settings)
    for number in range(chosen.casts):
        cast = _cast(chosen.portraits, 49, number)
        judge = Judge(recogniser, cast)
        for scene in chosen.scenes:
            name = f"{scene}, cast {number + 1}"
            if name in content["clips"]:
                continue
            result = run_clip(toon, judge, scene, cast, chosen.frames, looks_back=chosen.mode == "files")
            content["clips"][name] = asdict(result)
            content["summary"] = summary(content["clips"])
            chosen.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            sys.stderr.write(f"{name}: {result}\n")
    toon.close()


if __name__ == "__main__":
    main()
