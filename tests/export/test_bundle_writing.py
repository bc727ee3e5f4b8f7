"""From a generator to an installed bundle, and back out."""

import dataclasses
import os

import cv2
import numpy as np
import onnx
import pytest

from toonfilter.export.bundle_export import BundleOptions, export_bundle
from toonfilter.export.installed import install_bundle, installed_models, remove_model, staged_folder
from toonfilter.export.onnx_export import ExportError
from toonfilter.export.parity import TOLERANCES, Comparison, Tolerance, check_parity
from toonfilter.export.report import contact_sheet
from toonfilter.export.source import bundle_source
from toonfilter.runtime.backends import EngineOptions, open_translator
from toonfilter.runtime.bundle import Parity, find_bundle, load_bundle
from toonfilter.runtime.errors import BundleError, ConfigError, DataError, OutputError

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def source(make_source, pairs, tmp_path_factory):
    """The tiny generator as a bundle: exported by torch once, the source of the tests below."""
    folder = tmp_path_factory.mktemp("out") / "tiny"
    return bundle_source(export_bundle(make_source(), BundleOptions(output=folder, crops=pairs)).folder)


def test_export_installs_a_whole_bundle_that_the_engines_run(make_source, pairs, home, crops) -> None:
    told: list[str] = []
    options = BundleOptions(name="mine", precisions=("fp16", "int8"), crops=pairs)
    exported = export_bundle(make_source(), options, told.append)
    assert exported.folder == home / "mine"
    assert any("int8" in line for line in told)
    bundle = find_bundle("mine")
    assert bundle == exported.bundle
    assert bundle.precisions == ["fp32", "fp16", "int8"]
    assert bundle.input.sizes == [64, 96]
    assert {entry.path for entry in bundle.parity} == {entry.path for entry in bundle.files}
    assert all(entry.crops > 0 and entry.psnr_db > 30 for entry in bundle.parity)
    assert sorted(path.name for path in home.iterdir()) == ["mine"]
    metadata = {entry.key: entry.value for entry in onnx.load(exported.folder / "mine_fp16.onnx").metadata_props}
    assert metadata["toonfilter.checkpoint_sha256"] == "5" * 64
    assert (metadata["toonfilter.name"], metadata["toonfilter.licence"]) == ("mine", "MIT")
    page = exported.report.read_text()
    assert "mine_int8.onnx" in page
    assert cv2.imread(str(exported.folder / "parity.png")).shape[1] == 192 * 8
    for size in (64, 96):
        feeds = crops.feeds(size, 2, batch=2)[0]
        opened = open_translator(bundle, "onnxruntime", EngineOptions(size=size, precision="fp32"))
        assert opened.translator.translate(feeds["image"], feeds["guidance"]).shape == (2, size, size, 4)
        opened.translator.close()


def test_outside_the_tolerance_nothing_is_installed(source, pairs, home, monkeypatch) -> None:
    monkeypatch.setitem(TOLERANCES, "int8", Tolerance(0.0, 0, 99))
    with pytest.raises(ExportError, match=r"mine_int8.onnx differs too much .* Nothing was installed"):
        export_bundle(source, BundleOptions(name="mine", precisions=("int8",), crops=pairs))
    assert not list(home.iterdir())


def test_existing_bundles_are_replaced_only_when_asked(source, pairs, tmp_path) -> None:
    options = BundleOptions(name="mine", crops=pairs, sizes=(64, 96))
    export_bundle(source, options)
    with pytest.raises(OutputError, match="--overwrite"):
        export_bundle(source, options)
    other = dataclasses.replace(source, version="2.0.0")
    export_bundle(other, dataclasses.replace(options, overwrite=True))
    assert find_bundle("mine").version == "2.0.0"
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter.txt").write_text("text")
    with pytest.raises(OutputError, match="is not a bundle folder"):
        export_bundle(source, dataclasses.replace(options, output=foreign, overwrite=True))
    assert (foreign / "chapter.txt").exists()


def test_a_bundle_is_exported_again_from_its_own_fp32_file(source, pairs, tmp_path) -> None:
    options = BundleOptions(output=tmp_path / "second", crops=pairs, precisions=("fp16", "int8"))
    second = export_bundle(source, options)
    assert second.bundle.precisions == ["fp32", "fp16", "int8"]
    assert second.bundle.files[0].sha256 == source.bundle.files[0].sha256
    assert second.bundle.parity[0].max_abs_error == 0
    assert load_bundle(tmp_path / "second").training == source.training


def test_install_list_remove(source, pairs, home, tmp_path) -> None:
    folder = export_bundle(source, BundleOptions(output=tmp_path / "out", crops=pairs)).folder
    assert install_bundle(folder, name="borrowed") == home / "borrowed"
    with pytest.raises(OutputError, match="exists"):
        install_bundle(folder, name="borrowed")
    install_bundle(folder, name="borrowed", overwrite=True)
    assert find_bundle("borrowed").name == "borrowed"
    (home / "broken").mkdir()
    (home / "broken" / "bundle.json").write_text("{")
    models = {model.name: model for model in installed_models() if model.is_users}
    assert models["borrowed"].precisions == ("fp32",)
    assert models["borrowed"].problem == ""
    assert "not JSON" in models["broken"].problem
    assert remove_model("borrowed") == home / "borrowed"
    assert not (home / "borrowed").exists()
    remove_model("broken")
    with pytest.raises(BundleError, match="no installed model 'borrowed'; installed by you: none"):
        remove_model("borrowed")
    with pytest.raises(BundleError, match="no installed model"):
        remove_model("../borrowed")


def test_shipped_bundles_are_not_removed(source, pairs, tmp_path, monkeypatch) -> None:
    shipped = tmp_path / "shipped"
    export_bundle(source, BundleOptions(output=shipped / "cartoon", crops=pairs))
    monkeypatch.setattr("toonfilter.runtime.bundle.shipped_folder", lambda: shipped)
    with pytest.raises(ConfigError, match="ships with toonfilter"):
        remove_model("cartoon")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with (
        pytest.raises(OutputError, match="cannot be written"),
        staged_folder(tmp_path / "locked" / "x", overwrite=False),
    ):
        pass


def test_a_full_disk_leaves_the_old_bundle(tmp_path) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "bundle.json").write_text("old")

    def fill_the_disk() -> None:
        with staged_folder(target, overwrite=True) as staging:
            (staging / "half").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        fill_the_disk()
    assert (target / "bundle.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_licence_is_required(source, pairs) -> None:
    unknown = dataclasses.replace(source, licence="")
    with pytest.raises(ConfigError, match="--licence"):
        export_bundle(unknown, BundleOptions(crops=pairs))


def test_no_faces_is_said_before_anything_is_exported(source, tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((80, 80, 3), 128, np.uint8))
    with pytest.raises(DataError, match="no face in its 1 pictures"):
        export_bundle(source, BundleOptions(crops=tmp_path))


def test_parity_figures_are_what_they_say() -> None:
    reference = np.full((1, 8, 8, 3), 100, np.uint8)
    result = reference.copy()
    result[0, 0, 0, 0] = 110
    comparison = Comparison()
    comparison.add(reference, reference, result)
    parity = comparison.as_parity("x.onnx")
    assert parity == Parity("x.onnx", round(10 / 192, 4), 10.0, round(10 * np.log10(255**2 / (100 / 192)), 2), 1)
    check_parity(parity, "fp16")
    with pytest.raises(ExportError, match="max 10 levels"):
        check_parity(parity, "fp32")
    with pytest.raises(ExportError, match="answers uint8"):
        comparison.add(reference, reference, result[:, :4])
    assert contact_sheet([comparison]).shape == (192, 4 * 192, 3)
