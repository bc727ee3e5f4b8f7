"""Writing style files: a new one from another, with every key, its default, its range and what it does."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from toonfilter.runtime.bundle import find_bundle, known_bundles, shipped_folder
from toonfilter.runtime.errors import BundleError, ConfigError, OutputError
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.platform.user_folders import models_folder
from toonfilter.runtime.styles.identity import (
    KNOWN_FROM,
    MEASURED_FACES,
    MEASURED_ON,
    SAME_PERSON,
    STRANGERS,
    Identity,
)
from toonfilter.runtime.styles.style import Style
from toonfilter.runtime.styles.style_keys import (
    COUNT,
    FACTOR,
    KEYS,
    PATH,
    SHARE,
    TONES,
    WORD,
    Key,
    U,
    changed_keys,
    table_of,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_UNITS = {U: "u", FACTOR: "times", SHARE: "", COUNT: "", TONES: "L*", WORD: "", PATH: ""}


def style_of(name: str) -> Style:
    """The rules of this style.

    Raises:
        BundleError: there is none of that name. ConfigError: it draws pictures, not by rules.
    """
    style = find_bundle(name).style
    if style is None:
        raise ConfigError(f"{name} is a network that draws pictures; must be a style of rules, such as anime")
    return style


def style_text(style: Style) -> str:
    """The style as TOML: what differs from the defaults, and every other key behind a `#`, ready to be changed."""
    changed = {(table, name) for table, name, _ in changed_keys(style, Style(style.name))}
    lines = [
        f"# {style.name}. A line behind # has no effect: its key has the default that stands there. Take the # away",
        "# and change the number. u is the distance of the pupils. `toonfilter styles check FILE` tells what is wrong.",
        'version = "1.0"',
        f"description = {toml(style.description)}",
        f"network = {toml(style.network)}",
    ]
    for table, keys in KEYS.items():
        lines += ["", f"[{table}]"]
        for name, key in keys.items():
            set_off = "" if (table, name) in changed else "# "
            setting = f"{set_off}{name} = {toml(getattr(table_of(style, table), name))}"
            lines.append(f"{setting}  # {range_text(key)}{key.raising}")
    return "\n".join(lines) + "\n"


def identity_lines(name: str, measured: Sequence[Identity]) -> list[str]:
    """How far a recogniser knows people in this style, as comments of a style file. measured: empty where unknown."""
    if not measured:
        return [f"# {name}: how far a face recogniser knows the person was not measured."]
    return [
        f"# {name}, as it ships: a face recogniser's similarity of drawing and person (median / 19 in 20 people at",
        f"# most; {MEASURED_FACES} faces by lot, {MEASURED_ON}; strangers have {STRANGERS:g}, two photos of one person",
        f"# {SAME_PERSON:g}, {KNOWN_FROM:g} counts as known):",
        *(f"# --likeness {one.likeness:g}: {one}" for one in measured),
    ]


def range_text(key: Key) -> str:
    """`0 to 0.2 u: `, or nothing for words."""
    return "" if key.unit == WORD else " ".join(f"{key.low:g} to {key.high:g} {_UNITS[key.unit]}".split()) + ": "


def new_style(name: str, source: str, target: Path | None, *, overwrite: bool) -> Path:
    """Write a style like `source`; returns its whole path.

    target: a file, or None for the user's folder, where `--to` finds it.

    Raises:
        BundleError, ConfigError: `source` is no style, or the name cannot be a style's. OutputError: the file, or a
            style of that name, is there already.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"name is {name!r}; must be letters, digits, and _ . - after the first")
    path = target or models_folder() / f"{name}.toml"
    if path.suffix.lower() != ".toml":
        raise ConfigError(f"--output is {path}; a style is a .toml file")
    style = style_of(source)
    if not overwrite and path.exists():
        raise OutputError(f"{path} exists; add --overwrite to replace it")
    if not overwrite and target is None and name in known_bundles():
        raise OutputError(f"there is a style {name} already; take another name, or add --overwrite to go before it")
    text = style_text(style).replace(f"# {style.name}.", f"# {name}, from {style.name}.", 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    return path.absolute()


def style_rows() -> Iterator[tuple[str, str, str, str]]:
    """Name, kind, whose, description of every style that `--to` knows; damaged ones say what is wrong."""
    for name, path in known_bundles().items():
        whose = "shipped" if path.parent == shipped_folder() else "yours"
        try:
            bundle = find_bundle(name)
        except BundleError as error:
            yield name, "damaged", whose, str(error)
            continue
        yield name, "rules" if bundle.style else "pictures", whose, bundle.description


def toml(value: Any) -> str:
    """A string, number or list as TOML."""
    # Strings, numbers and lists are written in TOML as in JSON.
    return json.dumps(value, ensure_ascii=False)
