"""The whole evaluation on real faces: models, folders, reports, and what is said about bad input."""

import csv
import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from toonfilter.benchmarks.quality import contact_sheet, pictures
from toonfilter.benchmarks.quality.commands import bundle_in
from toonfilter.benchmarks.quality.evaluate import EvaluationOptions, Sample, evaluate
from toonfilter.benchmarks.quality.models import find_model
from toonfilter.benchmarks.quality.temporal import TemporalOptions
from toonfilter.benchmarks.quality.terminal_table import missing_lines
from toonfilter.benchmarks.quality.vote.ballot import BallotOptions, prepare_ballot
from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.train.checkpoint import keep_weights
from toonfilter.train.raw import open_raw
from toonfilter.train.recipe import load_recipe
from toonfilter.train.systems import build_system


@pytest.fixture(scope="module")
def faces(tmp_path_factory, astronaut):
    """Twelve views of one face, an unreadable file, a picture without a face, and an index."""
    folder = tmp_path_factory.mktemp("faces")
    (folder / "set").mkdir()
    head = astronaut[0:260, 90:350]
    rows = []
    for index in range(12):
        turn = cv2.getRotationMatrix2D((130, 130), 3 * (index - 6), 1 + 0.02 * index)
        view = cv2.warpAffine(head, turn, (260, 260), borderMode=cv2.BORDER_REFLECT)
        if index % 2:
            view = np.ascontiguousarray(view[:, ::-1])
        cv2.imwrite(str(folder / "set" / f"view{index:02}.png"), view[..., ::-1])
        rows.append(
            {"file": f"set/view{index:02}.png", "identity": f"a{index}", "glasses": "no" if index % 2 else "yes"}
        )
    (folder / "set" / "broken.png").write_bytes(b"\x89PNG nothing")
    cv2.imwrite(str(folder / "set" / "wall.png"), np.full((200, 200, 3), 90, np.uint8))
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["file", "identity", "glasses"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory, faces):
    """Results of the same stems: darker pictures; one missing, one of another shape, one that belongs to nothing."""
    folder = tmp_path_factory.mktemp("results")
    for path in sorted((faces / "set").glob("view*.png"))[:-1]:
        image = cv2.imread(str(path))
        cv2.imwrite(str(folder / f"{path.stem}.jpg"), image // 2, [cv2.IMWRITE_JPEG_QUALITY, 95])
    cv2.imwrite(str(folder / "view00.jpg"), np.zeros((100, 260, 3), np.uint8))
    cv2.imwrite(str(folder / "stranger.jpg"), np.zeros((100, 260, 3), np.uint8))
    return folder


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, faces, results, tiny_bundle):
    output = tmp_path_factory.mktemp("report")
    options = EvaluationOptions(
        models=(f"same={faces}", f"dark={results}", str(tiny_bundle.folder)),
        source=faces,
        target=faces,
        output=output,
        temporal=TemporalOptions(stills=1),
    )
    return evaluate(options), output


def test_same_pictures_pass_and_the_report_is_whole(evaluated) -> None:
    evaluation, output = evaluated
    same = evaluation.models[0]
    assert same.measured["face_found"].value == 1
    assert same.measured["mouth_correlation"].value == pytest.approx(1)
    assert same.measured["gaze_difference"].value == 0
    assert same.measured["l1"].value == 0
    assert same.measured["ssim"].value == 1
    content = json.loads((output / "report.json").read_text())
    assert content["pictures"] == 14
    assert [model["name"] for model in content["models"]] == ["same", "dark", "tiny"]
    assert content["models"][0]["measured"]["face_found"]["count"] == 12
    page = (output / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") > 20
    assert "http://" not in page.replace("http://www.w3.org", "")
    with (output / "pictures.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 3 * 14


def test_darker_pictures_have_darker_skin(evaluated) -> None:
    dark = evaluated[0].models[1]
    changes = [value.value for key, value in dark.measured.items() if key.startswith("ita_change")]
    assert changes
    assert max(changes) < -20
    assert dark.measured["roll_difference"].value < 1


def test_bundles_are_drawn_in_stills_and_clips(evaluated) -> None:
    tiny = evaluated[0].models[2]
    assert tiny.kind == "bundle, filter"
    assert tiny.measured["face_found"].count == 12
    assert tiny.measured["seam_ratio"].count >= 10
    assert tiny.measured["temporal_ratio"].count == 5


def test_bad_pictures_and_pairs_are_named(evaluated) -> None:
    evaluation = evaluated[0]
    assert len(evaluation.left_out.unreadable) == 1
    assert "broken.png" in evaluation.left_out.unreadable[0]
    assert evaluation.left_out.faceless == ["set/wall"]
    dark = evaluation.models[1]
    assert dark.unused == ["stranger"]
    assert any("no result for set/view11" in text for text in dark.problems)
    assert any("aspect ratio" in text and "view00.jpg" in text for text in dark.problems)
    lines = "\n".join(missing_lines(evaluation))
    assert "identity, median (cosine): needs --identity FILE.onnx" in lines
    assert "identity, 95th percentile" in lines
    assert "no group beard" in lines
    assert "no group glasses" not in lines


def test_groups_come_from_the_index(evaluated) -> None:
    groups = evaluated[0].models[0].groups
    assert set(groups["glasses"]) == {"yes", "no"}
    assert groups["glasses"]["no"]["face_found"].count == 6
    assert "needs 10" in groups["glasses"]["no"]["mouth_correlation"]


def test_results_with_alpha_lie_over_their_source(tmp_path) -> None:
    source = np.full((20, 30, 3), 100, np.uint8)
    rgba = np.zeros((20, 30, 4), np.uint8)
    rgba[:, :10] = (200, 0, 0, 255)
    rgba[:, 10:20] = (200, 0, 0, 51)
    cv2.imwrite(str(tmp_path / "a.png"), cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))
    seen, region = pictures.read_result(tmp_path / "a.png", source)
    assert seen[0, 0].tolist() == [200, 0, 0]
    assert seen[0, 15].tolist() == [120, 80, 80]
    assert seen[0, 25].tolist() == [100, 100, 100]
    assert region.sum() == 200


def test_pairing_prefers_the_path_and_refuses_doubtful_stems(tmp_path) -> None:
    for name in ("a/x.png", "b/x.png", "b/y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 4, 3), np.uint8))
    pairing = pictures.Pairing(tmp_path)
    assert pairing.find("b/x") == tmp_path / "b" / "x.png"
    assert pairing.find("elsewhere/y") == tmp_path / "b" / "y.png"
    assert pairing.find("elsewhere/x") is None
    assert pairing.without_partner(["b/x", "b/y"]) == ["a/x"]


def test_split_and_limit_choose_the_same_pictures_every_time(faces) -> None:
    everything = pictures.list_pictures(faces)
    with pytest.raises(DataError, match="2 of 14 pictures have no identity"):
        pictures.choose(everything, split="validation", limit=None)
    with pytest.raises(ConfigError, match="must be all, train or validation"):
        pictures.choose(everything, split="test", limit=None)
    some = pictures.choose(everything, split="all", limit=5, seed=1)
    assert some == pictures.choose(everything, split="all", limit=5, seed=1)
    assert len(some) == 5
    known = [picture for picture in everything if picture.facts]
    train = pictures.choose(known, split="train", limit=None)
    assert {picture.key for picture in train} < {picture.key for picture in known}


def test_models_that_are_nothing_are_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="no bundle, checkpoint or folder of results"):
        find_model("nonsense")
    with pytest.raises(DataError, match="holds no pictures"):
        find_model(str(tmp_path))
    (tmp_path / "checkpoint.json").write_text("{}")
    with pytest.raises(ConfigError, match="export it first"):
        find_model(str(tmp_path), raw=False)


def test_checkpoints_are_measured_as_the_bundle_they_become_where_the_filter_is_asked_for(
    tmp_path, tiny_bundle
) -> None:
    (tmp_path / "checkpoint.json").write_text("{}")
    asked = []
    model = find_model(f"mine={tmp_path}", lambda path: asked.append(path) or tiny_bundle.folder, raw=False)
    assert (model.name, model.kind, asked) == ("mine", "checkpoint, filter", [tmp_path])


def _run(place, recipe_name, *changes):
    """A run's weights, as they are before training, at place/checkpoints/step-0000005."""
    recipe = load_recipe(recipe_name, ["data.size_px=32", "generator.options.width=4", *changes])
    weights = build_system(recipe).networks.state_dict()
    folder = place / "checkpoints" / "step-0000005"
    keep_weights(folder, step=5, recipe=recipe, data="", weights=weights, averaged={})
    return folder


def test_runs_from_drawings_to_photos_are_measured_and_voted_on(faces, tmp_path) -> None:
    one = _run(tmp_path / "one", "pix2pix-human", "generator.options.downs=5")
    other = _run(tmp_path / "other", "pix2pix-human", "generator.options.downs=5")
    options = EvaluationOptions(
        models=(f"a={one}", f"b={other}"),
        source=faces / "set",
        target=faces / "set",
        output=tmp_path / "report",
        temporal=TemporalOptions(stills=0),
        sample=Sample(limit=5),
    )
    found = evaluate(options)
    assert [model.kind for model in found.models] == ["checkpoint, raw"] * 2
    # The network is untrained: what is measured is its noise over the whole picture, not a blend with the source.
    generator, distances = open_raw(one), []
    for path in [faces / "set" / f"{key}.png" for key in found.keys if key.startswith("view")]:
        picture = pictures.read_picture(path)
        distances.append(np.abs(generator(picture).astype(float) - picture).mean() / 255)
    columns = found.models[0].columns["l1"]
    shown = [columns[row] for row, key in enumerate(found.keys) if key.startswith("view")]
    assert shown == pytest.approx(distances, rel=1e-6)
    assert any("a is measured as checkpoint, raw" in note for note in found.notes)
    ballot = prepare_ballot(BallotOptions((f"a={one}", f"b={other}"), faces / "set", tmp_path / "vote", limit=2))
    assert ballot.models == ("a", "b")


def test_checkpoints_of_one_name_do_not_collide(tmp_path) -> None:
    pytest.importorskip("onnx")
    places = [
        bundle_in(tmp_path, _run(tmp_path / name, "cyclegan", "generator.options.blocks=1")) for name in ("a", "b")
    ]
    assert places[0] != places[1]
    assert all((place / "bundle.json").is_file() for place in places)


def test_two_models_of_one_name_are_refused(faces, tmp_path) -> None:
    with pytest.raises(DataError, match="give one of them a label"):
        evaluate(EvaluationOptions((f"a={faces}", f"a={faces}"), faces, tmp_path))


def test_sheets_show_lost_and_worst_before_best() -> None:
    columns = {
        "ita_before": np.zeros(30),
        "found": np.array([1.0] * 29 + [0]),
        "identity": np.append(np.linspace(0, 0.9, 29), np.nan),
    }
    sheets = dict(contact_sheet.choose_sheets(["m"], [columns]))
    assert sheets["m: no face is found in the result, or it is covered"] == [29]
    assert sheets["m: worst, most recognisable"][0] == 28
    assert sheets["m: best over all"][0] == 0
    assert len(sheets["Sampled"]) == contact_sheet.PICTURES_A_SHEET


def test_command_prints_the_table(faces, tmp_path) -> None:
    from toonfilter.cli import app

    arguments = [
        "evaluate",
        f"same={faces}",
        "--source",
        str(faces),
        "-o",
        str(tmp_path),
        "--stills",
        "0",
        "--limit",
        "6",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "face found" in result.output
    assert "report.html" in result.output
    assert (tmp_path / "report.html").is_file()
