"""Files and folders of pictures in, cartoons out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from toonfilter.runtime.errors import CaptureError, ConfigError, OutputError, ToonfilterError
from toonfilter.runtime.files.file_kinds import PICTURES_READ, PICTURES_WRITTEN, is_video
from toonfilter.runtime.files.image_files import (
    Moment,
    Picture,
    check_image_target,
    keeps_alpha,
    keeps_moments,
    pictures_below,
    read_picture,
    write_picture,
)
from toonfilter.runtime.files.whole_files import check_outputs, is_same_file
from toonfilter.runtime.frames import Image, PrivacyState, SafeFrame


class PictureFilter(Protocol):
    """What draws: see `StillFilter`."""

    def process(self, image: Image) -> SafeFrame:
        """The picture with every face drawn; the array stays as it is."""
        ...


@dataclass(frozen=True, slots=True)
class PicturePlan:
    """pairs: which picture goes where. left_out: files of the given folders that are no pictures by their names."""

    pairs: tuple[tuple[Path, Path], ...]
    left_out: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Converted:
    """One file done. safe: its pages or moments, empty where it failed; error says why. notes: a line each."""

    source: Path
    target: Path
    safe: tuple[SafeFrame, ...]
    error: ToonfilterError | None = None
    notes: tuple[str, ...] = ()

    @property
    def covered(self) -> SafeFrame | None:
        """The first moment that was covered as a whole; None where all were drawn."""
        return next((safe for safe in self.safe if safe.state is PrivacyState.COVERED), None)


def default_output(inputs: Sequence[Path]) -> Path:
    """Where the results go when the user does not say: `NAME-cartoon` beside a single picture or folder.

    Raises:
        ConfigError: several inputs, which belong into a folder that the user names.
    """
    if len(inputs) != 1:
        raise ConfigError(f"{len(inputs)} inputs: name a folder for their cartoons with --output")
    source = inputs[0]
    if source.is_dir():
        whole = source.resolve()
        return whole.with_name(f"{whole.name}-cartoon")
    return source.with_name(f"{source.stem}-cartoon{written_suffix(source)}")


def written_suffix(source: Path) -> str:
    """The source's suffix where such files are written, else .jpg."""
    return source.suffix if source.suffix.lower() in PICTURES_WRITTEN else ".jpg"


def plan_pictures(inputs: Sequence[Path], output: Path, *, overwrite: bool) -> PicturePlan:
    """A single file becomes a file, or goes into `output` where that is a folder or has no suffix; several files and
    folders go into the folder `output`, sub-folders kept.

    Raises:
        CaptureError: an input is missing or holds no pictures.
        OutputError: a target exists already, is one of the inputs, or two inputs would share one.
        ConfigError: several inputs and a picture's name as output.
    """
    _check_output(inputs, output)
    pairs: list[tuple[Path, Path]] = []
    left_out: list[Path] = []
    single = len(inputs) == 1 and not inputs[0].is_dir() and not output.is_dir() and bool(output.suffix)
    for path in inputs:
        if path.is_dir():
            found, others = pictures_below(path, leave_out=[output])
            if not found:
                raise CaptureError(f"{path} holds no pictures; looked for {', '.join(PICTURES_READ)}")
            left_out += others
            pairs += [(file, _named(output / file.relative_to(path))) for file in found if file.is_file()]
        elif path.exists():
            pairs.append((path, output if single else _named(output / path.name)))
        else:
            raise CaptureError(f"{path} does not exist; give a picture or a folder of pictures")
    _check_targets(pairs, overwrite=overwrite)
    return PicturePlan(tuple(pairs), tuple(left_out))


def _check_output(inputs: Sequence[Path], output: Path) -> None:
    if not inputs:
        raise ConfigError("no pictures given")
    is_folder = len(inputs) > 1 or inputs[0].is_dir()
    if is_folder and not output.is_dir() and output.suffix.lower() in PICTURES_READ:
        raise ConfigError(f"{output}: the name of one picture, but there are several; give a folder with --output")
    if not is_folder and is_video(inputs[0]):
        raise ConfigError(f"{inputs[0]}: a video; use: toonfilter video {inputs[0]}")
    if is_folder and any(path.is_dir() and is_same_file(path, output) for path in inputs):
        raise OutputError(f"{output} is an input; the originals are never overwritten, choose another --output")


def _named(target: Path) -> Path:
    return target.with_suffix(written_suffix(target))


def _check_targets(pairs: Sequence[tuple[Path, Path]], *, overwrite: bool) -> None:
    sources = {source.resolve() for source, _ in pairs}
    targets: set[Path] = set()
    for source, target in pairs:
        check_image_target(target)
        resolved = target.resolve()
        if resolved in sources:
            raise OutputError(f"{target} is an input; the originals are never overwritten, choose another --output")
        if resolved in targets:
            raise OutputError(f"{source} and another input would both become {target}; convert them separately")
        if target.parent.is_dir():
            check_outputs([target], [source], overwrite=overwrite)
        targets.add(resolved)


def convert_pictures(plan: PicturePlan, still: PictureFilter) -> Iterator[Converted]:
    """Convert one after the other; a picture that fails is reported and does not stop the rest."""
    for source, target in plan.pairs:
        try:
            yield _convert(source, target, still)
        except ToonfilterError as error:
            yield Converted(source, target, (), error)


def _convert(source: Path, target: Path, still: PictureFilter) -> Converted:
    picture = read_picture(source)
    moments = picture.moments
    notes = [f"{source.name}: {note}" for note in picture.notes]
    if len(moments) > 1 and not keeps_moments(target):
        notes.append(
            f"{target}: only the first of {len(moments)} pictures, {target.suffix} files hold one; "
            "use .webp, .png, .gif or .tiff"
        )
        moments = moments[:1]
    if any(moment.alpha is not None and moment.alpha.min() < 255 for moment in moments) and not keeps_alpha(target):
        notes.append(f"{target}: transparent places became white, {target.suffix} files have none; use .png or .webp")
    safe = tuple(still.process(moment.image) for moment in moments)
    drawn = tuple(
        Moment(safe_image(one), moment.alpha, moment.duration_ms) for one, moment in zip(safe, moments, strict=True)
    )
    write_picture(target, Picture(drawn, picture.loops))
    return Converted(source, target, safe, notes=tuple(notes))


def safe_image(safe: SafeFrame) -> Image:
    """The pixels of a safe frame.

    Raises:
        OutputError: it is not one; nothing else is written.
    """
    if not isinstance(safe, SafeFrame):
        raise OutputError(f"the filter returned {type(safe).__name__}; only a SafeFrame may be written")
    return safe.image
