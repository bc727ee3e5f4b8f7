"""A stranger's model is opened for the first time in a process of its own, with limits.

A model is a program: it may compute for ever, ask for all memory, or crash its interpreter. What came through is
remembered.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

from toonfilter.runtime.bundle import Bundle, load_bundle, shipped_folder
from toonfilter.runtime.errors import BundleError, ToonfilterError
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.platform.user_folders import trials_folder

CPU_S = 5
"""For opening a model and one picture at its smallest size, on one core. Raising it lets slower models pass."""
WALL_S = 120.0
"""How long a trial may take in all. Raising it waits longer for a model that hangs."""
MEMORY_BYTES = 6 << 30
"""What a trial may take. Raising it lets a model that fills memory disturb other programs."""
WRITTEN_BYTES = 1 << 20
"""What a trial may write into one file. Raising it lets a model fill the disk."""
_FORMAT = 1
"""Raised when trials become stricter: models are tried again."""


def try_once(bundle: Bundle) -> None:
    """Let the bundle's models run in a process with limits, unless they shipped with the program or came through.

    Raises:
        BundleError: one does not come through, with the reason.
    """
    if bundle.folder.resolve().is_relative_to(shipped_folder().resolve()):
        return
    mark = _mark_of(bundle)
    if mark.is_file():
        return
    reason = _reason_against(bundle.folder)
    if reason is not None:
        raise BundleError(f"{bundle.folder}: its model was tried in a process of its own and {reason}")
    write_whole(mark, "")


def _mark_of(bundle: Bundle) -> Path:
    import onnxruntime

    known = [str(_FORMAT), onnxruntime.__version__, *sorted(entry.sha256 for entry in bundle.files)]
    known += [str(bundle.input), str(bundle.output)]
    return trials_folder() / hashlib.sha256("\n".join(known).encode()).hexdigest()


def _reason_against(folder: Path) -> str | None:
    command = [sys.executable, "-P", "-m", "toonfilter.runtime.backends.bundle_trial", str(folder.resolve())]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=WALL_S, check=False, errors="replace")
    except subprocess.TimeoutExpired:
        return f"was not ready after {WALL_S:.0f} s"
    if ended.returncode == 0:
        return None
    if ended.returncode in (-24, 152, -9, 137):
        return f"was not ready after {CPU_S} s of computing, or took more than {MEMORY_BYTES >> 30} GB of memory"
    if ended.returncode < 0:
        return f"crashed (signal {-ended.returncode})"
    told = [line for line in ended.stderr.splitlines() if line.strip()]
    return f"failed: {told[-1][:300]}" if told else f"failed with status {ended.returncode}"


def _limit() -> None:
    """Take away from this process what no model needs; not there on Windows."""
    if sys.platform == "win32":
        return
    import resource

    limits = [
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, WRITTEN_BYTES),
        (resource.RLIMIT_CORE, 0),
    ]
    for kind, wanted in limits:
        hard = resource.getrlimit(kind)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (limit, limit))


def _run(folder: Path) -> None:
    from toonfilter.runtime.backends.onnxruntime_backend import OnnxRuntimeTranslator

    bundle = load_bundle(folder)
    size = min(bundle.input.sizes)
    for entry in bundle.files:
        if entry.backend == "onnx" and entry.size in (None, size):
            translator = OnnxRuntimeTranslator(bundle, precision=entry.precision, size=size, threads=1)
            translator.warm_up(size)
            translator.close()


def main() -> int:
    """For `python -m`: 0 when all models of the folder named by the first argument came through."""
    _limit()
    try:
        _run(Path(sys.argv[1]))
    except (ToonfilterError, MemoryError) as error:
        sys.stderr.write(f"{' '.join(str(error).split()) or 'not enough memory'}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
