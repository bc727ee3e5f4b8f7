"""The runs of a study: every arm with every seed, each a process of `toonfilter train`, taken up where it was."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any

from toonfilter.benchmarks.studies.plan import Arm, Plan, Scale, arm_recipe
from toonfilter.runtime.errors import ConfigError, DataError, TrainingError, require
from toonfilter.train.checkpoint import list_checkpoints, list_epochs, read_conditions
from toonfilter.train.data.datasets import open_data
from toonfilter.train.data.splits import Split
from toonfilter.train.recipe import Recipe, recipe_table
from toonfilter.train.systems import build_system

LOG_NAME = "train.log"
"""In a run's folder: what its process printed."""
ASKED_NAME = "asked-to-end"
"""In a run's folder: it is to end. Nodes of a cluster share the folders."""

_SPLITS: tuple[Split, ...] = ("train", "validation")
_INDIFFERENT = frozenset(
    {
        "data.workers",
        "data.cache_mib",
        "method.perceptual.weights",
        "run.log_every_steps",
        "run.sample_every_steps",
        "run.checkpoint_every_steps",
        "run.checkpoints_kept",
    }
)
"""Settings that change nothing in what a run learns."""


@dataclass(frozen=True)
class Job:
    """One arm with one seed: the command that trains `recipe` on `data` into `folder`."""

    arm: Arm
    seed: int
    folder: Path
    data: Path
    recipe: Recipe
    command: tuple[str, ...]


@dataclass(frozen=True)
class Workers:
    """Where runs go: so many processes at a time on this machine, each with a GPU of its own where `gpus` is not 0, or
    on the Ray cluster at `cluster` ("auto" for the one that this machine belongs to), whose nodes share the folders."""

    jobs: int = 1
    gpus: int = 0
    cluster: str = ""


def list_jobs(
    plan: Plan,
    data: Path,
    out: Path,
    *,
    scale: Scale,
    seeds: int,
    more: Sequence[str] = (),
    perceptual_weights: str = "",
) -> list[Job]:
    """All runs of a study, seeds in turns, so that a study that is broken off has as many of each arm.

    Raises:
        ConfigError: an arm's overrides do not fit its recipe.
    """
    jobs = []
    for seed in range(seeds):
        for arm in plan.arms:
            recipe, changes = arm_recipe(plan, arm, scale, seed, more)
            if perceptual_weights and _compares_features(recipe):
                weights = f"method.perceptual.weights={json.dumps(perceptual_weights)}"
                recipe, changes = arm_recipe(plan, arm, scale, seed, [*more, weights])
            if not recipe.run.epochs:
                raise ConfigError(f"{arm.name}: its length is in steps; a study counts epochs: give --scale ::EPOCHS")
            folder = out / "runs" / arm.name / f"seed-{seed}"
            command = [sys.executable, "-m", "toonfilter.cli", "train", arm.recipe]
            command += ["--data", str(data.resolve()), "--output", str(folder.resolve())]
            command += [part for change in changes for part in ("--set", change)]
            jobs.append(Job(arm, seed, folder, data, recipe, tuple(command)))
    return jobs


def _compares_features(recipe: Recipe) -> bool:
    """Whether a recipe's method compares pretrained features."""
    always = ("cartoongan", "caricature")
    return recipe.system in always or any(name.startswith("perceptual") for name in recipe.method)


def is_finished(job: Job) -> bool:
    """Whether the last epoch of a run that is to be kept is kept."""
    run = job.recipe.run
    return max(list_epochs(job.folder), default=0) >= run.epochs // run.save_every_epochs * run.save_every_epochs


def check_conditions(job: Job) -> None:
    """Refuse to go on with a run that began under other conditions.

    Raises:
        ConfigError: the first settings that differ, there and here.
    """
    begun = list_checkpoints(job.folder) or [*list_epochs(job.folder).values()]
    if not begun:
        return
    recipe, data = read_conditions(begun[-1])
    there, here = (
        {"data folder": name, **_settings(r)} for name, r in ((data, recipe), (job.data.resolve().name, job.recipe))
    )
    differ = [key for key in sorted(there | here) if there.get(key) != here.get(key) and key not in _INDIFFERENT]
    if differ:
        shown = "; ".join(f"{key} is {there.get(key)} there, {here.get(key)} here" for key in differ[:3])
        raise ConfigError(f"{job.folder} holds a run under other conditions ({shown}); give another --output")


def check_arms(jobs: Sequence[Job]) -> None:
    """Refuse at once what would fail after hours: an arm whose pictures, networks or pretrained weights are not here.

    Raises:
        ConfigError, DataError: with the arm's name.
    """
    for job in jobs:
        if job.seed or is_finished(job):
            continue
        try:
            for split in _SPLITS:
                open_data(job.data, job.recipe.data, split)
            build_system(job.recipe).optimisers()
        except (ConfigError, DataError) as error:
            raise type(error)(f"{job.arm.name}: {error}") from error


def _settings(recipe: Recipe) -> dict[str, object]:
    """Every setting by "table.key", without the words that describe the recipe."""
    found: dict[str, object] = {}

    def collect(table: Mapping[str, object], before: str) -> None:
        for key, value in table.items():
            if isinstance(value, Mapping):
                collect(value, f"{before}{key}.")
            else:
                found[before + key] = list(value) if isinstance(value, tuple) else value

    words = ("name", "description", "paper")
    collect({key: value for key, value in recipe_table(recipe).items() if key not in words}, "")
    return found


class Processes:
    """The runs in progress on this machine. Each has a session of its own: Ctrl-C reaches the study alone, which asks
    the runs to end, once; they finish their step and write a checkpoint."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_ended = False

    def run(self, command: Sequence[str], environment: Mapping[str, str], log: Path, asked: Path | None = None) -> int:
        """Run a command to its end, its words appended to `log`; its exit status, 1 where it may no longer begin.

        asked: where this file appears, the run is asked to end.
        """
        with log.open("ab") as stream:
            with self._lock:
                if self._is_ended:
                    return 1
                process = subprocess.Popen(
                    command,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    env=dict(environment),
                    start_new_session=True,
                )
                self._running.add(process)
            is_told = False
            try:
                while True:
                    # Ray's interruption is no signal: it is heard between two waits only, and not always.
                    with suppress(subprocess.TimeoutExpired):
                        return process.wait(timeout=1.0)
                    if asked is not None and not is_told and asked.exists():
                        process.terminate()
                        is_told = True
            except BaseException:
                if not is_told:
                    process.terminate()
                process.wait()
                raise
            finally:
                with self._lock:
                    self._running.discard(process)

    def end(self) -> None:
        """Ask all runs to end; none begins after this."""
        with self._lock:
            self._is_ended = True
            for process in self._running:
                process.terminate()


def run_jobs(jobs: Sequence[Job], workers: Workers, report: Callable[[str], None]) -> Generator[Job, None, None]:
    """Run what is not finished; yields each run as it ends, those that were finished first.

    Closed, or interrupted, it ends the runs in progress; they can be taken up from where they were.

    Raises:
        ConfigError: a run has begun under other conditions.
        TrainingError: a run failed, with the last line that it printed; runs in progress are ended first.
    """
    for job in jobs:
        check_conditions(job)
    waiting = []
    for job in jobs:
        if is_finished(job):
            yield job
        else:
            waiting.append(job)
    place: Machine | Cluster = Cluster(workers.cluster) if workers.cluster else Machine(workers.gpus)

    def train(job: Job) -> tuple[int, str]:
        report(f"{job.arm.name}, seed {job.seed}: training")
        (job.folder / ASKED_NAME).unlink(missing_ok=True)
        return place.train(job)

    with ThreadPoolExecutor(max_workers=max(1, workers.jobs if not workers.cluster else len(waiting) or 1)) as pool:
        running: dict[Future[tuple[int, str]], Job] = {}
        for job in waiting:
            running[pool.submit(train, job)] = job
        try:
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    job = running.pop(future)
                    status, last_line = future.result()
                    if status or not is_finished(job):
                        raise TrainingError(f"{job.arm.name}, seed {job.seed}: {last_line or 'ended early'}")
                    yield job
        except BaseException:
            for future in running:
                future.cancel()
            place.end()
            raise


class Machine:
    """This machine; each run has a GPU of its own where there are some."""

    def __init__(self, gpus: int) -> None:
        self._processes = Processes()
        self._has_gpus = gpus > 0
        self._free: SimpleQueue[int] = SimpleQueue()
        for number in range(gpus):
            self._free.put(number)

    def train(self, job: Job) -> tuple[int, str]:
        """Run a job to its end: its exit status and last line."""
        gpu = self._free.get() if self._has_gpus else None
        try:
            return _train(job.command, str(job.folder), gpu, self._processes)
        finally:
            if gpu is not None:
                self._free.put(gpu)

    def end(self) -> None:
        """Ask the runs in progress to end."""
        self._processes.end()


class Cluster:
    """A Ray cluster whose nodes share the folders; each run has a GPU of its own where there are some."""

    def __init__(self, address: str) -> None:
        self._ray = require("ray", extra="cluster")
        self._ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
        share = 1 if self._ray.cluster_resources().get("GPU", 0) else 0
        self._remote = self._ray.remote(num_cpus=1, num_gpus=share, max_retries=0)(_train)
        self._running: dict[Any, Job] = {}

    def train(self, job: Job) -> tuple[int, str]:
        """Run a job to its end: its exit status and last line."""
        task = self._remote.remote(job.command, str(job.folder), None)
        self._running[task] = job
        try:
            answer: tuple[int, str] = self._ray.get(task)
            return answer
        finally:
            self._running.pop(task, None)

    def end(self) -> None:
        """Ask the runs in progress to end, where they run; those that wait for room do not begin."""
        for task, job in list(self._running.items()):
            job.folder.mkdir(parents=True, exist_ok=True)
            (job.folder / ASKED_NAME).touch()
            self._ray.cancel(task)


def _train(command: Sequence[str], folder: str, gpu: int | None, processes: Processes | None = None) -> tuple[int, str]:
    """Run one process to its end: its exit status and last line."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    asked = place / ASKED_NAME
    if asked.exists():
        return 1, "asked to end"
    has_begun = bool(list_checkpoints(place))
    environment = dict(os.environ) | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": str(gpu)})
    log = place / LOG_NAME
    status = (processes or Processes()).run([*command, *(["--resume"] if has_begun else [])], environment, log, asked)
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return status, next((line for line in reversed(lines) if line.strip()), "")
