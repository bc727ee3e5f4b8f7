"""Runs the measures: one pass over the pictures, every model on each, then figures with intervals and groups."""

import csv
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality import measures
from toonfilter.benchmarks.quality.charts import curves
from toonfilter.benchmarks.quality.contact_sheet import Sheet, choose_sheets, draw_sheets
from toonfilter.benchmarks.quality.distribution import DistributionPass, NetOptions, open_nets
from toonfilter.benchmarks.quality.face_reader import FaceReader, compare_faces
from toonfilter.benchmarks.quality.feature_nets import MissingNet, OnnxFeatures
from toonfilter.benchmarks.quality.ground_truth import GroundTruth
from toonfilter.benchmarks.quality.identity import Recogniser
from toonfilter.benchmarks.quality.learned_perceptual import open_lpips
from toonfilter.benchmarks.quality.models import Drawer, Drawn, Exporter, Model, find_model
from toonfilter.benchmarks.quality.pictures import (
    GROUP_COLUMNS,
    Image,
    Pairing,
    Picture,
    choose,
    list_pictures,
    read_picture,
)
from toonfilter.benchmarks.quality.report import html_report
from toonfilter.benchmarks.quality.results import Evaluation, LeftOut, ModelReport
from toonfilter.benchmarks.quality.seam import seam_ratio
from toonfilter.benchmarks.quality.temporal import TITLES as TEMPORAL_TITLES
from toonfilter.benchmarks.quality.temporal import TemporalOptions, measure_temporal
from toonfilter.benchmarks.quality.thresholds import judge
from toonfilter.benchmarks.quality.training_log import read_training_log
from toonfilter.runtime.errors import DataError
from toonfilter.runtime.files.whole_files import replacing, write_whole
from toonfilter.runtime.progress import Progress, ShowProgress


@dataclass(frozen=True, slots=True)
class Sample:
    """Which pictures. split: "all", "train" or "validation" by index.csv. limit: at most so many, by the seed."""

    split: str = "all"
    limit: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What to evaluate, on what, with which nets.

    models: names and paths as `models.find_model` takes them. source: folder of input pictures. target: folder of
    real drawings, paired by name for the paired measures. identity: ONNX file of a face recogniser.
    log: folder of a training run, for D(real) and D(fake). export, raw: see `models.find_model`.
    """

    models: tuple[str, ...]
    source: Path
    output: Path
    target: Path | None = None
    identity: Path | None = None
    nets: NetOptions = field(default_factory=NetOptions)
    log: Path | None = None
    temporal: TemporalOptions = field(default_factory=TemporalOptions)
    sample: Sample = Sample()
    workers: int = 2
    export: Exporter | None = None
    raw: bool | None = None


@dataclass(frozen=True, slots=True)
class _Instruments:
    """What every picture is measured with; all of it thread safe."""

    models: list[Model]
    recogniser: Recogniser | None
    distribution: DistributionPass | None
    truth: GroundTruth | None


@dataclass(slots=True)
class _Outcome:
    """One picture: figures, feature vectors and problems of each model, and problems of the picture itself."""

    rows: list[dict[str, float]]
    vectors: list[list[NDArray[np.float32]]]
    problems: list[str]
    source_problem: str = ""
    target_problem: str = ""
    has_face: bool = False


def evaluate(options: EvaluationOptions, progress: ShowProgress | None = None) -> Evaluation:
    """Run every measure that has what it needs; write report.html, report.json and pictures.csv into the output folder.

    Raises:
        ConfigError, DataError, BundleError: the models, pictures or nets cannot be used.
    """
    started, cpu_started = time.perf_counter(), time.process_time()
    report_progress = progress or (lambda *_: None)
    log = read_training_log(options.log) if options.log else None
    models = _find_models(options)
    sample = options.sample
    pictures = choose(list_pictures(options.source), split=sample.split, limit=sample.limit, seed=sample.seed)
    with ExitStack() as stack:
        instruments, notes = _open_instruments(options, models)
        distribution = instruments.distribution
        if distribution is not None and options.target is not None:
            stack.enter_context(closing(distribution))
            notes += _collect_targets(options, distribution, report_progress)
        outcomes = []
        for outcome in _run(pictures, instruments, options.workers):
            if distribution is not None:
                for index, vectors in enumerate(outcome.vectors):
                    distribution.add_fake(index, vectors)
                outcome.vectors = []
            outcomes.append(outcome)
            report_progress(Progress(len(outcomes), len(pictures), "pictures"))
        evaluation = _sum_up(options, pictures, models, outcomes)
        evaluation.notes += [f"{model.name} is measured as {model.kind}" for model in models if ", " in model.kind]
        evaluation.notes += notes
        if distribution is not None:
            _add_distribution(evaluation, distribution, report_progress)
    if options.temporal.stills:
        steadiness = measure_temporal(models, pictures, options.temporal, report_progress)
        for report, (found, missing) in zip(evaluation.models, steadiness, strict=True):
            report.measured |= found
            report.missing |= missing
    for report in evaluation.models:
        report.verdicts = judge(report.measured)
    if log is not None:
        evaluation.training = log.summary()
    else:
        evaluation.notes.append("not measured: D(real), D(fake): needs --log DIR (the folder of a training run)")
    columns = [report.columns for report in evaluation.models]
    chosen = choose_sheets([model.name for model in models], columns, seed=sample.seed)
    sheets = draw_sheets(chosen, pictures, models, columns)
    evaluation.cpu_s = time.process_time() - cpu_started
    evaluation.wall_s = time.perf_counter() - started
    training_curves = curves("D(real) and D(fake) over steps", log.series) if log else ""
    write_results(evaluation, sheets, options.output, training_curves)
    return evaluation


def _find_models(options: EvaluationOptions) -> list[Model]:
    found: list[Model] = []
    for text in options.models:
        model = find_model(text, options.export, options.raw)
        if any(other.name == model.name for other in found):
            raise DataError(f"two models are named {model.name}; give one of them a label: LABEL={text}")
        found.append(model)
    return found


def _open_instruments(options: EvaluationOptions, models: list[Model]) -> tuple[_Instruments, list[str]]:
    """Instruments, and in words those that are not to be had."""
    recogniser = Recogniser(options.identity) if options.identity else None
    if options.target is None:
        return _Instruments(models, recogniser, None, None), ["not measured: MMD, 1-NN, FID, KID: needs --target DIR"]
    nets, missing = open_nets(options.nets)
    notes = [f"not measured in {net.name}: {net.reason}" for net in missing]
    if not nets:
        notes.append("not measured: MMD, 1-NN, FID, KID: needs a feature net; --net FILE.onnx works offline")
    perceptual = next((net for net in nets if isinstance(net, OnnxFeatures) and net.map_names), None)
    distribution = DistributionPass(nets, len(models)) if nets else None
    lpips = open_lpips(options.nets.weights, download=options.nets.download)
    learned = None if isinstance(lpips, MissingNet) else lpips
    truth = GroundTruth(Pairing(options.target), perceptual, learned)
    return _Instruments(models, recogniser, distribution, truth), notes


def _collect_targets(options: EvaluationOptions, distribution: DistributionPass, progress: ShowProgress) -> list[str]:
    """Features of every target picture; in words, those that cannot be read."""
    assert options.target is not None
    targets = list_pictures(options.target)

    def one(picture: Picture) -> list[NDArray[np.float32]] | str:
        try:
            return distribution.vectors(np.ascontiguousarray(read_picture(picture.path)[..., :3]))
        except DataError as error:
            return str(error)

    unreadable = []
    with ThreadPoolExecutor(options.workers) as pool:
        for done, found in enumerate(pool.map(one, targets), 1):
            if isinstance(found, str):
                unreadable.append(found)
            else:
                distribution.add_real(found)
            progress(Progress(done, len(targets), "target pictures"))
    return [f"{len(unreadable)} unreadable target pictures: {'; '.join(unreadable[:8])}"] if unreadable else []


def _run(pictures: list[Picture], instruments: _Instruments, workers: int) -> Iterator[_Outcome]:
    local = threading.local()
    opening = threading.Lock()
    with ExitStack() as stack, ThreadPoolExecutor(workers) as pool:

        def one(picture: Picture) -> _Outcome:
            if not hasattr(local, "reader"):
                # MediaPipe's and the engines' start-up is not safe beside itself.
                with opening:
                    local.reader = FaceReader(instruments.recogniser)
                    stack.callback(local.reader.close)
                    local.drawers = [stack.enter_context(model.open()) for model in instruments.models]
            return _measure(picture, local.reader, local.drawers, instruments)

        yield from pool.map(one, pictures)
        pool.shutdown()


def _measure(picture: Picture, reader: FaceReader, drawers: list[Drawer], instruments: _Instruments) -> _Outcome:
    outcome = _Outcome([{} for _ in drawers], [[] for _ in drawers], [""] * len(drawers))
    try:
        source = np.ascontiguousarray(read_picture(picture.path)[..., :3])
    except DataError as error:
        outcome.source_problem = str(error)
        return outcome
    target = _target_of(picture, source, instruments, outcome)
    before = reader.read(source)
    outcome.has_face = before is not None
    for index, drawer in enumerate(drawers):
        row = outcome.rows[index]
        try:
            drawn = drawer.draw(picture, source)
        except DataError as error:
            outcome.problems[index] = str(error)
            continue
        if before is not None:
            # A face that is hidden behind tiles is not carried over, even where a mesh is seen in the tiles.
            after = None if drawn.is_covered else reader.read(drawn.image, before.around)
            row |= compare_faces(before, after)
            if drawn.is_covered is not None:
                row["covered"] = float(drawn.is_covered)
        row |= _blend_figures(source, drawn)
        if instruments.distribution is not None:
            outcome.vectors[index] = instruments.distribution.vectors(drawn.image)
        if instruments.truth is not None and target is not None:
            row |= instruments.truth.compare(drawn.image, target)
    return outcome


def _target_of(picture: Picture, source: Image, instruments: _Instruments, outcome: _Outcome) -> Image | None:
    if instruments.truth is None:
        return None
    try:
        target = instruments.truth.read(picture, source)
    except DataError as error:
        outcome.target_problem = str(error)
        return None
    if target is None:
        outcome.target_problem = f"no target for {picture.key}"
    return target


def _blend_figures(source: Image, drawn: Drawn) -> dict[str, float]:
    if drawn.region is None:
        return {}
    ratio = seam_ratio(source, drawn.image, drawn.region)
    return {} if ratio is None else {"seam": ratio}


def _sum_up(
    options: EvaluationOptions, pictures: list[Picture], models: list[Model], outcomes: list[_Outcome]
) -> Evaluation:
    facts = [picture.facts for picture in pictures]
    keys = [picture.key for picture in pictures]
    reports = []
    for index, model in enumerate(models):
        report = ModelReport(model.name, model.kind, columns=_columns([outcome.rows[index] for outcome in outcomes]))
        report.problems = [outcome.problems[index] for outcome in outcomes if outcome.problems[index]]
        if model.pairing and options.sample.split == "all" and options.sample.limit is None:
            report.unused = model.pairing.without_partner(keys)
        _estimate_all(report, facts)
        reports.append(report)
    known = {column for row in facts for column, value in row.items() if value}
    return Evaluation(
        source=str(options.source),
        keys=keys,
        models=reports,
        left_out=LeftOut(
            unreadable=[outcome.source_problem for outcome in outcomes if outcome.source_problem],
            unpaired=[outcome.target_problem for outcome in outcomes if outcome.target_problem],
            faceless=[
                key
                for key, outcome in zip(keys, outcomes, strict=True)
                if not outcome.has_face and not outcome.source_problem
            ],
        ),
        missing_groups=[
            f"{name}: index.csv has no values in a column of that name" for name in GROUP_COLUMNS if name not in known
        ],
        titles={
            **{measure.key: measure.heading for measure in measures.CLASS_MEASURES},
            **TEMPORAL_TITLES,
            **{measure.key: measure.heading for measure in measures.PAIRED_MEASURES},
        },
        sections={
            "What a class needs": [measure.key for measure in measures.CLASS_MEASURES],
            "Steadiness in video": list(TEMPORAL_TITLES),
            "Against the ground truth": [measure.key for measure in measures.PAIRED_MEASURES],
        },
    )


def _columns(rows: list[dict[str, float]]) -> measures.Columns:
    names = sorted({name for row in rows for name in row} | {"ita_before", "yaw_before"})
    return {name: np.array([row.get(name, np.nan) for row in rows], np.float64) for name in names}


def _estimate_all(report: ModelReport, facts: list[dict[str, str]]) -> None:
    for measure in (*measures.CLASS_MEASURES, *measures.PAIRED_MEASURES):
        found = measures.estimate(measure, report.columns)
        if isinstance(found, str):
            report.missing[measure.key] = found
        else:
            report.measured[measure.key] = found
    for name, labels in measures.groups_of(report.columns, facts, GROUP_COLUMNS).items():
        report.groups[name] = {
            str(label): {
                measure.key: measures.estimate(measure, measures.select(report.columns, labels == label))
                for measure in measures.CLASS_MEASURES
                if measure.key in report.measured
            }
            for label in sorted(set(labels) - {""})
        }


def _add_distribution(evaluation: Evaluation, distribution: DistributionPass, progress: ShowProgress) -> None:
    for index, report in enumerate(evaluation.models):
        progress(Progress(index, len(evaluation.models), "distributions"))
        found, missing = distribution.measure(index)
        report.measured |= found
        report.missing |= missing
    progress(Progress(len(evaluation.models), len(evaluation.models), "distributions"))
    evaluation.titles |= distribution.titles
    evaluation.sections["Against the target pictures as a set"] = list(distribution.titles)


def write_results(evaluation: Evaluation, sheets: Sequence[Sheet], folder: Path, training_curves: str = "") -> None:
    """Write report.html, report.json and pictures.csv (one row a picture and model), each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "report.json", json.dumps(evaluation.as_json(), indent=2, ensure_ascii=False) + "\n")
    write_whole(folder / "report.html", html_report(evaluation, sheets, training_curves))
    columns = sorted({name for model in evaluation.models for name in model.columns})
    with (
        replacing(folder / "pictures.csv") as part,
        part.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(["picture", "model", *columns])
        for model in evaluation.models:
            for row, key in enumerate(evaluation.keys):
                values = [model.columns[name][row] if name in model.columns else np.nan for name in columns]
                writer.writerow([key, model.name, *("" if np.isnan(value) else f"{value:.6g}" for value in values)])
