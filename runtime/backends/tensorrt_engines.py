"""From a bundle's FP16 file to an engine for this GPU, by way of the cache."""

from toonfilter.runtime.backends.engine_cache import EngineCache, EngineKey
from toonfilter.runtime.backends.tensorrt_flavours import Flavour, ShowPhase, build_engine
from toonfilter.runtime.backends.translator import MAX_BATCH
from toonfilter.runtime.bundle import Bundle, Precision
from toonfilter.runtime.cuda.driver import GpuInfo
from toonfilter.runtime.errors import BackendError, BundleError


def engine_of(
    bundle: Bundle,
    size: int,
    flavour: Flavour,
    gpu: GpuInfo,
    cache: EngineCache,
    *,
    precision: Precision = "fp16",
    progress: ShowPhase | None = None,
) -> tuple[EngineKey, bytes, bool]:
    """The engine for this size: its key, its bytes, and whether it was built just now.

    Raises:
        BackendError: the bundle has no such file, or TensorRT builds no engine of it.
    """
    try:
        entry = bundle.file_for(precision, size)
    except BundleError as error:
        raise BackendError(f"{error}; write one with: toonfilter export {bundle.folder} --fp16") from error
    if precision == "int8":
        raise BackendError("TensorRT takes the fp16 or fp32 file; the int8 file is for CPUs")
    major, minor = gpu.compute_capability
    key = EngineKey(
        model_sha256=entry.sha256,
        gpu=gpu.name,
        compute_capability=f"{major}.{minor}",
        driver=gpu.driver,
        flavour=flavour.title,
        precision=precision,
        size=size,
        max_batch=MAX_BATCH,
    )

    def build(timing_cache: bytes) -> tuple[bytes, bytes]:
        return build_engine(
            flavour,
            bundle.path_of(entry).read_bytes(),
            size=size,
            max_batch=MAX_BATCH,
            target=gpu.compute_capability,
            timing_cache=timing_cache,
            progress=progress,
        )

    plan, is_new = cache.get(key, build)
    return key, plan, is_new
