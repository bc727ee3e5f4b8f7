"""Make what is released: wheel, source archive, bill of materials (SBOM) and check sums.

usage: python .ci/release.py FOLDER [--only-build]

The same commit gives the same bytes. Needs the package `build`, and `cyclonedx-bom` and `uv` for the bill of materials.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def build(folder: Path) -> tuple[Path, Path]:
    """Wheel and source archive of the committed files, with the time of the commit as the time of every file."""
    epoch = int(git("log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary) / "toonfilter"
        for name in git("ls-files", "-z").split("\0"):
            if name and (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, tree / name)
        changed = " and changes" if git("status", "--porcelain", "--untracked-files=no") else ""
        (tree / "commit.txt").write_text(git("rev-parse", "--short=12", "HEAD") + changed + "\n", encoding="utf-8")
        for path in tree.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        made = Path(temporary) / "dist"
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        command = [sys.executable, "-m", "build", "--outdir", str(made), str(tree)]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        folder.mkdir(parents=True, exist_ok=True)
        (wheel,), (archive,) = made.glob("*.whl"), made.glob("*.tar.gz")
        level_archive(archive, folder / archive.name, epoch)
        shutil.copyfile(wheel, folder / wheel.name)
    return folder / wheel.name, folder / archive.name


def level_archive(source: Path, target: Path, epoch: int) -> None:
    """The same files in the order of their names, all of one time and nobody's."""
    plain = io.BytesIO()
    with tarfile.open(source) as old, tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            content = old.extractfile(member)
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.pax_headers = {}
            new.addfile(member, content)
    with target.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=epoch) as packed:
        packed.write(plain.getvalue())


def bill_of_materials(wheel: Path, target: Path) -> None:
    """CycloneDX: the packages of the locked set that the wheel needs, and the networks that are part of it."""
    with tempfile.TemporaryDirectory() as temporary:
        python = Path(temporary) / "bin" / "python"
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}") or "uv"
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, temporary, "--clear"], check=True)
        install = [
            uv,
            "pip",
            "install",
            "-q",
            "--python",
            str(python),
            "-c",
            str(ROOT / "requirements.lock"),
            str(wheel),
        ]
        subprocess.run(install, check=True)
        made = Path(temporary) / "bom.json"
        command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--pyproject"]
        command += [str(ROOT / "pyproject.toml"), "--output-file", str(made), str(python)]
        subprocess.run(command, check=True)
        bill = json.loads(made.read_text(encoding="utf-8"))
    bill["components"] = [part for part in bill["components"] if part["name"] not in ("toonfilter", "uv")] + networks()
    for part in bill["components"]:
        # Where a package lay on the machine that made this is nobody's business.
        part.pop("externalReferences", None)
    target.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def networks() -> list[dict[str, object]]:
    """Every network in the wheel as a component, with its check sum and licence."""
    parts: list[dict[str, object]] = []
    for path in sorted((ROOT / "runtime").rglob("*.onnx")):
        about = path.parent / "bundle.json"
        licence = json.loads(about.read_text(encoding="utf-8"))["licence"] if about.exists() else "Apache-2.0"
        parts.append(
            {
                "type": "machine-learning-model",
                "name": path.name,
                "bom-ref": path.relative_to(ROOT).as_posix(),
                "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
                "licenses": [{"license": {"id": licence}}],
            }
        )
    return parts


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0])
    made = build(folder)
    if "--only-build" not in arguments:
        bill_of_materials(made[0], folder / "sbom.cyclonedx.json")
        made = (*made, folder / "sbom.cyclonedx.json")
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made)
    (folder / "SHA256SUMS").write_text(sums, encoding="ascii")
    sys.stdout.write(sums)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
