"""Does a real face get out? An independent look at every picture that leaves, and what the caution costs.

    python -m toonfilter.benchmarks.leaks -o benchmarks/results/leaks.json [--videos FOLDER] [--portraits FOLDER]

Scenes made from portraits have faces whose places are known exactly. In recorded videos every frame is searched
thoroughly, without memory, apart from the tracker that is being judged. Where a face is, the picture that left is
compared with the photo: unchanged pixels, or the photo's fine detail, are a leak.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from toonfilter.benchmarks.face_scenes import SCENES, Cutout, Mask, SceneFrame, cut_out, play
from toonfilter.runtime.faces.config import PlaceConfig, TrackingConfig
from toonfilter.runtime.faces.search_config import DetectionConfig, SearchConfig
from toonfilter.runtime.faces.still_faces import StillFaceFinder
from toonfilter.runtime.files.file_kinds import is_video
from toonfilter.runtime.files.image_files import read_image
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.frames import Frame, Image, PrivacyState
from toonfilter.runtime.render.renderer import likeness

SAME_LEVELS = 2
MOST_UNCHANGED = 0.2
MOST_LIKENESS = 0.9
LEAST_PIXELS = 150
_AROUND = 4
"""What is around a pixel, in shares of the face. Raising it leaves less that tells something, as of smooth skin."""
_TOLD_SHARE = 3
"""A pixel may have changed by such a share of what it tells. Raising it finds fewer leaks in the dark."""
_FPS = 25.0


@dataclass(slots=True)
class Count:
    """What happened to the frames of one clip. leaks: frames with an uncovered face. faces: seen by the judge.

    false_alarms: frames with more covered places than the judge sees faces.

    likeness_max: of the photo and what left, over faces of 40 pixels and more.
    """

    frames: int = 0
    faces: int = 0
    leaks: int = 0
    false_alarms: int = 0
    likeness_max: float = 0.0
    states: Counter[str] = field(default_factory=Counter)

    def as_plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        per_1000 = round(1000 * self.false_alarms / max(1, self.frames), 1)
        # asdict would rebuild the counter from pairs.
        plain = asdict(replace(self, states=Counter()))
        return {**plain, "false_alarms_per_1000_frames": per_1000, "states": dict(self.states)}

    def add(self, other: "Count") -> None:
        self.frames += other.frames
        self.faces += other.faces
        self.leaks += other.leaks
        self.false_alarms += other.false_alarms
        self.likeness_max = max(self.likeness_max, other.likeness_max)
        self.states.update(other.states)


def leaked(raw: Image, shown: Image, face: Mask) -> tuple[bool, float]:
    """Whether the face (a mask in the raw picture) shows in the other picture, and how alike both are there."""
    left, top, width, height = cv2.boundingRect(face)
    told = _told(raw, max(width, height))
    telling = (told > 1) & (face > 127)
    if int(telling.sum()) < LEAST_PIXELS:
        return False, 0.0
    same_levels = np.minimum(SAME_LEVELS, told[telling] // _TOLD_SHARE)
    unchanged = float((cv2.absdiff(raw, shown).max(axis=2)[telling] <= same_levels).mean())
    alike = 0.0
    if min(width, height) >= 40:
        region = slice(top, top + height), slice(left, left + width)
        side = (96, 96)
        alike = likeness(*(cv2.resize(one[region], side, interpolation=cv2.INTER_AREA) for one in (raw, shown)))
    return unchanged > MOST_UNCHANGED or alike > MOST_LIKENESS, alike


def _told(raw: Image, face_px: int) -> Mask:
    """uint8 [H, W]: by how many levels a pixel differs from all around it, which is what it tells of a face.

    Where that is little, as in a dark room, any cover has nearly the same levels.
    """
    reach_px = max(3, face_px // _AROUND)
    told: Mask = cv2.absdiff(raw, cv2.blur(raw, (reach_px, reach_px))).max(axis=2)
    return told


def judge(frames: Iterable[SceneFrame], toon: ToonFilter) -> Count:
    """Run the filter over the frames and compare what leaves with what was there."""
    count = Count()
    for number, scene_frame in enumerate(frames):
        raw = scene_frame.image
        safe = toon.process(Frame(raw.copy(), number, number / _FPS))
        results = [leaked(raw, safe.image, face) for face in scene_frame.faces]
        count.frames += 1
        count.faces += len(results)
        count.leaks += any(is_leak for is_leak, _ in results)
        count.false_alarms += safe.faces_found > len(results)
        count.likeness_max = max([count.likeness_max, *(alike for _, alike in results)])
        count.states[safe.state.value] += 1
    return count


def recorded(path: Path, finder: StillFaceFinder) -> Iterator[SceneFrame]:
    """The frames of a video with the faces that a thorough search of each finds, without any memory."""
    import av

    with av.open(str(path)) as container:
        for decoded in container.decode(video=0):
            image = decoded.to_ndarray(format="rgb24")
            masks = []
            for face in finder.find(image)[0]:
                mask = np.zeros(image.shape[:2], np.uint8)
                hull = cv2.convexHull(np.ascontiguousarray(face.landmarks[:, :2], np.float32))
                inner = face.box.centre + 0.9 * (hull - face.box.centre)
                cv2.fillConvexPoly(mask, np.rint(inner).astype(np.int32), 255)
                masks.append(mask)
            yield SceneFrame(image, masks)


SHIPPED = "as shipped"
CAUTION: dict[str, TrackingConfig] = {
    SHIPPED: TrackingConfig(),
    "as for files": TrackingConfig(is_patient=True),
    "certain detections only": TrackingConfig(
        detection=DetectionConfig(doubtful_full_score=0.6, doubtful_short_score=0.75)
    ),
    "lost places kept for 5 beats": TrackingConfig(places=PlaceConfig(lost_beats=5, most_lost_beats=5)),
    "looks every 2 beats": TrackingConfig(search=SearchConfig(detect_every=2)),
}
"""What is tried to see what each part of the caution brings and costs."""
PARTS = ("scenes", "caution", "recorded", "caution, recorded")


def _judged(frames: Iterable[SceneFrame], settings: FilterSettings) -> Count:
    toon = ToonFilter(settings)
    try:
        return judge(frames, toon)
    finally:
        toon.close()


def _recordings(
    videos: Path, frames: int, style: str, say: Callable[[str], object]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """By folder as shipped, and all folders together by kind of caution."""
    finder = StillFaceFinder()
    folders: dict[str, Count] = {}
    caution = {name: Count() for name in CAUTION}
    for path in sorted(path for path in videos.glob("*/*") if is_video(path)):
        known = list(islice(recorded(path, finder), frames))
        for name, config in CAUTION.items():
            count = _judged(known, FilterSettings(style=style, tracker=config))
            caution[name].add(count)
            if name == SHIPPED:
                folders.setdefault(path.parent.name, Count()).add(count)
        say(f"{path.parent.name}/{path.name}: {folders[path.parent.name]}")
    finder.close()
    plain = [{name: count.as_plain() for name, count in part.items()} for part in (folders, caution)]
    return plain[0], plain[1]


def run(
    style: str,
    *,
    videos: Path | None,
    portraits: Path | None,
    people: int,
    frames: int,
    say: Callable[[str], object],
) -> dict[str, Any]:
    """All measurements as plain data. people: pairs of portraits that play every scene once. frames: of each scene and,
    at most, of each video."""
    pairs: list[tuple[Cutout, Cutout] | None] = [None]
    if portraits is not None:
        chosen = sorted(portraits.glob("*.jpg"))
        step = max(1, len(chosen) // max(1, 2 * people))
        cutouts = [cut_out(read_image(path)) for path in chosen[::step]]
        pairs += list(zip(cutouts[::2], cutouts[1::2], strict=False))[:people]
    result: dict[str, Any] = {
        "conditions": f"{frames} frames of each scene (640x360) and at most of each video, style {style}",
        "measure": {
            "unchanged_levels": SAME_LEVELS,
            "leak_from_unchanged_share": MOST_UNCHANGED,
            "leak_from_likeness": MOST_LIKENESS,
            "least_face_pixels": LEAST_PIXELS,
        },
        "scenes": {},
        "caution": {},
        "recorded": {},
    }
    shipped = Count()
    for scene in SCENES:
        count = Count()
        for pair in pairs:
            played = _judged(play(scene, frames=frames, cutouts=pair), FilterSettings(style=style))
            count.add(played)
            if pair is None:
                shipped.add(played)
        result["scenes"][scene] = count.as_plain()
        say(f"{scene}: {count}")
    for name, config in CAUTION.items():
        count = shipped if name == SHIPPED else Count()
        for scene in SCENES if name != SHIPPED else ():
            count.add(_judged(play(scene, frames=frames), FilterSettings(style=style, tracker=config)))
        result["caution"][name] = count.as_plain()
        say(f"{name}: {count}")
    if videos is not None:
        result["recorded"], result["caution, recorded"] = _recordings(videos, frames, style, say)
    counts = [count for part in PARTS if part in result for count in result[part].values()]
    result["exposed"] = sum(count["states"].get(PrivacyState.EXPOSED.value, 0) for count in counts)
    return result


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description="leaks of real faces, counted by an independent judge")
    parser.add_argument("--output", "-o", type=Path, required=True)
    parser.add_argument("--style", default="cartoon")
    parser.add_argument("--videos", type=Path, help="folder of folders of videos")
    parser.add_argument("--portraits", type=Path, help="folder of portraits, *.jpg")
    parser.add_argument("--people", type=int, default=2, help="pairs of portraits")
    parser.add_argument("--frames", type=int, default=48, help="of each scene, and at most of each video")
    chosen = parser.parse_args()
    result = run(
        chosen.style,
        videos=chosen.videos,
        portraits=chosen.portraits,
        people=chosen.people,
        frames=chosen.frames,
        say=lambda line: sys.stderr.write(f"{line}\n"),
    )
    chosen.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
