"""How this copy of toonfilter was installed, and the exact commands that change that."""

import importlib.metadata
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlparse

# What each extra brings, by the modules that are needed from it.
EXTRAS = {
    "app": ("starlette", "uvicorn", "websockets"),
    "export": ("onnx", "onnxscript", "safetensors", "skimage", "torch"),
    "train": (
        *("lightning", "lpips", "matplotlib", "safetensors", "scipy", "skimage", "sklearn", "tensorboard"),
        *("torch", "torch_fidelity", "torchmetrics", "torchvision"),
    ),
    "mediapipe": ("mediapipe",),
    "cluster": ("ray",),
}
# Distributions of OpenCV, the one that is required first; they share one folder.
OPENCV = ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")
# Extras whose packages have no wheels for newer Pythons.
_LAST_PYTHON = {"mediapipe": (3, 12)}


def missing_modules(extra: str) -> tuple[str, ...]:
    """The modules of an extra that are not installed; nothing is imported."""
    return tuple(module for module in EXTRAS[extra] if importlib.util.find_spec(module) is None)


def import_conflict(installed: Callable[[str], str] = importlib.metadata.version) -> str:
    """Why OpenCV cannot be imported beside this numpy, and what to do; empty where it can. Nothing is imported.

    Its own metadata allow the pair, so an environment may have come to it. installed: the version of a distribution.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name in ("numpy", *OPENCV):
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = tuple(int(part) for part in re.findall(r"\d+", installed(name))[:2])
    numpy = found.pop("numpy", ())
    if numpy < (2,) or not found or max(found.values()) >= (4, 10):
        return ""
    opencv = max(found, key=lambda name: found[name])
    cure = pip("install", f"{opencv}>=4.10,<6")
    return f"{opencv} {installed(opencv)} cannot be loaded beside numpy {installed('numpy')}. What to do: {cure}"


def pip(command: str, *arguments: str) -> str:
    """The command line of pip, or of uv where there is no pip, that changes this environment."""
    if importlib.util.find_spec("pip") is not None:
        return _line(sys.executable, "-m", "pip", command, *arguments)
    return _line("uv", "pip", command, "--python", sys.executable, *arguments)


def how_to_add(extra: str) -> str:
    """What to do for an extra that is missing: a command line, or why there is none."""
    last = _LAST_PYTHON.get(extra)
    if last is not None and sys.version_info[:2] > last:
        return f"no wheels for Python newer than {last[0]}.{last[1]}; install toonfilter with such a Python"
    return install_command(extra)


def install_command(*extras: str) -> str:
    """The command line that installs this copy again with these extras, from where it came; it keeps the others."""
    if getattr(sys, "frozen", False):
        # A folder without Python cannot be added to.
        return _line("pip", "install", _bracketed("toonfilter", extras))
    prefix = Path(sys.prefix)
    for installer, receipt in (("uv tool", "uv-receipt.toml"), ("pipx", "pipx_metadata.json")):
        if (prefix / receipt).is_file():
            # These make the environment anew.
            present = (name for name in EXTRAS if not missing_modules(name))
            same = ("--force", "--python", getattr(sys, "_base_executable", sys.executable))
            return _line(*installer.split(), "install", *same, *_source(sorted({*extras, *present})))
    if any(part.startswith("archive-v") for part in prefix.parts):
        # uvx keeps what it runs in uv's cache, which nothing else may change.
        return _line("uvx", "--from", *_source(extras), "toonfilter")
    return pip("install", *_source(extras))


def _bracketed(name: str, extras: Sequence[str]) -> str:
    return f"{name}[{','.join(extras)}]" if extras else name


def _source(extras: Sequence[str]) -> tuple[str, ...]:
    """What to install: the folder or file that this copy was installed from, else the name."""
    from urllib.request import url2pathname

    named = _bracketed("toonfilter", extras)
    try:
        text = importlib.metadata.distribution("toonfilter").read_text("direct_url.json")
        origin = json.loads(text) if text else {}
    except (importlib.metadata.PackageNotFoundError, ValueError):
        origin = {}
    url = urlparse(origin.get("url", ""))
    path = Path(url2pathname(url.path))
    if url.scheme == "file" and path.is_dir():
        is_editable = origin.get("dir_info", {}).get("editable", False)
        return (*(("-e",) if is_editable else ()), _bracketed(str(path), extras))
    if url.scheme == "file" and path.is_file():
        return (f"{named} @ {origin['url']}",)
    if "vcs_info" in origin:
        return (f"{named} @ {origin['vcs_info']['vcs']}+{origin['url']}@{origin['vcs_info']['commit_id']}",)
    return (named,)


def _line(*words: str) -> str:
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
