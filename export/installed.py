"""Bundles on this machine: list them, put one in its place whole, remove a user's own."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toonfilter.runtime.bundle import (
    MANIFEST,
    find_bundle,
    known_bundles,
    load_bundle,
    open_bundle,
    shipped_folder,
    write_bundle,
)
from toonfilter.runtime.errors import BundleError, ConfigError, OutputError, ToonfilterError
from toonfilter.runtime.files.whole_files import replacing_folder
from toonfilter.runtime.platform.user_folders import models_folder


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """One line of the list. problem: empty where the bundle is whole."""

    name: str
    folder: Path
    is_users: bool
    precisions: tuple[str, ...]
    sizes: tuple[int, ...]
    size_mb: float
    problem: str = ""


def installed_models() -> list[InstalledModel]:
    """Every bundle that `--to NAME` finds, the damaged ones with what is wrong with them."""
    models = []
    for name, folder in sorted(known_bundles().items()):
        is_users = folder.parent == models_folder()
        files = folder.iterdir() if folder.is_dir() else [folder]
        size_mb = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
        try:
            bundle = open_bundle(folder)
        except BundleError as error:
            models.append(InstalledModel(name, folder, is_users, (), (), size_mb, str(error)))
        else:
            sizes = tuple(bundle.input.sizes)
            models.append(InstalledModel(name, folder, is_users, tuple(bundle.precisions), sizes, size_mb))
    return models


def install_bundle(source: Path, *, name: str | None = None, overwrite: bool = False) -> Path:
    """Copy a bundle folder to the user's models; returns where it lies.

    Raises:
        BundleError: the source is not a whole bundle.
        OutputError: there is one of this name already and overwrite was not asked for, or the disk refuses.
    """
    import dataclasses

    bundle = load_bundle(source)
    target = models_folder() / (name or bundle.name)
    with staged_folder(target, overwrite=overwrite) as staging:
        for entry in bundle.files:
            shutil.copyfile(bundle.path_of(entry), staging / entry.path)
        for extra in ("parity.html", "parity.png", "MODEL_CARD.md"):
            if (source / extra).is_file():
                shutil.copyfile(source / extra, staging / extra)
        write_bundle(dataclasses.replace(bundle, name=target.name), staging)
    return target


def remove_model(name: str) -> Path:
    """Delete a bundle that the user installed; returns where it lay.

    Raises:
        BundleError: there is none of this name.
        ConfigError: it came with the package, or lies elsewhere.
    """
    folder = models_folder() / name
    style = models_folder() / f"{name}.toml"
    if Path(name).name == name and style.is_file():
        style.unlink()
        return style
    if Path(name).name != name or not (folder / MANIFEST).is_file():
        if name in known_bundles():
            raise ConfigError(f"{name} ships with toonfilter ({shipped_folder().name}) and is not removed")
        users = ", ".join(model.name for model in installed_models() if model.is_users) or "none"
        raise BundleError(f"no installed model {name!r}; installed by you: {users}")
    # The manifest goes first: a folder without one is no bundle, however far the removal comes.
    (folder / MANIFEST).unlink()
    shutil.rmtree(folder)
    return folder


@contextlib.contextmanager
def staged_folder(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """A new folder beside the target that takes its place when the block ends without an error, and vanishes otherwise.

    Raises:
        OutputError: the target exists and overwrite was not asked for, or it is not a bundle, or the disk refuses.
    """
    _refuse_to_replace(target, overwrite=overwrite)
    try:
        with replacing_folder(target) as staging:
            yield staging
    except ToonfilterError:
        raise
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error.strerror or error})") from error


def _refuse_to_replace(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / MANIFEST).is_file()):
        raise OutputError(f"{target} is not a bundle folder and is left alone; give another place or name")
    if any(target.iterdir()) and not overwrite:
        raise OutputError(f"{target} exists; give --overwrite to replace it, or another --name")


def is_known(name: str) -> bool:
    """Whether `--to NAME` finds a whole bundle."""
    try:
        find_bundle(name)
    except BundleError:
        return False
    return True
