"""The command `study`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.command_options import interrupted_by_signals
from toonfilter.runtime.command_line.option_groups import with_option_groups

if TYPE_CHECKING:
    from toonfilter.benchmarks.studies.plan import Plan
    from toonfilter.benchmarks.studies.study import StudyOptions

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class StudyArguments:
    """How large the comparison is, what measures it, and where its runs go."""

    scale: Annotated[str, typer.Option(help="PIXELS:EPOCHS:WIDTH, like 64:20:16; empty parts as published.")] = ""
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each arm; two or more give intervals.")] = 1
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="table.key=value for every run; ARM:table.key=value for some.")
    ] = None
    perceptual_weights: Annotated[
        Path | None,
        typer.Option("--perceptual-weights", "--features", help="Weights file of the recipes' pretrained network."),
    ] = None
    nets: Annotated[
        list[str] | None, typer.Option("--net", help="Feature net for the measures: FILE.onnx:SCALING; repeatable.")
    ] = None
    weights: Annotated[Path | None, typer.Option(help="Folder of torchvision's and the FID's weights.")] = None
    download: Annotated[bool, typer.Option("--download", help="Let the weights of the measures be fetched.")] = False
    pictures: Annotated[int, typer.Option(min=20, help="Held-out pictures that are measured, at most.")] = 256
    workers: Annotated[int, typer.Option("--workers", "--jobs", min=1, help="Runs at a time on this machine.")] = 1
    gpus: Annotated[int, typer.Option(min=0, help="GPUs of this machine, one for each run.")] = 0
    cluster: Annotated[str, typer.Option(help="Address of a Ray cluster, or auto.")] = ""
    vote: Annotated[bool, typer.Option("--vote/--no-vote", help="Also draw the pictures to vote on.")] = True

    def options(self, data: Path, out: Path) -> "StudyOptions":
        """data: folder with photo/ and cartoon/. out: folder for runs and tables."""
        from toonfilter.benchmarks.studies.plan import parse_scale
        from toonfilter.benchmarks.studies.runs import Workers
        from toonfilter.benchmarks.studies.study import StudyOptions

        return StudyOptions(
            data=data,
            out=out,
            scale=parse_scale(self.scale),
            seeds=self.seeds,
            more=tuple(self.changes or ()),
            perceptual_weights=str(self.perceptual_weights.resolve()) if self.perceptual_weights else "",
            workers=Workers(self.gpus or self.workers, self.gpus, self.cluster),
            pictures=self.pictures,
            has_vote=self.vote,
        )


@app.command(rich_help_panel="Making styles")
@with_option_groups
def study(
    plan: Annotated[str | None, typer.Argument(help="A comparison by name, or a .toml file; none lists them.")] = None,
    *,
    data: Annotated[Path | None, typer.Option("--data", help="Folder with photo/ and cartoon/.")] = None,
    out: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for runs, tables and curves.")] = None,
    how: StudyArguments,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the runs and stop.")] = False,
) -> None:
    """Repeat a published comparison: train every arm, measure it by epoch, write tables. Goes on where it was."""
    import shlex

    from toonfilter.benchmarks.studies.plan import load_plan, plan_names

    if plan is None:
        for name in plan_names():
            terminal.say(f"{name:20} {load_plan(name).description}")
        return
    if data is None or out is None:
        raise typer.BadParameter("--data and --output are needed")
    from toonfilter.runtime.errors import require

    require("lightning", extra="train")
    from toonfilter.benchmarks.quality.distribution import NetOptions
    from toonfilter.benchmarks.quality.set_measures import open_measurer
    from toonfilter.benchmarks.quality.vote.ballot import read_ballot
    from toonfilter.benchmarks.studies.study import run_study
    from toonfilter.benchmarks.studies.tables import as_markdown

    chosen, options = load_plan(plan), how.options(data, out)
    if dry_run:
        _say_jobs(chosen, options)
        return
    measurer, missing = open_measurer(NetOptions(tuple(how.nets or ()), how.weights, how.download))
    for net in missing:
        terminal.note(f"not measured in {net.name}: {net.reason}")
    try:
        with interrupted_by_signals():
            result = run_study(chosen, options, measurer, terminal.status)
    except KeyboardInterrupt:
        terminal.say("stopped; the same command goes on where it was")
        raise typer.Exit(130) from None
    for table in result.tables:
        terminal.say(as_markdown(table))
    terminal.say(f"written: {out / 'tables.md'}")
    if result.ballot is not None:
        names = " ".join(read_ballot(result.ballot).models)
        terminal.say(f"to vote ({names}): toonfilter vote -o {shlex.quote(str(result.ballot))} --serve")


def _say_jobs(plan: "Plan", options: "StudyOptions") -> None:
    import shlex

    from toonfilter.benchmarks.studies.runs import is_finished

    for job in options.jobs(plan):
        terminal.say(f"{'done' if is_finished(job) else 'to do'}: {shlex.join(job.command)}")
