"""`toonfilter export`: what is asked for becomes a bundle, installed or in a folder, with engines where asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from toonfilter.export.bundle_export import BundleOptions, ExportedBundle, export_bundle
from toonfilter.export.source import open_source
from toonfilter.runtime.bundle import Precision
from toonfilter.runtime.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export and into what.

    source: checkpoint, run folder or bundle; None takes the newest run. head: another of
    the method's exportable networks. engine: `tensorrt` also builds this machine's engines. Else as in `BundleOptions`.
    """

    source: Path | None = None
    head: str = ""
    name: str | None = None
    fp16: bool = False
    int8: bool = False
    sizes: tuple[int, ...] | None = None
    engine: str | None = None
    crops: Path | None = None
    output: Path | None = None
    overwrite: bool = False
    licence: str | None = None
    description: str | None = None
    version: str | None = None


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
    source = open_source(request.source, head=request.head, crops=request.crops)
    precisions: list[Precision] = []
    if request.fp16 or request.engine == "tensorrt":
        precisions.append("fp16")
    if request.int8:
        precisions.append("int8")
    options = BundleOptions(
        name=request.name,
        precisions=tuple(precisions),
        sizes=request.sizes,
        crops=request.crops,
        output=request.output,
        overwrite=request.overwrite,
        licence=request.licence,
        description=request.description,
        version=request.version,
    )
    exported = export_bundle(source, options, progress)
    if request.engine == "tensorrt":
        from toonfilter.export.tensorrt_build import build_engines

        exported = replace(exported, engines=tuple(build_engines(exported.bundle, progress=progress)))
    return exported
