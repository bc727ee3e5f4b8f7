"""The command: what it prints, and what it refuses."""

import pytest
from typer.testing import CliRunner

from toonfilter.cli import app
from toonfilter.export.bundle_export import BundleOptions, export_bundle
from toonfilter.export.command import ExportRequest, export_model, parse_sizes
from toonfilter.export.source import bundle_source, newest_run, open_source
from toonfilter.runtime.cuda.driver import load_driver
from toonfilter.runtime.errors import BackendError, BundleError, ConfigError, TrainingError

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def tiny_bundle(make_source, pairs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    return export_bundle(make_source(), BundleOptions(output=folder, crops=pairs)).folder


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["export", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_export_list_install_remove(tiny_bundle, pairs, home) -> None:
    output = run(str(tiny_bundle), "--int8", "--name", "mine", "--crops", str(pairs))
    assert "mine_int8.onnx" in output
    assert "use it with --to mine" in output
    assert "mine" in run("--list")
    assert "installed" in run(str(tiny_bundle), "--install", "--name", "copied")
    assert sorted(folder.name for folder in home.iterdir()) == ["copied", "mine"]
    for name in ("mine", "copied"):
        assert "removed" in run("--remove", name)
    assert not list(home.iterdir())
    assert "--install needs the bundle folder" in run("--install")


def test_requests_that_cannot_be_met(tmp_path) -> None:
    with pytest.raises(ConfigError, match="256,384"):
        parse_sizes("256;384")
    assert parse_sizes("384,256,384") == (384, 256)
    with pytest.raises(ConfigError, match="engine is 'openvino'"):
        export_model(ExportRequest(engine="openvino"))
    with pytest.raises(BundleError, match="does not exist; give a checkpoint, a run folder or a bundle"):
        open_source(tmp_path / "nothing")
    with pytest.raises(TrainingError, match="no checkpoint here"):
        open_source(tmp_path)


def test_engines_are_refused_without_a_driver_before_anything_is_written(tiny_bundle, home) -> None:
    try:
        load_driver()
    except BackendError:
        with pytest.raises(BackendError, match="no NVIDIA driver"):
            export_model(ExportRequest(source=tiny_bundle, engine="tensorrt"))
        assert not home.exists()
    else:
        pytest.skip("there is a driver")


def test_the_newest_run_is_taken(tmp_path) -> None:
    import os

    assert newest_run(tmp_path) is None
    for age, name in ((200, "old"), (100, "new")):
        manifest = tmp_path / name / "checkpoints" / "step-0000001" / "checkpoint.json"
        manifest.parent.mkdir(parents=True)
        manifest.write_text("{}")
        os.utime(manifest, (1e9 - age, 1e9 - age))
    assert newest_run(tmp_path) == tmp_path / "new"


def test_a_trained_checkpoint_becomes_a_bundle(tmp_path, pairs) -> None:
    from toonfilter.runtime.geometry.warp import FaceWarp
    from toonfilter.train.checkpoint import write_checkpoint
    from toonfilter.train.recipe import load_recipe
    from toonfilter.train.systems import build_system

    small = ["generator.options.widths=[4, 6, 8]", "generator.options.blocks=[0, 1, 0]"]
    recipe = load_recipe("toon", [*small, "method.perceptual_weight=0", "method.sizes_px=[64]"])
    system = build_system(recipe)
    weights = system.networks.state_dict()
    write_checkpoint(
        tmp_path / "run", step=7, recipe=recipe, data="pairs", weights=weights, averaged={}, state={}, keep=1
    )
    source = open_source(tmp_path / "run", crops=pairs)
    assert (source.name, source.training.steps, source.training.recipe) == ("run", 7, "toon")
    assert source.warp == FaceWarp().to_dict()
    assert "your own use" in source.licence
    proportions = {**FaceWarp().to_dict(), "eyes": 1.2}
    about = {"step": 8, "recipe": recipe, "data": "pairs", "weights": weights, "averaged": {}, "state": {}, "keep": 1}
    write_checkpoint(tmp_path / "other", warp=proportions, **about)
    assert open_source(tmp_path / "other").warp == proportions
    exported = export_bundle(source, BundleOptions(output=tmp_path / "out", crops=pairs, licence="MIT"))
    assert exported.bundle.input.guidance_channels == 3
    assert exported.bundle.files[0].size == 64
    again = bundle_source(exported.folder)
    assert again.training == source.training
