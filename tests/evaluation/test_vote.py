"""The vote: agreement against the published example, storage under crashes and crowds, ballots, and the server."""

import http.client
import json
import socket
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from toonfilter.benchmarks.quality.vote.agreement import count_votes, fleiss_kappa
from toonfilter.benchmarks.quality.vote.ballot import BallotOptions, prepare_ballot, read_ballot
from toonfilter.benchmarks.quality.vote.server import VoteServer
from toonfilter.benchmarks.quality.vote.store import FILE_NAME, Vote, VoteStore, counting_votes, read_votes
from toonfilter.benchmarks.quality.vote.table import vote_table
from toonfilter.runtime.errors import DataError, OutputError

# Ten subjects, fourteen raters, five categories: the worked example of Fleiss' kappa in the Wikipedia article.
EXAMPLE = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)
VOTE = Vote("ann", "p1", "a", ("a", "b"), 1.5, "2026-01-01T00:00:00+00:00")


def test_kappa_of_the_published_example() -> None:
    assert fleiss_kappa(EXAMPLE) == pytest.approx(0.210, abs=5e-4)


def test_kappa_of_full_agreement_chance_and_one_choice() -> None:
    assert fleiss_kappa(np.array([[3, 0], [0, 3], [3, 0]])) == pytest.approx(1)
    assert fleiss_kappa(np.array([[1, 1], [1, 1]])) == pytest.approx(-1)
    assert np.isnan(fleiss_kappa(np.array([[2, 0], [2, 0]])))
    generator = np.random.default_rng(0)
    chance = generator.multinomial(4, [0.5, 0.3, 0.2], size=4000)
    assert fleiss_kappa(chance) == pytest.approx(0, abs=0.02)


def test_votes_are_counted_once_per_picture_and_by_place() -> None:
    votes = [
        VOTE,
        replace(VOTE, choice="b"),
        replace(VOTE, picture="p2", shown=("b", "a")),
        replace(VOTE, reviewer="bob"),
        replace(VOTE, reviewer="bob", picture="p2"),
    ]
    table = count_votes(counting_votes(votes), ("a", "b"))
    assert table.votes == {"ann": (1, 1), "bob": (2, 0)}
    assert [share.value for share in table.shares] == [0.75, 0.25]
    assert table.positions == (2, 2)
    assert table.shared_pictures == 2
    assert count_votes([VOTE], ("a", "b")).kappa is None


def test_store_keeps_votes_of_a_crowd(tmp_path) -> None:
    store, other = VoteStore(tmp_path), VoteStore(tmp_path)

    def cast(reviewer: int) -> None:
        for picture in range(25):
            (store if reviewer % 2 else other).add(replace(VOTE, reviewer=f"r{reviewer}", picture=f"p{picture}"))

    threads = [threading.Thread(target=cast, args=(reviewer,)) for reviewer in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    votes = read_votes(tmp_path)
    assert len(votes) == 150
    assert len({(vote.reviewer, vote.picture) for vote in votes}) == 150


def test_store_survives_a_line_cut_short(tmp_path) -> None:
    VoteStore(tmp_path).add(VOTE)
    with (tmp_path / FILE_NAME).open("a") as stream:
        stream.write('{"reviewer": "ann", "pict')
    again = VoteStore(tmp_path)
    again.add(replace(VOTE, picture="p2"))
    assert [vote.picture for vote in read_votes(tmp_path)] == ["p1", "p2"]
    assert list(again.of("ann")) == ["p1", "p2"]


def test_full_disk_is_said(tmp_path) -> None:
    store = VoteStore(tmp_path)
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(DataError, match="the vote was not kept"):
        store.add(VOTE)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A source and two folders of results of seven pictures; one of them is missing in the second."""
    root = tmp_path_factory.mktemp("vote")
    for place, name in enumerate(("source", "secret-a", "secret-b")):
        (root / name).mkdir()
        for index in range(7 if name != "secret-b" else 6):
            image = np.full((60, 60, 3), 40 * place + 10 * index, np.uint8)
            cv2.imwrite(str(root / name / f"face{index}.png"), image)
    return root


@pytest.fixture
def options(folders, tmp_path) -> BallotOptions:
    models = (str(folders / "secret-a"), str(folders / "secret-b"))
    return BallotOptions(models, folders / "source", tmp_path / "vote")


def test_ballot_has_the_pictures_of_every_model_and_is_taken_up_again(options) -> None:
    ballot = prepare_ballot(options)
    assert ballot.models == ("secret-a", "secret-b")
    assert len(ballot.items) == 6
    assert prepare_ballot(options) == ballot == read_ballot(options.output)
    assert len(list((options.output / "pictures").iterdir())) == 18
    with pytest.raises(DataError, match="use another folder"):
        prepare_ballot(replace(options, seed=5))
    with pytest.raises(DataError, match="needs 2 to 9 models"):
        prepare_ballot(replace(options, models=options.models[:1]))


def test_orders_differ_between_reviewers_and_stay(options) -> None:
    ballot = prepare_ballot(options)
    orders = {name: ballot.order_for(name) for name in ("ann", "bob", "cyd", "dan")}
    assert len({tuple(order) for order in orders.values()}) > 1
    assert all(sorted(order) == list(range(6)) for order in orders.values())
    assert ballot.order_for("ann") == orders["ann"]
    places = [tuple(ballot.places_for(str(reviewer), number)) for reviewer in range(50) for number in range(6)]
    assert 0.4 < np.mean([place == (0, 1) for place in places]) < 0.6


@pytest.fixture
def served(options):
    ballot = prepare_ballot(options)
    with VoteServer(ballot, options.output) as server:
        yield server, ballot, options.output


def _call(server, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    content = None if body is None else json.dumps(body).encode()
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    if content is not None:
        sent.setdefault("Content-Type", "application/json")
    connection.request(method, path, content, sent)
    reply = connection.getresponse()
    result = reply.status, reply.read()
    connection.close()
    return result


def _ask(server, action: str, **body: object) -> dict:
    status, content = _call(server, "POST", f"/api/{action}", body)
    assert status == 200, content
    return json.loads(content)


def test_a_reviewer_votes_goes_back_breaks_off_and_finishes(served) -> None:
    server, ballot, folder = served
    state = _ask(server, "start", name="  Ann  B ")
    assert (state["done"], state["total"]) == (0, 6)
    session = state["session"]
    first = state
    state = _ask(server, "vote", session=session, item=first["item"], choice=first["choices"][0])
    assert state["done"] == 1
    state = _ask(server, "back", session=session, item=first["item"])
    assert state["choices"] == first["choices"]
    _ask(server, "vote", session=session, item=first["item"], choice=first["choices"][1])
    state = _ask(server, "start", name="Ann B")
    assert state["done"] == 1
    while state["item"] is not None:
        state = _ask(server, "vote", session=session, item=state["item"], choice=state["choices"][0])
    assert state["done"] == 6
    votes = counting_votes(read_votes(folder))
    assert len(votes) == 6
    item = ballot.items[ballot.order_for("Ann B")[first["item"]]]
    second_choice = ballot.models[item.results.index(first["choices"][1])]
    assert next(vote for vote in votes if vote.picture == item.picture).choice == second_choice


def test_nothing_that_is_sent_names_a_model_or_a_picture(served) -> None:
    server, _, _ = served
    state = _ask(server, "start", name="ann")
    sent = json.dumps(state).encode() + _call(server, "GET", "/")[1]
    assert b"secret" not in sent
    assert b"face" not in sent
    status, picture = _call(server, "GET", f"/picture/{state['choices'][0]}")
    assert status == 200
    assert picture.startswith(b"\xff\xd8")


def test_several_reviewers_at_once(served) -> None:
    server, _, folder = served

    def review(name: str) -> None:
        state = _ask(server, "start", name=name)
        session = state["session"]
        while state["item"] is not None:
            state = _ask(server, "vote", session=session, item=state["item"], choice=state["choices"][0])

    threads = [threading.Thread(target=review, args=(f"r{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_votes(folder)) == 30
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    with console.file:
        console.print(vote_table(folder))
    text = console.export_text()
    assert "secret-a" in text
    assert "Fleiss' kappa" in text
    assert "r4" in text


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/", None, {"Host": "evil.example"}, 403),
        ("POST", "/api/start", {"name": "x"}, {"Sec_Fetch_Site": "cross-site"}, 403),
        ("POST", "/api/start", {"name": "x"}, {"Origin": "http://evil.example"}, 403),
        ("GET", "/picture/../ballot.json", None, {}, 404),
        ("GET", "/ballot.json", None, {}, 404),
        ("GET", "/assets/../ballot.json", None, {}, 404),
        ("POST", "/api/nothing", {}, {}, 404),
        ("POST", "/api/start", {"name": "x"}, {"Content_Type": "text/plain"}, 415),
        ("POST", "/api/start", {"name": "x" * 5000}, {}, 413),
        ("POST", "/api/start", ["x"], {}, 400),
        ("POST", "/api/start", {"name": "   "}, {}, 409),
        ("POST", "/api/look", {"session": "unknown"}, {}, 409),
    ],
)
def test_foreign_and_wrong_requests_are_refused(served, method, path, body, headers, status) -> None:
    assert _call(served[0], method, path, body, **headers)[0] == status


def test_wrong_choices_are_refused_and_not_kept(served) -> None:
    server, _, folder = served
    state = _ask(server, "start", name="ann")
    for body in ({"item": 99, "choice": state["choices"][0]}, {"item": state["item"], "choice": state["source"]}):
        assert _call(server, "POST", "/api/vote", {"session": state["session"], **body})[0] == 409
    assert read_votes(folder) == []


@pytest.mark.parametrize(
    ("length", "more", "body"),
    [
        ("4000", "", b"[" * 4000),
        ("\u00b2", "", b""),
        ("1" * 5000, "", b""),
        ("-1", "", b""),
        ("5", "Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    ],
)
def test_odd_framing_and_nested_bodies_are_refused_without_a_traceback(served, capsys, length, more, body) -> None:
    port = served[0].port
    head = f"POST /api/start HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{more}"
    head += f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(head.encode("latin1") + body)
        answer = connection.makefile("rb").readline()
    assert answer.startswith(b"HTTP/1.1 4")
    assert capsys.readouterr().err == ""


def test_the_page_cannot_be_framed_and_names_lose_what_terminals_obey(served) -> None:
    server, _, folder = served
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", "/")
    assert "frame-ancestors 'none'" in connection.getresponse().headers["Content-Security-Policy"]
    connection.close()
    state = _ask(server, "start", name="[/red]ann\x1b[31m\ud800")
    assert _call(server, "POST", "/api/vote", {**state, "item": True, "choice": state["choices"][0]})[0] == 409
    _ask(server, "vote", session=state["session"], item=state["item"], choice=state["choices"][0])
    assert [vote.reviewer for vote in read_votes(folder)] == ["[/red]ann[31m"]


def test_taken_port_is_said(served) -> None:
    server, ballot, folder = served
    with pytest.raises(OutputError, match="choose another with --port"):
        VoteServer(ballot, folder, server.port)


def test_command_prints_the_table_of_a_vote(options) -> None:
    from toonfilter.cli import app

    prepare_ballot(options)
    store = VoteStore(options.output)
    for reviewer in ("ann", "bob"):
        for index in range(6):
            choice = "secret-a" if index % 3 else "secret-b"
            store.add(
                replace(VOTE, reviewer=reviewer, picture=f"face{index}", choice=choice, shown=("secret-a", "secret-b"))
            )
    result = CliRunner().invoke(app, ["vote", "-o", str(options.output)])
    assert result.exit_code == 0, result.output
    assert "kappa 1.00 over 6 pictures" in " ".join(result.output.split())
    assert "67 %" in result.output
