"""Give mypy a folder named toonfilter: the import package is the repository's root."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / ".typing" / "toonfilter"
MEMBERS = ("__init__.py", "cli.py", "py.typed", "benchmarks", "export", "runtime", "train")

PACKAGE.mkdir(parents=True, exist_ok=True)
for member in MEMBERS:
    link = PACKAGE / member
    if not link.is_symlink():
        link.symlink_to(ROOT / member)
