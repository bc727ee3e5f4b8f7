"""Try the project as a new user would, on every Python here and with the lowest, the newest and the locked packages.

usage: python .ci/environments.py [--write] [--short] [--only WORD]

--write puts each row into the table in CONTRIBUTING.md as soon as it is tried; rows that were not tried stay, with
their day. --short runs the short set of tests in each environment. --only takes the row of this name, e.g.
"3.12 locked", or those with this word in it, e.g. 3.13. Without --only, for systems that are not here, it says whether
all wheels are there. One environment at a time; exit status 1 where a row failed. Needs `uv`.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LIMIT_MB = 1500
TABLE_MARKS = ("<!-- environments -->", "<!-- /environments -->")
SHORT = (
    "tests/privacy/test_guard.py",
    *(f"tests/runtime/test_{name}.py" for name in ("backends", "bundle", "doctor", "image_files", "look")),
    *(f"tests/runtime/test_{name}.py" for name in ("still_images", "video_colour", "video_convert", "video_writer")),
)
# What a version reads differently shows in these; each takes seconds.
VERSIONS = ("av", "numpy", "opencv-python", "onnxruntime", "skia-python")


@dataclass(frozen=True)
class Row:
    """One environment. packages: newest (pip's choice, by the README's commands), lowest or locked (by uv)."""

    python: str
    packages: str
    tests: str = "short"
    extra: str = "test"

    @property
    def name(self) -> str:
        return f"{self.python} {self.packages}" + (f" [{self.extra}]" if self.extra != "test" else "")


# In the order of what they find most often.
ROWS = (
    Row("3.11", "lowest", "main job"),
    Row("3.13", "newest", "main job"),
    Row("3.12", "newest"),
    Row("3.11", "newest", "README"),
    Row("3.13", "lowest"),
    Row("3.13", "locked"),
    Row("3.12", "locked"),
    Row("3.12", "lowest"),
    Row("3.11", "locked"),
    *(Row("3.14", packages) for packages in ("newest", "locked", "lowest")),
    Row("3.11", "lowest", "export and train", extra="dev"),
)
TESTS = {
    "short": SHORT,
    "main job": (),
    "export and train": ("tests/package", "tests/export", "tests/train/test_recipe.py", "tests/train/test_losses.py"),
}
# As uv names them; the numbers are the oldest macOS that PyAV's wheels run on.
SYSTEMS = {
    "Linux aarch64": ("aarch64-manylinux_2_28", ""),
    "Windows x86_64": ("x86_64-pc-windows-msvc", ""),
    "macOS arm64": ("aarch64-apple-darwin", "14.0"),
    "macOS x86_64": ("x86_64-apple-darwin", "14.0"),
}
# The lowest that has wheels: old releases without them are built by nobody. TensorRT's front package never has one.
LOWEST = ("--resolution", "lowest-direct", "--only-binary", ":all:", "--no-binary", "tensorrt-rtx-cu13")
LOCKS = {"test": "requirements.lock", "dev": "requirements-dev.lock"}


@dataclass
class Tried:
    """What came out of a row; seconds of the README's first command and of the tests, megabytes with the test extra."""

    row: Row
    video: str = "not tried"
    tests: str = "not tried"
    install_s: float = 0.0
    tests_s: float = 0.0
    size_mb: int = 0
    versions: str = ""

    @property
    def is_well(self) -> bool:
        return self.video == "works" and self.tests.startswith("pass")


def interpreter(version: str) -> Path | None:
    """A working Python of this version: on the path, or one of pyenv's."""
    found = [shutil.which(f"python{version}")]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found += [str(path) for path in sorted(root.glob(f"versions/{version}.*/bin/python{version}"))]
    for path in found:
        command = [path or "", "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"]
        if path and subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == version:
            return Path(path)
    return None


def readme_commands() -> tuple[str, str]:
    """The two that set everything up: one converts the example clip, one runs the tests."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    first, second = (line for line in lines if line.startswith("python3 -m venv .venv"))
    return first, second


def copy_tree(target: Path) -> None:
    """What is committed or could be: all files that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in listed:
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def try_row(row: Row, python: Path, folder: Path) -> Tried:
    tried = Tried(row)
    copy_tree(folder)
    binaries = python.parent
    if (binaries / "python3").resolve() != python.resolve():
        binaries = folder / "bin-first"
        binaries.mkdir()
        (binaries / "python3").symlink_to(python)
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    first, second = readme_commands()
    here = str(folder / ".venv" / "bin" / "python")
    uv = ["uv", "pip", "install", "--quiet", "--python", here]

    def run(command: str | Sequence[str], what: str) -> float:
        started_s = time.monotonic()
        done = subprocess.run(
            command,
            shell=isinstance(command, str),
            cwd=folder,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            print(f"--- {row.name}: {what} ended with {done.returncode}\n{done.stdout[-6000:]}", flush=True)
            raise subprocess.CalledProcessError(done.returncode, what)
        return time.monotonic() - started_s

    try:
        if row.packages == "newest":
            tried.install_s = run(first, "the README's first command")
        else:
            run(["python3", "-m", "venv", ".venv"], "venv")
            if row.packages == "lowest":
                resolve = ["uv", "pip", "compile", "--quiet", *LOWEST, "--python-version", row.python]
                run([*resolve, "--extra", row.extra, "pyproject.toml", "-o", "lowest.txt"], "resolving the lowest")
                tried.install_s = run([*uv, "-r", "lowest.txt"], "installing the lowest")
            else:
                tried.install_s = run([*uv, "--require-hashes", "-r", LOCKS[row.extra]], "installing what is locked")
            tried.install_s += run([*uv, "--no-deps", "-e", "."], "installing the project")
            tried.install_s += run(first.rpartition("&&")[2].strip(), "converting the example clip")
        tried.video = "works"
        if row.tests == "README":
            tried.tests_s = run(second, "the README's second command")
        else:
            if row.packages == "newest":
                run([*uv, ".[test]"], "installing the test extra")
            workers = ["-n", str(min(4, os.cpu_count() or 1))]
            tried.tests_s = run([here, "-m", "pytest", "-q", *workers, *TESTS[row.tests]], "pytest")
        tried.tests = f"pass ({row.tests})"
    except subprocess.CalledProcessError as error:
        if tried.video != "works":
            tried.video = f"fails: {error.cmd}"
        else:
            tried.tests = f"fail: {error.cmd}"
    tried.size_mb = size_mb(folder / ".venv")
    tried.versions = installed_versions(here)
    if tried.is_well and row.extra == "test" and tried.size_mb > LIMIT_MB:
        tried.tests = f"fail: {tried.size_mb} MB installed, at most {LIMIT_MB} allowed"
    return tried


def size_mb(folder: Path) -> int:
    files = (path.lstat() for path in folder.rglob("*") if not path.is_symlink())
    return round(sum(file.st_size for file in files) / 1_000_000)


def installed_versions(python: str) -> str:
    code = f"import importlib.metadata as m; print(', '.join(n + ' ' + m.version(n) for n in {VERSIONS!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.strip()


HEAD = "| Python and packages | with | README's clip | tests | install and clip, s | tests, s | installed, MB | tried |"


def table(results: Sequence[Tried], missing: Sequence[str], before: str) -> Iterator[str]:
    """The rows; of those that were not tried now, what the text before says. A lacking Python has a row, too."""
    known = {row.name for row in ROWS}
    cells = {line.split("|")[1].strip(): line for line in before.splitlines() if line.startswith("| 3.")}
    lines = {name: line for name, line in cells.items() if name in known}
    for one in results:
        lines[one.row.name] = (
            f"| {one.row.name} | {one.versions} | {one.video} | {one.tests} | "
            f"{one.install_s:.0f} | {one.tests_s:.0f} | {one.size_mb} | {time.strftime('%Y-%m-%d')} |"
        )
    for version in missing:
        if not any(name.startswith(version) for name in lines):
            lines[version] = f"| {version} | | not tried: no such interpreter on that machine | | | | | |"
    yield HEAD
    yield "|---" * (HEAD.count("|") - 1) + "|"
    yield from (lines[name] for name in sorted(lines, key=lambda name: ("[" in name, name)))


def missing_wheels(python: str, system: str, packages: str) -> str:
    """The package that keeps `pip install .` from finding wheels for everything there; empty where none does."""
    name, macos = SYSTEMS[system]
    command = ["uv", "pip", "compile", "--quiet", "--only-binary", ":all:", "--python-version", python]
    command += ["--python-platform", name, "pyproject.toml"]
    if packages == "lowest":
        command += LOWEST[:2]
    elif packages == "locked":
        command += ["--constraint", LOCKS["test"]]
    environment = {**os.environ, **({"MACOSX_DEPLOYMENT_TARGET": macos} if macos else {})}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if not done.returncode:
        return ""
    found = re.search(r"hint: Wheels are required for `([^`]+)`|Because (?:only )?([a-z][a-z0-9-]+)", done.stderr)
    return next(filter(None, found.groups())) if found else "resolving fails"


WHEELS_HEAD = "| not run; are all wheels there? |"


def table_of_wheels() -> Iterator[str]:
    yield f"{WHEELS_HEAD} " + " | ".join(PYTHONS) + " |"
    yield "|---" * (len(PYTHONS) + 1) + "|"
    for system in SYSTEMS:
        cells = []
        for python in PYTHONS:
            lacking = {kind: missing_wheels(python, system, kind) for kind in ("newest", "locked", "lowest")}
            told = [f"{kind}: no {name}" for kind, name in lacking.items() if name]
            cells.append(", ".join(told) or "yes")
        yield f"| {system} | " + " | ".join(cells) + " |"


def write(results: Sequence[Tried], missing: Sequence[str], wheels: Sequence[str] = ()) -> None:
    """Put what was found into CONTRIBUTING.md; the table of wheels stays where none is given."""
    path = ROOT / "CONTRIBUTING.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(TABLE_MARKS[0])
    old, _, after = rest.partition(TABLE_MARKS[1])
    said = (
        f"Made by `python .ci/environments.py --write` on {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores that others used, too. The extra is `test` where no other is named."
    )
    below = "\n".join((*wheels, "")) if wheels else "".join(old.partition(WHEELS_HEAD)[1:])
    text = "\n".join((said, "", *table(results, missing, old), "", below))
    path.write_text(f"{before}{TABLE_MARKS[0]}\n{text}{TABLE_MARKS[1]}{after}", "utf-8")


def main(arguments: Sequence[str]) -> int:
    only = arguments[arguments.index("--only") + 1] if "--only" in arguments else ""
    rows = [row for row in ROWS if row.name == only] or [row for row in ROWS if only in row.name]
    if "--short" in arguments:
        rows = [replace(row, tests="short") if row.tests in ("README", "main job") else row for row in rows]
    pythons = {version: interpreter(version) for version in PYTHONS}
    missing = [version for version, found in pythons.items() if found is None]
    for version in missing:
        print(f"Python {version}: not on this machine, left out", flush=True)
    results: list[Tried] = []
    for row in rows:
        python = pythons[row.python]
        if python is None:
            continue
        with tempfile.TemporaryDirectory(prefix="toonfilter-") as temporary:
            one = try_row(row, python, Path(temporary) / "toonfilter")
        results.append(one)
        if "--write" in arguments:
            write(results, missing)
        print(
            f"Python {row.name}: clip {one.video} in {one.install_s:.0f} s, tests {one.tests} in "
            f"{one.tests_s:.0f} s, {one.size_mb} MB ({one.versions})",
            flush=True,
        )
    if "--write" in arguments and not only:
        write(results, missing, tuple(table_of_wheels()))
    return 0 if results and all(one.is_well for one in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
