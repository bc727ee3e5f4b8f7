"""What commands print, and what they remember: plain, safe, and never the reason of a failure."""

import io
import signal
import sys

import pytest

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.command_options import stop_on_signals
from toonfilter.runtime.command_line.config_file import load_defaults, save_cam
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.live.commands import CAM_SETTINGS, parse_size
from toonfilter.runtime.progress import Progress


class Watched(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_control_characters_and_turned_text_are_shown_never_sent() -> None:
    text = "a\x1b]0;OWNED\x07b\x9bc\u202emp4.exe\ud800 \N{GRINNING FACE}\u200d tab\t"
    shown = terminal.printable(text)
    assert not any(sign in shown for sign in ("\x1b", "\x07", "\x9b", "\u202e", "\ud800"))
    assert "\\x1b]0;OWNED\\x07" in shown
    assert "\N{GRINNING FACE}\u200d tab\t" in shown
    assert terminal.one_line("two\nlines") == "two lines"


def test_printing_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", narrow)
    terminal.prepare_streams()
    terminal.say("done: \N{GRINNING FACE}.mp4")
    terminal.say_table(["name"], [["\N{GRINNING FACE} [/red]"]])
    narrow.flush()
    written = narrow.buffer.getvalue().decode("cp1252")
    assert "\\U0001f600.mp4" in written
    assert "[/red]" in written

    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stdout", Gone())
    terminal.say("the terminal was closed")


def test_colours_are_for_terminals_and_for_those_who_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for environment, expected in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        with monkeypatch.context() as inner:
            for name, value in environment.items():
                inner.setenv(name, value)
            stream = Watched()
            inner.setattr(sys, "stderr", stream)
            terminal.note("odd size")
            assert ("\x1b[" in stream.getvalue()) == expected
            assert "note: odd size" in stream.getvalue()
    assert not terminal.has_colours(io.StringIO())


def test_progress_without_a_terminal_is_a_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now_s[0])
    with terminal.progress_shown("opening") as show:
        for second in range(35):
            now_s[0] = float(second)
            show(Progress(second, 7200, "frames", 2.0, 3661.0))
    lines = stream.getvalue().splitlines()
    assert lines == [f"{second} of 7200 frames, 2.0 fps, 1:01:01 left" for second in (10, 20, 30)]


def test_remembered_options_come_back(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("TOONFILTER_HOME", str(tmp_path))
    assert load_defaults(CAM_SETTINGS) == {}
    place = save_cam(
        {"camera": 'Logi "HD" \N{GRINNING FACE}', "size": "640x480", "mirror": True, "cpu_cap": None}, CAM_SETTINGS
    )
    assert place == tmp_path / "toonfilter.toml"
    assert load_defaults(CAM_SETTINGS) == {
        "cam": {"camera": 'Logi "HD" \N{GRINNING FACE}', "size": "640x480", "mirror": True}
    }
    for text, expected in (
        ("[cam]\nmirorr = true", "unknown setting cam.mirorr"),
        ("[cam]\nfps = 'fast'", "cam.fps is 'fast'; must be a number"),
        ("[cam]\non_lost = 'pass'", "never remembered"),
        ("[video]\n", r"unknown table \[video\]"),
        ("[cam", r"line 1 is '\[cam'; must be TOML: Expected"),
        ("[cam]\nmirror = True", "line 2 is 'mirror = True'; write mirror = true$"),
        ("[cam]\non_lost = cover", 'line 2 is .*: write on_lost = "cover"'),
    ):
        place.write_text(text)
        with pytest.raises(ConfigError, match=expected):
            load_defaults(CAM_SETTINGS)
    with pytest.raises(ConfigError, match="never remembered"):
        save_cam({"on_lost": "pass"}, CAM_SETTINGS)


def test_sizes_are_one_word() -> None:
    from toonfilter.cli import size_in_one_word

    assert parse_size("1280x720") == (1280, 720)
    assert size_in_one_word(["cam", "--size", "64", "48", "-q"]) == ["cam", "--size", "64x48", "-q"]
    assert size_in_one_word(["cam", "--size", "64x48", "48"]) == ["cam", "--size", "64x48", "48"]
    for wrong in ("1280", "x720", "12.5x3", "axb"):
        with pytest.raises(ConfigError, match="WIDTHxHEIGHT"):
            parse_size(wrong)


def test_what_nohup_ignores_stops_nothing() -> None:
    with stop_on_signals() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            signal.raise_signal(signal.SIGTERM)
            assert not stop.is_set()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
