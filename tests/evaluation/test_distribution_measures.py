"""Distribution measures against closed forms, brute force and independent libraries."""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg
import torch
from torchmetrics.image.kid import poly_mmd

from toonfilter.benchmarks.quality import feature_store, frechet, kernel_distance
from toonfilter.benchmarks.quality.distribution import DistributionPass, measure_distribution
from toonfilter.benchmarks.quality.nearest_neighbour import nearest_neighbour
from toonfilter.benchmarks.quality.precision_recall import precision_recall


@pytest.fixture
def sets() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(4)
    mixing = generator.normal(size=(6, 6))
    real = generator.normal(size=(300, 6)) @ mixing
    return real.astype(np.float32), (generator.normal(size=(260, 6)) @ mixing * 1.3 + 0.5).astype(np.float32)


def _far(sets: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return sets[0], sets[1] + 1e3


def test_frechet_distance_of_known_gaussians() -> None:
    first, second = np.array([4.0, 9.0, 1.0]), np.array([1.0, 16.0, 1.0])
    mean = np.array([1.0, -2.0, 0.0])
    expected = 5 + (2 - 1) ** 2 + (3 - 4) ** 2
    assert frechet.frechet_distance(mean, np.diag(first), np.zeros(3), np.diag(second)) == pytest.approx(expected)


def test_frechet_distance_agrees_with_the_matrix_root(sets) -> None:
    moments = [(rows.astype(np.float64).mean(0), np.cov(rows.astype(np.float64).T)) for rows in sets]
    (mean1, covariance1), (mean2, covariance2) = moments
    root = scipy.linalg.sqrtm(covariance1 @ covariance2).real
    expected = ((mean1 - mean2) ** 2).sum() + np.trace(covariance1 + covariance2 - 2 * root)
    assert frechet.fid(*sets).value == pytest.approx(expected)


def test_running_moments_are_those_of_all_rows(sets) -> None:
    running = frechet.RunningMoments(6)
    for block in feature_store.blocks(sets[0], 37):
        running.add(block)
    np.testing.assert_allclose(running.mean, sets[0].astype(np.float64).mean(0))
    np.testing.assert_allclose(running.covariance, np.cov(sets[0].astype(np.float64).T))


def test_the_interval_is_the_same_by_the_cheap_way_that_few_rows_take() -> None:
    """With fewer rows than features another formula is taken; columns of zeros make it so, and change no distance."""
    generator = np.random.default_rng(3)
    few = [generator.normal(shift, 1, size=(6, 4)) for shift in (0.0, 0.7)]
    wide = [np.hstack([rows, np.zeros((6, 20))]) for rows in few]
    plain, cheap = frechet.fid(*few), frechet.fid(*wide)
    assert plain.low < plain.high
    assert (cheap.value, cheap.low, cheap.high) == pytest.approx((plain.value, plain.low, plain.high), rel=1e-4)


def test_frechet_interval_covers_the_truth_most_of_the_time() -> None:
    hits = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        found = frechet.fid(generator.normal(size=(400, 2)), generator.normal(0.5, 1, size=(400, 2)))
        hits += found.low <= 0.5 <= found.high
    assert hits >= 16


def test_kid_agrees_with_torchmetrics(sets) -> None:
    first, second = sets[0][:250], sets[1][:250]
    expected = poly_mmd(torch.from_numpy(first.astype(np.float64)), torch.from_numpy(second.astype(np.float64)))
    assert kernel_distance.kid(first, second).value == pytest.approx(float(expected), rel=1e-6)


def test_kid_over_subsets_agrees_with_all_rows(monkeypatch, sets) -> None:
    whole = kernel_distance.kid(*sets).value
    monkeypatch.setattr(kernel_distance, "KID_SUBSET_ROWS", 100)
    assert kernel_distance.kid(*sets).value == pytest.approx(whole, rel=0.15)


def test_kernel_mmd_by_brute_force(sets) -> None:
    real, fake = (rows.astype(np.float64) for rows in sets)

    def distances(first, second):
        return ((first[:, None] - second[None]) ** 2).sum(-1)

    scale = distances(real, real).mean()
    means = [np.exp(-distances(*pair) / (2 * scale)).mean() for pair in ((real, real), (fake, fake), (real, fake))]
    expected = np.sqrt(means[0] + means[1] - 2 * means[2])
    found = kernel_distance.kernel_mmd(*sets)
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert found.low < expected < found.high


def test_identical_sets_are_at_no_distance(sets) -> None:
    real = sets[0]
    assert kernel_distance.kernel_mmd(real, real).value == pytest.approx(0, abs=1e-6)
    assert frechet.fid(real, real).value == pytest.approx(0, abs=1e-4)
    # Every picture's nearest neighbour is its copy on the other side.
    found = nearest_neighbour(real, real)
    assert (found.both.value, found.real.value, found.fake.value) == (0, 0, 0)


def test_disjoint_sets_are_told_apart(sets) -> None:
    real, fake = _far(sets)
    found = nearest_neighbour(real, fake)
    assert (found.both.value, found.real.value, found.fake.value) == (1, 1, 1)
    # The kernel between them vanishes: what is left are the two means within.
    assert kernel_distance.kernel_mmd(real, fake).value > 0.8
    assert frechet.fid(real, fake).value == pytest.approx(6e6, rel=0.01)


def test_equal_distributions_cannot_be_told_apart() -> None:
    generator = np.random.default_rng(0)
    real, fake = generator.normal(size=(2, 1000, 4)).astype(np.float32)
    found = nearest_neighbour(real, fake)
    assert found.both.low < 0.5 < found.both.high
    kid = kernel_distance.kid(real, fake)
    assert kid.low < 0 < kid.high


def test_nearest_neighbour_by_brute_force(sets) -> None:
    real, fake = sets[0][:50], sets[1][:50]
    everything = np.concatenate([real, fake]).astype(np.float64)
    distances = ((everything[:, None] - everything[None]) ** 2).sum(-1)
    np.fill_diagonal(distances, np.inf)
    own = (distances.argmin(1) < 50) == (np.arange(100) < 50)
    found = nearest_neighbour(real, fake)
    assert found.both.value == own.mean()
    assert (found.real.value, found.fake.value) == (own[:50].mean(), own[50:].mean())
    assert found.both.value == pytest.approx((found.real.value + found.fake.value) / 2)


def test_precision_and_recall_of_points_on_a_line() -> None:
    # Balls around real points reach their third neighbours: 3 2 2 2 3. Of the fakes one is near, five are far away.
    real = np.array([0.0, 1, 2, 3, 4])[:, None]
    fake = np.array([2.5, 20, 21, 22, 23, 24])[:, None]
    found = precision_recall(real, fake)
    assert found.precision.value == pytest.approx(1 / 6)
    # The ball of 2.5 reaches its third neighbour, 22; all real points are within 19.5 of it.
    assert found.recall.value == 1
    far = precision_recall(real, fake[1:])
    assert (far.precision.value, far.recall.value) == (0, 0)
    near = precision_recall(real, real + 0.1)
    assert (near.precision.value, near.recall.value) == (1, 1)


def test_collapsed_drawings_show_in_the_fake_part(sets) -> None:
    real = sets[0]
    collapsed = np.repeat(real[:1], 300, axis=0) + 1e-3 * np.random.default_rng(0).normal(size=(300, 6)).astype("f4")
    found = nearest_neighbour(real, collapsed)
    assert found.fake.value > 0.98
    assert found.real.value > 0.9


def test_kernel_interval_covers_the_truth_most_of_the_time() -> None:
    generator = np.random.default_rng(5)
    truth = kernel_distance.kid(generator.normal(size=(1000, 3)), generator.normal(0.3, 1, size=(1000, 3))).value
    hits = 0
    for seed in range(20):
        generator = np.random.default_rng(100 + seed)
        found = kernel_distance.kid(generator.normal(size=(200, 3)), generator.normal(0.3, 1, size=(200, 3)))
        hits += found.low <= truth <= found.high
    assert hits >= 16


def test_feature_store_gives_back_its_rows() -> None:
    store = feature_store.FeatureStore()
    rows = np.random.default_rng(0).normal(size=(70, 5)).astype(np.float32)
    for row in rows:
        store.append(row)
    np.testing.assert_array_equal(store.array(), rows)
    np.testing.assert_array_equal(np.sort(feature_store.sampled_rows(rows, 30), axis=0)[0] >= rows.min(0), True)
    assert len(store) == 70
    store.close()


def test_too_few_pictures_say_how_many_are_needed(sets) -> None:
    found, missing = measure_distribution(("mmd", "fid"), sets[0][:30], sets[1])
    assert "mmd" in found
    assert missing["fid"] == "260 results and 30 target pictures, needs 50 of each"


class _Mean:
    name = "mean"
    measures = ("mmd", "nn")

    def vector(self, image: np.ndarray) -> np.ndarray:
        return image.mean((0, 1)).astype(np.float32)


def test_pass_keeps_models_apart() -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 255, (60, 4, 4, 3), dtype=np.uint8)
    collected = DistributionPass([_Mean()], 2)
    for image in images:
        collected.add_real(collected.vectors(image))
        collected.add_fake(0, collected.vectors(image))
        collected.add_fake(1, collected.vectors(255 - image // 8))
    same, _ = collected.measure(0)
    other, _ = collected.measure(1)
    assert same["mmd:mean"].value == pytest.approx(0, abs=1e-6)
    assert other["nn:mean"].value == 1
    collected.close()


@pytest.mark.slow
def test_memory_stays_bounded_for_fifty_thousand_pictures() -> None:
    generator = np.random.default_rng(0)
    stores = [feature_store.FeatureStore() for _ in range(2)]
    for store in stores:
        for _ in range(50):
            store.extend(generator.normal(size=(1000, 128)).astype(np.float32))
    real, fake = (store.array() for store in stores)
    tracemalloc.start()
    found, _ = measure_distribution(("fid", "kid"), real, fake)
    nearest_neighbour(real[:4000], fake[:4000])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["fid"].count == 50_000
    # Each set is 26 MB as float32 and twice that as float64.
    assert peak < 60e6
    for store in stores:
        store.close()
