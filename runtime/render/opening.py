"""Choosing what draws: layers for styles, pasted pictures for picture networks, on whichever device runs them."""

from contextlib import suppress
from dataclasses import dataclass, field

from toonfilter.runtime.backends.translator import DeviceTranslator, Translator
from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.platform.cores import usable_cores
from toonfilter.runtime.render.blending import Region
from toonfilter.runtime.render.drawing import Extent, LayeredRenderer
from toonfilter.runtime.render.drawing_process import ProcessRenderer, shared_process
from toonfilter.runtime.render.ground import Ground
from toonfilter.runtime.render.renderer import FrameRenderer, Renderer
from toonfilter.runtime.styles.style import Sliders


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What of the frame is drawn.

    extent: `whole` draws people and room, `person` people alone, `head` heads alone. ground: what is behind people, for
    styles that draw in layers. region: how much of a head picture networks show. sliders: what the user changes of
    styles of rules. is_live: there is the next frame to draw in time.
    """

    extent: Extent = "whole"
    ground: Ground = field(default_factory=Ground)
    region: Region = "head"
    sliders: Sliders = field(default_factory=Sliders)
    is_live: bool = False


def open_renderer(bundle: Bundle, translator: Translator, options: RenderOptions | None = None) -> FrameRenderer:
    """The renderer for this bundle; picture networks of a `DeviceTranslator` are drawn on its device."""
    options = options or RenderOptions()
    if bundle.style is not None:
        style = options.sliders.applied(bundle.style)
        extent, ground, is_live = options.extent, options.ground, options.is_live
        renderer = LayeredRenderer(translator, style, extent=extent, ground=ground, is_live=is_live)
        if is_live and len(usable_cores()) > 1:
            # Where no process may be started, threads share this one.
            with suppress(OSError):
                return ProcessRenderer(renderer, style, extent, ground, shared_process())
        return renderer
    if isinstance(translator, DeviceTranslator):
        return _device_renderer(bundle, translator, options.region)
    return Renderer(bundle, translator, options.region)


def _device_renderer(bundle: Bundle, translator: DeviceTranslator, region: Region) -> FrameRenderer:
    """The renderer whose frames stay on the translator's device."""
    from toonfilter.runtime.render.gpu_chain import GpuChain
    from toonfilter.runtime.render.gpu_renderer import GpuRenderer

    device, has_guidance = translator.device, bundle.input.guidance_channels > 0

    def chain(size: int) -> GpuChain:
        engine = translator.device_engine(size)
        return GpuChain(device, engine, size=size, channels=engine.channels, has_guidance=has_guidance)

    return GpuRenderer(bundle, device, chain, region)
