"""TensorRT engines of a bundle, into this user's cache, before the first call that needs them."""

from collections.abc import Callable, Iterator
from pathlib import Path

from toonfilter.runtime.backends.engine_cache import EngineCache
from toonfilter.runtime.backends.tensorrt_engines import engine_of
from toonfilter.runtime.backends.tensorrt_flavours import check_driver, flavour_for
from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.cuda.driver import gpu_info


def build_engines(
    bundle: Bundle, *, cache: EngineCache | None = None, progress: Callable[[str], None] | None = None
) -> Iterator[Path]:
    """Build the FP16 engine of every size for the GPU at hand, where the cache has none; gives their paths.

    Raises:
        BackendError: no driver, no TensorRT for this GPU, or building failed.
    """
    tell = progress or (lambda _: None)
    check_driver()
    gpu = gpu_info()
    flavour = flavour_for(gpu)
    cache = cache or EngineCache()
    for size in bundle.input.sizes:
        tell(f"{flavour.title} on {gpu.name}: engine for {size} px")

        def show(phase: str, part: float, size: int = size) -> None:
            tell(f"{size} px: {phase} {part:.0%}")

        key, _, is_new = engine_of(bundle, size, flavour, gpu, cache, progress=show if progress else None)
        tell(f"{size} px: {'built' if is_new else 'already there'}")
        yield cache.path_of(key)
