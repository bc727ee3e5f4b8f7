"""Frames in, safe frames out. Never imports torch, train or export."""

from toonfilter.runtime.platform.graphics_libraries import watch_imports

watch_imports()
