"""The commands `evaluate` and `vote`."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.option_groups import with_option_groups
from toonfilter.runtime.progress import Progress

if TYPE_CHECKING:
    from toonfilter.benchmarks.quality.evaluate import EvaluationOptions
    from toonfilter.benchmarks.quality.vote.ballot import Ballot
    from toonfilter.train.validation import Measurer

app = typer.Typer()

_RAW = typer.Option(
    "--raw/--filter",
    help="What generators make of whole pictures, or what the filter shows. Default: raw for runs and for styles that"
    " are made for drawings, the filter for the rest.",
    show_default=False,
)


def bundle_in(folder: Path, checkpoint: Path) -> Path:
    """Export a checkpoint into a new folder below the given one; the bundle's place."""
    import tempfile

    from toonfilter.export.bundle_export import BundleOptions
    from toonfilter.export.command import ExportRequest, export_model

    # The bundle is gone after the measuring: nobody gets it, under any licence.
    # Checkpoints of several runs have the same names.
    place = Path(tempfile.mkdtemp(dir=folder)) / checkpoint.resolve().name
    bundle = BundleOptions(output=place, licence="none: only measured")
    return export_model(ExportRequest(checkpoint, bundle=bundle)).folder


@dataclass(frozen=True, slots=True)
class SampleArguments:
    """Which of the pictures are taken."""

    split: Annotated[str, typer.Option(help="all, train or validation identities by index.csv.")] = "all"
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, sampled with --seed.")] = None
    seed: Annotated[int, typer.Option(help="For everything that is sampled.")] = 0


@dataclass(frozen=True, slots=True)
class EvaluationArguments:
    """What is measured, and with what."""

    target: Annotated[Path | None, typer.Option(help="Folder of ground truth, same names as the source.")] = None
    identity: Annotated[Path | None, typer.Option(help="Face recogniser as ONNX, input [N, 3, 112, 112].")] = None
    nets: Annotated[
        list[str] | None,
        typer.Option("--net", "--features", help="Feature net as ONNX (FILE.onnx or FILE.onnx:SCALING); repeatable."),
    ] = None
    weights: Annotated[Path | None, typer.Option(help="Folder of torchvision's ResNet-34, Inception v3.")] = None
    download: Annotated[bool, typer.Option("--download", help="Let torchvision fetch the weights.")] = False
    log: Annotated[Path | None, typer.Option(help="Folder of a training run: D(real) and D(fake) over time.")] = None
    stills: Annotated[int, typer.Option(min=0, help="Pictures moved in known ways to measure steadiness.")] = 8
    clips: Annotated[Path | None, typer.Option(help="Folder of recorded videos to measure steadiness on.")] = None
    workers: Annotated[int, typer.Option(min=1, help="Threads.")] = 2
    raw: Annotated[bool | None, _RAW] = None

    def options(
        self,
        models: Sequence[str],
        source: Path,
        output: Path,
        sampled: SampleArguments,
        export: Callable[[Path], Path],
    ) -> "EvaluationOptions":
        """models, source, output, export: see `EvaluationOptions`."""
        from toonfilter.benchmarks.quality.distribution import NetOptions
        from toonfilter.benchmarks.quality.evaluate import EvaluationOptions, Sample
        from toonfilter.benchmarks.quality.temporal import TemporalOptions

        return EvaluationOptions(
            models=tuple(models),
            source=source,
            output=output,
            target=self.target,
            identity=self.identity,
            nets=NetOptions(tuple(self.nets or ()), self.weights, self.download),
            log=self.log,
            temporal=TemporalOptions(self.stills, self.clips, sampled.seed),
            sample=Sample(sampled.split, sampled.limit, sampled.seed),
            workers=self.workers,
            raw=self.raw,
            export=export,
        )


@app.command(rich_help_panel="Help and measures")
@with_option_groups
def evaluate(
    models: Annotated[
        list[str], typer.Argument(help="Bundles, checkpoints or folders of results; 'opencv'; LABEL=MODEL names one.")
    ],
    *,
    source: Annotated[Path, typer.Option(help="Folder of input pictures; index.csv in it is read.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for report.html, report.json, pictures.csv.")],
    how: EvaluationArguments,
    sampled: SampleArguments,
) -> None:
    """Measure models on pictures: what a class needs, distances to targets, by group; one report for all."""
    import tempfile

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from toonfilter.benchmarks.quality.evaluate import evaluate as run
    from toonfilter.benchmarks.quality.terminal_table import missing_lines, table_width, terminal_table

    with (
        tempfile.TemporaryDirectory(prefix="toonfilter-") as scratch,
        Bars(console=terminal.error_console(), transient=True) as bars,
    ):
        tasks: dict[str, TaskID] = {}

        def show(progress: Progress) -> None:
            if progress.words not in tasks:
                tasks[progress.words] = bars.add_task(progress.words, total=progress.total)
            bars.update(tasks[progress.words], completed=progress.done)

        options = how.options(models, source, output, sampled, lambda path: bundle_in(Path(scratch), path))
        evaluation = run(options, show)
    # Where the output is no terminal, rich takes 80 characters and would squeeze the names of the measures away.
    console = terminal.output_console(max(terminal.output_console().width, table_width(evaluation)))
    console.print(terminal_table(evaluation))
    for line in missing_lines(evaluation):
        terminal.say(line)
    terminal.say(f"written: {output / 'report.html'}")


@app.command(rich_help_panel="Help and measures")
def vote(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the vote: its pictures and votes.jsonl.")],
    models: Annotated[
        list[str] | None, typer.Argument(help="Two to nine models as for evaluate; none prints the table of votes.")
    ] = None,
    source: Annotated[Path | None, typer.Option(help="Folder of input pictures.")] = None,
    question: Annotated[str | None, typer.Option(help="What reviewers are asked.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many pictures, sampled with --seed.")] = 40,
    seed: Annotated[int, typer.Option(help="Of pictures, and of each reviewer's order.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8731,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    raw: Annotated[bool | None, _RAW] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the vote that lies in --output, for instance a study's.")
    ] = False,
) -> None:
    """Let people choose between the results of models, without names, on a local web page; then count."""
    import tempfile

    from toonfilter.benchmarks.quality.vote.ballot import QUESTION, BallotOptions, prepare_ballot, read_ballot
    from toonfilter.benchmarks.quality.vote.table import vote_table
    from toonfilter.runtime.errors import ConfigError

    console = terminal.output_console()
    if models:
        if source is None:
            raise ConfigError("vote needs pictures: --source DIR")
        with tempfile.TemporaryDirectory(prefix="toonfilter-") as scratch:
            options = BallotOptions(
                models=tuple(models),
                source=source,
                output=output,
                question=question or QUESTION,
                limit=limit,
                seed=seed,
                raw=raw,
                export=lambda path: bundle_in(Path(scratch), path),
            )
            with console.status("drawing the pictures"):
                ballot = prepare_ballot(options)
    elif serve:
        ballot = read_ballot(output)
    if models or serve:
        _serve(ballot, output, port, browser=browser)
    console.print(vote_table(output))


def _serve(ballot: "Ballot", folder: Path, port: int, *, browser: bool) -> None:
    """Until Ctrl-C."""
    from toonfilter.runtime.errors import require

    for module in ("starlette", "uvicorn"):
        require(module, extra="app")
    from toonfilter.benchmarks.quality.vote.server import VoteServer

    with VoteServer(ballot, folder, port) as server, contextlib.suppress(KeyboardInterrupt):
        terminal.say(f"{len(ballot.items)} pictures, {len(ballot.models)} models: {server.url}  (Ctrl-C ends)")
        if browser:
            typer.launch(server.url)
        threading.Event().wait()


def open_measurer(nets: Sequence[str]) -> "Measurer":
    """What measures held-out pictures while training goes on; tells in words which nets are not at hand."""
    from toonfilter.benchmarks.quality.distribution import NetOptions
    from toonfilter.benchmarks.quality.set_measures import open_measurer as opened

    measurer, missing = opened(NetOptions(tuple(nets)))
    for net in missing:
        terminal.detail(f"not measured in {net.name}: {net.reason}")
    return measurer
