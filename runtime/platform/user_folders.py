"""The folders of this user: models, settings, caches, videos. TOONFILTER_HOME puts all of them below one folder."""

import os
from pathlib import Path
from typing import Literal

import platformdirs

_APP = "toonfilter"


def models_folder() -> Path:
    """Bundles and styles that the user installed."""
    return _below("data", "models")


def engines_folder() -> Path:
    """Engines that were built for this GPU."""
    return _below("data", "engines")


def panel_folder() -> Path:
    """Settings and the queue of the page."""
    return _below("data", "panel")


def trials_folder() -> Path:
    """What is remembered of models that were tried."""
    return _below("cache", "tried")


def config_file() -> Path:
    """The settings of the command line."""
    return _below("config", "toonfilter.toml")


def videos_folder() -> Path:
    """Where converted recordings go, unless the person chose another folder."""
    home = os.environ.get("TOONFILTER_HOME")
    return Path(home) / "videos" if home else Path(platformdirs.user_videos_dir()) / "Toonfilter"


def _below(kind: Literal["data", "cache", "config"], name: str) -> Path:
    if home := os.environ.get("TOONFILTER_HOME"):
        return Path(home) / name
    folders = {
        "data": platformdirs.user_data_path,
        "cache": platformdirs.user_cache_path,
        "config": platformdirs.user_config_path,
    }
    return folders[kind](_APP, appauthor=False) / name
