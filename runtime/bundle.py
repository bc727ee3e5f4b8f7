"""The bundle: a folder with bundle.json and model files, the contract between train, export and runtime.

No pickles. Unknown keys are errors, every file's sha256 is checked on load, and bundle.json is written last.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from toonfilter.runtime.errors import BundleError
from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.files.onnx_weights import keeps_weights_elsewhere
from toonfilter.runtime.files.strict import Problem, parse
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.platform.user_folders import models_folder
from toonfilter.runtime.styles.identity import MEASURED, Identity
from toonfilter.runtime.styles.style import Style
from toonfilter.runtime.styles.style_reading import read_style

FORMAT = 2
"""Raised whenever what a bundle says changes its meaning."""
MANIFEST = "bundle.json"
_MOST_MANIFEST_BYTES = 4_000_000
"""Of bundle.json. Raising it lets a file fill more memory."""
_MOST_MODEL_BYTES = 2_000_000_000
"""Of a model file; the same."""
_MOST_WARP = 10.0
"""Greatest value of a warp. Raising it lets a bundle fold faces."""
NETWORKS = "networks"
"""Folder, beside the styles, of the networks that several of them share."""
Domain = Literal["photo", "drawing"]
"""What a network is shown."""
Precision = Literal["fp32", "fp16", "int8"]
_CHANNELS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "picture": ((0, 3), (3, 4)),
    "fields": ((1,), (len(FIELDS),)),
}
"""By kind of output: numbers of guidance channels, and of output channels."""


@dataclass(frozen=True, slots=True)
class Training:
    """How the weights came to be. recipe and commit name the code; data says what pictures, under which licences."""

    recipe: str
    commit: str
    data: str
    steps: int


@dataclass(frozen=True, slots=True)
class InputSpec:
    """uint8 [N, S, S, 3] RGB crops, S one of sizes; with guidance_channels > 0 a second input uint8 [N, S, S, G].

    guidance_channels: 3 is the drawn guidance of picture networks, 1 the mesh plane of fields networks.
    domain: `drawing` is made for cartoons, not for photographs: it hides nobody, and cameras refuse it.
    """

    sizes: list[int]
    guidance_channels: int = 0
    domain: Domain = "photo"


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """uint8 [N, S, S, channels]. kind `picture`: 3 is RGB; 4 is RGB and the matte of the person to blend with.

    kind `fields`: the planes of `toonfilter.runtime.fields`, from which a style draws.
    """

    channels: int = 3
    kind: Literal["picture", "fields"] = "picture"


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

    warp: keyword arguments of `toonfilter.runtime.geometry.warp.FaceWarp`; empty draws true to scale.
    scores: evaluation results by measure. style: how a fields network's planes are drawn; None draws pictures.
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
    warp: dict[str, float] = field(default_factory=dict)
    parity: list[Parity] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    folder: Path = field(default=Path(), compare=False)
    style: Style | None = None

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
    content = _manifest_content(manifest)
    if not isinstance(content, dict):
        raise BundleError(f"{manifest} holds a {type(content).__name__}; must be an object")
    found = content.get("format")
    if found == 1:
        content = _from_format_1(content)
    elif found != FORMAT:
        raise BundleError(
            f"{manifest}: format is {found!r}; this toonfilter reads 1 and {FORMAT}. Export the model again, "
            "or install the toonfilter version that wrote it"
        )
    try:
        parsed: Bundle = parse(Bundle, content, without=("folder", "style"))
    except Problem as problem:
        raise BundleError(f"bundle.json: {problem}") from None
    bundle = dataclasses.replace(parsed, folder=folder)
    _check_values(bundle)
    for entry in bundle.files:
        _check_file(bundle, entry)
    return bundle


def _from_format_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """What an older version wrote, in the words of today."""
    newer = {"warp" if key == "geometry" else key: value for key, value in content.items() if key != "takes_drawings"}
    if isinstance(takes := newer.get("input"), dict) and content.get("takes_drawings"):
        newer["input"] = {**takes, "domain": "drawing"}
    return newer | {"format": FORMAT}


def _manifest_content(manifest: Path) -> Any:
    try:
        if manifest.exists() and not manifest.is_file():
            raise BundleError(f"{manifest} is no ordinary file; a bundle is a folder with bundle.json")
        with manifest.open("rb") as file:
            text = file.read(_MOST_MANIFEST_BYTES + 1)
        if len(text) > _MOST_MANIFEST_BYTES:
            raise BundleError(f"{manifest} is larger than {_MOST_MANIFEST_BYTES / 1e6:.0f} MB; a bundle's is small")
        return json.loads(text.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise BundleError(f"{manifest} is not text ({error.reason})") from error
    except OSError as error:
        raise BundleError(f"{manifest} cannot be read ({error}); a bundle is a folder with bundle.json") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{manifest} is not JSON ({error})") from error


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


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
    del content["folder"], content["style"]
    write_whole(folder / MANIFEST, json.dumps(content, indent=2) + "\n")


def shipped_folder() -> Path:
    """The folder of the bundles that come with the package."""
    return Path(__file__).with_name("models")


def is_shipped(name: str) -> bool:
    """Whether a bundle or style of this name comes with the package."""
    folder = shipped_folder()
    return (folder / name / MANIFEST).is_file() or (folder / f"{name}.toml").is_file()


def known_bundles() -> dict[str, Path]:
    """What can be drawn with, by name: bundle folders and style files, the user's first, then those that ship."""
    found: dict[str, Path] = {}
    for root in (models_folder(), shipped_folder()):
        if root.is_dir():
            for manifest in sorted(root.glob(f"*/{MANIFEST}")):
                found.setdefault(manifest.parent.name, manifest.parent)
            for style in sorted(root.glob("*.toml")):
                found.setdefault(style.stem, style)
    return found


def find_bundle(name: str) -> Bundle:
    """Load the bundle or style of this name, or at this path.

    Raises:
        BundleError: no such name (the known ones are listed), or the bundle is not whole.
    """
    path = known_bundles().get(name, Path(name))
    if path.is_file() or (path / MANIFEST).is_file():
        return open_bundle(path)
    listing = ", ".join(sorted(known_bundles())) or "none"
    raise BundleError(
        f"unknown style {name!r}; known styles: {listing}. A path to a style file (.toml) or a bundle folder works too"
    )


def measured_identity(name: str) -> tuple[Identity, ...]:
    """How far a recogniser knows people in the style of this name or at this path; empty unless it ships."""
    path = known_bundles().get(name, Path(name)).resolve()
    is_ours = path.suffix == ".toml" and path.parent == shipped_folder().resolve()
    return MEASURED.get(path.stem, ()) if is_ours else ()


def open_bundle(path: Path) -> Bundle:
    """A bundle folder, or a style file with its network. See `load_bundle` and `styled_bundle` for errors."""
    return styled_bundle(path) if path.suffix == ".toml" else load_bundle(path)


def styled_bundle(path: Path) -> Bundle:
    """The fields network that a style file names, with the style.

    Raises:
        BundleError: the file is no style, or its network is missing or not whole.
    """
    style = read_style(path)
    network = load_bundle(_network_folder(style.network, path))
    if network.output.kind != "fields":
        raise BundleError(f"{path.name}: network is {style.network!r}, which draws pictures; must be a fields network")
    return dataclasses.replace(
        network, name=style.name, version=style.version, description=style.description, style=style
    )


def _network_folder(name: str, path: Path) -> Path:
    for root in (models_folder(), shipped_folder()):
        if (root / NETWORKS / name / MANIFEST).is_file():
            return root / NETWORKS / name
    raise BundleError(f"{path.name}: network is {name!r}; no fields network of that name is installed")


def _check_values(bundle: Bundle) -> None:
    name = bundle.name
    if not name or any(character in name for character in "/\\\0") or name.startswith("."):
        raise BundleError(f"bundle.json: name is {name!r}; must be a plain folder name")
    if not bundle.input.sizes:
        raise BundleError("bundle.json: input.sizes is empty; must name at least one size")
    for size in bundle.input.sizes:
        if not 32 <= size <= 2048 or size % 4:
            raise BundleError(f"bundle.json: input.sizes has {size}; must be a multiple of 4 from 32 to 2048")
    given, allowed = ((bundle.input.guidance_channels, bundle.output.channels), _CHANNELS[bundle.output.kind])
    if given[0] not in allowed[0]:
        raise BundleError(f"bundle.json: input.guidance_channels is {given[0]}; must be {_either(allowed[0])}")
    if given[1] not in allowed[1]:
        raise BundleError(f"bundle.json: output.channels is {given[1]}; must be {_either(allowed[1])}")
    for key, value in bundle.warp.items():
        if not abs(value) <= _MOST_WARP:
            raise BundleError(f"bundle.json: warp.{key} is {value:g}; must be at most {_MOST_WARP:g}")
    if not bundle.files:
        raise BundleError("bundle.json: files is empty; must name at least one model file")


def _either(numbers: Sequence[int]) -> str:
    return " or ".join(map(str, numbers))


def _check_file(bundle: Bundle, entry: ModelFile) -> None:
    if Path(entry.path).name != entry.path:
        raise BundleError(f"bundle.json: path {entry.path!r} leads out of the bundle; must be a plain file name")
    path = bundle.path_of(entry)
    try:
        if not path.is_file():
            raise BundleError(f"{path} is missing, bundle.json names it; install the bundle again")
        size = path.stat().st_size
        if size > _MOST_MODEL_BYTES:
            raise BundleError(f"{path} is {size / 1e9:.0f} GB; a model has {_MOST_MODEL_BYTES / 1e9:.0f} GB at most")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise BundleError(
            f"{path}: sha256 is {found[:12]}..., bundle.json says {entry.sha256[:12]}...; the file was damaged or "
            "changed. Install the bundle again"
        )
    if entry.backend == "onnx" and keeps_weights_elsewhere(content):
        raise BundleError(
            f"{path} keeps weights in other files, which bundle.json does not check; export it as one file"
        )
