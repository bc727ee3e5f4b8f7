"""Translations are whole, and every text that the page asks for is in the table."""

import json
import re
from importlib.resources import files
from itertools import combinations

import cv2
import numpy as np
import pytest

from toonfilter.runtime.panel.devices import ADVICE, Trouble, why
from toonfilter.runtime.panel.languages import LANGUAGES, words
from toonfilter.runtime.platform.platform_texts import platform_texts

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


def test_what_the_page_reads_is_in_the_state(panel):
    read = set()
    for entry in FOLDER.joinpath("static").iterdir():
        if entry.name.endswith(".js"):
            text = entry.read_text(encoding="utf-8")
            read |= set(re.findall(r"\bstate\.(\w+)", text))
            for names in re.findall(r"\bconst \{([^}]*)\} = state;", text):
                read |= {name.split(":")[0].strip() for name in names.split(",")}
    assert len(read) > 12
    assert read <= set(panel.snapshot()), read - set(panel.snapshot())


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


# Machado, Oliveira, Fernandes 2009, severity 1: linear RGB as people without one kind of cone see it.
SIGHT = {
    "usual": np.eye(3),
    "no red cones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
CLEARLY_APART = 15.0
"""CIE 1976 difference of colours; 2.3 is just seen."""


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_of_states_differ_for_everybody(sight):
    sheet = FOLDER.joinpath("static", "panel.css").read_text(encoding="utf-8")
    accent = {"--hold": re.search(r"--hold: (#\w{6});", sheet)[1]}
    colours = {}
    for state in ("protected", "holding", "covered", "unknown"):
        named = re.search(rf"\.pill\[data-state={state}\][^{{]*{{ background: ([^;]+);", sheet)[1]
        colours[state] = accent.get(named.removeprefix("var(").removesuffix(")"), named)
    rgb = np.array([[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in colours.values()]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SIGHT[sight]).T, 0, 1)
    again = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = cv2.cvtColor(again[None].astype(np.float32), cv2.COLOR_RGB2Lab)[0]
    for one, other in combinations(range(len(colours)), 2):
        assert np.linalg.norm(lab[one] - lab[other]) > CLEARLY_APART, (list(colours)[one], list(colours)[other])
