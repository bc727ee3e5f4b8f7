"""What a release promises: locked packages within the declared bounds, licences of what is vendored, the commit."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from toonfilter import __version__
from toonfilter.runtime.platform.release import commit_of

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = CONFIGURATION["project"]
EXTRAS = PROJECT["optional-dependencies"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def bounds(requirement: str) -> tuple[str, str, str]:
    found = re.match(r"([A-Za-z0-9-]+)(?:\[[\w,]+\])?>=([\d.]+),<([\d.]+)(?:; .+)?$", requirement)
    assert found, f"{requirement}: a lower bound that is tested, and the next major version as the upper one"
    name, lowest, too_new = found.groups()
    return name.lower(), lowest, too_new


def applies(requirement: Requirement, python: str) -> bool:
    """Whether it is installed with this Python on Linux."""
    environment = {"python_version": python, "python_full_version": f"{python}.5", "sys_platform": "linux"}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def declared(*extras: str) -> list[str]:
    wanted = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    return [line for line in wanted if not line.startswith(("toonfilter[", "mediapipe=="))]


def test_every_dependency_has_both_bounds() -> None:
    for line in (*declared(*EXTRAS), *CONFIGURATION["build-system"]["requires"]):
        _, lowest, too_new = bounds(line)
        assert numbers(lowest) < numbers(too_new)


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.lock", ("test",)),
        ("requirements-dev.lock", ("cluster", "export", "openvino", "tensorrt", "test", "train", "dev")),
    ],
)
def test_what_is_locked_is_what_is_declared(lock: str, extras: tuple[str, ...]) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    pinned = [Requirement(line) for line in re.findall(r"^([a-z0-9-]+==.*?) \\$", text, re.MULTILINE)]
    assert text.count("--hash=sha256:") > len(pinned)
    for python in PYTHONS:
        chosen: dict[str, set[str]] = {}
        for one in pinned:
            if applies(one, python):
                chosen.setdefault(one.name, set()).update(specifier.version for specifier in one.specifier)
        for line in declared(*extras):
            name, lowest, too_new = bounds(line)
            if not applies(Requirement(line), python):
                continue
            assert len(chosen.get(name, ())) == 1, f"{name}, {python}: {chosen.get(name)} in {lock}; run .ci/lock"
            (version,) = chosen[name]
            assert numbers(lowest) <= numbers(version) < numbers(too_new), f"{lock}: {name} {version}; run .ci/lock"


def test_everything_vendored_has_a_licence() -> None:
    """Files that are no text are somebody's work, or made from data."""
    patterns = re.findall(r"`([^`]+)`", (ROOT / "LICENCES.md").read_text(encoding="utf-8"))
    seen = 0
    for package in ("benchmarks", "export", "runtime", "train"):
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and b"\0" in path.read_bytes()[:4096]:
                name = path.relative_to(ROOT)
                assert any(name.match(pattern) for pattern in patterns), f"{name} has no line in LICENCES.md"
                seen += 1
    assert seen > 8


def test_the_changelog_knows_the_version() -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert __version__ in headings


def test_the_commit_of_a_clone_and_of_a_package(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
    for command in (("init", "-q"), ("-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "c", "--allow-empty")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert commit_of(tmp_path) == head.stdout[:12]
    (tmp_path / "commit.txt").write_text("0123456789ab\n")
    assert commit_of(tmp_path) == "0123456789ab"
