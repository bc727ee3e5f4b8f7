"""toonfilter: real-time cartoon video that keeps expression, head pose and gaze, and never the face.

What `__all__` names is the interface for other programs (docs/python.md), under semantic versioning; modules below may
change with any version.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toonfilter.runtime.errors import (
        BackendError,
        BundleError,
        CaptureError,
        ConfigError,
        OutputError,
        ToonfilterError,
    )
    from toonfilter.runtime.frames import PrivacyState, SafeFrame
    from toonfilter.runtime.library import Drawing, Filter, styles
    from toonfilter.runtime.privacy import LostPolicy
    from toonfilter.runtime.render.ground import Ground
    from toonfilter.runtime.styles.style import Sliders

# NumPy's OpenBLAS spins while its threads wait, which took an eighth of the processors' time; our products are small.
# It reads this once, when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
__all__ = [
    "BackendError",
    "BundleError",
    "CaptureError",
    "ConfigError",
    "Drawing",
    "Filter",
    "Ground",
    "LostPolicy",
    "OutputError",
    "PrivacyState",
    "SafeFrame",
    "Sliders",
    "ToonfilterError",
    "__version__",
    "styles",
]

# Imported when they are first asked for: the command line starts without them.
_HOMES = {
    "errors": ("BackendError", "BundleError", "CaptureError", "ConfigError", "OutputError", "ToonfilterError"),
    "frames": ("PrivacyState", "SafeFrame"),
    "library": ("Drawing", "Filter", "styles"),
    "privacy": ("LostPolicy",),
    "render.ground": ("Ground",),
    "styles.style": ("Sliders",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"toonfilter.runtime.{module}"), name)
    raise AttributeError(f"module 'toonfilter' has no attribute {name!r}")
