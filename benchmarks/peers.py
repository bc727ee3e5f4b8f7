"""Our bundle beside others, on the same cores, the same faces, in one run.

The published generators have random weights: their time does not depend on them. All run on the same engines, with
pictures of uint8 at both ends, in turns, so that other work on the machine slows all alike. Needs the extra `export`.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.clip import Clip, load_clip
from toonfilter.runtime.backends import EngineOptions, open_translator
from toonfilter.runtime.backends.translator import Translator
from toonfilter.runtime.bundle import Bundle, InputSpec, ModelFile, OutputSpec, Training, find_bundle, sha256_of
from toonfilter.runtime.errors import CaptureError, require
from toonfilter.runtime.faces.still_faces import UPRIGHT, StillFaceFinder
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import crop_transform
from toonfilter.runtime.geometry.warp import FaceWarp
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.runtime.render.blending import blend_mask, paste
from toonfilter.runtime.render.portrait import Portrait, take_portrait

ENGINES = ("onnxruntime", "openvino")
TARGET_RATIO = 25.0
"""At least so many times faster than AnimeGANv2's generator on the same engine."""
_FACES = 8

Run = Callable[[int], Any]


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """size: of the crops. rounds: in each of which every peer runs once. threads: of the engines."""

    style: str = "cartoon"
    size: int = 256
    rounds: int = 12
    threads: int = 2


def compare_peers(options: PeerOptions, clip: Path, progress: ShowProgress | None = None) -> dict[str, Any]:
    """Time all; plain values, ready for JSON. times_ms: median and least by name. ratio: to our bundle's fastest file.

    Raises:
        CaptureError: no face in the clip. ConfigError: the extra `export` is not installed.
    """
    require("torch", extra="export")
    pictures = load_clip(clip, 1280, 720, faces=1, count=_FACES)
    portraits = list(_portraits(pictures, options.size))
    if not portraits:
        raise CaptureError(f"{clip}: no face in its first {_FACES} pictures")
    with tempfile.TemporaryDirectory(prefix="toonfilter-peers-") as folder:
        translators = dict(_translators(options, Path(folder)))
        for translator in translators.values():
            translator.warm_up(options.size)
        crops = [np.ascontiguousarray(portrait.crop[None]) for portrait in portraits]
        guidance = [portrait.guidance[None] for portrait in portraits if portrait.guidance is not None]

        def translation(translator: Translator) -> Run:
            return lambda number: translator.translate(crops[number], guidance[number])

        runs: dict[str, Run] = {name: translation(translator) for name, translator in translators.items()}
        runs["OpenCV cartoon filter"] = lambda number: opencv_cartoon(crops[number][0])
        generators = _in_turns(runs, options.rounds, len(crops), progress)
        for translator in translators.values():
            translator.close()
    blends = _in_turns(_blends(pictures, portraits), options.rounds, len(portraits), None)
    return {"size": options.size, "generators": generators, "blends": blends, "ratios": _ratios(generators)}


def _portraits(clip: Clip, size: int) -> Iterator[Portrait]:
    finder = StillFaceFinder(max_faces=1, turns=UPRIGHT)
    try:
        for image in clip.images:
            for face in finder.find(image)[0]:
                transform = crop_transform(face.landmarks, size, face.fit)
                yield take_portrait(image, face.landmarks, transform, FaceWarp(), with_guidance=True)
    finally:
        finder.close()


def _translators(options: PeerOptions, folder: Path) -> Iterator[tuple[str, Translator]]:
    ours = find_bundle(options.style)
    peers = {name: _peer_bundle(name, network, options.size, folder) for name, network in _networks().items()}
    for engine in ENGINES:
        for precision in ("int8", "fp32"):
            if precision in ours.precisions:
                settings = EngineOptions(options.size, precision, options.threads)
                yield f"ours {precision}, {engine}", open_translator(ours, engine, settings).translator
        for name, bundle in peers.items():
            settings = EngineOptions(options.size, "fp32", options.threads)
            yield f"{name} fp32, {engine}", open_translator(bundle, engine, settings).translator


def _networks() -> Mapping[str, Any]:
    from toonfilter.benchmarks.animegan import AnimeGanGenerator
    from toonfilter.train.networks.pix2pix import UNetGenerator
    from toonfilter.train.networks.resnet import ResnetGenerator

    return {
        "AnimeGANv2 generator": AnimeGanGenerator(),
        "pix2pix U-Net 256": UNetGenerator(),
        "CycleGAN ResNet-9": ResnetGenerator(blocks=9),
    }


def _peer_bundle(name: str, network: Any, size: int, folder: Path) -> Bundle:
    """A bundle around random weights, for time only."""
    from toonfilter.export.onnx_export import OPSET, export_graph, picture_graph
    from toonfilter.train.systems import ExportSpec

    spec = ExportSpec("peer", sizes_px=(size,))
    (model,) = export_graph(picture_graph(network, spec), spec, [size], {}).values()
    place = folder / name
    place.mkdir()
    (place / "fp32.onnx").write_bytes(model.SerializeToString())
    return Bundle(
        name=name,
        version="0",
        licence="none",
        description="random weights, for time only",
        training=Training("none", "none", "none", 0),
        input=InputSpec([size]),
        output=OutputSpec(3),
        files=[ModelFile("onnx", "fp32", "fp32.onnx", sha256_of(place / "fp32.onnx"), OPSET, size)],
        folder=place,
    )


def opencv_cartoon(image: Image) -> Image:
    """The filter of countless tutorials: smoothed colours under dark edges. image: uint8 [H, W, 3]."""
    edges = cv2.adaptiveThreshold(
        cv2.medianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 5),
        255,
        cv2.ADAPTIVE_THRESH_MEAN_C,
        cv2.THRESH_BINARY,
        9,
        9,
    )
    colours = cv2.bilateralFilter(image, 9, 250, 250)
    drawn: Image = cv2.bitwise_and(colours, colours, mask=edges)
    return drawn


def _blends(clip: Clip, portraits: list[Portrait]) -> dict[str, Run]:
    """Ours and Poisson blending (Perez et al. 2003), each with its mask, into a 720p frame."""
    frame = clip.images[0].copy()

    def ours(number: int) -> None:
        portrait = portraits[number]
        paste(frame, portrait.crop, blend_mask(portrait, None, "head"), portrait)

    def seamless(number: int) -> NDArray[np.uint8]:
        portrait = portraits[number]
        height, width = frame.shape[:2]
        matrix = portrait.transform.crop_to_frame
        drawing = cv2.warpAffine(portrait.crop, matrix, (width, height))
        mask = cv2.warpAffine(blend_mask(portrait, None, "face"), matrix, (width, height))
        left, top, box_width, box_height = cv2.boundingRect(mask)
        centre = (left + box_width // 2, top + box_height // 2)
        blended: NDArray[np.uint8] = cv2.seamlessClone(drawing, frame, mask, centre, cv2.NORMAL_CLONE)
        return blended

    return {"our blend": ours, "cv2.seamlessClone": seamless}


def _in_turns(
    runs: Mapping[str, Run], rounds: int, inputs: int, progress: ShowProgress | None
) -> dict[str, dict[str, float]]:
    """Median and least time of each, in ms, all run once in each round; one round before does not count."""
    times_ms: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            start_s = time.perf_counter()
            run(number % inputs)
            if number:
                times_ms[name].append(1000 * (time.perf_counter() - start_s))
        if progress:
            progress(Progress(number, rounds, "rounds with peers"))
    return {
        name: {"median": round(median(all_ms), 3), "least": round(min(all_ms), 3)} for name, all_ms in times_ms.items()
    }


def _ratios(generators: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """How many times longer AnimeGANv2's generator takes than our fastest file, by engine, with the target."""
    found = {}
    for engine in ENGINES:
        ours = [
            times["median"] for name, times in generators.items() if name.startswith("ours") and name.endswith(engine)
        ]
        theirs = generators.get(f"AnimeGANv2 generator fp32, {engine}")
        if ours and theirs:
            ratio = round(theirs["median"] / min(ours), 1)
            found[engine] = {"target": TARGET_RATIO, "measured": ratio, "met": ratio >= TARGET_RATIO}
    return found
