"""The pages of docs that tell of the code tell of code that is there, and rooms do not import each other in circles."""

import ast
import itertools
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
RUNTIME = ROOT / "runtime"


ROOMS = runpy.run_path(str(ROOT / "docs" / "make_rooms.py"))


def imports_of_room(room: str) -> set[str]:
    """The other rooms and modules of runtime that this one imports, at any place."""
    folder = RUNTIME / room
    paths = list(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("toonfilter.runtime."):
                found.add(str(node.module).split(".")[2])
    return found - {room}


def test_every_path_is_there() -> None:
    named = {name for name in re.findall(r"`([\w/.]+)`", PAGE) if name.endswith((".py", "/", ".md"))}
    assert len(named) > 30
    for name in named:
        if "/" in name.rstrip("/"):
            assert (ROOT / name).exists(), name
        else:
            assert any(path.name == name.rstrip("/") for path in ROOT.glob("*")) or list(RUNTIME.rglob(name)), name


def test_every_arrow_is_an_import() -> None:
    chart = PAGE.split("```mermaid")[1].split("```")[0]
    arrows = re.findall(r"(\w+) --> ([\w &]+)", chart)
    assert arrows
    for room, targets in arrows:
        imported = imports_of_room(room)
        for target in targets.split(" & "):
            assert target in imported, f"{room} does not import {target}"


def test_every_room_is_named() -> None:
    rooms = {path.parent.name for path in RUNTIME.glob("*/__init__.py")}
    assert not {room for room in rooms if not re.search(rf"\b{room}\b", PAGE)}


def test_rooms_import_each_other_one_way() -> None:
    imports = ROOMS["imports_between_rooms"]()
    assert len(imports) > 90
    assert "runtime/bundle" in imports["runtime/backends"]
    assert ROOMS["circles"](imports) == []


def test_a_circle_is_found() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert ROOMS["circles"](imports) == [["b", "c"]]
    assert ROOMS["shortest"]({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_the_picture_of_the_rooms_is_what_the_imports_say() -> None:
    assert (ROOT / "docs" / "rooms.md").read_text(encoding="utf-8") == ROOMS["page"](), "run: python docs/make_rooms.py"


def names_in(path: Path) -> set[str]:
    """Classes, functions and values at the top of a module."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {ast.unparse(target) for target in targets}
    return found


def test_a_newcomers_answers_are_there() -> None:
    page = (ROOT / "docs" / "newcomer.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 10
    for question, files, names in rows:
        there = set().union(*(names_in(ROOT / name) for name in re.findall(r"`([^`]+)`", files)))
        asked = set(re.findall(r"`([^`]+)`", names))
        assert asked
        assert asked <= there, f"{question}: {sorted(asked - there)}"


def test_the_glossary_points_to_files() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 25
    for word, _, files in rows:
        named = re.findall(r"`([^`]+)`", files)
        assert named, word
        for name in named:
            assert (ROOT / name).is_file(), f"{word}: {name}"


def test_tracking_has_its_thresholds_in_one_config() -> None:
    """Elsewhere in the room: 0 and 1, and constants that say what they are, as of a network or of geometry."""
    for path in (RUNTIME / "faces").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        told = [value for one in tree.body if isinstance(one, ast.Assign | ast.AnnAssign) for value in ast.walk(one)]
        settings = [
            one for one in ast.walk(tree) if isinstance(one, ast.ClassDef) and re.search("Config|Settings", one.name)
        ]
        told += [value for one in settings for value in ast.walk(one)]
        floats = {node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)}
        for node in floats - set(told):
            assert node.value in {0.0, 1e-6, 1.0}, f"{path.name}:{node.lineno}: {node.value} belongs to faces/config.py"


def test_every_threshold_of_tracking_is_told() -> None:
    for node in ast.parse((RUNTIME / "faces" / "config.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            text = ast.get_docstring(node) or ""
            for one in node.body:
                if isinstance(one, ast.AnnAssign):
                    name, kind = ast.unparse(one.target), ast.unparse(one.annotation)
                    if kind.endswith("Config"):
                        continue
                    told = re.search(rf"^(?:\w+, )*{name}(?:, \w+)*: (.*?)(?=^\S|\Z)", text, re.M | re.S)
                    assert told, f"{node.name}.{name} is not told"
                    assert kind == "bool" or re.search("Higher|Lower|Raising", told[1]), (
                        f"{node.name}.{name}: and higher?"
                    )


def names_used(paths: list[Path]) -> set[str]:
    """Every name that is read, asked of an object, imported under another name, or told in a short text."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.add(node.attr)
            elif isinstance(node, ast.alias) and node.asname:
                found.add(node.name)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


# Registered under a name that recipes use; called by a library.
NOT_CALLED_HERE = re.compile(r"Dcgan\w+|\w+Discriminator|get_next|phase_\w+|step_complete")


def test_nothing_is_there_for_tests_alone() -> None:
    code = [
        path
        for name in ("runtime", "export", "train", "benchmarks", "examples")
        for path in (ROOT / name).rglob("*.py")
    ]
    used = names_used([*code, ROOT / "cli.py", ROOT / "__init__.py"])
    for path in code:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith(
                "__"
            ):
                continue
            called = any("command" in ast.unparse(one) or "callback" in ast.unparse(one) for one in node.decorator_list)
            if not called and not NOT_CALLED_HERE.fullmatch(node.name):
                assert node.name in used, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: nobody uses it"


# Angles of heads, and widths of layers.
OTHER_TABLES = {"benchmarks/hard_scenes.py", "train/networks/fields.py"}


def entries(table: ast.expr) -> Iterator[object]:
    """What tuples and lists within each other hold; None for what is no constant."""
    if isinstance(table, ast.Tuple | ast.List):
        for one in table.elts:
            yield from entries(one)
    else:
        yield table.value if isinstance(table, ast.Constant) else None


def is_landmark_table(table: ast.Tuple | ast.List) -> bool:
    """Whether it looks like three or more points of the mesh: in no order, and no colours, which end at 255."""
    found = list(entries(table))
    numbers = [one for one in found if type(one) is int and 0 <= one < 478]
    long = len(set(numbers)) >= 5 and len(set(numbers)) == len(table.elts)
    return (
        len(numbers) == len(found) >= 3
        and numbers not in (sorted(numbers), sorted(numbers, reverse=True))
        and (max(numbers) > 255 or long)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(234, 93, 132, 454)", True),
        ("((127, 234), (356, 454))", False),
        ("((356, 454), (127, 234))", True),
        ("[98, 97, 2, 64, 3]", True),
        ("[1, 2, 3, 2, 1]", False),
        ("(256, 320, 384)", False),
        ("((230, 120, 40), (30, 60, 200))", False),
        ("(33, 700, 12, 4, 5)", False),
    ],
)
def test_landmark_tables_are_known(text: str, expected: bool) -> None:
    table = ast.parse(text, mode="eval").body
    assert isinstance(table, ast.Tuple | ast.List)
    assert is_landmark_table(table) == expected


def test_landmarks_have_one_table() -> None:
    for path in (path for name in ("runtime", "export", "train", "benchmarks") for path in (ROOT / name).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name == "runtime/geometry/landmarks.py" or name in OTHER_TABLES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Tuple | ast.List):
                told = f"{name}:{node.lineno}: landmarks belong to runtime/geometry/landmarks.py"
                assert not is_landmark_table(node), told
            elif isinstance(node, ast.Subscript):
                # Rows of an array by their numbers: three or more are points of a mesh.
                rows = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
                found = list(entries(rows)) if isinstance(rows, ast.List) else []
                assert len(found) < 3 or {type(one) for one in found} != {int}, f"{name}:{node.lineno}: {found}"


# Their numbers are names: of landmarks, of codes of a file format, a system or a library.
CODES = {
    "cuda/driver.py",
    "cuda/pycuda_device.py",
    "files/onnx_weights.py",
    "geometry/landmarks.py",
    "live/v4l2.py",
    "panel/access.py",
    "platform/graphics_libraries.py",
    "video/colour.py",
}


def is_number(value: ast.expr | None) -> bool:
    """Whether a value is made of numbers alone."""
    allowed = (ast.Tuple, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Constant, ast.Load)
    nodes = list(ast.walk(value)) if value is not None else []
    numbers = [one.value for one in nodes if isinstance(one, ast.Constant)]
    return (
        bool(numbers)
        and all(isinstance(one, allowed) for one in nodes)
        and {type(one) for one in numbers} <= {int, float}
    )


def test_a_threshold_says_what_it_is() -> None:
    """Of everything but the drawing, whose lengths and colours lie beside what is drawn with them."""
    for path in RUNTIME.rglob("*.py"):
        name = path.relative_to(RUNTIME).as_posix()
        if name in CODES or name.startswith("render/"):
            continue
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node, after in itertools.pairwise([*body, ast.Pass()]):
            if isinstance(node, ast.Assign | ast.AnnAssign) and is_number(node.value):
                told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                assert told, f"{name}:{node.lineno}: say what it is, and what raising it does"
