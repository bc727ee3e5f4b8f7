"""Graphics libraries of Linux desktops that OpenCV's and Skia's wheels are linked to and servers do not have.

Nothing of toonfilter calls them but the preview window. Where one is missing, an empty stand-in is loaded under its
name before the first import, so that `video`, `image` and `batch` work without system packages.
"""

import ctypes
import importlib.util
import os
import platform
import re
import struct
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

# By the library's name, what its functions begin with.
_FUNCTIONS = {
    "libGL.so.1": r"gl[A-Z]|glX",
    "libEGL.so.1": r"egl[A-Z]",
    "libglib-2.0.so.0": r"g_",
    "libgthread-2.0.so.0": r"g_thread_init",
    "libX11.so.6": r"_?X[A-Z][a-z]",
    "libXext.so.6": r"XShm|Xext",
    "libxcb.so.1": r"xcb_",
    "libSM.so.6": r"Sm[A-Z]",
    "libICE.so.6": r"Ice[A-Z]",
    "libexpat.so.1": r"XML_",
}
_PACKAGES = ("cv2", "skia")
# ELF's number of the processor, and a function that returns 0.
_MACHINES = {"x86_64": (62, b"\x31\xc0\xc3"), "aarch64": (183, b"\x00\x00\x80\xd2\xc0\x03\x5f\xd6")}

_DYNAMIC_SYMBOLS = 11
_PAGE_BYTES = 0x10000

missing: set[str] = set()
"""The libraries that stand-ins were loaded for in this process."""


class _BeforeImport(MetaPathFinder):
    """Asked for every import; acts once, on the first of the packages, and finds nothing itself."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:  # noqa: ARG002
        if fullname in _PACKAGES:
            sys.meta_path.remove(self)
            load_stand_ins()


def watch_imports() -> None:
    """Load stand-ins as soon as OpenCV or Skia is imported; only on Linux."""
    known = sys.platform == "linux" and platform.machine() in _MACHINES
    if known and not any(isinstance(finder, _BeforeImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _BeforeImport())


def load_stand_ins() -> None:
    """Load a stand-in for each library that this machine lacks, with all functions that the packages may ask for."""
    absent = [name for name in _FUNCTIONS if name not in missing and not _is_there(name)]
    if not absent:
        return
    wanted = {name for path in _shared_objects() for name in undefined_names(path.read_bytes())}
    for name in absent:
        _load(name, sorted(function for function in wanted if re.match(_FUNCTIONS[name], function)))
        missing.add(name)


def _is_there(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _shared_objects() -> Iterator[Path]:
    """The packages' own, and those that their wheels bring."""
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        if spec.submodule_search_locations is None:
            yield origin
            folder = origin.parent
        else:
            yield from origin.parent.glob("*.so")
            folder = origin.parent.parent
        for brought in folder.glob("*.libs"):
            if brought.name.startswith(("opencv", "skia")):
                yield from brought.iterdir()


def undefined_names(elf: bytes) -> set[str]:
    """The unversioned functions that a 64-bit little-endian ELF file expects from others."""
    (sections_at,) = struct.unpack_from("<Q", elf, 40)
    entry_bytes, count = struct.unpack_from("<HH", elf, 58)
    sections = [struct.unpack_from("<IIQQQQII", elf, sections_at + entry_bytes * number) for number in range(count)]
    names: set[str] = set()
    for _, kind, _, _, start, size, strings, _ in sections:
        if kind != _DYNAMIC_SYMBOLS:
            continue
        texts = elf[sections[strings][4] :][: sections[strings][5]]
        for name_at, _, _, section, _, _ in struct.iter_unpack("<IBBHQQ", elf[start : start + size]):
            if section == 0 and name_at:
                names.add(texts[name_at : texts.index(b"\0", name_at)].decode())
    return names


def stand_in(name: str, functions: Sequence[str]) -> bytes:
    """The bytes of an ELF library called `name` for this processor, in which every function returns 0."""
    machine, code = _MACHINES[platform.machine()]
    header_bytes, segment_bytes, entry_bytes, symbol_bytes = 64, 56, 16, 24
    texts = b"".join(text.encode() + b"\0" for text in ("", name, *functions))
    code_at = header_bytes + 4 * segment_bytes
    dynamic_at = code_at + 16
    symbols_at = dynamic_at + 7 * entry_bytes
    symbols, text_at = bytes(symbol_bytes), 1 + len(name) + 1
    for function in functions:
        symbols += struct.pack("<IBBHQQ", text_at, 0x12, 0, 1, code_at, len(code))
        text_at += len(function) + 1
    # One bucket with a chain through all symbols.
    count = 1 + len(functions)
    table_at = symbols_at + len(symbols)
    table = struct.pack(f"<{3 + count}I", 1, count, count - 1, *(max(0, number - 1) for number in range(count)))
    texts_at = table_at + len(table)
    size = texts_at + len(texts)
    # What is written to while loading lies on pages of its own.
    moved = _PAGE_BYTES
    places = ((14, 1), (4, moved + table_at), (5, moved + texts_at), (6, moved + symbols_at))
    entries = (*places, (10, len(texts)), (11, symbol_bytes), (0, 0))
    header = (
        b"\x7fELF\2\1\1"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, header_bytes, 0, 0, header_bytes, segment_bytes, 4, 0, 0, 0)
    )
    segments = (
        (1, 5, 0, 0, dynamic_at, _PAGE_BYTES),
        (1, 6, dynamic_at, moved + dynamic_at, size - dynamic_at, _PAGE_BYTES),
        (2, 6, dynamic_at, moved + dynamic_at, len(entries) * entry_bytes, 8),
        (0x6474E551, 6, 0, 0, 0, 16),
    )
    for kind, flags, start, address, length, align in segments:
        header += struct.pack("<IIQQQQQQ", kind, flags, start, address, address, length, length, align)
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    return header + code.ljust(16, b"\0") + dynamic + symbols + table + texts


def _load(name: str, functions: Sequence[str]) -> None:
    # Stays open: the loader takes a path that it has seen before for the same library.
    file = os.memfd_create(name)
    os.write(file, stand_in(name, functions))
    ctypes.CDLL(f"/proc/self/fd/{file}")
