"""One command a comparison: train, measure by epoch, tables, curves, and a page to vote on."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toonfilter.benchmarks.quality.bootstrap import Estimate
from toonfilter.benchmarks.quality.set_measures import SetMeasurer
from toonfilter.benchmarks.quality.vote.ballot import MOST_MODELS, BallotOptions, prepare_ballot
from toonfilter.benchmarks.studies.epochs import HeldOut, measure_epochs, measure_references
from toonfilter.benchmarks.studies.plan import Plan, Scale
from toonfilter.benchmarks.studies.runs import Job, Workers, check_arms, list_jobs, run_jobs
from toonfilter.benchmarks.studies.tables import (
    Table,
    as_markdown,
    best_epoch,
    best_table,
    detail_table,
    difference_table,
    last_table,
    over_seeds,
    sliding_mean,
)
from toonfilter.runtime.errors import DataError
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.train.checkpoint import epoch_folder, read_conditions
from toonfilter.train.data.pictures import write_png
from toonfilter.train.recipe import Recipe
from toonfilter.train.robustness import robustness_study
from toonfilter.train.validation import spread
from toonfilter.train.validation_record import value_of

QUESTIONS = {
    "cartoon-to-photo": "Which one is most like a photograph of this person?",
    "photo-to-cartoon": "Which one is the best cartoon of this person?",
}
VOTE_PICTURES = 50


@dataclass(frozen=True)
class StudyOptions:
    """Where the data lies, where everything goes, and at what size.

    more: overrides for every run, after the plan's. perceptual_weights: file for the recipes' pretrained network.
    """

    data: Path
    out: Path
    scale: Scale = field(default_factory=Scale)
    seeds: int = 1
    more: Sequence[str] = ()
    perceptual_weights: str = ""
    workers: Workers = field(default_factory=Workers)
    pictures: int = 256
    has_vote: bool = True

    def jobs(self, plan: Plan) -> list[Job]:
        """All runs of the plan; see `list_jobs`."""
        return list_jobs(
            plan,
            self.data,
            self.out,
            scale=self.scale,
            seeds=self.seeds,
            more=self.more,
            perceptual_weights=self.perceptual_weights,
        )


@dataclass
class StudyResult:
    """What was found: figures by arm, seed and epoch, those that need no training, and the tables made of them.

    nets: names of the feature nets; a measure without a net's name is of the first one that has it.
    """

    figures: dict[str, dict[int, dict[int, dict[str, float]]]] = field(default_factory=dict)
    references: dict[str, Mapping[str, float]] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    ballot: Path | None = None
    nets: Sequence[str] = ()


def run_study(
    plan: Plan, options: StudyOptions, measurer: SetMeasurer, report: Callable[[str], None] = lambda _: None
) -> StudyResult:
    """Run a plan to its end; called again, it goes on where it was.

    Into `options.out`: runs/ARM/seed-N, study.json (every figure), best.csv, epochs.csv, tables.md, curves.png, vote/.

    Raises:
        ConfigError, DataError: an arm does not fit its recipe, or lacks pictures or weights; before any is trained.
        TrainingError: a run failed; those that ended stay.
    """
    jobs = options.jobs(plan)
    check_arms(jobs)
    held_out = HeldOut(options.data, options.pictures)
    result = StudyResult(references=measure_references(jobs[0].recipe, held_out, measurer))
    result.nets = tuple(net.name for net in measurer.nets)
    with closing(run_jobs(jobs, options.workers, report)) as ended:
        for number, job in enumerate(ended, 1):
            report(f"{job.arm.name}, seed {job.seed}: measuring, run {number} of {len(jobs)}")
            epochs = measure_epochs(job.folder, held_out, measurer)
            result.figures.setdefault(job.arm.name, {})[job.seed] = {e: dict(row) for e, row in epochs.items()}
            _write(plan, options, result)
    if plan.robustness:
        result.tables.append(_robustness(plan, options, result))
        write_whole(options.out / "tables.md", _markdown(plan, options, result))
    if options.has_vote and len(plan.arms) > 1:
        result.ballot = _ballot(plan, options, result)
    return result


def _write(plan: Plan, options: StudyOptions, result: StudyResult) -> None:
    """Everything that can be said so far."""
    found = result.figures
    detail = detail_table(plan, found)
    last = last_table(plan, found, result.references)
    result.tables = [best_table(plan, found), *([detail] if detail else []), last, difference_table(plan, found)]
    content = {"study": plan.name, "scale": vars(options.scale), "seeds": options.seeds}
    content |= {"figures": found, "references": result.references}
    write_whole(options.out / "study.json", json.dumps(content, indent=1) + "\n")
    write_whole(options.out / "best.csv", _csv(result.tables[0]))
    if detail:
        write_whole(options.out / "epochs.csv", _csv(detail))
    write_whole(options.out / "tables.md", _markdown(plan, options, result))
    draw_curves(plan, result, options.out / "curves.png")


def _markdown(plan: Plan, options: StudyOptions, result: StudyResult) -> str:
    size = options.scale
    of_recipe = "as in the recipes"
    side = f"{size.size_px} px" if size.size_px else of_recipe
    changed = f" Further settings: {', '.join(f'`{change}`' for change in options.more)}." if options.more else ""
    facts = (
        f"{plan.description}\n\nPictures {side}, epochs {size.epochs or of_recipe}, width {size.width or of_recipe};"
        f" seeds: {options.seeds}.{changed} Measured on at most {options.pictures} held-out pictures, in features of"
        f" {' and '.join(result.nets)}; a measure without a name behind it is of the first. Brackets: Student's 95 %"
        " interval of the mean over seeds; one seed has none. The best epoch is chosen on the pictures that it is shown"
        " on, which flatters every arm alike; at the last epoch nothing is chosen. Differences are taken seed by seed;"
        " of twenty of them one leaves its interval by chance.\n"
    )
    return f"# {plan.name}\n\n{facts}\n" + "\n".join(as_markdown(table) for table in result.tables)


def _csv(table: Table) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([table.columns, *table.rows])
    return stream.getvalue()


def _best_runs(plan: Plan, result: StudyResult) -> dict[str, tuple[int, int]]:
    """By arm the seed and the epoch that are best by the plan's first measure."""
    best = {}
    for arm in plan.arms:
        runs = [(seed, best_epoch(e, plan.measures[0])) for seed, e in result.figures.get(arm.name, {}).items()]
        found = [(seed, b) for seed, b in runs if b is not None]
        if found:
            # The first seed: choosing among seeds as well would flatter arms whose runs differ more.
            best[arm.name] = (found[0][0], found[0][1].epoch)
    return best


def _folder(options: StudyOptions, arm: str, seed: int, epoch: int) -> Path:
    return epoch_folder(options.out / "runs" / arm / f"seed-{seed}", epoch)


def _ballot(plan: Plan, options: StudyOptions, result: StudyResult) -> Path | None:
    """Pictures of every arm's best epoch for `toonfilter vote`; arms that make no pictures of pictures are left out."""
    chosen = _best_runs(plan, result)
    takes_pictures = [arm.name for arm in plan.arms if arm.name in chosen and arm.recipe != "dcgan"]
    models = [f"{a}={_folder(options, a, *chosen[a])}" for a in takes_pictures[:MOST_MODELS]]
    if len(models) < 2:
        return None
    source, target = options.out / "vote-source", options.out / "vote"
    recipe, _ = read_conditions(_folder(options, takes_pictures[0], *chosen[takes_pictures[0]]))
    _write_sources(options, recipe, source)
    question = QUESTIONS[recipe.data.direction]
    prepare_ballot(BallotOptions(tuple(models), source, target, question, limit=VOTE_PICTURES, raw=True))
    return target


def _write_sources(options: StudyOptions, recipe: Recipe, folder: Path) -> None:
    held, _ = HeldOut(options.data, VOTE_PICTURES).open(recipe)
    if not len(held):
        raise DataError(f"{options.data}: no held-out pictures to vote on")
    for number in spread(len(held), VOTE_PICTURES):
        picture = held.at(number)["source"].numpy().transpose(1, 2, 0)
        write_png(folder / f"{held.entries[number].name}.png", np.ascontiguousarray(picture))


def _robustness(plan: Plan, options: StudyOptions, result: StudyResult) -> Table:
    """Distances to the photo by kind of drawing, over seeds, at each run's best epoch."""
    scores: dict[str, dict[str, list[float]]] = {}
    for arm in plan.arms:
        for seed, epochs in result.figures.get(arm.name, {}).items():
            best = best_epoch(epochs, plan.measures[0])
            if best is None:
                continue
            folder = _folder(options, arm.name, seed, best.epoch)
            out = options.out / "robustness" / arm.name / f"seed-{seed}"
            for kind, row in robustness_study(folder, options.data, out).scores.items():
                scores.setdefault(arm.name, {}).setdefault(kind, []).append(row["l1"])
    kinds = list(dict.fromkeys(kind for rows in scores.values() for kind in rows))
    rows = []
    for name, by_kind in scores.items():
        rows.append((name, *(_levels(over_seeds(by_kind[kind])) for kind in kinds)))
    return Table("L1 to the photo by kind of drawing (levels of 255)", ("arm", *kinds), tuple(rows))


def _levels(found: Estimate) -> str:
    interval = f" [{found.low:.2f}, {found.high:.2f}]" if found.count > 1 else ""
    return f"{found.value:.2f}{interval}"


def draw_curves(plan: Plan, result: StudyResult, path: Path) -> None:
    """One plot a measure: every arm over its epochs, the mean of its seeds with their range; smoothed by the window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * len(plan.measures), 4), layout="constrained")
    FigureCanvasAgg(figure)
    for place, measure in enumerate(plan.measures, 1):
        axes = figure.add_subplot(1, len(plan.measures), place)
        for arm in plan.arms:
            runs = list(result.figures.get(arm.name, {}).values())
            numbers = sorted({epoch for epochs in runs for epoch in epochs})
            series = [[value_of(epochs.get(n, {}), measure) for n in numbers] for epochs in runs]
            rows = np.array([sliding_mean([np.nan if v is None else v for v in s], plan.window) for s in series], float)
            if rows.size and np.isfinite(rows).any(0).all():
                (line,) = axes.plot(numbers, np.nanmean(rows, 0), label=arm.name, linewidth=1)
                if len(rows) > 1:
                    low, high = np.nanmin(rows, 0), np.nanmax(rows, 0)
                    axes.fill_between(numbers, low, high, alpha=0.15, color=line.get_color())
        axes.set_title(measure)
        axes.set_xlabel("epoch")
    figure.axes[0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
