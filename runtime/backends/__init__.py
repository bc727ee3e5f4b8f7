"""Engines that run a generator, behind one protocol.

`open_translator` is the only place that chooses: asked for an engine by name it opens that one or fails, asked for
`auto` it tries them in order and reports why each was skipped.
"""

from collections.abc import Callable
from dataclasses import dataclass

from toonfilter.runtime.backends.translator import Crops, Description, Translator
from toonfilter.runtime.bundle import Bundle, Precision
from toonfilter.runtime.errors import BackendError, ToonfilterError

__all__ = ["ENGINES", "Crops", "Description", "EngineOptions", "Opened", "Translator", "open_translator"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """size: crop size the engine is opened for. precision None takes the fastest the engine is good at.

    threads: CPU threads of one call.
    """

    size: int = 256
    precision: Precision | None = None
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Opened:
    """An open translator, and for each engine that was skipped before it: the reason."""

    translator: Translator
    skipped: dict[str, str]


def _onnxruntime(bundle: Bundle, options: EngineOptions) -> Translator:
    from toonfilter.runtime.backends.onnxruntime_backend import OnnxRuntimeTranslator

    precision = _precision(bundle, options, ("int8", "fp32"))
    return OnnxRuntimeTranslator(bundle, precision=precision, size=options.size, threads=options.threads)


def _openvino(bundle: Bundle, options: EngineOptions) -> Translator:
    from toonfilter.runtime.backends.openvino_backend import OpenVinoTranslator

    precision = _precision(bundle, options, ("int8", "fp32"))
    return OpenVinoTranslator(bundle, precision=precision, size=options.size, threads=options.threads)


def _tensorrt(bundle: Bundle, options: EngineOptions) -> Translator:
    # Asked first: TensorRT may end the process where there is no driver.
    from toonfilter.runtime.backends.tensorrt_flavours import check_driver

    check_driver()
    from toonfilter.runtime.backends.tensorrt_backend import TensorRtTranslator

    return TensorRtTranslator(bundle, precision=options.precision or "fp16", size=options.size)


ENGINES: dict[str, Callable[[Bundle, EngineOptions], Translator]] = {
    "tensorrt": _tensorrt,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
}
"""Engines in the order in which `auto` tries them."""


def open_translator(bundle: Bundle, engine: str = "auto", options: EngineOptions | None = None) -> Opened:
    """Open the bundle's generator.

    Raises:
        BundleError: a stranger's model did not come through its trial, see `toonfilter.runtime.backends.bundle_trial`.
        BackendError: the engine named is unknown or cannot be opened, or, for `auto`, none can: with every reason.
        ConfigError: the engine's package is not installed.
    """
    options = options or EngineOptions()
    if engine != "auto" and engine not in ENGINES:
        raise BackendError(f"unknown engine {engine!r}; known: auto, {', '.join(ENGINES)}")
    # Not at the top: the trial is a program of its own that imports this package.
    from toonfilter.runtime.backends.bundle_trial import try_once

    try_once(bundle)
    if engine != "auto":
        return Opened(ENGINES[engine](bundle, options), {})
    skipped: dict[str, str] = {}
    for name, opener in ENGINES.items():
        try:
            return Opened(opener(bundle, options), skipped)
        except ToonfilterError as error:
            skipped[name] = str(error)
    reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
    raise BackendError(f"no engine can run bundle {bundle.name}: {reasons}")


def _precision(bundle: Bundle, options: EngineOptions, preferred: tuple[Precision, ...]) -> Precision:
    if options.precision:
        return options.precision
    for precision in preferred:
        if precision in bundle.precisions:
            return precision
    raise BackendError(f"bundle {bundle.name} has {', '.join(bundle.precisions)}; this engine takes {preferred}")
