"""The layout rules: the repository's root is the package, and dependencies point one way."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("runtime", "export", "train", "benchmarks")
ALLOWED = {
    "runtime": set(),
    "export": {"runtime", "train"},
    "train": {"runtime"},
    "benchmarks": {"runtime", "export", "train"},
}
TRAIN_MAY_USE = {
    "backends",
    "bundle",
    "errors",
    "faces",
    "fields",
    "files",
    "filter",
    "frames",
    "geometry",
    "image",
    "progress",
    "render",
}
MOST_MODULE_LINES, MOST_FUNCTION_LINES = 400, 50
COMMANDS_MAY_USE = {"command_line"}
# Local pages are served by the panel's server, with its checks.
SERVERS_MAY_USE = {"panel"}


def modules() -> list[tuple[str, Path]]:
    return [(package, path) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    on_disk = {path.parent.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")}
    assert sorted(listed) == sorted({"toonfilter", *(".".join(("toonfilter", *path.parts)) for path in on_disk)})


def test_every_folder_with_code_is_a_package() -> None:
    for _, path in modules():
        assert (path.parent / "__init__.py").is_file(), path


def test_the_root_holds_two_modules() -> None:
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py", "cli.py"]


def test_dependencies_point_one_way() -> None:
    for package, path in modules():
        ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("toonfilter.")}
        assert ours - {package} <= ALLOWED[package], f"{path.relative_to(ROOT)} imports {sorted(ours)}"


def test_train_uses_only_the_contract_of_runtime() -> None:
    for package, path in modules():
        if package == "train":
            used = {name.split(".")[2] for name in imports_of(path) if name.startswith("toonfilter.runtime.")}
            allowed = TRAIN_MAY_USE | (COMMANDS_MAY_USE if path.name.endswith("commands.py") else set())
            allowed |= SERVERS_MAY_USE if path.name == "server.py" else set()
            assert used <= allowed, f"{path.relative_to(ROOT)} imports {sorted(used - allowed)}"


def test_runtime_never_imports_training_packages() -> None:
    heavy = {"torch", "torchvision", "lightning", "skimage", "sklearn", "scipy", "matplotlib", "onnx"}
    for package, path in modules():
        if package == "runtime":
            assert not heavy & {name.split(".")[0] for name in imports_of(path)}, path


def test_imports_are_absolute_and_ours_has_one_name() -> None:
    for _, path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        relative = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
        assert not relative, path
        assert not {"train", "export", "runtime", "benchmarks", "cli"} & imports_of(path), path


def test_tests_import_public_names() -> None:
    """Private attributes are ruff's SLF001."""
    for path in (ROOT / "tests").rglob("*.py"):
        ours = {name for name in imports_of(path) if name.startswith("toonfilter.")}
        assert not {name for name in ours if re.search(r"\._[a-z]", name, re.I)}, path


def test_only_the_command_prints_and_exits() -> None:
    for _, path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"print", "exit", "quit", "sys.exit", "os._exit"}, f"{path}:{node.lineno}"


def test_threads_are_ended_by_who_started_them() -> None:
    """Nobody looks for another's threads, and Python ends as usual, with the status that was returned."""
    for path in OURS:
        called = {ast.unparse(one.func) for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.Call)}
        assert not called & {"os._exit", "os.kill", "os.abort", "threading.enumerate"}, path


OURS = [ROOT / "cli.py", *(path for _, path in modules())]


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_MODULE_LINES
    assert path.name not in {"utils.py", "helpers.py", "common.py", "misc.py"}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # With its signature and docstring, without decorators.
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= MOST_FUNCTION_LINES, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines"


MOST_ATTRIBUTES = 12
# Plain records, without a state of their own, that a file dictates: each field is a key that users write or keep.
TABLES_OF_FILES = {
    "runtime/bundle.py Bundle",  # bundle.json
    "runtime/geometry/warp.py FaceWarp",  # its warp, and a recipe's
    "runtime/panel/recording_list.py Recording",  # recordings.json
    "runtime/styles/feature_rules.py EyeRules",  # a style file's tables
    "runtime/styles/style.py BaseRules",
    "train/fields_training.py FieldsRecipe",  # a recipe's tables
    "train/recipe.py DataSettings",
    "train/recipe.py Recipe",
    "train/recipe.py RunSettings",
    "train/systems/caricature.py Options",
    "train/systems/cyclegan.py Options",
    "train/systems/landmark_cyclegan.py Options",
    "train/systems/toon.py Options",
}


def fields_of(found: ast.ClassDef) -> set[str]:
    """Declared in the class's body."""
    declared = [node for node in found.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    return {ast.unparse(node.target) for node in declared if "ClassVar" not in ast.unparse(node.annotation)}


def assigned_in(found: ast.ClassDef) -> set[str]:
    """Attributes that methods give to `self`."""
    return {
        node.attr
        for node in ast.walk(found)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def test_classes_have_few_attributes() -> None:
    seen: set[str] = set()
    for path in OURS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef):
                continue
            name, assigned = f"{path.relative_to(ROOT).as_posix()} {node.name}", assigned_in(node)
            count = len(fields_of(node) | assigned)
            if name in TABLES_OF_FILES:
                seen.add(name)
                assert count > MOST_ATTRIBUTES, f"{name} has become short: take it off the list"
                assert not assigned, f"{name} is no plain record"
                continue
            assert count <= MOST_ATTRIBUTES, f"{name} has {count} attributes"
    assert seen == TABLES_OF_FILES


# The distribution of a module, where it has another name; and what is asked for with its extra or tried only.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "pillow_heif": "pillow-heif",
    "skia": "skia-python",
    "svg": "svg-path",
}
ASKED_FOR = {
    "anyio",
    "cuda",
    "openvino",
    "pycuda",
    "ray",
    "starlette",
    "tensorrt",
    "tensorrt_rtx",
    "uvicorn",
    "websockets",
}


def test_what_runtime_imports_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=;\[]", line)[0] for line in project["dependencies"]}
    for package, path in modules():
        if package == "runtime":
            found = {
                node.module if isinstance(node, ast.ImportFrom) and node.module else alias.name
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Import | ast.ImportFrom)
                for alias in node.names
            }
            roots = {name.split(".")[0] for name in found} - set(sys.stdlib_module_names) - {"toonfilter"}
            foreign = {DISTRIBUTIONS.get(name, name) for name in roots - ASKED_FOR}
            assert foreign <= declared, f"{path.relative_to(ROOT)} imports {sorted(foreign - declared)}"


def test_tests_exchange_public_names() -> None:
    """What `monkeypatch` and `setattr` put in the place of something has a public name as well."""
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
                named = [one.value for one in node.args[:2] if isinstance(one, ast.Constant)]
                private = [one for one in named if re.search(r"(^|\.)_[a-z]", str(one), re.I)]
                assert not private, f"{path.relative_to(ROOT)}:{node.lineno}: {private[0]}"
