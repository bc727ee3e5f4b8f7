"""The commands `bench` and `bench-training`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.command_options import StyleOption
from toonfilter.runtime.command_line.option_groups import with_option_groups

if TYPE_CHECKING:
    from toonfilter.benchmarks.latency import BenchOptions

app = typer.Typer()
_BENCH_COLUMNS = 170


@dataclass(frozen=True, slots=True)
class BenchArguments:
    """What is measured."""

    to: StyleOption = "cartoon"
    engine: Annotated[str | None, typer.Option(help="This engine in all scenarios.")] = None
    clip: Annotated[Path | None, typer.Option(help="A video with one face; default: the example's.")] = None
    frames: Annotated[int, typer.Option(min=20, help="Frames measured in each scenario, after 60 to warm up.")] = 500
    threads: Annotated[int, typer.Option(min=0, help="CPU threads of the engine; 0 as cam chooses.")] = 0
    simulate: Annotated[str | None, typer.Option(help="camera=30fps: paced like a camera, for added latency.")] = None
    cold: Annotated[bool, typer.Option("--cold/--no-cold", help="Also time fresh starts.")] = True
    peers: Annotated[bool, typer.Option("--peers", help="Also time published generators beside ours.")] = False
    scaling: Annotated[bool, typer.Option("--scaling", help="Also batch with one worker and with more.")] = False
    config: Annotated[Path | None, typer.Option(help="Scenarios to use instead of the package's scenarios.toml.")] = (
        None
    )

    def options(self, names: tuple[str, ...]) -> "BenchOptions":
        """names: of scenarios, with * and ?; none are all."""
        from toonfilter.benchmarks.latency import BenchOptions
        from toonfilter.benchmarks.scenarios import camera_rate

        return BenchOptions(
            style=self.to,
            names=names,
            scenarios=self.config,
            clip=self.clip,
            frames=self.frames,
            camera_fps=camera_rate(self.simulate) if self.simulate else None,
            threads=self.threads,
            engine=self.engine,
            cold_start=self.cold,
            peers=self.peers,
            scaling=self.scaling,
        )


@app.command(rich_help_panel="Help and measures")
@with_option_groups
def bench(
    scenarios: Annotated[list[str] | None, typer.Argument(help="Names, with * and ?; none runs all.")] = None,
    *,
    what: BenchArguments,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all results here.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Write a chart here, .html or .png.")] = None,
    compare: Annotated[Path | None, typer.Option(help="Results of an earlier run: tell what got slower.")] = None,
) -> None:
    """Measure speed, latency and memory, name the bottleneck, and compare with an earlier run."""
    from toonfilter.benchmarks.chart import check_chart, write_chart
    from toonfilter.benchmarks.latency import run_bench
    from toonfilter.benchmarks.results import check_place, read_results, write_results
    from toonfilter.benchmarks.results import compare as compare_runs
    from toonfilter.benchmarks.tables import comparison_remarks, comparison_table, peers_table, remarks, results_table

    earlier = read_results(compare) if compare else None
    for path in filter(None, (json_file, chart)):
        check_place(path)
    if chart:
        check_chart(chart)
    content = run_bench(
        what.options(tuple(scenarios or ())),
        lambda one: terminal.status(f"[{one.done + 1}/{one.total}] {one.words}"),
        lambda so_far: write_results(json_file, so_far) if json_file else None,
    )
    if chart:
        write_chart(chart, content)
    console = terminal.output_console(max(_BENCH_COLUMNS, terminal.output_console().width))
    console.print(results_table(content))
    if what.peers:
        console.print(peers_table(content["peers"]))
    for line in remarks(content):
        terminal.say(line)
    if earlier:
        changes = compare_runs(earlier, content)
        console.print(comparison_table(changes))
        for line in comparison_remarks(changes):
            terminal.say(line)


@app.command("bench-training", rich_help_panel="Help and measures")
def bench_training(
    size: Annotated[int, typer.Option(min=32, help="Side of the pictures, pixels.")] = 256,
    width: Annotated[int, typer.Option(min=1, help="Channels of the first layer of all networks.")] = 64,
    batch: Annotated[int, typer.Option(min=1, help="Pictures in a step.")] = 1,
    steps: Annotated[int, typer.Option(min=3, help="Steps measured of each loop.")] = 10,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="Of our loop: 32-true, bf16-mixed or 16-mixed.")] = "bf16-mixed",
    compiled: Annotated[bool, typer.Option("--compile", help="Compile our networks.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
) -> None:
    """Training speed of the cyclegan recipe beside a plain, faithful CycleGAN loop."""
    from toonfilter.benchmarks.results import check_place, write_results
    from toonfilter.benchmarks.training import TrainingBenchOptions, compare_training

    options = TrainingBenchOptions(
        size_px=size,
        width=width,
        batch_size=batch,
        steps=steps,
        device=device,
        precision=precision,
        compile=compiled,
    )
    if json_file:
        check_place(json_file)
    with terminal.progress_shown("steps") as show:
        content = compare_training(options, show)
    if json_file:
        write_results(json_file, content)
    plain, ours = (content["loops"][loop]["median_s"] for loop in ("plain", "ours"))
    terminal.say(f"{content['device']}: plain {plain:.3f} s a step, ours {ours:.3f} s, ratio {content['ratio']:.2f}")
