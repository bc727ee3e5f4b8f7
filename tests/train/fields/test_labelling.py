"""The page on which labels are corrected: its actions, what it keeps, what it refuses, and the command."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from tests.train.fields.conftest import SIDE_PX
from toonfilter.runtime.errors import DataError, OutputError
from toonfilter.runtime.fields import FIELDS
from toonfilter.train.data.fields.corrections import (
    KINDS,
    CorrectionFile,
    Outline,
    new_correction_file,
    read_correction_files,
    read_corrections,
    write_correction_file,
)
from toonfilter.train.data.fields.labels import label_picture, labels_by_rules
from toonfilter.train.data.fields.store import LabelStore
from toonfilter.train.labelling.desk import CorrectionDesk
from toonfilter.train.labelling.overlay import COLOURS, kinds_of, overlay
from toonfilter.train.labelling.server import CorrectionServer

SQUARE = [[20.0, 20.0], [60.0, 20.0], [60.0, 60.0], [20.0, 60.0]]
HAT = [{"kind": "headwear", "points": SQUARE}]


@pytest.fixture
def desk(store: LabelStore, tmp_path: Path) -> CorrectionDesk:
    return CorrectionDesk(store, tmp_path / "corrections")


def _decoded(content: bytes) -> NDArray[np.uint8]:
    """uint8 [H, W, 4] RGBA."""
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    turned: NDArray[np.uint8] = cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA).astype(np.uint8)
    return turned


def _kind_at(picture: NDArray[np.uint8], x: float, y: float) -> str:
    """x, y: in hundredths."""
    height, width = picture.shape[:2]
    found = tuple(int(value) for value in picture[int(y * height / 100), int(x * width / 100), :3])
    return {colour: kind for kind, colour in COLOURS.items()}[found]


def test_every_picture_with_labels_comes_once_and_in_the_same_order(
    store: LabelStore, desk: CorrectionDesk, tmp_path: Path
) -> None:
    def walk(one: CorrectionDesk) -> list[str]:
        files, state = [], one.open({})
        while state["file"] is not None:
            files.append(state["file"])
            assert state["place"] == len(files) - 1
            state = one.save({"file": state["file"], "outlines": []})
        assert state["done"] == state["total"] == 5
        return files

    files = walk(desk)
    assert sorted(files) == [f"{number}.png" for number in range(5)]
    assert files != sorted(files)
    assert walk(CorrectionDesk(store, tmp_path / "others")) == files


def test_a_start_anew_goes_on_where_it_stopped(store: LabelStore, tmp_path: Path) -> None:
    first = CorrectionDesk(store, tmp_path)
    state = first.open({})
    done = [state["file"]]
    state = first.save({"file": state["file"], "outlines": HAT})
    done.append(state["file"])
    left = first.save({"file": state["file"], "outlines": []})["file"]
    again = CorrectionDesk(store, tmp_path)
    state = again.open({})
    assert (state["file"], state["done"], state["total"], state["is_kept"]) == (left, 2, 5, False)
    last = again.back({"file": None})
    assert last["file"] == done[1]
    assert again.back({"file": last["file"]})["outlines"] == [{"kind": "headwear", "points": tuple(map(tuple, SQUARE))}]


def test_a_folder_that_is_done_can_be_looked_through_again(store: LabelStore, tmp_path: Path) -> None:
    for number in range(5):
        write_correction_file(new_correction_file(tmp_path, f"{number}.png"))
    desk = CorrectionDesk(store, tmp_path)
    state = desk.open({})
    assert (state["place"], state["done"], state["is_kept"]) == (0, 5, True)
    desk.save({"file": state["file"], "outlines": []})
    assert desk.open({})["place"] == 1
    assert desk.counts == (5, 5, 1)


def test_what_is_kept_is_what_labels_are_corrected_by(store: LabelStore, tmp_path: Path) -> None:
    desk = CorrectionDesk(store, tmp_path)
    file = desk.open({})["file"]
    fine = [[20.123456, 20], [60, 20], [60, 60]]
    desk.save({"file": file, "outlines": [{"kind": "beard", "points": fine}, *HAT]})
    expected = Outline("beard", ((20.12, 20), (60, 20), (60, 60))), Outline("headwear", tuple(map(tuple, SQUARE)))
    assert read_corrections(tmp_path) == {file: expected}
    desk.save({"file": file, "outlines": []})
    assert read_corrections(tmp_path) == {file: ()}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_of_another_name_is_kept_on(store: LabelStore, tmp_path: Path) -> None:
    (tmp_path / "7.json").write_text(json.dumps({"file": "2.png", "outlines": HAT}), encoding="utf-8")
    desk = CorrectionDesk(store, tmp_path)
    assert desk.back({"file": None})["file"] == "2.png"
    desk.save({"file": "2.png", "outlines": []})
    assert read_correction_files(tmp_path) == {"2.png": CorrectionFile(tmp_path / "7.json", "2.png", ())}


def test_names_of_files_are_each_pictures_own(tmp_path: Path) -> None:
    files = ["a/b.png", "a-b.png", "A/b.png", "a/b.jpg", "..", "/etc/x", "é/ü.png", "x" * 300, "x" * 299]
    made = [new_correction_file(tmp_path, file) for file in files]
    assert len({one.path.name.casefold() for one in made}) == len(files)
    for one in made:
        assert one.path.parent == tmp_path
        write_correction_file(one)
    assert set(read_corrections(tmp_path)) == set(files)


def test_shown_is_what_the_labels_will_be(store: LabelStore, tmp_path: Path) -> None:
    """But for rounding, `fields labels` with the file that was kept makes what the page had shown."""
    copy = tmp_path / "labels"
    shutil.copytree(store.folder, copy)
    made = LabelStore(copy, writable=True)
    # Something that a network mended since: corrections begin from the rules.
    made["labels"][3] = 0
    desk = CorrectionDesk(made, tmp_path / "corrections")
    outlines = [{"kind": kind, "points": [[10 * n, 5], [10 * n + 30, 5], [50, 90]]} for n, kind in enumerate(KINDS)]
    shown = [_decoded(desk.draw({"file": "3.png", "outlines": outlines[:count]})) for count in (0, 3, 8, 2, 8)]
    assert not np.array_equal(shown[0], shown[1])
    assert np.array_equal(shown[2], shown[4])
    desk.save({"file": "3.png", "outlines": outlines})
    kept = read_corrections(tmp_path / "corrections")["3.png"]
    label_picture(made, 3, made.entries[3].attributes, kept)
    planes = {name: made["labels"][3, ..., number].astype(np.float32) / 255 for number, name in enumerate(FIELDS)}
    assert (shown[2] == overlay(planes)).all(-1).mean() > 0.998
    assert (shown[0] == overlay(planes)).all(-1).mean() < 0.9


def test_what_was_drawn_before_leaves_no_trace(store: LabelStore, tmp_path: Path) -> None:
    used = CorrectionDesk(store, tmp_path / "a")
    first, second = HAT, [{"kind": "skin", "points": [[x + 10, y + 30] for x, y in SQUARE]}]
    for outlines in ([*first, *second], second, [*second, *first], first, []):
        asked = {"file": "2.png", "outlines": outlines}
        assert used.draw(asked) == CorrectionDesk(store, tmp_path / "b").draw(asked)


def test_an_outline_is_snapped_to_the_edge(store: LabelStore, desk: CorrectionDesk) -> None:
    """Around the painted cloth, drawn two hundredths too high: the room above it stays the room."""
    photo = np.array(store["photo"][0])
    column = (photo[:, 60].astype(int) - (30, 60, 160)).__abs__().sum(1) < 60
    top = float(np.flatnonzero(column)[0]) / SIDE_PX * 100
    wide = [[14, top - 1.6], [24, top - 1.6], [24, 103], [14, 103]]
    picture = _decoded(desk.draw({"file": "0.png", "outlines": [{"kind": "over", "points": wide}]}))
    assert _kind_at(picture, 19, top + 6) == "over"
    assert _kind_at(picture, 19, top - 1.2) == "ground"


def test_kinds_are_told_by_their_planes(store: LabelStore) -> None:
    planes = labels_by_rules(store, 0)
    numbers = kinds_of(planes)
    names = {KINDS[number] for number in np.unique(numbers)}
    assert {"ground", "hair", "skin", "cloth"} <= names
    planes["beard"] = np.zeros_like(planes["person"])
    planes["beard"][100:160, 100:160], planes["beard"][180:230, 100:160] = 1, 0.5
    planes["skin"][180:230, 100:160], planes["person"][100:230, 100:160] = 0.5, 1
    planes["hair"][100:230, 100:160] = 0
    numbers = kinds_of(planes)
    assert KINDS[numbers[130, 130]] == "beard"
    assert KINDS[numbers[205, 130]] == "stubble"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "there is no such picture"),
        ({"file": "5.png", "outlines": []}, "there is no such picture"),
        ({"file": ["0.png"], "outlines": []}, "there is no such picture"),
        ({"file": "0.png"}, "outlines must be a list"),
        ({"file": "0.png", "outlines": ["hair"]}, "no kind"),
        ({"file": "0.png", "outlines": [{"kind": "fur", "points": SQUARE}]}, "must be one of ground, hair"),
        ({"file": "0.png", "outlines": [{"kind": ["hair"], "points": SQUARE}]}, "must be one of ground, hair"),
        ({"file": "0.png", "outlines": [{"kind": "hair"}]}, "fewer than three points"),
        ({"file": "0.png", "outlines": [{"kind": "hair", "points": [1, 2, 3]}]}, "no pair of numbers"),
        ({"file": "0.png", "outlines": [{"kind": "hair", "points": [*SQUARE, [1, 2, 3]]}]}, "no pair of numbers"),
        ({"file": "0.png", "outlines": [{"kind": "hair", "points": [*SQUARE, ["a", 2]]}]}, "no pair of numbers"),
        ({"file": "0.png", "outlines": [{"kind": "hair", "points": [*SQUARE, [float("nan"), 2]]}]}, "outside 0 to"),
        ({"file": "0.png", "outlines": [{"kind": "hair", "points": [*SQUARE, [200, 2]]}]}, "outside 0 to 100"),
        ({"file": "0.png", "outlines": HAT * 101}, "at most 100"),
    ],
)
def test_wrong_requests_are_refused_and_nothing_is_kept(
    desk: CorrectionDesk, tmp_path: Path, request_: dict[str, object], words: str
) -> None:
    for action in (desk.draw, desk.save):
        with pytest.raises(DataError, match=words):
            action(request_)
    assert list((tmp_path / "corrections").iterdir()) == []


def test_only_takes_names_and_patterns(store: LabelStore, tmp_path: Path) -> None:
    assert CorrectionDesk(store, tmp_path, ["2.png"]).open({})["total"] == 1
    assert CorrectionDesk(store, tmp_path, ["2.png", "[34].*"]).open({})["total"] == 3
    with pytest.raises(DataError, match=r"--only 9\.png: no such picture"):
        CorrectionDesk(store, tmp_path, ["2.png", "9.png"])
    with pytest.raises(DataError, match="nothing to correct"):
        CorrectionDesk(store, tmp_path, ["5.png"])


def test_a_full_disk_is_said_and_the_earlier_file_stays(desk: CorrectionDesk, tmp_path: Path) -> None:
    path = new_correction_file(tmp_path / "corrections", "0.png").path
    path.mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        desk.save({"file": "0.png", "outlines": []})
    assert desk.counts == (0, 5, 0)


@pytest.fixture
def served(desk: CorrectionDesk) -> Iterator[CorrectionServer]:
    with CorrectionServer(desk) as server:
        yield server


def _call(server: CorrectionServer, method: str, path: str, body: object = None) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    content = None if body is None else json.dumps(body).encode()
    connection.request(method, path, content, {} if content is None else {"Content-Type": "application/json"})
    reply = connection.getresponse()
    result = reply.status, reply.headers["Content-Type"], reply.read()
    connection.close()
    return result


def test_the_page_and_its_actions_are_served(served: CorrectionServer, tmp_path: Path) -> None:
    status, kind, page = _call(served, "GET", "/")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    own = re.findall(r'(?:src|href)="([^"]+)"', page.decode())
    assert own
    for name in own:
        assert name.startswith("/assets/")
        status, _, content = _call(served, "GET", name)
        assert status == 200
        assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", content)
    state = json.loads(_call(served, "POST", "/api/open", {})[2])
    assert [one["kind"] for one in state["kinds"]] == list(KINDS)
    assert str(tmp_path / "corrections") in state["command"]
    status, kind, photo = _call(served, "GET", f"/photo/{state['place']}")
    assert (status, kind) == (200, "image/png")
    assert cv2.imdecode(np.frombuffer(photo, np.uint8), 1).shape == (SIDE_PX, SIDE_PX, 3)
    asked = {"file": state["file"], "outlines": HAT}
    status, kind, labels = _call(served, "POST", "/api/draw", asked)
    assert (status, kind) == (200, "image/png")
    assert _kind_at(_decoded(labels), 40, 40) == "headwear"
    assert _call(served, "POST", "/api/prepare", {"file": state["ahead"]})[0] == 200
    following = json.loads(_call(served, "POST", "/api/save", asked)[2])
    assert (following["file"], following["done"]) == (state["ahead"], 1)
    earlier = json.loads(_call(served, "POST", "/api/back", {"file": following["file"]})[2])
    assert (earlier["file"], earlier["outlines"], earlier["is_kept"]) == (state["file"], HAT, True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/api/erase", {}, 404, "no such action"),
        ("POST", "/api/save", {"file": "x", "outlines": []}, 409, "no such picture"),
        ("POST", "/api/save", {"file": "0.png", "outlines": [{}]}, 409, "no kind"),
        ("POST", "/api/draw", {"file": "0.png", "outlines": HAT * 5000}, 413, "at most 262144 bytes"),
        ("POST", "/api/draw", [], 400, "must be a JSON object"),
        ("GET", "/photo/99", None, 404, "no such picture"),
        ("GET", "/assets/desk.py", None, 404, "no such page"),
    ],
)
def test_wrong_calls_are_refused_with_text(
    served: CorrectionServer, method: str, path: str, body: object, status: int, words: str
) -> None:
    got, _, content = _call(served, method, path, body)
    assert (got, words in json.loads(content)["error"]) == (status, True), content


def test_the_first_picture_has_none_before_it(desk: CorrectionDesk) -> None:
    with pytest.raises(DataError, match="this is the first picture"):
        desk.back({"file": desk.open({})["file"]})


def _command(*words: object) -> tuple[int, str]:
    """Exit status, and what was printed; errors as text of their exception."""
    from toonfilter.cli import app

    result = CliRunner().invoke(app, ["fields", "correct", "--no-browser", "--port", "0", *map(str, words)])
    return result.exit_code, str(result.exception) if result.exception else result.output


def test_bad_input_is_one_line(store: LabelStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "1.json").write_text("{")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "entries.json").write_text("[]")
    for words, said in (
        ((tmp_path / "none", tmp_path / "c"), "holds no entries.json"),
        ((tmp_path / "half", tmp_path / "c"), "cannot be read as labels"),
        ((store.folder, tmp_path / "file"), "cannot be made a folder"),
        ((store.folder, tmp_path / "wrong"), "1.json: cannot be read as corrections"),
        ((store.folder, tmp_path / "c", "--only", "x"), "--only x: no such picture"),
    ):
        status, text = _command(*words)
        assert status == 1
        assert said in text
        assert "\n" not in text


def test_a_missing_extra_is_named(store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    status, text = _command(store.folder, tmp_path)
    assert status == 1
    assert "uvicorn is not installed" in text
    assert "[app]" in text


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_ctrl_c_ends_cleanly_and_says_what_to_run(store: LabelStore, tmp_path: Path) -> None:
    folder = tmp_path / "corrections"
    words = [sys.executable, "-m", "toonfilter.cli", "fields", "correct", str(store.folder), str(folder)]
    process = subprocess.Popen(
        [*words, "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell runs in the background is deaf to Ctrl-C, and so are its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    address = re.search(r"http://127\.0\.0\.1:(\d+)/", first)
    assert address, first
    connection = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=120)
    body = json.dumps({"file": "1.png", "outlines": []}).encode()
    connection.request("POST", "/api/save", body, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert "1 of 5 pictures looked at, 1 now" in output
    assert f"fields labels FACES --output {store.folder}" in output
    assert f"--corrections {folder}" in output
