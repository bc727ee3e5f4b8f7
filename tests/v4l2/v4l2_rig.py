"""What the tests on real devices share: a webcam that plays a marked clip, other programs' readers, and the program."""

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from toonfilter.runtime.live.cover_pictures import cover_picture
from toonfilter.runtime.live.v4l2 import heal_loopback, list_devices, output_size
from toonfilter.runtime.render.renderer import likeness

WEBCAM, VIRTUAL = "/dev/video0", "/dev/video10"
WIDTH, HEIGHT, FPS = 640, 480, 25
VIVID = "vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0 vid_cap_nr=1"
CLIP = Path(__file__).parents[2] / "examples" / "astronaut.mp4"
BLOCK, COLUMNS, ROWS = 16, 24, 3
START_S = float(os.environ.get("TOONFILTER_V4L2_START_S", "240"))
ENOUGH = 40
AGE_S = float(os.environ.get("TOONFILTER_V4L2_AGE_S", "20"))
STATES = {"protected", "holding", "covered"}
OUT = Path(os.environ.get("TOONFILTER_V4L2_OUT", "."))
ENVIRONMENT = {**os.environ, "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "3"}


def _missing():
    loopbacks = [device.path for device in list_devices() if device.is_loopback]
    if WEBCAM not in loopbacks or VIRTUAL not in loopbacks:
        return f"needs {WEBCAM} and {VIRTUAL} as v4l2loopback devices; found {loopbacks or 'none'}"
    return ""


MARKS = [
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


def open_webcam(width, height, fps):
    """The device as a writer has it; at another size only once nobody holds it at the old one any more."""
    import pyvirtualcam

    while True:
        heal_loopback(WEBCAM)
        with contextlib.suppress(RuntimeError):
            camera = pyvirtualcam.Camera(width, height, fps, device=WEBCAM)
            if output_size(WEBCAM) == (width, height):
                return camera
            camera.close()
        time.sleep(0.5)


def play_webcam(pictures, width, height, fps, is_playing):
    """The webcam: pictures there and back for ever, each with the time when it was taken."""
    with open_webcam(width, height, fps) as camera:
        start_s, number = time.monotonic(), 0
        while True:
            turn = number % (2 * len(pictures) - 2)
            image = pictures[min(turn, 2 * len(pictures) - 2 - turn)].copy()
            put_mark(image, time.monotonic() * 1000, number)
            camera.send(image if image.shape[:2] == (height, width) else cv2.resize(image, (width, height)))
            is_playing.set()
            number += 1
            time.sleep(max(0.0, start_s + number / fps - time.monotonic()))


class Webcam:
    def __init__(self):
        self.pictures = webcam_pictures()
        self.faces = []
        self.process = None

    def plug_in(self, width=WIDTH, height=HEIGHT, fps=FPS):
        context = multiprocessing.get_context("fork")
        is_playing = context.Event()
        told = (self.pictures, width, height, fps, is_playing)
        self.process = context.Process(target=play_webcam, args=told, daemon=True)
        self.process.start()
        wait_for(lambda: is_playing.is_set() or not self.process.is_alive(), START_S, "the webcam")
        assert is_playing.is_set(), "the webcam did not start"

    def unplug(self):
        self.process.kill()
        self.process.join()

    def source_of(self, number):
        turn = number % (2 * len(self.pictures) - 2)
        return min(turn, 2 * len(self.pictures) - 2 - turn)

    def find_faces(self):
        from toonfilter.runtime.faces.detection import FaceDetector

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


class Watch:
    """Looks at pictures as they come and keeps none of them: they would fill the guest's memory."""

    def __init__(self, webcam):
        self.webcam = webcam
        self.uncovered = 0
        self._last = None

    def until(self, pictures, is_awaited):
        """Whether the awaited picture came before the others ended."""
        for _, image in pictures:
            if self._last is None or not np.array_equal(image, self._last):
                self.uncovered += self.webcam.uncovered(image)
            self._last = image
            if is_awaited(image):
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


def is_timeout_picture(image):
    """Whether it is what the driver shows by itself when the program sends nothing; the program's cover looks alike."""
    return bool(np.abs(image.astype(int) - cover_picture(WIDTH, HEIGHT)).mean() < 6)


def note(**values):
    """Add to what was measured."""
    path = OUT / "v4l2.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**content, **values}, indent=1) + "\n")


def assert_complete(audit):
    """Every picture is accounted for, from the first to the last, and both are covered."""
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(len(lines)))
    assert {line["state"] for line in lines} <= STATES
    assert all(line["faces_drawn"] + line["faces_covered"] >= line["faces_found"] for line in lines)
    assert lines[0]["state"] == lines[-1]["state"] == "covered"
    return lines
