"""The model of apparent age: fitted to guesses, and what it says of a face."""

from pathlib import Path

import numpy as np
import pytest

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.render.measures.apparent_age import AgeModel, age_features, apparent_age
from toonfilter.runtime.render.measures.photo import MeasuredPhoto
from toonfilter.train.data.fields.ages import fit_ages, read_ages, write_ages
from toonfilter.train.data.fields.store import Entry, LabelStore


def child_like(landmarks: np.ndarray, share: float) -> np.ndarray:
    """The mesh with a lower face so much shorter."""
    moved = landmarks.copy()
    eyes = float(landmarks[[33, 263], 1].mean())
    below = moved[:, 1] > eyes
    moved[below, 1] = eyes + (moved[below, 1] - eyes) * np.float32(1 - share)
    return moved


def test_short_faces_look_younger(portrait) -> None:
    """The shipped model, on one painted face in two shapes."""
    old, young = (
        apparent_age(MeasuredPhoto(portrait.photo, child_like(portrait.landmarks, share), {})) for share in (0.0, 0.2)
    )
    assert young < 0.8 * old


def test_a_fit_tells_ages_that_the_mesh_shows(portrait, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    years = rng.uniform(3, 70, 80)
    store = LabelStore.create(tmp_path, [Entry(f"{n}.png", f"p{n}", f"c{n}", "painted") for n in range(80)])
    for number, age in enumerate(years):
        store["photo"][number] = portrait.photo
        store["mesh"][number] = child_like(portrait.landmarks, 0.25 * (1 - age / 70))
    fit = fit_ages(store, {f"{n}.png": float(age) for n, age in enumerate(years)})
    assert fit.count == 80
    assert fit.correlation > 0.9
    assert fit.error_years < 10
    write_ages(fit, tmp_path / "age.npz")
    with np.load(tmp_path / "age.npz") as archive:
        model = AgeModel(archive["weights"], float(archive["bias"]))
    young, old = (
        model.years(age_features(MeasuredPhoto(portrait.photo, child_like(portrait.landmarks, share), {})))
        for share in (0.23, 0.02)
    )
    assert young < 15 < 45 < old


def test_few_faces_are_refused(store) -> None:
    with pytest.raises(DataError, match="at least 50"):
        fit_ages(store, {"0.png": 30.0})


@pytest.mark.parametrize(
    ("text", "message"),
    [("file,years\na.png,3\n", "columns"), ("file,age\na.png,old\n", "line 2"), ("file,age\na.png,-3\n", "line 2")],
)
def test_bad_lists_of_ages_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "ages.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_ages([path])
