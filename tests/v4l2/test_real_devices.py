"""The whole program between a real webcam device and a real virtual camera, watched by programs that are not ours.

Runs where /dev/video0 is a v4l2loopback device that plays the webcam and /dev/video10 one that is the virtual camera.
The tests share one run of `toonfilter cam` and follow each other. TOONFILTER_V4L2_OUT names a folder for what was
measured; TOONFILTER_V4L2_AGE_S is how long frame ages are measured (600 for the drift over ten minutes).
"""

import itertools
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from toonfilter.runtime.cover_pictures import cover_picture
from toonfilter.runtime.painter import likeness
from toonfilter.runtime.v4l2_devices import heal_loopback, list_devices

WEBCAM, VIRTUAL = "/dev/video0", "/dev/video10"
WIDTH, HEIGHT, FPS = 640, 480, 25
VIVID = "vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0 vid_cap_nr=1"
CLIP = Path(__file__).parents[2] / "examples" / "astronaut.mp4"
BLOCK, COLUMNS, ROWS = 16, 24, 3
START_S = float(os.environ.get("TOONFILTER_V4L2_START_S", "240"))
ENOUGH = 40
AGE_S = float(os.environ.get("TOONFILTER_V4L2_AGE_S", "20"))
OUT = Path(os.environ.get("TOONFILTER_V4L2_OUT", "."))
ENVIRONMENT = {**os.environ, "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "3"}


def _missing():
    loopbacks = [device.path for device in list_devices() if device.is_loopback]
    if WEBCAM not in loopbacks or VIRTUAL not in loopbacks:
        return f"needs {WEBCAM} and {VIRTUAL} as v4l2loopback devices; found {loopbacks or 'none'}"
    return ""


pytestmark = [
    pytest.mark.v4l2,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(_missing()), reason=_missing() or "devices are there"),
]


def put_mark(image, time_ms, number):
    """Write a clock and a counter as black and white blocks into the lower left corner, with a checksum."""
    value = ((int(time_ms) & 0xFFFFFFFF) << 16) | (number & 0xFFFF)
    whole = (value << 24) | (zlib.crc32(value.to_bytes(6, "big")) & 0xFFFFFF)
    bits = np.array([whole >> place & 1 for place in range(ROWS * COLUMNS - 1, -1, -1)], np.uint8) * 255
    blocks = np.kron(bits.reshape(ROWS, COLUMNS), np.ones((BLOCK, BLOCK), np.uint8))
    image[-blocks.shape[0] :, : blocks.shape[1]] = blocks[..., None]


def get_mark(image):
    """Clock in ms and counter, or None where the mark is gone."""
    corner = image[-ROWS * BLOCK :, : COLUMNS * BLOCK]
    middles = corner[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK].mean(2).ravel()
    whole = 0
    for level in middles:
        whole = whole << 1 | int(level > 127)
    value, check = whole >> 24, whole & 0xFFFFFF
    if zlib.crc32(value.to_bytes(6, "big")) & 0xFFFFFF != check:
        return None
    return value >> 16, value & 0xFFFF


def webcam_pictures():
    """Twelve pictures of a talking face, 640x480 RGB."""
    import av

    pictures = []
    with av.open(str(CLIP)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 4 == 0:
                image = frame.to_ndarray(format="rgb24")
                factor = HEIGHT / image.shape[0]
                wide = cv2.resize(image, (round(image.shape[1] * factor), HEIGHT), interpolation=cv2.INTER_AREA)
                left = (wide.shape[1] - WIDTH) // 2
                pictures.append(np.ascontiguousarray(wide[:, left : left + WIDTH]))
            if len(pictures) == 12:
                break
    return pictures


def play_webcam(pictures, width, height):
    """The webcam: pictures there and back for ever, each with the time when it was taken."""
    import pyvirtualcam

    heal_loopback(WEBCAM)
    with pyvirtualcam.Camera(width, height, FPS, device=WEBCAM) as camera:
        start_s, number = time.monotonic(), 0
        while True:
            turn = number % (2 * len(pictures) - 2)
            image = pictures[min(turn, 2 * len(pictures) - 2 - turn)].copy()
            put_mark(image, time.monotonic() * 1000, number)
            camera.send(image if image.shape[:2] == (height, width) else cv2.resize(image, (width, height)))
            number += 1
            time.sleep(max(0.0, start_s + number / FPS - time.monotonic()))


class Webcam:
    def __init__(self):
        self.pictures = webcam_pictures()
        self.faces = []
        self.process = None

    def plug_in(self, width=WIDTH, height=HEIGHT):
        context = multiprocessing.get_context("fork")
        self.process = context.Process(target=play_webcam, args=(self.pictures, width, height), daemon=True)
        self.process.start()

    def unplug(self):
        self.process.kill()
        self.process.join()

    def source_of(self, number):
        turn = number % (2 * len(self.pictures) - 2)
        return min(turn, 2 * len(self.pictures) - 2 - turn)

    def find_faces(self):
        from toonfilter.runtime.faces import FaceDetector

        detector = FaceDetector()
        self.faces = [detector.find(picture)[0] for picture in self.pictures]
        detector.close()

    def uncovered(self, image):
        """Whether the real face can be seen in a picture that a reader got."""
        mark = get_mark(image)
        sources = range(len(self.pictures)) if mark is None else [self.source_of(mark[1])]
        for source in sources:
            box = self.faces[source]
            region = slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right))
            raw, shown = (cv2.resize(one[region], (96, 96)) for one in (self.pictures[source], image))
            if shown.std() > 2 and likeness(raw, shown) > 0.9:
                return True
        return False


def run_cam(*options, log, camera=WEBCAM):
    """`toonfilter cam` in a process of its own."""
    code = "from toonfilter.cli import main; main()"
    command = [sys.executable, "-c", code, "cam", "--camera", camera, "--size", str(WIDTH), str(HEIGHT), *options]
    with log.open("w") as stream:
        return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=ENVIRONMENT)


def wait_for(condition, limit_s, what):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {limit_s:.0f} s"
        time.sleep(0.2)


def wait_for_words(log, words, limit_s, times=1):
    deadline = time.monotonic() + limit_s
    while log.read_text().count(words) < times:
        assert time.monotonic() < deadline, f"no {words!r} within {limit_s:.0f} s: {log.read_text()}"
        time.sleep(0.2)


def is_offered():
    return any(device.path == VIRTUAL and device.can_capture for device in list_devices())


def ffmpeg_pictures(seconds):
    """(time, picture) as ffmpeg reads them."""
    options = "-fps_mode passthrough -pix_fmt rgb24 -f rawvideo -"
    command = f"ffmpeg -v error -nostdin -fflags nobuffer -f v4l2 -i {VIRTUAL} {options}"
    size, end = WIDTH * HEIGHT * 3, time.monotonic() + seconds
    while time.monotonic() < end:
        process = subprocess.Popen(command.split(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            while time.monotonic() < end:
                content = process.stdout.read(size)
                if len(content) < size:
                    # It gives up where the writer is slow; a user would open it again.
                    break
                yield time.monotonic(), np.frombuffer(content, np.uint8).reshape(HEIGHT, WIDTH, 3)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def opencv_pictures(seconds):
    """(time, picture) as OpenCV reads them."""
    capture = cv2.VideoCapture(VIRTUAL, cv2.CAP_V4L2)
    assert capture.isOpened()
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            is_whole, image = capture.read()
            if is_whole:
                yield time.monotonic(), cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def is_cartoon(image):
    return get_mark(image) is not None


def note(**values):
    """Add to what was measured."""
    path = OUT / "v4l2.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**content, **values}, indent=1) + "\n")


@pytest.fixture(scope="module")
def webcam():
    subprocess.run(["pkill", "-f", f"ffmpeg.*{WEBCAM}"], check=False)
    camera = Webcam()
    camera.plug_in()
    camera.find_faces()
    yield camera
    camera.unplug()


@pytest.fixture(scope="module")
def cam(webcam, tmp_path_factory):  # noqa: ARG001 - plays the camera
    """One run of the program, with its audit. The first pictures are watched from the moment the device offers them."""
    folder = tmp_path_factory.mktemp("cam")
    process = run_cam("--audit", str(folder / "audit.jsonl"), log=folder / "log.txt")
    process.folder = folder
    process.early = []
    wait_for(is_offered, START_S, "the virtual camera")
    for _, image in ffmpeg_pictures(START_S):
        process.early.append(image)
        if is_cartoon(image) or process.poll() is not None:
            break
        del process.early[:-400]
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()
    shutil.copy(folder / "log.txt", OUT / "cam.log")


def test_before_the_first_cartoon_only_covers_go_out(cam, webcam):
    assert is_cartoon(cam.early[-1]), (cam.folder / "log.txt").read_text()[-2000:]
    assert not any(webcam.uncovered(image) for image in cam.early)
    note(pictures_before_first_cartoon=len(cam.early) - 1)


@pytest.mark.parametrize("reader", [ffmpeg_pictures, opencv_pictures])
def test_readers_come_and_go_and_see_cartoons_in_order(cam, webcam, reader):  # noqa: ARG001 - the fixture runs the program
    seen, numbers = [], []
    for time_s, image in reader(START_S):
        seen.append((time_s, image))
        mark = get_mark(image)
        numbers += [mark[1]] if mark is not None else []
        if len(set(numbers)) >= ENOUGH:
            break
    assert len(set(numbers)) >= ENOUGH, f"{len(numbers)} cartoons in {len(seen)} pictures"
    assert all(after >= before for before, after in itertools.pairwise(numbers)), "pictures out of order"
    assert not any(webcam.uncovered(image) for _, image in seen)
    rate = (len(seen) - 1) / (seen[-1][0] - seen[0][0])
    fresh = len(set(numbers)) / (seen[-1][0] - seen[0][0])
    note(
        **{reader.__name__: {"pictures": len(seen), "per_second": round(rate, 1), "fresh_per_second": round(fresh, 1)}}
    )


def test_a_second_cam_is_told_that_the_device_is_busy(cam, tmp_path):
    second = run_cam("--device", VIRTUAL, log=tmp_path / "log.txt")
    assert second.wait(START_S) != 0
    words = (tmp_path / "log.txt").read_text()
    assert "error:" in words
    assert "Traceback" not in words
    assert cam.poll() is None


PAGE = """<!doctype html><title>class</title><body style="margin:0;background:#222"><video id=v muted autoplay
playsinline style="width:640px"></video><script>
(async () => { try {
  const cameras = navigator.mediaDevices;
  try { (await cameras.getUserMedia({video: true})).getTracks().forEach(track => track.stop()); } catch (e) {}
  let device;
  for (let n = 0; n < 60 && !device; n++) {
    const all = await navigator.mediaDevices.enumerateDevices();
    device = all.find(one => one.kind == 'videoinput' && one.label.includes('Virtual Camera'));
    if (!device) await new Promise(done => setTimeout(done, 1000));
  }
  const stream = await navigator.mediaDevices.getUserMedia({video: {deviceId: {exact: device.deviceId}}});
  v.srcObject = stream; await v.play();
  const canvas = document.createElement('canvas'); canvas.width = v.videoWidth; canvas.height = v.videoHeight;
  const pen = canvas.getContext('2d'); let count = 0;
  const step = async () => {
    pen.drawImage(v, 0, 0); count++;
    if (count % 5 == 0) {
      const blob = await new Promise(done => canvas.toBlob(done, 'image/png'));
      await fetch('/picture', {method: 'POST', body: blob});
    }
    if (count < 60) v.requestVideoFrameCallback(step);
    else await fetch('/done', {method: 'POST', body: stream.getVideoTracks()[0].label});
  };
  v.requestVideoFrameCallback(step);
} catch (error) { await fetch('/done', {method: 'POST', body: 'failed: ' + error}); } })();
</script>"""


def test_a_browser_sees_cartoons_as_in_a_video_class(cam, webcam, tmp_path):  # noqa: ARG001
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs chromium")
    pictures, told, done = [], [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(PAGE.encode())

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/picture":
                pictures.append(body)
            else:
                told.append(body.decode())
                done.set()
            self.answer(b"")

        def answer(self, content):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = (
        "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-extensions "
        "--disable-background-networking --disable-component-update --mute-audio --use-fake-ui-for-media-stream "
        f"--autoplay-policy=no-user-gesture-required --user-data-dir={tmp_path / 'profile'}"
    ).split()
    browser = subprocess.Popen(
        [chromium, *options, f"http://localhost:{server.server_address[1]}/"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert done.wait(START_S), "the page did not report"
    finally:
        browser.terminate()
        try:
            browser.wait(20)
        except subprocess.TimeoutExpired:
            browser.kill()
        server.shutdown()
        server.server_close()
    assert "Virtual Camera" in told[0]
    decoded = [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR)[..., ::-1] for one in pictures]
    cartoons = [image for image in decoded if is_cartoon(image)]
    assert len(decoded) >= 5
    assert cartoons
    assert not any(webcam.uncovered(image) for image in decoded)
    cv2.imwrite(str(OUT / "browser.png"), np.ascontiguousarray(cartoons[-1][..., ::-1]))
    note(browser={"pictures": len(decoded), "cartoons": len(cartoons)})


def test_frame_age_from_camera_to_reader(cam, webcam):  # noqa: ARG001
    ages, times, seen = [], [], deque(maxlen=100)
    start_s = time.monotonic()
    for time_s, image in ffmpeg_pictures(max(AGE_S, START_S)):
        if len(ages) > 20 and time_s - start_s > AGE_S:
            break
        mark = get_mark(image)
        if mark is not None and mark[1] not in seen:
            # A held picture is older each time; what counts is when it first arrived.
            seen.append(mark[1])
            ages.append((int(time_s * 1000) - mark[0]) & 0xFFFFFFFF)
            times.append(time_s)
    assert len(ages) > 20
    assert max(ages) < 60_000
    third = len(ages) // 3
    # A busy machine makes single pictures late; a growing queue would make the fastest ones late too.
    drift_ms = float(np.percentile(ages[-third:], 10) - np.percentile(ages[:third], 10))
    p50, p95, p99 = (float(np.percentile(ages, share)) for share in (50, 95, 99))
    seconds = times[-1] - times[0]
    note(
        frame_age_ms={
            "p50": p50,
            "p95": p95,
            "p99": p99,
            "drift": drift_ms,
            "seconds": round(seconds),
            "frames": len(ages),
        }
    )
    assert drift_ms < max(250, 0.5 * p50)


def test_an_unplugged_camera_is_covered_and_comes_back(cam, webcam):  # noqa: ARG001
    webcam.unplug()
    time.sleep(4)
    gone = [image for _, image in ffmpeg_pictures(6)]
    assert gone
    assert not any(is_cartoon(image) for image in gone)
    assert not any(webcam.uncovered(image) for image in gone)
    webcam.plug_in()
    seen = []
    for _, image in ffmpeg_pictures(START_S):
        seen.append(image)
        if is_cartoon(image):
            break
    assert is_cartoon(seen[-1])
    assert not any(webcam.uncovered(image) for image in seen)


def test_another_camera_format_in_mid_stream(cam, webcam):
    webcam.unplug()
    time.sleep(1)
    webcam.plug_in(320, 240)
    seen = [image for _, image in ffmpeg_pictures(12)]
    assert cam.poll() is None
    assert seen
    assert not any(webcam.uncovered(image) for image in seen)
    webcam.unplug()
    webcam.plug_in()


def assert_complete(audit):
    """Every picture is accounted for, from the first to the last, and both are covered."""
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(len(lines)))
    assert {line["state"] for line in lines} <= {"protected", "holding", "covered"}
    assert all(line["faces_covered"] >= line["faces_found"] for line in lines)
    assert lines[0]["state"] == lines[-1]["state"] == "covered"
    return lines


def test_ctrl_c_ends_covered_with_a_report_and_everything_is_accounted_for(cam, webcam):
    last, is_reading = [], threading.Event()

    def watch():
        for time_s, image in ffmpeg_pictures(START_S):
            last.append((time_s, image))
            is_reading.set()
            # Its own buffers come first, then what the driver shows.
            if ended_s and time_s > ended_s[0] + 3:
                break

    ended_s = []
    watcher = threading.Thread(target=watch)
    watcher.start()
    assert is_reading.wait(START_S)
    cam.send_signal(signal.SIGINT)
    assert cam.wait(60) == 0
    ended_s.append(time.monotonic())
    watcher.join()
    last = [image for _, image in last]
    assert not any(webcam.uncovered(image) for image in last)
    assert not is_cartoon(last[-1])
    log = (cam.folder / "log.txt").read_text()
    assert "exposed 0" in log
    lines = assert_complete(cam.folder / "audit.jsonl")
    note(audit={state: sum(line["state"] == state for line in lines) for state in ("protected", "holding", "covered")})


def test_a_webcam_pulled_out_is_taken_up_again(tmp_path):
    if subprocess.run(["modprobe", *VIVID.split()], check=False).returncode:
        pytest.skip("needs the vivid test driver")
    driver = Path("/sys/bus/platform/drivers/vivid")
    log = tmp_path / "log.txt"
    process = run_cam("--audit", str(tmp_path / "audit.jsonl"), log=log, camera="vivid")
    try:
        wait_for_words(log, "camera: vivid", START_S)
        (driver / "unbind").write_text("vivid.0")
        wait_for_words(log, "camera lost", 30)
        assert is_offered()
        (driver / "bind").write_text("vivid.0")
        wait_for_words(log, "camera: vivid", 60, times=2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert "came back 1 time" in log.read_text()
    assert_complete(tmp_path / "audit.jsonl")


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_after_a_crash_in_a_call_the_timeout_picture_shows_and_the_next_start_works(webcam, tmp_path, way):
    process = run_cam(log=tmp_path / "log.txt")
    try:
        wait_for(is_offered, START_S, "the virtual camera")
        capture = cv2.VideoCapture(VIRTUAL, cv2.CAP_V4L2)
        assert capture.read()[0]
        process.send_signal(way)
        process.wait(60)
        # What was still in the driver's buffers is read first.
        time.sleep(2.5)
        after = [image[..., ::-1] for is_whole, image in (capture.read() for _ in range(5)) if is_whole]
    finally:
        process.kill()
        process.wait()
    assert not any(webcam.uncovered(image) for image in after)
    if way is signal.SIGKILL:
        assert np.abs(after[-1].astype(int) - cover_picture(WIDTH, HEIGHT)).mean() < 6
    # The call goes on reading: only then the device looks as if somebody wrote to it.
    again = run_cam("--seconds", "4", log=tmp_path / "again.txt")
    while again.poll() is None:
        is_whole, image = capture.read()
        assert not is_whole or not webcam.uncovered(image[..., ::-1])
    capture.release()
    words = (tmp_path / "again.txt").read_text()
    assert again.returncode == 0, words
    assert f"virtual camera: {VIRTUAL}" in words
