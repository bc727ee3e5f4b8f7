"""The panel's words, a table for each language. English is the table that the others are measured by."""

import json
from dataclasses import asdict
from functools import cache
from importlib.resources import files

from toonfilter.runtime.panel.devices import ADVICE
from toonfilter.runtime.platform.platform_texts import platform_texts

LANGUAGES = ("en", "de", "fr", "es", "pt", "zh", "ja", "hi", "ar", "id")
_TERMINAL_ONLY = "; or use --output preview"
_SYSTEMS = {"linux": "linux", "windows": "win32", "macos": "darwin"}


@cache
def words(language: str) -> dict[str, str]:
    """All texts of a language by key; English where the language is not known.

    What `platform_texts` says in the terminal is the page's English, too: it is not written twice.
    """
    code = language if language in LANGUAGES else "en"
    path = files("toonfilter.runtime.panel").joinpath("languages", f"{code}.json")
    table: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return {**english_advice(), **table} if code == "en" else table


def english_advice() -> dict[str, str]:
    """The terminal's advice for each system, by the page's keys."""
    return {
        f"advice.{system}.{name}": asdict(platform_texts(platform))[name].removesuffix(_TERMINAL_ONLY)
        for system, platform in _SYSTEMS.items()
        for name in ADVICE
    }
