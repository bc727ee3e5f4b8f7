"""`toonfilter export`: what is asked for becomes a bundle, installed or in a folder, with engines where asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from toonfilter.export.bundle_export import BundleOptions, ExportedBundle, export_bundle
from toonfilter.export.source import open_source
from toonfilter.runtime.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export and into what.

    source: checkpoint, run folder or bundle; None takes the newest run. head: another of
    the method's exportable networks. engine: `tensorrt` also writes fp16 and builds this machine's engines.
    """

    source: Path | None = None
    head: str = ""
    engine: str | None = None
    bundle: BundleOptions = field(default_factory=BundleOptions)


def parse_sizes(text: str) -> tuple[int, ...]:
    """ "256,384" to (256, 384).

    Raises:
        ConfigError: not whole numbers with commas between them.
    """
    try:
        sizes = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise ConfigError(f"sizes are {text!r}; must be whole numbers with commas, for instance 256,384") from None
    return sizes


def export_model(request: ExportRequest, progress: Callable[[str], None] | None = None) -> ExportedBundle:
    """Export, compare, install, and build engines when asked to.

    Raises:
        ToonfilterError: see `open_source`, `export_bundle` and `build_engines`. When engines fail the bundle is there.
    """
    if request.engine not in (None, "tensorrt"):
        raise ConfigError(
            f"engine is {request.engine!r}; export builds engines for tensorrt only, the others need none"
        )
    if request.engine == "tensorrt":
        from toonfilter.runtime.backends.tensorrt_flavours import check_driver

        check_driver()
    source = open_source(request.source, head=request.head, crops=request.bundle.crops)
    options = request.bundle
    if request.engine == "tensorrt":
        options = replace(options, precisions=tuple(dict.fromkeys(("fp16", *options.precisions))))
    exported = export_bundle(source, options, progress)
    if request.engine == "tensorrt":
        from toonfilter.export.tensorrt_build import build_engines

        exported = replace(exported, engines=tuple(build_engines(exported.bundle, progress=progress)))
    return exported
