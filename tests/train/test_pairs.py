"""`toonfilter prepare pairs`: the folder is complete, bad pictures are counted, stopping and going on works."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.runtime.geometry.warp import FaceWarp
from toonfilter.train.data.opencv_cartoon import opencv_cartoon
from toonfilter.train.data.pairs import PairOptions, PairsReport, prepare_pairs
from toonfilter.train.data.pictures import read_rgba, write_png
from toonfilter.train.data.splits import split_of

Image = NDArray[np.uint8]
KINDS = {"photo": 3, "cartoon": 4, "guidance": 3}


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory, astronaut: Image) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    write_png(folder / "studio" / "one.png", astronaut)
    write_png(folder / "studio" / "two.png", np.ascontiguousarray(astronaut[:, ::-1]))
    write_png(folder / "street" / "grey.png", np.full((200, 200, 3), 90, np.uint8))
    write_png(folder / "street" / "small.png", np.ascontiguousarray(astronaut[::3, ::3]))
    (folder / "street" / "damaged.jpg").write_bytes(b"not a picture")
    return folder


@pytest.fixture(scope="module")
def made(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[PairOptions, PairsReport]:
    options = PairOptions(
        faces, tmp_path_factory.mktemp("pairs"), size=128, workers=1, weights=(("studio/*", 2.0), ("*two*", 0.5))
    )
    return options, prepare_pairs(options)


def test_every_pair_is_whole(made: tuple[PairOptions, PairsReport]) -> None:
    options, report = made
    assert report.made == 2
    assert report.kept == 0
    content = json.loads((options.output / "pairs.json").read_text())
    assert content["warp"] == options.warp.to_dict()
    assert [pair["name"] for pair in content["pairs"]] == ["studio__one", "studio__two"]
    assert [pair["weight"] for pair in content["pairs"]] == [2.0, 1.0]
    for pair in content["pairs"]:
        assert pair["split"] == split_of(pair["identity"])
        assert pair["source"] == "studio"
        assert pair["crop"]["size"] == 128
        for kind, channels in KINDS.items():
            image = read_rgba(options.output / kind / f"{pair['name']}.png")
            assert image is not None
            assert image.shape == (128, 128, channels)
    assert not list(options.output.rglob("*.partial"))


def test_bad_pictures_are_skipped_and_counted(made: tuple[PairOptions, PairsReport]) -> None:
    assert made[1].skipped == {"no face": 1, "face too small": 1, "unreadable": 1}


def test_what_is_finished_is_not_drawn_again(made: tuple[PairOptions, PairsReport]) -> None:
    options, report = made
    kept, lost = (options.output / "cartoon" / f"studio__{name}.png" for name in ("one", "two"))
    before = kept.stat().st_mtime_ns
    lost.unlink()
    seen: list[tuple[int, int]] = []
    again = prepare_pairs(options, lambda one: seen.append((one.done, one.total)))
    assert (again.made, again.kept, again.skipped) == (1, 1, report.skipped)
    assert seen == [(5, 5)]
    assert kept.stat().st_mtime_ns == before
    assert lost.is_file()


def test_other_settings_draw_anew(made: tuple[PairOptions, PairsReport], tmp_path: Path) -> None:
    options = made[0]
    first = PairOptions(options.faces / "studio", tmp_path, size=128, workers=1, limit=1)
    assert prepare_pairs(first).made == 1
    assert prepare_pairs(first) == PairsReport(0, 1, {})
    other = PairOptions(options.faces / "studio", tmp_path, size=128, workers=1, limit=1, new_backdrops=False)
    assert prepare_pairs(other).made == 1


def test_the_plain_filter_draws_in_true_proportions(faces: Path, tmp_path: Path) -> None:
    options = PairOptions(faces, tmp_path, size=128, workers=1, drawing="opencv")
    assert prepare_pairs(options).made == 2
    photo, cartoon = (read_rgba(tmp_path / kind / "studio__one.png") for kind in ("photo", "cartoon"))
    assert photo is not None
    assert cartoon is not None
    assert np.array_equal(cartoon[..., :3], opencv_cartoon(np.ascontiguousarray(photo[..., :3])))
    assert 0.2 < (cartoon[..., 3] > 128).mean() < 0.95
    about = json.loads((tmp_path / "pairs.json").read_text())
    assert about["warp"] == FaceWarp.none().to_dict()
    # Asked for the other drawings, nothing of these is kept.
    assert prepare_pairs(PairOptions(faces, tmp_path, size=128, workers=1)).kept == 0


@pytest.mark.slow
def test_processes_make_the_same(made: tuple[PairOptions, PairsReport], tmp_path: Path) -> None:
    options, report = made
    parallel = PairOptions(options.faces, tmp_path, size=128, workers=2)
    assert prepare_pairs(parallel).skipped == report.skipped
    for name in ("studio__one", "studio__two"):
        first, second = (read_rgba(folder / "cartoon" / f"{name}.png") for folder in (options.output, tmp_path))
        assert first is not None
        assert second is not None
        assert (first == second).all()


def test_the_index_names_identities_and_look_alikes(made: tuple[PairOptions, PairsReport], tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    (faces / "a").mkdir(parents=True)
    (faces / "a" / "one.png").write_bytes((made[0].faces / "studio" / "one.png").read_bytes())
    (faces / "index.csv").write_text("source,file,identity,cluster\nstudio,a/one.png,eileen,c7\n")
    options = PairOptions(faces, tmp_path / "out", size=128, workers=1)
    prepare_pairs(options)
    pair = json.loads((options.output / "pairs.json").read_text())["pairs"][0]
    assert (pair["source"], pair["identity"], pair["split"]) == ("studio", "eileen", split_of("c7"))
    (faces / "index.csv").write_text("source,file,identity,cluster\nstudio,b/none.png,eileen,c7\n")
    with pytest.raises(DataError, match=r"index\.csv names none"):
        prepare_pairs(options)
    (faces / "index.csv").write_text("path\na/one.png\n")
    with pytest.raises(DataError, match="one named file"):
        prepare_pairs(options)


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="drawing is 'chalk'"):
        PairOptions(tmp_path, tmp_path, drawing="chalk")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="multiple of 32"):
        PairOptions(tmp_path, tmp_path, size=130)
    with pytest.raises(ConfigError, match="workers"):
        PairOptions(tmp_path, tmp_path, workers=0)
    with pytest.raises(DataError, match="no pictures"):
        prepare_pairs(PairOptions(tmp_path, tmp_path / "out"))
