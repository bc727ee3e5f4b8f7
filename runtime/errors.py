"""The errors of toonfilter: one small tree. Texts say what was found, what was expected and what to do."""

import importlib
from types import ModuleType


class ToonfilterError(Exception):
    """Anything toonfilter refuses or fails at, in words for the user."""


class BundleError(ToonfilterError):
    """A bundle is missing, damaged, tampered with, or of another format."""


class BackendError(ToonfilterError):
    """An engine cannot be opened or fails while it runs."""


class CaptureError(ToonfilterError):
    """A camera or file cannot be opened or read."""


class OutputError(ToonfilterError):
    """A virtual camera, file or window cannot be opened or written."""


class ConfigError(ToonfilterError):
    """Options that contradict each other, or values out of range."""


class DataError(ToonfilterError):
    """Training or evaluation pictures are missing, too few, or do not match."""


class TrainingError(ToonfilterError):
    """A training run cannot go on: NaN, out of memory, a foreign checkpoint."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional package.

    Raises:
        ConfigError: one line with the install command, when the package is not there.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise ConfigError(
            f"{module} is not installed; it is needed here. Install it with: pip install 'toonfilter[{extra}]'"
        ) from error
