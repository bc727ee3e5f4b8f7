"""Translations are whole, and every text that the page asks for is in the table."""

import json
import re
from importlib.resources import files

import pytest

from toonfilter.runtime.panel.devices import ADVICE, Trouble, why
from toonfilter.runtime.panel.languages import LANGUAGES, words
from toonfilter.runtime.platform_texts import platform_texts

FOLDER = files("toonfilter.runtime.panel")
PLACES = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_are_whole(language):
    english, table = words("en"), words(language)
    assert set(table) == set(english)
    for key, text in table.items():
        assert text.strip() == text, key
        assert text, key
        assert sorted(PLACES.findall(text)) == sorted(PLACES.findall(english[key])), key


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_translations_are_translated(language):
    english, table = words("en"), words(language)
    same = [key for key, text in table.items() if text == english[key]]
    assert len(same) < 0.12 * len(table), same


def test_what_the_page_asks_for_is_in_the_table():
    sources = [
        entry.read_text(encoding="utf-8")
        for entry in FOLDER.joinpath("static").iterdir()
        if entry.name.endswith((".js", ".html"))
    ]
    asked = set()
    for text in sources:
        asked |= set(re.findall(r'\bt\("([a-z_.]+)"', text))
        asked |= set(re.findall(r'data-t(?:-label|-title|-placeholder)?="([a-z_.]+)"', text))
        for pair in re.findall(r'\bt\([^()"]*\? "([a-z_.]+)" : "([a-z_.]+)"', text):
            asked |= set(pair)
    assert len(asked) > 100
    assert asked <= set(words("en")), asked - set(words("en"))


def test_every_state_reason_and_advice_has_words():
    table = words("en")
    for state in ("off", "protected", "holding", "covered", "unknown", "exposed"):
        assert f"state.{state}" in table
    reasons = ["hidden by the user", "starting", "stopped", "no face found", "no fresh picture", "settings change"]
    assert {f"why.{why(reason)}" for reason in [*reasons, "the filter failed: x", "1 of 2 faces covered"]} <= set(table)
    doubts = {"covered", "holding", "exposed", "face-not-drawn", "fewer-faces", "more-faces", "no-face"}
    assert {key.removeprefix("doubt.") for key in table if key.startswith("doubt.")} == doubts
    for name in ADVICE:
        assert f"trouble.{name}" in table
        for system in ("linux", "windows", "macos"):
            assert f"advice.{system}.{name}" in table


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_the_advice_is_found_in_what_the_program_says(platform):
    texts = platform_texts(platform)
    for name in ADVICE:
        found = Trouble.of(f"something went wrong; {getattr(texts, name)}", texts)
        assert getattr(texts, found.advice) == getattr(texts, name)
        assert "virtual" in Trouble.of(texts.virtual_permission, texts, is_virtual=True).advice
    assert Trouble.of("the sky fell down", texts).advice == ""


def test_tables_are_plain_text():
    for language in LANGUAGES:
        table = json.loads(FOLDER.joinpath("languages", f"{language}.json").read_text(encoding="utf-8"))
        assert not [key for key, text in table.items() if "<" in text or "\n" in text]
