"""Damaged and hostile files: one clear error each, never a crash, a hang, or code that runs."""

import ast
import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toonfilter
from toonfilter.runtime.bundle import Bundle, load_bundle
from toonfilter.runtime.errors import BundleError

PACKAGE = Path(toonfilter.__file__).parent
SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def loaded(folder, content):
    """What becomes of a bundle.json: a bundle or our error, nothing else."""
    (folder / "bundle.json").write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    try:
        return load_bundle(folder)
    except BundleError:
        return None


@pytest.fixture
def folder(tiny_bundle, tmp_path):
    target = tmp_path / "bundle"
    shutil.copytree(tiny_bundle.folder, target)
    return target


@pytest.fixture
def manifest(folder):
    return json.loads((folder / "bundle.json").read_text())


@settings(max_examples=150, **SLOW)
@given(content=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_as_bundle_json(folder, content):
    assert loaded(folder, content) is None


@settings(max_examples=300, **SLOW)
@given(data=st.data())
def test_any_value_in_any_place_of_bundle_json(folder, manifest, data):
    place = mutated = copy.deepcopy(manifest)
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
    action = data.draw(st.sampled_from(["replace", "delete", "add"]))
    if action == "delete":
        del place[key]
    elif action == "add" and isinstance(place, dict):
        place[data.draw(st.text(max_size=8))] = data.draw(json_values)
    else:
        place[key] = data.draw(json_values)
    assert isinstance(loaded(folder, mutated), Bundle | None)


@pytest.mark.parametrize(
    "path", ["../tiny.onnx", "/etc/passwd", "a/../../tiny.onnx", "..", ".", "", "tiny.onnx/", "sub/tiny.onnx", "x\0y"]
)
def test_a_bundle_reaches_no_file_outside_it(folder, manifest, path):
    manifest["files"][0]["path"] = path
    assert loaded(folder, manifest) is None


def test_deep_and_huge_json(folder):
    assert loaded(folder, b"[" * 100_000) is None
    assert loaded(folder, b'{"format": 1' + b"0" * 5000 + b"}") is None
    assert loaded(folder, b'{"format": NaN, "name": "\xff"}') is None


@settings(max_examples=60, **SLOW)
@given(position=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_single_changed_bit_of_the_model_is_refused(folder, position, bit):
    model = folder / "tiny.onnx"
    content = bytearray(model.read_bytes())
    original = bytes(content)
    content[position % len(content)] ^= 1 << bit
    model.write_bytes(content)
    try:
        with pytest.raises(BundleError, match="sha256"):
            load_bundle(folder)
    finally:
        model.write_bytes(original)


def run_in_a_process(code, *arguments, timeout_s=600, **environment):
    """The code in a process of its own: a crash of a native parser is a status, not the end of the tests."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        check=False,
    )


OPEN_MODELS = """
import dataclasses, hashlib, random, sys
from pathlib import Path
import numpy as np
from toonfilter.runtime.backends import EngineOptions, open_translator
from toonfilter.runtime.bundle import load_bundle, sha256_of
from toonfilter.runtime.errors import ToonfilterError
folder, count = Path(sys.argv[1]), int(sys.argv[2])
bundle = load_bundle(folder)
model = folder / "tiny.onnx"
whole = model.read_bytes()
opened = 0
for seed in range(count):
    chance = random.Random(seed)
    content = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    if chance.random() < 0.2:
        del content[chance.randrange(len(content)):]
    model.write_bytes(content)
    print("seed", seed, flush=True)
    try:
        translator = open_translator(bundle, "onnxruntime", EngineOptions(64)).translator
        translator.translate(np.zeros((1, 64, 64, 3), np.uint8), np.zeros((1, 64, 64, 3), np.uint8))
        translator.close()
        opened += 1
    except ToonfilterError as error:
        assert str(error)
print("done", opened)
"""


@pytest.mark.timeout(1800)
def test_mutated_models_do_not_crash_the_engine(folder):
    done = run_in_a_process(OPEN_MODELS, folder, 60, timeout_s=1500)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr[-2000:]
    assert "done" in done.stdout


def test_a_model_that_points_at_other_files_is_not_opened(folder):
    onnx = pytest.importorskip("onnx")
    secret = folder.parent / "secret.bin"
    secret.write_bytes(bytes(8 * 6 * 3 * 3 * 4))
    model = onnx.load(str(folder / "tiny.onnx"))
    tensor = next(one for one in model.graph.initializer if one.name == "mix")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "../secret.bin"), ("offset", "0"), ("length", str(secret.stat().st_size))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    (folder / "tiny.onnx").write_bytes(model.SerializeToString())
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["files"][0]["sha256"] = hashlib.sha256((folder / "tiny.onnx").read_bytes()).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(manifest))
    code = """
import sys
from pathlib import Path
from toonfilter.runtime.backends import EngineOptions, open_translator
from toonfilter.runtime.bundle import load_bundle
from toonfilter.runtime.errors import BackendError, BundleError
try:
    open_translator(load_bundle(Path(sys.argv[1])), "onnxruntime", EngineOptions(64))
except (BackendError, BundleError) as error:
    print("refused", error)
"""
    done = run_in_a_process(code, folder)
    assert done.stdout.startswith("refused"), done.stdout + done.stderr[-1000:]


CONVERT_VIDEOS = """
import random, sys
from fractions import Fraction
from pathlib import Path
import av, numpy as np
from toonfilter.runtime import privacy
from toonfilter.runtime.video.convert import ConvertOptions, convert
from toonfilter.runtime.errors import ToonfilterError

class Covering:
    def track(self, frame): return frame
    def draw(self, frame): return privacy.cover(frame, "test")
    def look_back(self, waiting, newest): pass
    def cover(self, frame, reason): return privacy.cover(frame, reason)
    def reset(self): pass
    def close(self): pass

folder, count, suffix = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
clip = folder / f"whole{suffix}"
with av.open(str(clip), "w") as output:
    video = output.add_stream("libx264", 25, options={"preset": "ultrafast"})
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    sound = output.add_stream("aac", 48000)
    for number in range(20):
        picture = np.full((48, 64, 3), 10 * number, np.uint8)
        output.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.float32), "fltp", "mono")
        tone.sample_rate, tone.pts = 48000, 1920 * number
        output.mux(sound.encode(tone))
    output.mux(video.encode(None)); output.mux(sound.encode(None))
whole = clip.read_bytes()
outcomes = {}
for seed in range(count):
    chance = random.Random(seed)
    content = bytearray(whole)
    for _ in range(chance.choice((1, 4, 32, 256))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    kind = chance.random()
    if kind < 0.15:
        del content[chance.randrange(len(content)):]
    elif kind < 0.25:
        start = chance.randrange(len(content)); del content[start:start + chance.randrange(2000)]
    elif kind < 0.35:
        start = chance.randrange(len(content)); content[start:start] = chance.randbytes(chance.randrange(500))
    source = folder / f"mutated{suffix}"
    source.write_bytes(content)
    print("seed", seed, flush=True)
    try:
        report = convert(source, folder / "out.mp4", Covering, ConvertOptions(overwrite=True))
        outcome = report.status
        assert report.states.get("exposed", 0) == 0
    except ToonfilterError as error:
        outcome = "refused"
        assert str(error)
    outcomes[outcome] = outcomes.get(outcome, 0) + 1
print("done", outcomes)
"""


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_mutated_videos_are_refused_or_converted(tmp_path, suffix):
    done = run_in_a_process(CONVERT_VIDEOS, tmp_path, 40, suffix, timeout_s=1500)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr[-2000:]
    assert "done" in done.stdout


def python_files():
    return [
        PACKAGE / "cli.py",
        *(path for part in ("runtime", "export", "train", "benchmarks") for path in (PACKAGE / part).rglob("*.py")),
    ]


BETWEEN_OWN_PROCESSES = "runtime/render/drawing_process.py"
"""Unpickles what this program wrote itself a moment before, in memory that only its two processes see; as
`multiprocessing` does with all that it sends. Nothing of a file goes there but numbers and pixels."""


def test_nothing_unpickles_or_evaluates():
    forbidden_modules = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
    found = []
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}"
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [(node.module or "").split(".")[0]]
            if path.relative_to(PACKAGE).as_posix() == BETWEEN_OWN_PROCESSES:
                names = [name for name in names if name != "pickle"]
            found += [f"{where} imports {name}" for name in names if name in forbidden_modules]
            if isinstance(node, ast.Attribute) and node.attr in ("pickle", "cloudpickle"):
                found.append(f"{where} reaches for pickles through another module")
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            if called in ("eval", "exec", "compile", "__import__"):
                found.append(f"{where} calls {called}")
            if called == "torch.load" and options.get("weights_only") != "True":
                found.append(f"{where} calls torch.load without weights_only=True")
            if options.get("allow_pickle", "False") != "False":
                found.append(f"{where} allows pickles")
            if options.get("shell") == "True":
                found.append(f"{where} runs a shell")
    assert found == []


def test_a_bundle_holds_no_pickle():
    for path in (PACKAGE / "runtime").rglob("*"):
        assert path.suffix not in (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"), path


OFFLINE = """
import sys
def forbid(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        raise RuntimeError(f"network: {event} {arguments}")
sys.addaudithook(forbid)
import socket
def refuse(*_, **__):
    raise RuntimeError("network: a socket was made")
socket.create_connection = refuse
from toonfilter.cli import main
sys.argv = ["toonfilter", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("command", ["image", "video", "cam"])
def test_nothing_needs_or_tries_the_network(tiny_bundle, astronaut, tmp_path, command):
    import av
    import cv2

    cv2.imwrite(str(tmp_path / "photo.png"), cv2.cvtColor(astronaut, cv2.COLOR_RGB2BGR))
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        video = container.add_stream("libx264", 25)
        video.width, video.height, video.pix_fmt = 512, 512, "yuv420p"
        for _ in range(5):
            container.mux(video.encode(av.VideoFrame.from_ndarray(astronaut, format="rgb24")))
        container.mux(video.encode(None))
    target, options = {
        "image": (tmp_path / "cartoon.png", [tmp_path / "photo.png"]),
        "video": (tmp_path / "cartoon.mp4", [tmp_path / "clip.mp4"]),
        "cam": (tmp_path / "cam.mp4", ["--camera", tmp_path / "clip.mp4", "--size", 512, 512, "--seconds", 3]),
    }[command]
    style = ["-o", target, "--to", tiny_bundle.folder, "--engine", "onnxruntime"]
    done = run_in_a_process(OFFLINE, command, *options, *style)
    assert target.exists(), done.stdout + done.stderr[-2000:]
    assert "network" not in done.stdout + done.stderr
