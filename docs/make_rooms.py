"""Writes docs/rooms.md: which room of the code imports which, measured from the imports themselves.

A room is a folder directly below a package, with all below it, or a module that lies there alone.

usage: python docs/make_rooms.py [--all]
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = HERE / "rooms.md"
PACKAGES = ("runtime", "train", "export", "benchmarks")
Imports = Mapping[str, set[str]]
"""By room: the rooms that it imports, at any place of its code."""


def room_of(module: str) -> str | None:
    """The room of a module such as `toonfilter.runtime.faces.tracker`; None for what is not ours."""
    ours, *parts = module.split(".")
    if ours != "toonfilter" or len(parts) < 2 or parts[0] not in PACKAGES:
        return None
    return "/".join(parts[:2])


def imports_between_rooms() -> dict[str, set[str]]:
    """Every room of the four packages, with what it imports."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            inside = path.relative_to(ROOT).with_suffix("")
            room = room_of(".".join(("toonfilter", *inside.parts)))
            if room is None or room.endswith("__init__"):
                continue
            targets = {room_of(module) for module in _imported(path)}
            found.setdefault(room, set()).update(target for target in targets if target not in (None, room))
    return {room: targets & found.keys() for room, targets in found.items()}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from toonfilter.runtime import privacy` names a room by what it takes.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def circles(imports: Imports) -> list[list[str]]:
    """Rooms that import each other, directly or through others; each group sorted."""
    reached = {room: _reached(imports, room) for room in imports}
    groups = {tuple(sorted(other for other in reached[room] if room in reached[other])) for room in imports}
    return [list(group) for group in sorted(groups) if group]


def _reached(imports: Imports, room: str) -> set[str]:
    """All that a room needs, itself only where it is in a circle."""
    seen: set[str] = set()
    waiting = list(imports[room])
    while waiting:
        other = waiting.pop()
        if other not in seen:
            seen.add(other)
            waiting.extend(imports[other])
    return seen


def shortest(imports: Imports) -> dict[str, set[str]]:
    """The same without arrows that a way over other rooms says already. Needs imports without circles."""
    reached = {room: _reached(imports, room) for room in imports}
    return {room: {one for one in to if not any(one in reached[other] for other in to)} for room, to in imports.items()}


def _between_folders(imports: Imports) -> dict[str, set[str]]:
    """Folders alone: what they import, directly or through modules that lie alone."""
    found: dict[str, set[str]] = {}
    for room in imports:
        if not (ROOT / room).is_dir():
            continue
        seen: set[str] = set()
        waiting = list(imports[room])
        while waiting:
            other = waiting.pop()
            if other in seen:
                continue
            seen.add(other)
            if not (ROOT / other).is_dir():
                waiting.extend(imports[other])
        found[room] = {other for other in seen if (ROOT / other).is_dir()} - {room}
    return found


def page() -> str:
    """The whole page."""
    folders = shortest(_between_folders(imports_between_rooms()))
    lines = [
        "# Rooms",
        "",
        "Made by `docs/make_rooms.py` from the imports in the code; `tests/package/test_architecture.py` compares, and",
        "fails where rooms import each other in a circle. A room is a folder directly below a package, or a module",
        "that lies there alone. Pictured are the folders; an arrow that a way over others says already is left out.",
        "`python docs/make_rooms.py --all` prints what each room imports itself.",
    ]
    for package in PACKAGES:
        arrows = [
            f"    {_name(room, package)} --> {' & '.join(sorted(_name(one, package) for one in to))}"
            for room, to in sorted(folders.items())
            if to and room.startswith(f"{package}/")
        ]
        if arrows:
            lines += ["", f"## {package}", "", "```mermaid", "flowchart TD", *arrows, "```"]
    return "\n".join(lines) + "\n"


def _name(room: str, package: str) -> str:
    return room.removeprefix(f"{package}/")


def table() -> str:
    """Every room and what it imports itself, a line each."""
    rooms = sorted(imports_between_rooms().items())
    return "\n".join(f"{room}: {', '.join(sorted(to)) or 'nothing'}" for room, to in rooms)


if __name__ == "__main__":
    if "--all" in sys.argv:
        sys.stdout.write(table() + "\n")
    else:
        PAGE.write_text(page(), encoding="utf-8")
