"""Runs device_cases.py: with a driver library that only imagines its GPU everywhere, on the GPU where there is one."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toonfilter.runtime.cuda.device import open_device
from toonfilter.runtime.cuda.driver import load_driver
from toonfilter.runtime.errors import BackendError

CASES = Path(__file__).with_name("device_cases.py")
DRIVER = Path(__file__).with_name("fake_driver.cpp")
CUDA = Path(__file__).parents[2] / "runtime" / "cuda"


def run_cases(environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CASES)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux") or shutil.which("g++") is None, reason="needs Linux and g++")
def test_device_and_chain_over_an_imagined_driver(tmp_path) -> None:
    pytest.importorskip("cuda.bindings")
    library = tmp_path / "libcuda.so.1"
    command = ["g++", "-O2", "-fPIC", "-shared", "-ffp-contract=off", "-Wl,-soname,libcuda.so.1", f"-I{CUDA}"]
    subprocess.run([*command, "-o", str(library), str(DRIVER)], check=True, timeout=120)
    environment = {"LD_LIBRARY_PATH": str(tmp_path), "FAKE_CUDA": "1"}
    if importlib.util.find_spec("pycuda") is None:
        # pycuda has no wheels and compiles for minutes; its calls are checked against a stand-in with its signatures.
        known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join([str(CASES.with_name("imagined_pycuda")), *filter(None, known)])
    output = run_cases(environment)
    assert "passed" in output


def has_gpu() -> bool:
    try:
        load_driver()
    except BackendError:
        return False
    return True


@pytest.mark.gpu
@pytest.mark.skipif(not has_gpu(), reason="no NVIDIA GPU")
def test_device_and_chain_on_the_gpu() -> None:
    assert "passed" in run_cases({})


def test_without_a_driver_or_a_layer_the_reason_is_said(monkeypatch) -> None:
    with pytest.raises(BackendError, match="unknown device layer 'opencl'; known: auto, cuda-python, pycuda"):
        open_device("opencl")
    try:
        load_driver()
    except BackendError:
        with pytest.raises(BackendError, match="no NVIDIA driver here"):
            open_device()
    from toonfilter.runtime.cuda import device

    def missing(info: object, index: int) -> None:  # noqa: ARG001
        raise ImportError("No module named 'x'")

    monkeypatch.setattr(device, "gpu_info", lambda index: None)  # noqa: ARG005
    monkeypatch.setattr(device, "LAYERS", {"cuda-python": missing, "pycuda": missing})
    with pytest.raises(BackendError, match=r"pip install .*\[tensorrt\].*\[pycuda\]"):
        open_device()
