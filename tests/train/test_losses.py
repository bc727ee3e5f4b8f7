"""Every loss equals its formula, written out plainly, and sends gradient where it should."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from toonfilter.train.image_pool import ImagePool
from toonfilter.train.losses import (
    adversarial_distance,
    caricature,
    colour,
    cycle,
    domain,
    edge_promoting,
    feature_cycle,
    landmark,
    style,
    wgan,
)
from toonfilter.train.networks.landmark_regressor import LandmarkRegressor, heat_maps, soft_argmax
from toonfilter.train.ramps import Ramp


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def grad(value: torch.Tensor, to: torch.Tensor) -> torch.Tensor | None:
    return torch.autograd.grad(value, to, retain_graph=True, allow_unused=True)[0]


def test_cycle_and_identity() -> None:
    a, b = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    x, y = a.numpy(), b.numpy()
    assert cycle.cycle_loss(a, b).item() == pytest.approx(np.abs(x - y).mean(), rel=1e-5)
    assert cycle.identity_loss(a, b, "l2").item() == pytest.approx(((x - y) ** 2).mean(), rel=1e-5)


def test_feature_cycle_mixes_pixels_and_features() -> None:
    a, b, fa, fb = (torch.randn(2, 3, 4, 4, requires_grad=True) for _ in range(4))
    value = feature_cycle.feature_cycle_loss(a, b, fa, fb, gamma=0.3)
    x, y, fx, fy = (t.detach().numpy() for t in (a, b, fa, fb))
    assert value.item() == pytest.approx(0.3 * np.abs(fx - fy).mean() + 0.7 * np.abs(x - y).mean(), rel=1e-5)
    assert grad(value, fa) is not None
    assert grad(value, fb) is None


def test_balanced_generator_loss() -> None:
    fake, truth = torch.randn(2, 3, 4, 4, requires_grad=True), torch.randn(2, 3, 4, 4)
    real_scores, fake_scores = (torch.rand(2, 1, 3, 3, requires_grad=True) for _ in range(2))
    value = adversarial_distance.balanced_generator_loss(fake, truth, real_scores, fake_scores, 0.8)
    f, t, r, s = (v.detach().numpy() for v in (fake, truth, real_scores, fake_scores))
    assert value.item() == pytest.approx(0.8 * ((f - t) ** 2).mean() + 0.2 * np.abs(r - s).mean(), rel=1e-5)
    assert grad(value, real_scores) is None
    assert grad(value, fake_scores) is not None
    assert grad(value, fake) is not None


def test_gradient_penalty_of_a_linear_critic_is_known() -> None:
    # D(x) = w . x has the gradient w everywhere: the penalty is (|w| - 1)^2, its derivative 2 (|w| - 1) w / |w|.
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    real, fake = torch.randn(5, 2), torch.randn(5, 2)
    value = wgan.gradient_penalty(lambda x: (x * weight).sum(1, keepdim=True), real, fake)
    assert value.item() == pytest.approx(16.0, rel=1e-5)
    derivative = grad(value, weight)
    assert derivative is not None
    torch.testing.assert_close(derivative, torch.tensor([2 * 4 * 0.6, 2 * 4 * 0.8]))


def test_gradient_penalty_of_a_network_against_finite_differences() -> None:
    critic = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    real, fake = torch.randn(3, 3, 2, 2).double(), torch.randn(3, 3, 2, 2).double()
    mix = torch.rand(3, 1, 1, 1).double()
    value = wgan.gradient_penalty(critic, real, fake, mix)
    point, step = (mix * real + (1 - mix) * fake), 1e-6
    norms = []
    for n in range(3):
        parts = []
        for i in range(12):
            shift = torch.zeros(12).double()
            shift[i] = step
            up = critic((point[n].flatten() + shift).view(1, 3, 2, 2))
            down = critic((point[n].flatten() - shift).view(1, 3, 2, 2))
            parts.append((up - down).item() / (2 * step))
        norms.append(math.sqrt(sum(p * p for p in parts)))
    assert value.item() == pytest.approx(sum((n - 1) ** 2 for n in norms) / 3, rel=1e-6)
    value.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in list(critic.parameters())[:3])


def test_weight_clipping() -> None:
    critic = nn.Linear(3, 3)
    wgan.clip_weights(critic, 0.01)
    assert all(p.abs().max() <= 0.01 for p in critic.parameters())


def test_landmark_losses_reach_the_picture_through_a_frozen_regressor() -> None:
    regressor = LandmarkRegressor(points=5, width=4, levels=2).eval().requires_grad_(False)
    image = torch.randn(2, 3, 32, 32, requires_grad=True)
    target = heat_maps(torch.rand(2, 5, 2) - 0.5, 16, 16)
    maps = regressor(image)
    value = landmark.landmark_consistency(maps, target)
    assert value.item() == pytest.approx(((maps - target) ** 2).mean().item(), rel=1e-5)
    for loss in (value, regressor.landmarks(image).square().sum()):
        gradient = grad(loss, image)
        assert gradient is not None
        assert gradient.abs().sum() > 0


def test_heat_maps_and_soft_argmax_are_inverse() -> None:
    points = torch.tensor([[[0.0, 0.0], [0.5, -0.25], [-0.4, 0.3]]])
    torch.testing.assert_close(soft_argmax(heat_maps(points, 64, 64)), points, atol=0.01, rtol=0)
    maps = heat_maps(points, 64, 64)
    assert maps[0, 1].flatten().argmax() == 23 * 64 + 47 or maps[0, 1].max() > 0.9


def test_patches_are_cut_where_the_landmarks_are() -> None:
    ramp = (torch.arange(32) + 0.5) / 16 - 1
    image = torch.stack([ramp.expand(32, 32), ramp[:, None].expand(32, 32)])[None].requires_grad_(True)
    points = torch.tensor([[[-0.2, 0.1], [0.2, 0.1], [0.0, 0.4]]])
    eyes, mouth = (
        landmark.crop_around(image, points[:, group].mean(1), size=0.25, side_px=8) for group in ([0, 1], [2])
    )
    torch.testing.assert_close(eyes.mean((2, 3)), torch.tensor([[0.0, 0.1]]), atol=1e-4, rtol=0)
    torch.testing.assert_close(mouth.mean((2, 3)), torch.tensor([[0.0, 0.4]]), atol=1e-4, rtol=0)
    assert grad(mouth.sum(), image) is not None


def test_gram_style() -> None:
    a, b = torch.randn(2, 3, 4, 5, requires_grad=True), torch.randn(2, 3, 4, 5)

    def gram(x: np.ndarray) -> np.ndarray:
        return np.einsum("nchw,ndhw->ncd", x, x) / (3 * 4 * 5)

    value = style.style_loss([a, 2 * a], [b, b])
    x, y = a.detach().numpy(), b.numpy()
    expected = np.abs(gram(x) - gram(y)).mean() + np.abs(gram(2 * x) - gram(y)).mean()
    assert value.item() == pytest.approx(float(expected), rel=1e-5)
    assert grad(value, a) is not None


def test_colour() -> None:
    a, b = torch.rand(2, 3, 4, 4) * 2 - 1, torch.rand(2, 3, 4, 4) * 2 - 1

    def yuv(x: np.ndarray) -> np.ndarray:
        r, g, bl = ((x[:, i] + 1) / 2 for i in range(3))
        y = 0.299 * r + 0.587 * g + 0.114 * bl
        return np.stack([y, 0.492111 * (bl - y), 0.877283 * (r - y)])

    def huber(d: np.ndarray) -> float:
        return float(np.where(np.abs(d) < 1, 0.5 * d * d, np.abs(d) - 0.5).mean())

    d = yuv(a.numpy()) - yuv(b.numpy())
    expected = np.abs(d[0]).mean() + huber(d[1]) + huber(d[2])
    assert colour.colour_loss(a, b).item() == pytest.approx(float(expected), rel=1e-3)
    gray = colour.to_grayscale(a)
    assert torch.equal(gray[:, 0], gray[:, 1])
    assert gray[0, 0, 0, 0].item() == pytest.approx(
        float((a[0, :, 0, 0] * torch.tensor([0.299, 0.587, 0.114])).sum()), rel=1e-5
    )


def test_reversed_gradient_trains_the_classifier_and_fools_the_encoder() -> None:
    embedding = torch.randn(4, 3, requires_grad=True)
    weight = torch.randn(3, 1, requires_grad=True)
    plain = domain.domain_adversarial(embedding @ weight, -embedding @ weight)
    turned = domain.reverse_gradient(embedding, 0.5)
    value = domain.domain_adversarial(turned @ weight, -turned @ weight)
    z = (embedding @ weight).detach().numpy()
    expected = np.log1p(np.exp(-z)).mean() + np.log1p(np.exp(-z)).mean()
    assert value.item() == pytest.approx(float(expected), rel=1e-5)
    there, here = grad(plain, embedding), grad(value, embedding)
    assert there is not None
    assert here is not None
    torch.testing.assert_close(here, -0.5 * there)
    torch.testing.assert_close(grad(plain, weight), grad(value, weight))


def test_domain_least_squares_of_known_scores() -> None:
    # mean(0.25, 1) + mean((2 - 1)^2, (0.5 - 1)^2) = 0.625 + 0.625
    photo, cartoon = torch.tensor([[0.5], [-1.0]]), torch.tensor([[2.0], [0.5]])
    assert float(domain.domain_least_squares(photo, cartoon)) == pytest.approx(1.25)


def test_semantic_consistency() -> None:
    a, b = torch.randn(2, 5), torch.randn(2, 5)
    assert domain.semantic_consistency(a, b).item() == pytest.approx(float((a - b).abs().mean()), rel=1e-6)


def test_characteristic_loss() -> None:
    l, g, m, n = torch.randn(3, 6), torch.randn(3, 6, requires_grad=True), torch.randn(6), torch.randn(6)  # noqa: E741
    value = caricature.characteristic_loss(l, g, m, n)
    u, v = g.detach().numpy() - n.numpy(), l.numpy() - m.numpy()
    cosine = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    assert value.item() == pytest.approx(float((1 - cosine).mean()), rel=1e-5)
    assert grad(value, g) is not None
    farther = m + 2.5 * (l - m)
    assert caricature.characteristic_loss(l, farther, m, m).item() == pytest.approx(0.0, abs=1e-6)


def test_edge_promoting() -> None:
    c, e, f = (torch.randn(2, 1, 3, 3) for _ in range(3))

    def sigmoid(x: torch.Tensor) -> np.ndarray:
        return 1 / (1 + np.exp(-x.numpy().astype(np.float64)))

    expected = -(np.log(sigmoid(c)).mean() + np.log(1 - sigmoid(e)).mean() + np.log(1 - sigmoid(f)).mean())
    assert edge_promoting.edge_promoting_loss(c, e, f).item() == pytest.approx(float(expected), rel=1e-5)


def test_ramp() -> None:
    falling, rising = Ramp(0.99, 0.5), Ramp(0.0, 0.95, until=0.5)
    assert [falling.at(p) for p in (0, 0.5, 1)] == pytest.approx([0.99, 0.745, 0.5])
    assert [rising.at(p) for p in (0, 0.25, 0.5, 0.9)] == pytest.approx([0, 0.475, 0.95, 0.95])


def test_image_pool_mixes_old_and_new_and_resumes() -> None:
    pool = ImagePool(4)
    for n in range(4):
        assert torch.equal(pool.exchange(torch.full((1, 1, 1, 1), float(n))), torch.full((1, 1, 1, 1), float(n)))
    values = [float(pool.exchange(torch.full((1, 1, 1, 1), float(n)))) for n in range(4, 204)]
    old = sum(v != n for v, n in zip(values, range(4, 204), strict=True))
    assert 70 < old < 130
    batch = torch.randn(6, 1, 1, 1, requires_grad=True)
    state, generator = pool.state_dict(), torch.get_rng_state()
    again = ImagePool(4)
    again.load_state_dict(state)
    first = pool.exchange(batch)
    torch.set_rng_state(generator)
    assert torch.equal(first, again.exchange(batch))
    assert not first.requires_grad


def test_empty_pool_returns_the_batch() -> None:
    batch = torch.randn(2, 3, 4, 4)
    assert torch.equal(ImagePool(0).exchange(batch), batch)
