"""The commands of `prepare`: training data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from toonfilter.runtime.command_line import terminal

_MOST_TOLD = 20
app = typer.Typer(help="Training data: make it, or make it fit.", no_args_is_help=True)


@app.command("faces")
def prepare_faces(
    pictures: Annotated[Path, typer.Argument(help="Folder of pictures of people.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Writes photo/*.png and landmarks/*.npy here.")],
    size: Annotated[int, typer.Option(min=32, help="Side of the crops, pixels.")] = 256,
    min_face: Annotated[float, typer.Option(help="Drop faces lower than this in the picture, pixels.")] = 96.0,
    max_yaw: Annotated[float, typer.Option(help="Drop faces turned farther away, degrees.")] = 60.0,
    all_faces: Annotated[bool, typer.Option("--all-faces", help="Keep every face of pictures with several.")] = False,
) -> None:
    """Find, align and crop faces; drop grayscale pictures, small faces and duplicates, and say how many."""
    from toonfilter.train.data.face_crops import FaceSettings, crop_folder

    settings = FaceSettings(size_px=size, min_face_px=min_face, max_yaw_degrees=max_yaw, all_faces=all_faces)
    with terminal.progress_shown("faces") as show:
        result = crop_folder(pictures, out, settings, show)
    _tell_left_out(result.reasons)
    terminal.say(_prepared(result.written, "face", result.dropped))


@app.command("voila")
def prepare_voila(
    pictures: Annotated[Path, typer.Argument(help="Folder of four-panel pictures.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Writes photo/*.png and cartoon/*.png here.")],
    size: Annotated[int, typer.Option(min=32, help="Side of the pictures, pixels.")] = 256,
    photo_panel: Annotated[str, typer.Option(help="top-left, top-right, bottom-left or bottom-right.")] = "top-left",
    cartoon_panel: Annotated[str, typer.Option(help="The panel of the wanted style.")] = "bottom-right",
) -> None:
    """Split four-panel pictures into pairs; find the emoji or watermark in the corners and paint over it."""
    from toonfilter.train.data.voila import VoilaSettings, split_folder

    settings = VoilaSettings(photo_panel=photo_panel, cartoon_panel=cartoon_panel, size_px=size)
    with terminal.progress_shown("pictures") as show:
        result = split_folder(pictures, out, settings, show)
    left_out = {"unreadable": len(result.unreadable), "without four panels": len(result.not_four_panels)}
    terminal.say(_prepared(result.written, "pair", left_out))
    terminal.say(
        f"painted over: {result.masked_share_cartoon:.1%} of the cartoons, {result.masked_share_photo:.1%} of photos"
    )


@app.command("edges")
def prepare_edges(
    data: Annotated[Path, typer.Argument(help="Data folder with cartoon/; writes edges/ beside it.")],
) -> None:
    """Smooth the edges of cartoons: the extra negatives of the cartoongan recipe."""
    from toonfilter.train.data.edges import smooth_folder

    with terminal.progress_shown("cartoons") as show:
        result = smooth_folder(data / "cartoon", data / "edges", report=show)
    _tell_left_out(dict.fromkeys(map(str, result.unreadable), "unreadable"))
    terminal.say(_prepared(result.written, "picture", {"unreadable": len(result.unreadable)}))


@app.command("pairs")
def prepare_pairs(
    faces: Annotated[Path, typer.Argument(help="Folder of pictures, one face each; index.csv in it is read.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Writes photo, cartoon, guidance and pairs.json here.")],
    size: Annotated[int, typer.Option(min=128, help="Side of the pictures, pixels, a multiple of 32.")] = 384,
    weight: Annotated[
        list[str] | None, typer.Option(help="PATTERN=FACTOR: how often pictures at these paths count in training.")
    ] = None,
    proportion: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE: other than the style's own, like eye_height=1.6.")
    ] = None,
    drawing: Annotated[
        str, typer.Option(help="Who draws: teacher, our algorithm, or opencv, the plain filter.")
    ] = "teacher",
    keep_backdrops: Annotated[bool, typer.Option(help="Leave uniform backgrounds as they are.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, sampled with --seed.")] = None,
    seed: Annotated[int, typer.Option(help="For everything that is sampled.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Draw photos as cartoons by algorithm: training pairs. Stopped and called again, it goes on where it was."""
    from toonfilter.runtime.geometry.warp import FaceWarp
    from toonfilter.train.data.pairs import PairOptions
    from toonfilter.train.data.pairs import prepare_pairs as run

    proportions = dict(_number_for(text, "NAME=VALUE, like eye_height=1.6") for text in proportion or ())
    options = PairOptions(
        faces=faces,
        output=out,
        size=size,
        limit=limit,
        seed=seed,
        workers=workers,
        new_backdrops=not keep_backdrops,
        weights=tuple(_number_for(text, "PATTERN=FACTOR, like portraits/*=2.5") for text in weight or ()),
        warp=FaceWarp.from_dict(FaceWarp().to_dict() | proportions),
        drawing=cast(Literal["teacher", "opencv"], drawing),
    )
    with terminal.progress_shown("pictures") as show:
        result = run(options, show)
    _tell_left_out(result.reasons)
    terminal.say(
        _prepared(result.made, "pair", result.skipped) + (f"; {result.kept} were there" if result.kept else "")
    )


@app.command("landmarks")
def prepare_landmarks(
    data: Annotated[Path, typer.Argument(help="Data folder with photo/ and cartoon/.")],
) -> None:
    """Find face landmarks in photos and cartoons, for the recipes landmark-cyclegan and caricature."""
    from toonfilter.train.data.landmark_files import find_landmarks

    with terminal.progress_shown("pictures") as show:
        result = find_landmarks(data, show)
    _tell_left_out(dict.fromkeys(map(str, result.without_face), "without a face"))
    terminal.say(_prepared(result.written, "file", {"without a face": len(result.without_face)}))


def _prepared(written: int, noun: str, left_out: Mapping[str, int]) -> str:
    reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.items() if number)
    return f"{terminal.count(written, noun)} written{'; left out: ' + reasons if reasons else ''}"


def _tell_left_out(reasons: Mapping[str, str]) -> None:
    """Which files were left out, and why; the first of them where there are many."""
    for name, reason in list(reasons.items())[:_MOST_TOLD]:
        terminal.note(f"left out: {name}: {reason}")
    if len(reasons) > _MOST_TOLD:
        terminal.note(f"and {len(reasons) - _MOST_TOLD} more")


def _number_for(text: str, expected: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        return name, float(number)
    except ValueError:
        raise typer.BadParameter(f"{text}: expected {expected}") from None
