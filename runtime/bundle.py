"""The bundle: a folder with bundle.json and model files, the contract between train, export and runtime.

No pickles. Unknown keys are errors, every file's sha256 is checked on load, and bundle.json is written last.
"""

import dataclasses
import hashlib
import json
import os
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from toonfilter.runtime.errors import BundleError

FORMAT = 1
MANIFEST = "bundle.json"
Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True, slots=True)
class Training:
    """How the weights came to be. recipe and commit name the code; data says what pictures, under which licences."""

    recipe: str
    commit: str
    data: str
    steps: int


@dataclass(frozen=True, slots=True)
class InputSpec:
    """uint8 [N, S, S, 3] RGB crops, S one of sizes; with guidance_channels > 0 a second input uint8 [N, S, S, G]."""

    sizes: list[int]
    guidance_channels: int = 0


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """uint8 [N, S, S, channels]: 3 is RGB; 4 is RGB and the matte of the person to blend with."""

    channels: int = 3


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One model file. size is None where the file takes every size of the input spec."""

    backend: str
    precision: Precision
    path: str
    sha256: str
    opset: int
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Parity:
    """A file against PyTorch on real face crops, in 8-bit levels."""

    path: str
    mean_abs_error: float
    max_abs_error: float
    psnr_db: float
    crops: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """What bundle.json says, and the folder it lies in.

    geometry: keyword arguments of `toonfilter.runtime.geometry.warp.FaceWarp`; empty draws true to scale.
    takes_drawings: made for cartoons, not for photographs: it hides nobody, and cameras refuse it.
    scores: evaluation results by measure.
    """

    name: str
    version: str
    licence: str
    description: str
    training: Training
    input: InputSpec
    output: OutputSpec
    files: list[ModelFile]
    format: int = FORMAT
    geometry: dict[str, float] = field(default_factory=dict)
    parity: list[Parity] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    takes_drawings: bool = False
    folder: Path = field(default=Path(), compare=False)

    def file_for(self, precision: Precision, size: int, backend: str = "onnx") -> ModelFile:
        """The file of this precision that takes this size.

        Raises:
            BundleError: there is none; the text lists what there is.
        """
        for entry in self.files:
            if entry.precision == precision and entry.backend == backend and entry.size in (None, size):
                return entry
        have = ", ".join(f"{e.precision} {e.size or 'any size'}" for e in self.files) or "no file"
        raise BundleError(f"bundle {self.name} has no {precision} file for size {size}; it has {have}")

    def path_of(self, entry: ModelFile) -> Path:
        """Where the file lies."""
        return self.folder / entry.path

    @property
    def precisions(self) -> list[str]:
        """The precisions there are files for, in order."""
        return list(dict.fromkeys(entry.precision for entry in self.files))


def sha256_of(path: Path) -> str:
    """The file's sha256 as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_bundle(folder: Path) -> Bundle:
    """Read bundle.json and check it and every file it names.

    Raises:
        BundleError: anything missing, unknown, out of range, or of another sha256.
    """
    manifest = folder / MANIFEST
    try:
        text = manifest.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{manifest} cannot be read ({error}); a bundle is a folder with bundle.json") from error
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{manifest} is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise BundleError(f"{manifest} holds a {type(content).__name__}; must be an object")
    found = content.get("format")
    if found != FORMAT:
        raise BundleError(
            f"{manifest}: format is {found!r}; this toonfilter reads format {FORMAT}. Export the model again, "
            "or install the toonfilter version that wrote it"
        )
    parsed: Bundle = _parse(Bundle, content, "")
    bundle = dataclasses.replace(parsed, folder=folder)
    _check_values(bundle)
    for entry in bundle.files:
        _check_file(bundle, entry)
    return bundle


def write_bundle(bundle: Bundle, folder: Path) -> None:
    """Write bundle.json into the folder that already holds the files; last, and under a temporary name first.

    Raises:
        BundleError: a value out of range, or a file missing or of another sha256.
    """
    aligned = dataclasses.replace(bundle, folder=folder)
    _check_values(aligned)
    for entry in aligned.files:
        _check_file(aligned, entry)
    content = dataclasses.asdict(aligned)
    del content["folder"]
    temporary = folder / f".{MANIFEST}.{os.getpid()}"
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / MANIFEST)


def shipped_folder() -> Path:
    """The folder of the bundles that come with the package."""
    return Path(__file__).with_name("models")


def user_folder() -> Path:
    """The folder of the bundles the user installed; TOONFILTER_HOME overrides the platform's data folder."""
    if home := os.environ.get("TOONFILTER_HOME"):
        return Path(home) / "models"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    return base / "toonfilter" / "models"


def known_bundles() -> dict[str, Path]:
    """Bundle folders by name: the user's first, then those that ship."""
    found: dict[str, Path] = {}
    for root in (user_folder(), shipped_folder()):
        if root.is_dir():
            for manifest in sorted(root.glob(f"*/{MANIFEST}")):
                found.setdefault(manifest.parent.name, manifest.parent)
    return found


def find_bundle(name: str) -> Bundle:
    """Load the bundle of this name, or at this path.

    Raises:
        BundleError: no such name (the known ones are listed), or the bundle is not whole.
    """
    known = known_bundles()
    if name in known:
        return load_bundle(known[name])
    if (Path(name) / MANIFEST).is_file():
        return load_bundle(Path(name))
    listing = ", ".join(sorted(known)) or "none"
    raise BundleError(f"unknown style {name!r}; known styles: {listing}. A path to a bundle folder works too")


def _check_values(bundle: Bundle) -> None:
    name = bundle.name
    if not name or any(character in name for character in "/\\\0") or name.startswith("."):
        raise BundleError(f"bundle.json: name is {name!r}; must be a plain folder name")
    if not bundle.input.sizes:
        raise BundleError("bundle.json: input.sizes is empty; must name at least one size")
    for size in bundle.input.sizes:
        if not 32 <= size <= 2048 or size % 4:
            raise BundleError(f"bundle.json: input.sizes has {size}; must be a multiple of 4 from 32 to 2048")
    if bundle.input.guidance_channels not in (0, 3):
        raise BundleError(f"bundle.json: input.guidance_channels is {bundle.input.guidance_channels}; must be 0 or 3")
    if bundle.output.channels not in (3, 4):
        raise BundleError(f"bundle.json: output.channels is {bundle.output.channels}; must be 3 or 4")
    if not bundle.files:
        raise BundleError("bundle.json: files is empty; must name at least one model file")


def _check_file(bundle: Bundle, entry: ModelFile) -> None:
    if Path(entry.path).name != entry.path:
        raise BundleError(f"bundle.json: path {entry.path!r} leads out of the bundle; must be a plain file name")
    path = bundle.path_of(entry)
    if not path.is_file():
        raise BundleError(f"{path} is missing, bundle.json names it; install the bundle again")
    try:
        found = sha256_of(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror or error})") from error
    if found != entry.sha256:
        raise BundleError(
            f"{path}: sha256 is {found[:12]}..., bundle.json says {entry.sha256[:12]}...; the file was damaged or "
            "changed. Install the bundle again"
        )


def _parse(kind: Any, value: Any, where: str) -> Any:
    """Value as the annotated type, strictly; `where` is the dotted path for the error text."""
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _parse_dataclass(kind, value, where)
    if origin is list:
        if not isinstance(value, list):
            raise _wrong(where, value, "a list")
        return [_parse(get_args(kind)[0], item, f"{where}[{index}]") for index, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(where, value, "an object")
        return {str(key): _parse(get_args(kind)[1], item, f"{where}.{key}") for key, item in value.items()}
    if origin is Literal:
        if value not in get_args(kind):
            raise _wrong(where, value, " or ".join(map(str, get_args(kind))))
        return value
    if origin in (Union, types.UnionType):
        return None if value is None else _parse(get_args(kind)[0], value, where)
    accepted = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise _wrong(where, value, f"a {kind.__name__}")
    return float(value) if kind is float else value


def _parse_dataclass(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, value, "an object")
    hints = get_type_hints(kind)
    fields = {entry.name: entry for entry in dataclasses.fields(kind) if entry.name != "folder"}
    prefix = f"{where}." if where else ""
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise BundleError(f"bundle.json: unknown key {prefix}{unknown[0]}; known: {', '.join(fields)}")
    for name, entry in fields.items():
        optional = entry.default is not dataclasses.MISSING or entry.default_factory is not dataclasses.MISSING
        if name not in value and not optional:
            raise BundleError(f"bundle.json: {prefix}{name} is missing")
    return kind(**{name: _parse(hints[name], item, prefix + name) for name, item in value.items()})


def _wrong(where: str, value: Any, expected: str) -> BundleError:
    return BundleError(f"bundle.json: {where} is {str(value)[:80]!r}; must be {expected}")
