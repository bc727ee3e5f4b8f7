"""Only this machine's browser, on our own page, with the key of this run."""

import cv2
import numpy as np
import pytest
from panel_rig import HOST, LIVE, OURS, TOKEN, client_of
from starlette.websockets import WebSocketDisconnect

from toonfilter.runtime.panel.access import OneTimeKeys
from toonfilter.runtime.panel.phone import qr_code


def test_the_key_becomes_a_cookie_that_stays_on_this_site_and_leaves_the_address(panel):
    client = client_of(panel, is_known=False)
    answer = client.get("/", params={"token": TOKEN}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("query", [{}, {"token": ""}, {"token": TOKEN[:-1]}, {"token": "schlüssel"}])
def test_without_the_key_nothing_is_told(panel, query):
    client = client_of(panel, is_known=False)
    answer = client.get("/", params=query)
    assert answer.status_code == 403
    assert "<html" not in answer.text
    assert client.post("/api/camera/start", json={}).status_code == 403
    assert client.post("/api/phone", json={}).status_code == 403
    assert panel.camera.snapshot()["phase"] == "off"
    assert client.get("/languages/en").status_code == 403
    assert client.put("/upload?name=a.mp4", content=b"x").status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(LIVE) as socket:
        socket.receive_text()


def test_a_wrong_cookie_is_not_the_key(panel):
    client = client_of(panel, is_known=False, headers={**OURS, "Cookie": "toonfilter-7847=guess"})
    assert client.post("/api/camera/stop", json={}).status_code == 403


@pytest.mark.parametrize(
    "host", ["attacker.example:7847", "127.0.0.1:1", "127.0.0.1", "[::1]:7847", "0.0.0.0:7847", ""]
)
def test_another_name_for_this_machine_is_refused(client, panel, host):
    """DNS rebinding: the browser believes that the attacker's name is ours."""
    assert client.get("/", headers={"Host": host}).status_code == 403
    assert client.post("/api/camera/start", json={}, headers={"Host": host}).status_code == 403
    assert panel.camera.snapshot()["phase"] == "off"
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(LIVE, headers={"Host": host}) as socket,
    ):
        socket.receive_text()


@pytest.mark.parametrize(
    "origin", ["https://attacker.example", "null", "http://127.0.0.1:8000", "http://127.0.0.1", f"https://{HOST}"]
)
def test_pages_of_other_origins_are_refused_even_with_the_cookie(client, panel, origin):
    """A page on another port of this machine is the same site for the browser: it sends our cookie along."""
    assert client.post("/api/camera/start", json={}, headers={"Origin": origin}).status_code == 403
    assert client.put("/upload?name=a.mp4", content=b"x", headers={"Origin": origin}).status_code == 403
    assert client.get("/styles/cartoon/picture", headers={"Origin": origin}).status_code == 403
    assert panel.camera.snapshot()["phase"] == "off"
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(LIVE, headers={"Origin": origin}) as socket,
    ):
        socket.receive_text()


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pictures_cannot_be_embedded_elsewhere(client, site):
    answer = client.get("/styles/cartoon/picture", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
    assert answer.status_code == 403
    assert client.get("/languages/en", headers={"Sec-Fetch-Site": site}).status_code == 403


def test_requests_that_change_something_must_say_where_they_come_from(panel):
    client = client_of(panel, headers={})
    assert client.post("/api/camera/start", json={}).status_code == 403
    assert client.put("/upload?name=a.mp4", content=b"x").status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(LIVE) as socket:
        socket.receive_text()


@pytest.mark.parametrize("path", ["/", "/assets/app.js", "/languages/de", "/nothing", "/styles/x/picture"])
def test_every_answer_forbids_what_the_page_does_not_need(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_asking_across_origins_first_gets_no_permission(client):
    answer = client.options(
        "/api/camera/start",
        headers={"Origin": "https://attacker.example", "Access-Control-Request-Method": "POST"},
    )
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_the_page_needs_nothing_from_elsewhere(client):
    """No address of another server in anything that is served, and no script or style inside the page."""
    page = client.get("/").text
    assert "<script>" not in page
    assert " style=" not in page
    assert " on" not in {part[:3] for part in page.split('"')}
    for name in ("panel.css", "app.js", "camera.js", "icon.svg"):
        text = client.get(f"/assets/{name}").text.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
        assert "innerHTML" not in text


@pytest.mark.parametrize("name", ["../panel.py", "..%2fpanel.py", "%2e%2e/commands.py", "en.json", "..\\panel.py"])
def test_only_the_pages_own_files_are_served(client, name):
    assert client.get(f"/assets/{name}").status_code in (403, 404)


def test_a_key_for_a_phone_opens_once_and_soon():
    now_s = [0.0]
    keys = OneTimeKeys(60.0, lambda: now_s[0])
    assert not keys.take("")
    key = keys.make()
    assert not keys.take(key[:-1])
    assert keys.take(key)
    assert not keys.take(key)
    key = keys.make()
    now_s[0] = 61.0
    assert not keys.take(key)
    old, fresh = keys.make(), keys.make()
    assert not keys.take(old)
    assert keys.take(fresh)


def test_an_invitation_lets_a_phone_in_once(client):
    address = client.post("/api/phone", json={}).json()["address"]
    assert address.startswith(f"http://{HOST}/?token=")
    assert TOKEN not in address
    client.cookies.clear()
    assert client.get("/").status_code == 403
    assert client.get(address).status_code == 200
    assert client.post("/api/camera/stop", json={}).status_code == 200
    client.cookies.clear()
    assert client.get(address).status_code == 403


@pytest.mark.parametrize("length", [1, 52, 100])
def test_the_code_can_be_read(length):
    text = "x" * length
    modules = np.array([[int(module) for module in row] for row in qr_code(text)], np.uint8)
    picture = np.pad(255 - 255 * np.kron(modules, np.ones((6, 6), np.uint8)), 24, constant_values=255)
    assert cv2.QRCodeDetectorAruco().detectAndDecode(picture)[0] == text
