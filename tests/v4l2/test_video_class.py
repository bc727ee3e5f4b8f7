"""A real browser takes the virtual camera as a video class would."""

import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from v4l2_rig import MARKS, OUT, START_S, is_cartoon, note

pytestmark = MARKS
# The guest has one processor, and a browser without a graphics card needs most of it.
CAM_OPTIONS = ("--fps", "8")


PAGE = """<!doctype html><title>class</title><body style="margin:0;background:#222"><video id=v muted autoplay
playsinline style="width:320px"></video><script>
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
  const small = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const step = async () => { try {
    count++;
    let enough = '';
    // The cover is grey; what is not is looked at by the test, and some of the rest.
    small.drawImage(v, 0, 0, 32, 24);
    const dots = small.getImageData(0, 0, 32, 24).data; let colour = 0;
    for (let n = 0; n < dots.length; n += 4)
      colour += Math.max(dots[n], dots[n + 1], dots[n + 2]) - Math.min(dots[n], dots[n + 1], dots[n + 2]);
    if (colour > 8 * 32 * 24 || count % 10 == 0) {
      pen.drawImage(v, 0, 0);
      const blob = await new Promise(done => canvas.toBlob(done, 'image/png'));
      enough = await (await fetch('/picture', {method: 'POST', body: blob})).text();
    }
    if (!enough) v.requestVideoFrameCallback(step);
    else await fetch('/done', {method: 'POST', body: stream.getVideoTracks()[0].label});
  } catch (error) { await fetch('/done', {method: 'POST', body: 'failed: ' + error}); } };
  v.requestVideoFrameCallback(step);
} catch (error) { await fetch('/done', {method: 'POST', body: 'failed: ' + error}); } })();
</script>"""


def test_a_browser_sees_cartoons_as_in_a_video_class(cam, webcam, tmp_path):  # noqa: ARG001 - runs the program
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs chromium")
    webcam.unplug()
    webcam.plug_in(fps=8)
    cartoons, covers, told, done = [], [], [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(PAGE.encode())

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/picture":
                image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
                (cartoons if is_cartoon(image) else covers).append(image)
            else:
                told.append(body.decode())
                done.set()
            self.answer(b"enough" if len(cartoons) >= 3 else b"")

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
        assert done.wait(START_S), f"the page did not end: {len(cartoons)} cartoons, {len(covers)} other pictures"
    finally:
        browser.terminate()
        try:
            browser.wait(20)
        except subprocess.TimeoutExpired:
            browser.kill()
        server.shutdown()
        server.server_close()
    assert "Virtual Camera" in told[0]
    assert len(cartoons) >= 3
    assert not any(webcam.uncovered(image) for image in cartoons + covers)
    cv2.imwrite(str(OUT / "browser.png"), np.ascontiguousarray(cartoons[-1][..., ::-1]))
    note(browser={"pictures": len(cartoons + covers), "cartoons": len(cartoons)})
