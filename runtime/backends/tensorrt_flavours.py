"""TensorRT 10, TensorRT 11 and TensorRT-RTX: one way to find, build and load engines for all of them.

All networks are strongly typed: the precision is that of the ONNX file, as TensorRT 11 and TensorRT-RTX demand.
"""

import contextlib
import importlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from toonfilter.runtime.cuda.driver import GpuInfo, load_driver
from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.platform.installation import install_command

_log = logging.getLogger(__name__)

ShowPhase = Callable[[str, float], None]
"""Called while building with what is done and the part of it, 0 to 1."""


@dataclass(frozen=True, slots=True)
class FlavourFacts:
    """One row of the table.

    targets: compute capabilities that engines can be built for by name, without such a GPU at hand; None means the
    engine is always for the GPU at hand and building needs it. has_runtime_cache: kernels are compiled when the engine
    is first used, and kept in a cache of their own. has_timing_cache: building measures kernels, and remembers.
    """

    title: str
    module: str
    extra: str
    targets: dict[tuple[int, int], str] | None
    has_runtime_cache: bool
    has_timing_cache: bool


FLAVOURS: tuple[FlavourFacts, ...] = (
    FlavourFacts(
        "TensorRT-RTX",
        "tensorrt_rtx",
        "tensorrt",
        {
            (7, 5): "SM75",
            (8, 0): "SM80",
            (8, 6): "SM86",
            (8, 9): "SM89",
            (12, 0): "SM120",
            (12, 1): "SM121",
        },
        has_runtime_cache=True,
        has_timing_cache=False,
    ),
    FlavourFacts("TensorRT", "tensorrt", "tensorrt", None, has_runtime_cache=False, has_timing_cache=True),
)


@dataclass(frozen=True, slots=True)
class Flavour:
    """A TensorRT that is installed and imported."""

    facts: FlavourFacts
    module: Any
    version: str

    @property
    def title(self) -> str:
        """Name and version, as they stand in cache keys and reports."""
        return f"{self.facts.title} {self.version}"

    def suits(self, capability: tuple[int, int]) -> bool:
        """Whether engines for this compute capability can be built."""
        return self.facts.targets is None or capability in self.facts.targets


def check_driver() -> None:
    """Make sure of a driver before a library is loaded that may crash without one.

    Raises:
        BackendError: there is none, or it finds no GPU.
    """
    load_driver()


def installed_flavours() -> list[Flavour]:
    """Every TensorRT that can be imported, TensorRT-RTX first. Call `check_driver` before, unless only building."""
    found = []
    for facts in FLAVOURS:
        try:
            module = importlib.import_module(facts.module)
        except (ImportError, OSError) as error:
            _log.debug("%s: %s", facts.title, error)
            continue
        found.append(Flavour(facts, module, str(module.__version__)))
    return found


def flavour_for(gpu: GpuInfo) -> Flavour:
    """The first installed flavour that runs on this GPU.

    Raises:
        BackendError: none is installed, or none suits.
    """
    flavours = installed_flavours()
    for flavour in flavours:
        if flavour.suits(gpu.compute_capability):
            return flavour
    if not flavours:
        raise BackendError(f"no TensorRT is installed. Install it with: {install_command('tensorrt')}")
    major, minor = gpu.compute_capability
    titles = ", ".join(flavour.title for flavour in flavours)
    raise BackendError(
        f"{titles} has no kernels for compute capability {major}.{minor} ({gpu.name}); install the tensorrt package "
        "(10 or newer), or use --engine onnxruntime"
    )


def build_engine(
    flavour: Flavour,
    model: bytes,
    *,
    size: int,
    max_batch: int,
    target: tuple[int, int] | None = None,
    timing_cache: bytes = b"",
    progress: ShowPhase | None = None,
) -> tuple[bytes, bytes]:
    """Build one engine for size x size pictures and batches from 1 to max_batch.

    model: an ONNX file. target: compute capability to build for; None takes the GPU at hand.
    Returns the engine and the timing cache to hand in the next time (empty where the flavour measures nothing).

    Raises:
        BackendError: the file cannot be parsed, or no engine comes out of it; with TensorRT's own words.
    """
    trt = flavour.module
    words: list[str] = []
    builder = trt.Builder(_logger(trt, words))
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, builder.logger)
    if not parser.parse(model) or not network.num_outputs:
        reasons = "; ".join(_one_line(parser.get_error(index).desc()) for index in range(parser.num_errors))
        raise BackendError(f"{flavour.title} cannot read the model: {reasons or 'it is no ONNX model'}")
    config = builder.create_builder_config()
    _set_shapes(builder, network, config, size, max_batch)
    if target is not None:
        _set_target(flavour, config, target)
    if flavour.facts.has_timing_cache:
        config.set_timing_cache(config.create_timing_cache(timing_cache), ignore_mismatch=False)
    if progress is not None:
        config.progress_monitor = _monitor(trt, progress)
    with _crashes_as_errors(flavour):
        plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BackendError(f"{flavour.title} built no engine: {'; '.join(words[-2:]) or 'no reason given'}")
    if not flavour.facts.has_timing_cache:
        return bytes(plan), b""
    return bytes(plan), bytes(config.get_timing_cache().serialize())


def load_engine(flavour: Flavour, plan: bytes, runtime_cache: bytes = b"") -> tuple[Any, Callable[[], Any], Any]:
    """Deserialize an engine for the GPU whose context is current.

    Returns the engine, what makes execution contexts of it, and the runtime cache (None where the flavour has none).

    Raises:
        BackendError: the engine is not for this TensorRT or this GPU; when making a context: no memory for it.
    """
    trt = flavour.module
    words: list[str] = []
    with _crashes_as_errors(flavour):
        runtime = trt.Runtime(_logger(trt, words))
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise BackendError(f"{flavour.title} refuses the engine: {'; '.join(words[-2:]) or 'no reason given'}")
        config = cache = None
        if flavour.facts.has_runtime_cache:
            config = engine.create_runtime_config()
            cache = config.create_runtime_cache()
            if runtime_cache:
                cache.deserialize(runtime_cache)
            config.set_runtime_cache(cache)
            # All kernels at once: the other ways start with slow ones and exchange them behind a recorded graph's back.
            config.dynamic_shapes_kernel_specialization_strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER

    def new_context() -> Any:
        with _crashes_as_errors(flavour):
            context = engine.create_execution_context() if config is None else engine.create_execution_context(config)
        if context is None:
            raise BackendError(f"{flavour.title}: no execution context, most likely for lack of GPU memory")
        return context

    return engine, new_context, cache


def _network_flags(trt: Any) -> int:
    """Strong typing has to be asked for in TensorRT 10 and TensorRT-RTX; where it has no name it is the only way."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _set_shapes(builder: Any, network: Any, config: Any, size: int, max_batch: int) -> None:
    """Pin height and width, so that everything about shapes folds away; only the batch stays open."""
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        channels = tensor.shape[-1]
        tensor.shape = (-1, size, size, channels)
        smallest, largest = (1, size, size, channels), (max_batch, size, size, channels)
        profile.set_shape(tensor.name, smallest, smallest, largest)
    config.add_optimization_profile(profile)


def _set_target(flavour: Flavour, config: Any, target: tuple[int, int]) -> None:
    targets = flavour.facts.targets
    if targets is None:
        return
    name = targets.get(target)
    member = getattr(flavour.module.ComputeCapability, name, None) if name else None
    if member is None:
        known = ", ".join(f"{major}.{minor}" for major, minor in targets)
        raise BackendError(
            f"{flavour.title} has no kernels for compute capability {target[0]}.{target[1]}; it has {known}"
        )
    config.num_compute_capabilities = 1
    config.set_compute_capability(member, 0)


_loggers: dict[int, Any] = {}


def _logger(trt: Any, words: list[str]) -> Any:
    """TensorRT keeps the first logger of a process for good: one for each flavour, filling the newest list."""
    if id(trt) not in _loggers:

        class Logger(trt.ILogger):  # type: ignore[misc]
            """Errors go to the caller's list, the rest to Python's logging."""

            def __init__(self) -> None:
                trt.ILogger.__init__(self)
                self.words: list[str] = []

            def log(self, severity: Any, text: str) -> None:
                if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                    self.words.append(_one_line(text))
                _log.debug("%s", text)

        _loggers[id(trt)] = Logger()
    logger = _loggers[id(trt)]
    logger.words = words
    return logger


def _monitor(trt: Any, progress: ShowPhase) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Passes TensorRT's phases on."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.steps: dict[str, int] = {}

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:  # noqa: ARG002
            self.steps[name] = steps
            progress(name, 0.0)

        def step_complete(self, name: str, step: int) -> bool:
            progress(name, (step + 1) / max(self.steps.get(name, 1), 1))
            return True

        def phase_finish(self, name: str) -> None:
            progress(name, 1.0)

    return Monitor()


@contextlib.contextmanager
def _crashes_as_errors(flavour: Flavour) -> Iterator[None]:
    try:
        yield
    except BackendError:
        raise
    except Exception as error:
        raise BackendError(f"{flavour.title} failed: {_one_line(str(error))}") from error


def _one_line(text: str) -> str:
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else text
