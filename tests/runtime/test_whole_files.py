"""Outputs appear whole or not at all, through names that nobody can plant, and never over an input."""

from pathlib import Path

import pytest

from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.files import whole_files
from toonfilter.runtime.files.whole_files import check_outputs, new_part, replacing, write_whole


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def fail_half_way() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert path.read_text() == "before"
    write_whole(path, "after")
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_a_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_files.secrets, "token_hex", lambda count: "0" * 2 * count)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    planted = new_part(tmp_path / "a.txt")
    planted.unlink()
    planted.symlink_to(victim)
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole(tmp_path / "a.txt", "new")
    assert victim.read_text() == "precious"


def test_a_name_as_long_as_the_disk_takes_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 246 + ".mp4")
    write_whole(path, b"content")
    assert path.read_bytes() == b"content"


def test_results_have_the_usual_rights(tmp_path: Path) -> None:
    write_whole(tmp_path / "ours", "")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_outputs_are_checked_against_inputs_and_each_other(tmp_path: Path) -> None:
    source, other = tmp_path / "in.mp4", tmp_path / "out.mp4"
    source.write_text("")
    (tmp_path / "link.mp4").symlink_to(source)
    (tmp_path / "hard.mp4").hardlink_to(source)
    for output in (source, tmp_path / "link.mp4", tmp_path / "hard.mp4", tmp_path / "sub" / ".." / "in.mp4"):
        with pytest.raises(OutputError, match="input"):
            check_outputs([other, output], [None, source], overwrite=True)
    with pytest.raises(OutputError, match="two outputs"):
        check_outputs([other, None, tmp_path / "out.mp4"], [source], overwrite=True)
    with pytest.raises(OutputError, match="a folder"):
        check_outputs([tmp_path], [source], overwrite=True)
    with pytest.raises(OutputError, match="no such folder"):
        check_outputs([tmp_path / "gone" / "a"], [source], overwrite=True)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="--overwrite"):
        check_outputs([tmp_path / "dangling"], [source], overwrite=False)
    check_outputs([other, None], [source, None], overwrite=False)
