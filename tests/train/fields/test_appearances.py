"""The model of a face's appearance, fitted to what people said."""

from pathlib import Path

import numpy as np
import pytest

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.render.measures.appearance import appearance_features
from toonfilter.runtime.render.measures.photo import MeasuredPhoto
from toonfilter.train.data.fields.appearances import (
    fit_appearance,
    read_appearances,
    read_samples,
    write_appearance,
)
from toonfilter.train.data.fields.store import Entry, LabelStore


def child_like(landmarks: np.ndarray, share: float) -> np.ndarray:
    """The mesh with a lower face so much shorter."""
    moved = landmarks.copy()
    eyes = float(landmarks[[33, 263], 1].mean())
    below = moved[:, 1] > eyes
    moved[below, 1] = eyes + (moved[below, 1] - eyes) * np.float32(1 - share)
    return moved


def yellower(photo: np.ndarray, share: float) -> np.ndarray:
    return np.clip(photo * np.array([1, 1, 1 - share]), 0, 255).astype(np.uint8)


def test_a_fit_tells_what_mesh_and_colours_show(portrait, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    years, tones = rng.uniform(3, 70, 90), rng.uniform(2, 9, 90)
    store = LabelStore.create(tmp_path, [Entry(f"{n}.png", f"p{n}", f"c{n}", "painted") for n in range(90)])
    for number in range(90):
        store["photo"][number] = yellower(portrait.photo, tones[number] / 12)
        store["mesh"][number] = child_like(portrait.landmarks, 0.25 * (1 - years[number] / 70))
    said = {f"{n}.png": {"age": float(years[n]), "skin_tone": float(tones[n])} for n in range(90)}
    # Of half of them nobody said how old they are.
    for number in range(0, 90, 2):
        del said[f"{number}.png"]["age"]
    fit = fit_appearance(read_samples(store, said))
    assert fit.count == 90
    assert fit.correlations["skin_tone"] > 0.8
    assert fit.correlations["age"] > 0.7
    assert "makeup" not in fit.correlations
    write_appearance(fit.model, tmp_path / "appearance.npz")
    with np.load(tmp_path / "appearance.npz") as archive:
        assert set(archive) == {"usual", "hidden", "hidden_bias", "answer", "answer_bias"}
    young, old = (
        fit.model.of(appearance_features(MeasuredPhoto(yellower(portrait.photo, share), mesh, {})))
        for share, mesh in (
            (0.25, child_like(portrait.landmarks, 0.23)),
            (0.65, child_like(portrait.landmarks, 0.02)),
        )
    )
    assert young.age + 20 < old.age
    assert young.skin_tone < 5 < old.skin_tone


def test_few_faces_are_refused(store) -> None:
    with pytest.raises(DataError, match="at least 50"):
        read_samples(store, {"0.png": {"age": 30.0}})


def test_files_are_joined_by_picture(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,age\na.png,30\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("file,skin_tone,makeup\na.png,3.5,0\nb.png,8,2\n", encoding="utf-8")
    found = read_appearances([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert found == {
        "a.png": {"age": 30, "skin_tone": 3.5, "makeup": 0},
        "b.png": {"skin_tone": 8, "makeup": 2},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,years\na.png,3\n", "expected the column file and one of"),
        ("file,age\na.png,old\n", "line 2: age"),
        ("file,age\na.png,-3\n", "must be 0 to 130"),
        ("file,skin_tone\na.png,11\n", "must be 1 to 10"),
    ],
)
def test_bad_lists_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "said.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_appearances([path])
