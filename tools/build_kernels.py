"""Building the GPU kernels from portrait.cu: the PTX that ships, by nvcc; and for tests the same for the CPU.

python tools/build_kernels.py
"""

import subprocess
from pathlib import Path

from toonfilter.runtime.cuda.kernels import SHIPPED
from toonfilter.runtime.errors import BackendError

SOURCE = SHIPPED.with_suffix(".cu")

# Compute capability 7.5 is the oldest card that users of TensorRT have. No contraction to fused multiply-add: the
# arithmetic is then that of the CPU build, to the last bit.
_NVCC = ("-ptx", "-arch=compute_75", "-O3", "-fmad=false")
_CXX = ("-x", "c++", "-O2", "-ffp-contract=off", "-shared", "-fPIC")
# What the kernels use is in PTX since 6.3; the version that nvcc writes would ask users for its own, newest driver.
_PTX_VERSION = ".version 7.5"


def build_ptx(output: Path, nvcc: str = "nvcc") -> None:
    """Compile the kernels.

    Raises:
        BackendError: the compiler fails; with its first line.
    """
    _run([nvcc, *_NVCC, "-o", str(output), str(SOURCE)])
    lines = output.read_text().splitlines(keepends=True)
    # The header names the compiler's build, which says nothing about the kernels.
    code = [_PTX_VERSION + "\n" if line.startswith(".version") else line for line in lines]
    output.write_text("".join(code))


def build_library(output: Path, compiler: str = "g++") -> None:
    """Compile the same functions for the CPU, as a shared library.

    Raises:
        BackendError: the compiler fails; with its first line.
    """
    _run([compiler, *_CXX, "-o", str(output), str(SOURCE)])


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise BackendError(f"{command[0]} does not run ({error})") from error
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise BackendError(f"{command[0]} failed: {reason[0] if reason else f'status {done.returncode}'}")


if __name__ == "__main__":
    build_ptx(SHIPPED)
