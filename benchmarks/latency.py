"""`toonfilter bench`: every scenario in a process of its own, so that none feels the memory of another.

Right before and right after each, the fixed work is timed that tells how fast the machine is.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from toonfilter.benchmarks.clip import example_clip
from toonfilter.benchmarks.cold_start import measure_cold_start
from toonfilter.benchmarks.machine_speed import MachineSpeed, time_fixed_work
from toonfilter.benchmarks.measure import MeasureOptions, measure
from toonfilter.benchmarks.results import Result, run_header, summarise
from toonfilter.benchmarks.scenarios import Scenario, by_engine, chosen, load_scenarios, paced
from toonfilter.runtime.backends import ENGINES, EngineOptions, open_translator
from toonfilter.runtime.bundle import Bundle, find_bundle
from toonfilter.runtime.errors import ConfigError, ToonfilterError, require
from toonfilter.runtime.platform.cores import usable_cores
from toonfilter.runtime.progress import Progress, ShowProgress

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """names: scenarios to run, `*` and `?` as in file names; none runs all. camera_fps: pace them like a camera.

    clip: a video with one face; None takes the one of the examples. cold_start: also time a fresh start. peers: also
    time published generators and blends beside ours. scaling: also convert an archive with fewer cores and workers.
    """

    style: str = "cartoon"
    names: tuple[str, ...] = ()
    scenarios: Path | None = None
    clip: Path | None = None
    frames: int = 500
    camera_fps: float | None = None
    threads: int = 0
    engine: str | None = None
    cold_start: bool = True
    peers: bool = False
    scaling: bool = False


def run_bench(
    options: BenchOptions,
    progress: ShowProgress | None = None,
    keep: Callable[[Result], object] = lambda content: None,  # noqa: ARG005
) -> Result:
    """Measure; the results with their header, ready for JSON. progress: told of scenarios.

    keep: gets the results so far after each step, so that an hour's are not lost with the last one's failure.
    A scenario that cannot run is reported with its reason and does not stop the others.

    Raises:
        ConfigError: no such scenario, or no clip. BundleError: no such style.
    """
    if options.frames < 20:
        raise ConfigError(f"--frames is {options.frames}; must be 20 or more (500 for numbers to be trusted)")
    bundle = find_bundle(options.style)
    clip = options.clip or example_clip()
    if not clip.is_file():
        raise ConfigError(f"{clip}: no such clip")
    if options.peers:
        require("torch", extra="export")
        require("openvino", extra="openvino")
    scenarios = planned(options, bundle)
    measure_options = MeasureOptions(options.style, clip, frames=options.frames, threads=options.threads)
    content = run_header(bundle)
    content["clip"] = clip.name
    content["results"] = []
    for number, scenario in enumerate(scenarios):
        if progress:
            progress(Progress(number, len(scenarios), scenario.name))
        content["results"].append(measure_with_speed(scenario, measure_options))
        keep(content)
    if options.cold_start:
        if progress:
            progress(Progress(len(scenarios), len(scenarios) + 1, "cold start"))
        content["cold_start"] = measure_cold_start(options.style, clip)
        keep(content)
    if options.peers:
        content["peers"] = _peers(options, clip, progress)
        keep(content)
    if options.scaling:
        content["batch_scaling"] = _scaling(options, clip, progress)
        keep(content)
    return content


def _scaling(options: BenchOptions, clip: Path, progress: ShowProgress | None) -> list[dict[str, Any]]:
    from toonfilter.benchmarks.scaling import measure_scaling, sensible_loads

    loads = sensible_loads(len(usable_cores()))
    return measure_scaling(options.style, clip, frames=options.frames, loads=loads, progress=progress)


def _peers(options: BenchOptions, clip: Path, progress: ShowProgress | None) -> Result:
    from toonfilter.benchmarks.peers import PeerOptions, compare_peers

    return compare_peers(PeerOptions(options.style, threads=options.threads or 2), clip, progress)


def planned(options: BenchOptions, bundle: Bundle) -> list[Scenario]:
    """The scenarios to run, engines filled in; sizes that the bundle does not have are left out."""
    scenarios = chosen(load_scenarios(options.scenarios), options.names)
    if options.engine:
        scenarios = [replace(one, engine=options.engine) for one in scenarios if one.engine != "each"]
    scenarios = by_engine(scenarios, bundle, usable_engines(bundle))
    if options.camera_fps:
        scenarios = paced(scenarios, options.camera_fps)
    return [one for one in scenarios if one.size is None or one.size in bundle.input.sizes]


def usable_engines(bundle: Bundle) -> tuple[str, ...]:
    """The engines that really open this bundle here."""
    usable = []
    for name in ENGINES:
        try:
            open_translator(bundle, name, EngineOptions(min(bundle.input.sizes))).translator.close()
        except ToonfilterError:
            continue
        usable.append(name)
    return tuple(usable)


def measure_with_speed(scenario: Scenario, options: MeasureOptions) -> Result:
    """One scenario's result between two times of the fixed work; why there is none, where something fails."""
    try:
        before_s = in_own_process(time_fixed_work)
        measured = in_own_process(measure, scenario, options)
        speed = MachineSpeed(before_s, in_own_process(time_fixed_work))
        return summarise(scenario, measured, speed, cores=len(usable_cores()))
    except Exception as error:
        words = str(error) if isinstance(error, ToonfilterError) else f"{type(error).__name__}: {error}"
        return {"scenario": asdict(scenario), "error": words}


def in_own_process(function: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """What the function returns in a fresh process, which ends with it. Raises: what it raises."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **named).result()
