"""The commands of `fields`: labels, their correction, training and export of the fields network."""

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.files.file_kinds import is_video

if TYPE_CHECKING:
    from toonfilter.train.data.fields.fits import Fit
    from toonfilter.train.fields_training import FieldsRecipe

app = typer.Typer(help="The fields network: its labels, its training, its ONNX files.", no_args_is_help=True)

LabelsArgument = Annotated[Path, typer.Argument(help="Folder of labels, from `fields labels`.")]


@app.command("labels")
def labels(
    faces: Annotated[Path, typer.Argument(help="Folder of pictures, one face each, with index.csv.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder of the labels; about 2 MB a picture.")],
    hair_network: Annotated[Path, typer.Option(help="MediaPipe's hair_segmentation.tflite of 2019.")],
    attributes: Annotated[Path, typer.Option(help="Folder of CSV files: what people saw on each picture.")],
    clips: Annotated[Path | None, typer.Option(help="Folder of videos of signing people, for hands.")] = None,
    corrections: Annotated[
        Path | None, typer.Option(help="Outlines that people drew: a folder of JSON files, or .jsonl.")
    ] = None,
) -> None:
    """Label faces by networks, attributes and rules. Repeated, it keeps what networks said and applies the rules."""
    from toonfilter.train.data.fields.attributes import read_attributes
    from toonfilter.train.data.fields.corrections import read_corrections
    from toonfilter.train.data.fields.first_labels import make_first_labels, make_hands, make_labels
    from toonfilter.train.data.fields.labels import COMPLETE

    seen = read_attributes(sorted(attributes.glob("*.csv")))
    outlines = read_corrections(corrections) if corrections is not None else {}
    if not (out / "entries.json").is_file():
        with terminal.progress_shown("pictures read") as show:
            make_first_labels(faces, out, hair_network, show)
    with terminal.progress_shown("pictures labelled") as show:
        store = make_labels(out, seen, outlines, show)
    complete = sum(entry.labelled == COMPLETE for entry in store.entries)
    terminal.say(f"{out}: {terminal.count(complete, 'picture')} of {len(store)} with all fields")
    if clips is not None:
        found = make_hands(out, sorted(path for path in clips.iterdir() if is_video(path)))
        terminal.say(f"{out}: {terminal.count(found, 'hand')}")


@app.command("correct")
def correct(
    folder: LabelsArgument,
    corrections: Annotated[Path, typer.Argument(help="Folder of outlines, JSON, one file a picture; is made.")],
    only: Annotated[
        list[str] | None, typer.Option(help="A picture, as in the index, with * and ?; may be given again.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8732,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Look through labels on a local web page and outline what is wrong. Ctrl-C ends; the same command goes on."""
    from toonfilter.runtime.errors import require

    for module in ("starlette", "uvicorn"):
        require(module, extra="app")
    from toonfilter.train.data.fields.store import LabelStore
    from toonfilter.train.labelling.desk import CorrectionDesk, labels_command
    from toonfilter.train.labelling.server import CorrectionServer

    desk = CorrectionDesk(LabelStore(folder), corrections, only or ())
    with CorrectionServer(desk, port) as server, contextlib.suppress(KeyboardInterrupt):
        terminal.say(f"{terminal.count(desk.counts[1], 'picture')}: {server.url}  (Ctrl-C ends)")
        if browser:
            typer.launch(server.url)
        threading.Event().wait()
    done, total, now = desk.counts
    terminal.say(f"{corrections}: {done} of {terminal.count(total, 'picture')} looked at, {now} now")
    if done:
        terminal.say(f"the labels change with: {labels_command(folder, corrections)}")


@app.command("appearance")
def appearance(
    folder: LabelsArgument,
    said: Annotated[
        list[Path],
        typer.Argument(
            help="CSV files with the column file and any of age (years), skin_tone (Monk's), makeup (0-2), eye_light"
            " (0 brown to 1 blue)."
        ),
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="The model: an .npz file.")],
) -> None:
    """Fit the model of how faces look to people (age, skin tone, make-up, eye colour) to what people said."""
    from toonfilter.train.data.fields.appearances import (
        fit_appearance,
        read_appearances,
        read_samples,
        write_appearance,
    )
    from toonfilter.train.data.fields.store import LabelStore

    with terminal.progress_shown("faces read") as show:
        samples = read_samples(LabelStore(folder), read_appearances(said), show)
    fit = fit_appearance(samples)
    write_appearance(fit.model, out)
    _tell_fit(out, fit)


def _tell_fit(out: Path, fit: "Fit[Any]") -> None:
    terminal.say(f"{out}: {terminal.count(fit.count, 'face')}; of those that a fold did not see:")
    for name, correlation in fit.correlations.items():
        terminal.say(f"  {name}: correlation {correlation:.2f}, mean error {fit.errors[name]:.3f}")


@app.command("glasses")
def glasses(
    folder: LabelsArgument,
    said: Annotated[
        Path,
        typer.Argument(
            help="CSV file with the columns file, outer, inner, top, bottom, shape, rim, upper_only, colour."
        ),
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="The model: an .npz file.")],
) -> None:
    """Fit the model of glasses' frames (size, shape, width, colour) to what people said of them."""
    from toonfilter.train.data.fields.glasses import fit_frames, read_frame_samples, read_frames, write_frames
    from toonfilter.train.data.fields.store import LabelStore

    with terminal.progress_shown("faces read") as show:
        samples = read_frame_samples(LabelStore(folder), read_frames(said), show)
    fit = fit_frames(samples)
    write_frames(fit.model, out)
    _tell_fit(out, fit)


@app.command("train")
def train(
    folder: LabelsArgument,
    out: Annotated[
        Path, typer.Option("--output", "--out", "-o", help="Folder of this run; a run that is there goes on.")
    ],
    first_weights: Annotated[
        Path | None,
        typer.Option(
            help="For a new run: MobileNetV2 as ONNX, batch norms folded in, or the fp32 file of a fields network."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Other than the recipe's.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Train the fields network. Ctrl-C stops; the same command goes on from the newest checkpoint."""
    import torch

    from toonfilter.train.fields_training import GOING_ON, FieldsRecipe, FieldsTraining
    from toonfilter.train.networks.fields import is_exported

    torch.set_num_threads(threads)
    recipe = GOING_ON if first_weights is not None and is_exported(first_weights) else FieldsRecipe()
    recipe = recipe if steps is None else _shorter(recipe, steps)
    try:
        FieldsTraining(folder, out, recipe, first_weights).run(_say)
    except KeyboardInterrupt:
        terminal.say(f"stopped; the same command goes on from {out}")


@app.command("refine")
def refine(
    folder: LabelsArgument,
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
) -> None:
    """Let a trained network outline worn glasses, and mend regions of which it is sure; then train on."""
    from toonfilter.train.data.fields.second_labels import refine_glasses, refine_regions
    from toonfilter.train.data.fields.store import LabelStore
    from toonfilter.train.fields_training import predictor, split_indices

    store, predict = LabelStore(folder, writable=True), predictor(run)
    training = split_indices(store)[0]
    with terminal.progress_shown("pictures with glasses") as show:
        outlined, worn = refine_glasses(store, training, predict, show)
    with terminal.progress_shown("pictures with other regions") as show:
        mended = refine_regions(store, training, predict, show)
    terminal.say(
        f"{folder}: {outlined} of {terminal.count(worn, 'picture')} with glasses outlined anew, {mended} mended"
    )


def _shorter(recipe: "FieldsRecipe", steps: int) -> "FieldsRecipe":
    from dataclasses import replace

    return replace(recipe, steps=steps, small_steps=round(recipe.small_steps * steps / recipe.steps))


def _say(row: dict[str, Any]) -> None:
    terminal.say("  ".join(f"{name} {value}" for name, value in row.items()))
