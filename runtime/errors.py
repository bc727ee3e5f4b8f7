"""The errors of toonfilter: one small tree. Texts say what was found, what was expected and what to do."""

import importlib
from types import ModuleType

from toonfilter.runtime.platform.installation import EXTRAS, how_to_add, install_command


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
        raise missing_package(module, extra=extra) from error


def missing_package(module: str, *, extra: str) -> ConfigError:
    """The error for an optional package that is needed here and not installed, with what to do."""
    return ConfigError(f"{module} is not installed; it is needed here. What to do: {how_to_add(extra)}")


def explained(error: ModuleNotFoundError) -> ConfigError:
    """A package that is not there, in one line, with the extra that brings it where one does."""
    name = (error.name or "a package").split(".")[0]
    for extra, modules in EXTRAS.items():
        if name in modules:
            return missing_package(name, extra=extra)
    return ConfigError(f"{name} is not installed; it is needed here. Install it with: {install_command()}")
