"""The guide to styles says what the rules are, and its pictures are there."""

import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def test_the_guide_is_what_the_rules_say() -> None:
    made = runpy.run_path(str(DOCS / "make_styles.py"))["page"]()
    assert (DOCS / "styles.md").read_text(encoding="utf-8") == made, "run: python docs/make_styles.py"


def test_the_schema_is_what_the_rules_say_and_takes_what_ships() -> None:
    made = runpy.run_path(str(DOCS / "make_styles.py"))["schema"]()
    assert (DOCS / "style.schema.json").read_text(encoding="utf-8") == made, "run: python docs/make_styles.py"
    checker = pytest.importorskip("jsonschema").Draft202012Validator(json.loads(made))
    for path in (DOCS.parent / "runtime" / "models").glob("*.toml"):
        assert not list(checker.iter_errors(tomllib.loads(path.read_text(encoding="utf-8")))), path.name
    for text in (
        "[base]\nshade = 2.0",
        "[base]\nno_key = 1",
        '[base]\npattern = "spots"',
        "[proportions]\njaw_width = 9",
    ):
        assert list(checker.iter_errors(tomllib.loads(text))), text


def test_what_the_pictures_change_are_keys_in_their_range(tmp_path) -> None:
    from toonfilter.runtime.styles.style_reading import read_style

    for texts in runpy.run_path(str(DOCS / "make_styles.py"))["picture_rows"]().values():
        for text in texts:
            path = tmp_path / "side.toml"
            path.write_text(text)
            read_style(path)


@pytest.mark.parametrize("page", ["docs/styles.md", "README.md"])
def test_pictures_are_there_and_small(page: str) -> None:
    path = DOCS.parent / page
    named = re.findall(r"!\[[^\]]*\]\(([^)]*(?:style)[^)]*)\)", path.read_text(encoding="utf-8"))
    assert named
    for name in named:
        limit = 120_000 if name.endswith(".webp") else 30_000
        assert (path.parent / name).stat().st_size < limit, name
