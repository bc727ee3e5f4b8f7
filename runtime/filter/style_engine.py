"""The style in use, its engine, and the renderer that draws with both: opened, changed and closed together."""

import math
from collections.abc import Callable
from dataclasses import replace

from toonfilter.runtime.backends import EngineOptions, Opened, open_translator
from toonfilter.runtime.bundle import Bundle, find_bundle
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.platform.cores import FEW_CORES, usable_cores
from toonfilter.runtime.privacy import check_drawings_only
from toonfilter.runtime.render.opening import RenderOptions, open_renderer
from toonfilter.runtime.render.renderer import FrameRenderer
from toonfilter.runtime.render.scene import LIVE_CROP_PX

FALLBACK_ENGINE = "onnxruntime"
_SMALL_CROP_PX = 256
"""Up to this size one thread runs an engine: two wait for each other over so small layers. Raising it spares a core,
larger crops take longer."""

Opener = Callable[[Bundle, str, EngineOptions], Opened]


class StyleEngine:
    """bundle: the style in use. opened: its engine, and why others do not run. renderer: draws with both.

    `renderer` is replaced whole whenever anything changes, so that whoever prepared a frame with another one can tell.
    Changes come from one thread; another may read meanwhile.
    """

    def __init__(self, settings: FilterSettings, opener: Opener = open_translator) -> None:
        """
        Raises:
            BundleError, BackendError, ConfigError: the style or the engine cannot be opened.
        """
        self._settings, self._opener = settings, opener
        self.bundle = find_bundle(settings.style)
        self._check(self.bundle)
        self.opened = self._open(settings.engine)
        self.renderer: FrameRenderer = open_renderer(self.bundle, self.opened.translator, settings.rendering)

    @property
    def greatest_size(self) -> int:
        """Side of the largest crop in px; live planes are no finer than that."""
        most = LIVE_CROP_PX if self._settings.rendering.is_live and self.bundle.style is not None else math.inf
        return int(min(self._settings.max_size, most))

    @property
    def allowed_sizes(self) -> list[int]:
        """Crop sizes in px that the settings allow."""
        sizes = [size for size in self.bundle.input.sizes if size <= self.greatest_size]
        fixed = self._settings.size
        return [fixed] if fixed else sizes or [min(self.bundle.input.sizes)]

    def set_rendering(self, rendering: RenderOptions) -> None:
        """Change what of the frame is drawn and how, in the style that is open."""
        renderer = open_renderer(self.bundle, self.opened.translator, rendering)
        self._settings = replace(self._settings, rendering=rendering)
        self.renderer.close()
        self.renderer = renderer

    def set_style(self, style: str) -> None:
        """Change the bundle; the old one stays when the new one cannot be opened.

        Raises:
            BundleError, BackendError, ConfigError: the new style cannot be opened.
        """
        bundle = find_bundle(style)
        self._check(bundle)
        opened = self.opened
        # Styles of one network differ in rules only: nothing is opened, nobody waits.
        if bundle.style is None or (bundle.folder, bundle.files) != (self.bundle.folder, self.bundle.files):
            opened = self._opener(bundle, self._settings.engine, self._options(bundle))
        try:
            renderer = open_renderer(bundle, opened.translator, self._settings.rendering)
        except Exception:
            if opened is not self.opened:
                opened.translator.close()
            raise
        self.renderer.close()
        if opened is not self.opened:
            self.opened.translator.close()
        self.bundle, self.opened = bundle, opened
        # Last: who takes the new renderer must find the new bundle's sizes.
        self.renderer = renderer

    def reopen(self, *, fallback: bool) -> None:
        """Close the engine and open it again. fallback: the one that runs on every machine.

        Raises:
            BackendError, ConfigError: it does not open; it is closed then.
        """
        self.renderer.close()
        self.opened.translator.close()
        self.opened = self._open(FALLBACK_ENGINE if fallback else self._settings.engine)
        self.renderer = open_renderer(self.bundle, self.opened.translator, self._settings.rendering)

    def close(self) -> None:
        """Free the engine."""
        self.renderer.close()
        self.opened.translator.close()

    def _check(self, bundle: Bundle) -> None:
        if bundle.input.domain == "drawing":
            check_drawings_only(bundle, is_file=self._settings.on_drawings, confirmed=self._settings.lost.confirmed)
        size = self._settings.size
        if size is not None and size not in bundle.input.sizes:
            raise ConfigError(f"size is {size}; bundle {bundle.name} takes {', '.join(map(str, bundle.input.sizes))}")

    def _options(self, bundle: Bundle) -> EngineOptions:
        size = self._settings.size or min(bundle.input.sizes)
        # Two threads wait for each other over small crops; on few cores tracking needs the second.
        threads = 1 if size <= _SMALL_CROP_PX or len(usable_cores()) <= FEW_CORES else 2
        return EngineOptions(size, self._settings.precision, self._settings.threads or threads)

    def _open(self, engine: str) -> Opened:
        opened = self._opener(self.bundle, engine, self._options(self.bundle))
        opened.translator.warm_up(self._settings.size or min(self.bundle.input.sizes))
        return opened
