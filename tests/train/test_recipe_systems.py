"""Each published method: trains, sends every loss term to the networks it is meant for, and resumes."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.losses.adversarial import AdversarialLoss
from toonfilter.train.losses.adversary import Adversary, AdversaryOptions
from toonfilter.train.recipe import load_recipe
from toonfilter.train.systems import build_system

SMALL_NETS = ["generator.options.width=4", "discriminator.options.width=4"]
RESNET = [*SMALL_NETS, "data.size_px=32", "data.batch_size=2", "generator.options.blocks=1"]
CYCLE = [*RESNET, "discriminator.options.layers=2", "method.pool=3"]
STYLE = [*SMALL_NETS, "data.size_px=32", "data.batch_size=2", "generator.options.blocks=1"]
TINY: Mapping[str, list[str]] = {
    "gan-v1": RESNET,
    "gan-v2": RESNET,
    "wgan-gp": [*RESNET, "discriminator.options.layers=2", "method.adversary.critic_steps=2"],
    "cyclegan": CYCLE,
    "cyclegan-fast": CYCLE,
    "cyclegan-v3": CYCLE,
    "cyclegan-v4": CYCLE,
    "cyclegan-v5": CYCLE,
    "cyclegan-v6": CYCLE,
    "landmark-cyclegan": [
        *CYCLE,
        "method.regressor_width=4",
        "method.regressor_levels=2",
        "method.patch_px=16",
        "method.coarse_until=0.5",
    ],
    "content-style": STYLE,
    "cartoongan": [*RESNET, "method.initialisation=0.5", "method.regressor_width=4", "method.regressor_levels=2"],
    "caricature": [
        *STYLE,
        "method.faces_to_fit=4",
        "method.components=3",
        "method.geometry_width=8",
    ],
    "dcgan": [*SMALL_NETS, "data.batch_size=4"],
    "face2anime": CYCLE,
    "cut": [*RESNET, "discriminator.options.layers=2", "method.places=16", "method.projection=8"],
    "fastcut": [*RESNET, "discriminator.options.layers=2", "method.places=16", "method.projection=8"],
    "ugatit": [
        "generator.options.width=4",
        "generator.options.blocks=1",
        "data.size_px=32",
        "data.batch_size=2",
        "method.local_layers=3",
        "method.global_layers=4",
        "method.discriminator_width=4",
    ],
    "xgan": [*SMALL_NETS, "data.batch_size=4", "generator.options.embedding=16", "method.perceptual_weight=0.1"],
}
# These are cyclegan or cyclegan-v6 with a part left out.
VARIANTS = ("cyclegan-fast", "cyclegan-v3", "cyclegan-v4", "cyclegan-v5", "fastcut")
EACH = [pytest.param(name, marks=pytest.mark.slow if name in VARIANTS else ()) for name in TINY]
USES_FEATURES = ("cartoongan", "caricature", "xgan", "face2anime")


class TinyFeatures(nn.Module):
    """In place of pretrained features: two fixed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.first = nn.Conv2d(3, 4, 3, stride=2)
        self.second = nn.Conv2d(4, 4, 3, stride=2)
        for parameter in self.parameters():
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        first = torch.tanh(self.first(image))
        return [first, self.second(first)]


@pytest.fixture(autouse=True)
def _small_and_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    from toonfilter.train.systems import caricature, cartoongan, cyclegan, xgan

    for module in (caricature, cartoongan, cyclegan, xgan):
        monkeypatch.setattr(module, "FeatureNetwork", lambda _: TinyFeatures())
    torch.manual_seed(0)


@dataclass
class Context:
    """What the loop does in a step, and a record of which networks each update's loss reached."""

    system: Any
    total_steps: int
    step: int = 0
    reached: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.plans = self.system.optimisers()
        self.adams = {
            name: torch.optim.Adam(plan.parameters, lr=plan.settings.learning_rate, betas=(0.5, 0.999))
            for name, plan in self.plans.items()
        }

    @property
    def progress(self) -> float:
        return self.step / self.total_steps

    def update(self, optimiser: str, loss: Tensor) -> None:
        assert loss.ndim == 0
        self.reached.setdefault(optimiser, set()).update(networks_reached(self.system, loss))
        adam = self.adams[optimiser]
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()


def networks_reached(system: Any, loss: Tensor) -> set[str]:
    """Names of the networks whose weights the loss has a gradient for that is not zero."""
    names = [(name, p) for name, net in system.networks.items() for p in net.parameters() if p.requires_grad]
    if not loss.requires_grad:
        return set()
    gradients = torch.autograd.grad(loss, [p for _, p in names], retain_graph=True, allow_unused=True)
    return {
        name for (name, _), gradient in zip(names, gradients, strict=True) if gradient is not None and gradient.any()
    }


def tiny_system(name: str, *more: str) -> Any:
    return build_system(load_recipe(name, [*TINY[name], *more]))


def tiny_batch(system: Any) -> dict[str, Tensor]:
    recipe = system.recipe
    n, size = recipe.data.batch_size, recipe.data.size_px
    batch = {name: torch.rand(n, 3, size, size) * 2 - 1 for name in ("source", "target", "edges")}
    for name in ("landmarks", "target_landmarks"):
        batch[name] = torch.rand(n, 478, 2) * size * 0.6 + size * 0.2
    return batch


def train(system: Any, steps: int, total: int | None = None) -> tuple[Context, list[dict[str, float]]]:
    context = Context(system, total or steps)
    log = []
    system.networks.train()
    for step in range(steps):
        context.step = step
        scalars = system.step(tiny_batch(system), context)
        assert not any(value.requires_grad for value in scalars.values())
        log.append({name: float(value) for name, value in scalars.items()})
    return context, log


def weights(network: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in network.parameters()]


@pytest.mark.parametrize("name", EACH)
def test_trains_some_steps(name: str) -> None:
    system = tiny_system(name)
    before = {n: weights(net) for n, net in system.networks.items()}
    context, log = train(system, 4)
    assert all(np.isfinite(list(scalars.values())).all() for scalars in log)
    logged = {key for scalars in log for key in scalars}
    assert any(key.startswith("d_real") for key in logged), "no curve of D(real)"
    assert {key.replace("d_real", "d_fake") for key in logged if key.startswith("d_real")} <= logged
    for network, old in before.items():
        if old:
            moved = any(not torch.equal(a, b) for a, b in zip(old, weights(system.networks[network]), strict=True))
            assert moved, f"{network} was not trained"
    # No update reaches a network that its optimiser does not own, and each reaches all that it owns.
    owner = {id(p): name for name, plan in context.plans.items() for p in plan.parameters}
    for optimiser, reached in context.reached.items():
        owned = {n for n, net in system.networks.items() for p in net.parameters() if owner.get(id(p)) == optimiser}
        assert reached <= owned, f"{optimiser} reaches {reached - owned}"
        assert owned <= reached, f"{optimiser} does not reach {owned - reached}"


@pytest.mark.parametrize("name", EACH)
def test_samples_are_pictures(name: str) -> None:
    system = tiny_system(name)
    train(system, 2)
    system.networks.eval()
    with torch.no_grad():
        columns = system.samples(tiny_batch(system), system.networks)
    assert len(columns) >= 2
    for column in columns:
        assert column.shape[1:] == columns[0].shape[1:]
        assert column.shape[1] == 3


@pytest.mark.parametrize("name", EACH)
def test_exported_network_takes_a_picture_and_gives_one(name: str) -> None:
    system = tiny_system(name)
    if name in USES_FEATURES:
        assert not any(isinstance(part, TinyFeatures) for part in vars(system).values()), "opened before training"
    spec = system.export_spec()
    if spec is None:
        assert name == "dcgan"
        return
    size = spec.sizes_px[0]
    for network in (spec.network, *spec.others.values()):
        with torch.no_grad():
            result = system.networks[network].eval()(torch.rand(1, 3, size, size) * 2 - 1)
        assert result.shape == (1, 3, size, size)


@pytest.mark.parametrize("name", EACH)
def test_resumes_bit_for_bit(name: str) -> None:
    straight = tiny_system(name)
    context, _ = train(straight, 3, total=5)
    saved = {
        "weights": {k: v.clone() for k, v in straight.networks.state_dict().items()},
        "optimisers": {n: torch.optim.Adam.state_dict(adam) for n, adam in context.adams.items()},
        "state": straight.state(),
    }
    saved = copy.deepcopy(saved)
    resumed = tiny_system(name)
    resumed.networks.load_state_dict(saved["weights"])
    resumed.load_state(saved["state"])
    again = Context(resumed, 5)
    for n, adam in again.adams.items():
        adam.load_state_dict(saved["optimisers"][n])
    resumed.networks.train()
    for system, ctx in ((straight, context), (resumed, again)):
        torch.manual_seed(7)
        for step in range(3, 5):
            ctx.step = step
            system.step(tiny_batch(system), ctx)
    for key, value in straight.networks.state_dict().items():
        assert torch.equal(value, resumed.networks.state_dict()[key]), key


def test_gan_v2_sends_the_adversarial_distance_to_the_generator_only() -> None:
    system = tiny_system("gan-v2", "method.balance.start=0.0", "method.balance.end=0.0")
    batch = tiny_batch(system)
    fake = system.networks["generator"](batch["source"])
    from toonfilter.train.systems import frozen

    with frozen(system.networks["discriminator"]):
        loss = system.generator_loss(fake, batch["target"], 0.5)
    assert networks_reached(system, loss) == {"generator"}
    real = torch.sigmoid(system.networks["discriminator"](batch["target"]))
    made = torch.sigmoid(system.networks["discriminator"](fake))
    assert loss.item() == pytest.approx((real - made).abs().mean().item(), rel=1e-5)


def test_gan_v2_lambda_falls_linearly() -> None:
    system = tiny_system("gan-v2")
    batch = tiny_batch(system)
    fake = system.networks["generator"](batch["source"]).detach()
    values = [system.generator_loss(fake, batch["target"], p).item() for p in (0.0, 0.5, 1.0)]
    assert values[1] == pytest.approx((values[0] + values[2]) / 2, rel=1e-5)
    pixels = ((fake - batch["target"]) ** 2).mean().item()
    logits = system.networks["discriminator"]
    gap = (torch.sigmoid(logits(batch["target"])) - torch.sigmoid(logits(fake))).abs().mean().item()
    assert values[0] == pytest.approx(0.99 * pixels + 0.01 * gap, rel=1e-4)
    assert values[2] == pytest.approx(0.5 * pixels + 0.5 * gap, rel=1e-4)


def cycle_terms(system: Any, progress: float) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    from toonfilter.train.systems import frozen

    batch = tiny_batch(system)
    nets = system.networks
    x, y = batch["source"], batch["target"]
    made = system.translated(x, y)
    torch.testing.assert_close(made["fake_y"], nets["generator"](x))
    torch.testing.assert_close(made["fake_x"], nets["generator_back"](y))
    with frozen(nets["discriminator_x"], nets["discriminator_y"]):
        losses = system.generator_losses(x, y, made, progress)
    return losses, {"x": x, "y": y, **made}


def test_one_pass_for_several_batches_equals_one_each() -> None:
    from toonfilter.train.networks.blocks import together
    from toonfilter.train.networks.discriminators import PatchDiscriminator

    a, b = torch.rand(2, 3, 32, 32), torch.rand(3, 3, 32, 32) * 4
    for norm in ("instance", "none", "batch"):
        network = PatchDiscriminator(width=4, layers=2, norm=norm)  # type: ignore[arg-type]
        alone = network(a), network(b)
        for one, other in zip(together(network, a, b), alone, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_cyclegan_terms_reach_the_right_generators() -> None:
    system = tiny_system("cyclegan-v6")
    losses, _ = cycle_terms(system, 0.5)
    reached = {name: networks_reached(system, loss) for name, loss in losses.items()}
    assert reached == {
        "loss_g": {"generator"},
        "loss_f": {"generator_back"},
        "loss_cycle_x": {"generator", "generator_back"},
        "loss_cycle_y": {"generator", "generator_back"},
        "loss_identity_x": {"generator_back"},
        "loss_identity_y": {"generator"},
    }


def test_cyclegan_terms_equal_the_formulas() -> None:
    system = tiny_system("cyclegan")
    losses, t = cycle_terms(system, 0.5)
    nets = system.networks
    g, f, d_x, d_y = (nets[n] for n in ("generator", "generator_back", "discriminator_x", "discriminator_y"))
    expected = {
        "loss_g": ((d_y(t["fake_y"]) - 1) ** 2).mean(),
        "loss_f": ((d_x(t["fake_x"]) - 1) ** 2).mean(),
        "loss_cycle_x": 10 * (f(t["fake_y"]) - t["x"]).abs().mean(),
        "loss_cycle_y": 10 * (g(t["fake_x"]) - t["y"]).abs().mean(),
        "loss_identity_x": 5 * (f(t["x"]) - t["x"]).abs().mean(),
        "loss_identity_y": 5 * (g(t["y"]) - t["y"]).abs().mean(),
    }
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-5), name


def test_cyclegan_v4_gamma_rises_linearly_below_one() -> None:
    system = tiny_system("cyclegan-v4")
    _, t = cycle_terms(system, 0.0)
    recovered = system.networks["generator_back"](t["fake_y"]).detach()
    d_x = system.networks["discriminator_x"]
    pixels = (recovered - t["x"]).abs().mean().item()
    # The second of the three blocks: two modules for the first, three for the next.
    half = d_x.body[:2]
    assert d_x.middle(recovered).shape[1] < d_x.features(recovered).shape[1]
    features = (half(recovered) - half(t["x"])).abs().mean().item()
    for progress, gamma in ((0.0, 0.1), (0.5, 0.5), (1.0, 0.9)):
        value = system.cycle("discriminator_x", recovered, t["x"], progress).item()
        assert value == pytest.approx(10 * (gamma * features + (1 - gamma) * pixels), rel=1e-4)
    with pytest.raises(ConfigError, match="below 1"):
        tiny_system("cyclegan-v4", "method.feature_cycle.end=1.0")


def test_the_recovery_report_has_log_loss_and_squared_identity_of_weight_one() -> None:
    system = tiny_system("cyclegan-v3")
    losses, t = cycle_terms(system, 0.5)
    nets = system.networks
    identity = ((nets["generator"](t["y"]) - t["y"]) ** 2).mean()
    close(losses["loss_identity_y"], identity)
    d, real, fake = nets["discriminator_y"], t["y"], t["fake_y"].detach()
    log_loss = -0.5 * (torch.log(torch.sigmoid(d(real))).mean() + torch.log(1 - torch.sigmoid(d(fake))).mean())
    close(system.adversary.judge(d, real, fake).loss, log_loss)


def test_face2anime_terms_equal_the_formulas() -> None:
    system = tiny_system("face2anime")
    losses, t = cycle_terms(system, 0.5)
    nets = system.networks
    g, f, classifier = nets["generator"], nets["generator_back"], nets["classifier"]

    def e_x(image: Tensor) -> Tensor:
        return g.residual(g.encoder(image))

    def e_y(image: Tensor) -> Tensor:
        return f.residual(f.encoder(image))

    semantic = (e_x(t["x"]) - e_y(t["fake_y"])).abs().mean() + (e_y(t["y"]) - e_x(t["fake_x"])).abs().mean()
    close(losses["loss_semantic"], semantic)
    scores = [classifier(e.mean((2, 3))) for e in (e_x(t["x"]), e_y(t["y"]))]
    close(losses["loss_domain"], (scores[0] ** 2).mean() + ((scores[1] - 1) ** 2).mean())
    features = TinyFeatures()
    pairs = ((t["fake_y"], t["x"]), (t["fake_x"], t["y"]))
    perceptual = sum(
        (a - b).abs().mean() for made, real in pairs for a, b in zip(features(made), features(real), strict=True)
    )
    system.features = features
    again = system.generator_losses(t["x"], t["y"], system.translated(t["x"], t["y"]), 0.5)
    close(again["loss_perceptual"], 0.1 * perceptual)
    assert networks_reached(system, losses["loss_domain"]) == {"generator", "generator_back", "classifier"}
    assert networks_reached(system, again["loss_perceptual"]) == {"generator", "generator_back"}


def test_cut_terms_equal_the_formulas() -> None:
    system = tiny_system("cut", "method.places=9999")
    batch, nets = tiny_batch(system), system.networks
    x, y, g = batch["source"], batch["target"], nets["generator"]
    fake = g(x)
    losses = system.generator_losses(x, y, fake)
    close(losses["loss_g"], ((nets["discriminator"](fake) - 1) ** 2).mean())

    def contrast(source: Tensor, result: Tensor) -> Tensor:
        total = []
        for head, a, b in zip(nets["projection"].heads, g.layers(result), g.layers(source), strict=True):
            q, k = (nn.functional.normalize(head(v.flatten(2).mT), dim=-1) for v in (a, b))
            similar = torch.exp(torch.einsum("npc,nqc->npq", q, k) / 0.07)
            own = similar.diagonal(dim1=1, dim2=2)
            total.append(-torch.log(own / similar.sum(2)).mean())
        return sum(total) / len(total)

    close(losses["loss_nce"], 0.5 * contrast(x, fake))
    close(losses["loss_identity"], 0.5 * contrast(y, g(y)))
    # The picture, two down blocks, and the only residual block.
    assert [layer.shape[1] for layer in g.layers(x)] == [3, 8, 16, 16]
    assert networks_reached(system, losses["loss_nce"]) == {"generator", "projection"}


def test_patch_nce_of_known_features() -> None:
    from toonfilter.train.losses.patch_nce import patch_nce

    keys = torch.eye(4)[None]
    # Each place is like itself alone: log(1 + 3 exp(-1 / 0.5)).
    assert float(patch_nce(keys, keys, 0.5)) == pytest.approx(np.log(1 + 3 * np.exp(-2)), rel=1e-5)
    assert float(patch_nce(keys.roll(1, 1), keys, 0.5)) == pytest.approx(np.log(3 + np.exp(2)), rel=1e-5)


def test_fastcut_undoes_the_mirroring_before_it_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    from toonfilter.train.networks.projection import PatchProjection

    system = tiny_system("fastcut", "method.places=9999")
    x = tiny_batch(system)["source"]
    # With the picture itself as the only layer, a mirrored result is the mirrored input.
    system.networks["projection"] = PatchProjection([3], width=8)
    monkeypatch.setattr(system.networks["generator"], "layers", lambda image: [image])
    close(system.contrast(x, x.flip(-1), is_mirrored=True), system.contrast(x, x))
    assert abs(system.contrast(x, x.flip(-1)).item() - system.contrast(x, x).item()) > 1e-3
    assert "loss_identity" not in system.generator_losses(x, x, x, True)


def test_ugatit_terms_equal_the_formulas() -> None:
    system = tiny_system("ugatit")
    batch, nets = tiny_batch(system), system.networks.eval()
    x, y, g, f = batch["source"], batch["target"], nets["generator"], nets["generator_back"]
    losses = system.generator_losses(x, y)
    fake_y, fake_x = g(x), f(y)
    close(losses["loss_cycle"], 10 * ((f(fake_y) - x).abs().mean() + (g(fake_x) - y).abs().mean()))
    close(losses["loss_identity"], 10 * ((g(y) - y).abs().mean() + (f(x) - x).abs().mean()))

    def squared(discriminator: nn.Module, image: Tensor, label: float) -> Tensor:
        weighed, logits = discriminator.attention(discriminator.body(image))
        patches = discriminator.head(weighed)
        return ((patches - label) ** 2).mean() + ((logits - label) ** 2).mean()

    adversarial = sum(
        squared(nets[f"discriminator_{scale}_{side}"], fake, 1)
        for side, fake in (("x", fake_x), ("y", fake_y))
        for scale in ("local", "global")
    )
    close(losses["loss_g"], adversarial)
    attention = [torch.sigmoid(net.attention(net.encoder(image))[1]) for net in (g, f) for image in (x, y)]
    expected = torch.log(attention[0]).mean() + torch.log(1 - attention[1]).mean()
    expected = expected + torch.log(attention[3]).mean() + torch.log(1 - attention[2]).mean()
    close(losses["loss_attention"], -1000 * expected)
    loss_d, _ = system.discriminator_loss({"x": x, "y": y}, {"x": fake_x, "y": fake_y})
    both = (("x", x, fake_x), ("y", y, fake_y))
    real_and_fake = sum(
        squared(nets[f"discriminator_{scale}_{side}"], real, 1)
        + squared(nets[f"discriminator_{scale}_{side}"], fake, 0)
        for side, real, fake in both
        for scale in ("local", "global")
    )
    close(loss_d, real_and_fake)


def test_adaptive_normalisation_between_instance_and_layer() -> None:
    from toonfilter.train.networks.ugatit import LayerInstanceNorm

    # Two channels of two values: instance norm gives -1, 1 in both; layer norm over 0, 2, 4, 6 has mean 3, variance 5.
    x = torch.tensor([[[[0.0, 2.0]], [[4.0, 6.0]]]])
    norm = LayerInstanceNorm(2, adaptive=True)
    norm.rho.data.copy_(torch.tensor([0.25, 1.0]).view(1, 2, 1, 1))
    found = norm(x, torch.tensor([[2.0, 3.0]]), torch.tensor([[1.0, 0.0]]))
    layer = torch.tensor([-3.0, -1.0]) / 5**0.5
    torch.testing.assert_close(
        found[0, 0, 0], 2 * (0.25 * torch.tensor([-1.0, 1.0]) + 0.75 * layer) + 1, atol=1e-4, rtol=0
    )
    torch.testing.assert_close(found[0, 1, 0], torch.tensor([-3.0, 3.0]), atol=1e-4, rtol=0)
    norm.rho.data.copy_(torch.tensor([-0.5, 1.5]).view(1, 2, 1, 1))
    norm.clip()
    assert norm.rho.flatten().tolist() == [0.0, 1.0]


def test_ugatit_refuses_pictures_that_are_too_small_for_its_discriminators() -> None:
    with pytest.raises(ConfigError, match=r"needs 128 px, or set fewer"):
        build_system(load_recipe("ugatit", ["data.size_px=64", "generator.options.width=4"]))


def test_coarse_and_fine_discriminators_count_alike() -> None:
    kind = ["discriminator.kind=coarse-fine"]
    system = tiny_system("cyclegan", *kind)
    discriminator = system.networks["discriminator_x"]
    image = torch.rand(2, 3, 32, 32)
    fine = discriminator.head(discriminator.body(image))
    coarse = discriminator.coarse(nn.functional.avg_pool2d(image, 3, 2, 1, count_include_pad=False))
    logits = discriminator(image)
    assert logits.shape == (2, 2 * fine[0].numel())
    torch.testing.assert_close(logits[:, : fine[0].numel()], fine.flatten(1))
    assert set(logits[0, fine[0].numel() :].tolist()) == set(coarse[0].flatten().tolist())
    train(system, 1)


def test_cyclegan_v5_labels_are_soft_and_random() -> None:
    system = tiny_system("cyclegan-v5")
    real, fake = torch.zeros(64, 1, 2, 2), torch.zeros(64, 1, 2, 2)

    class Flat(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    values = [system.adversary.judge(Flat(), real, fake).loss.item() for _ in range(20)]
    # Of scores of 0 every label has the log loss log 2; of scores of 1 it is log(1 + e) less the label, and labels of
    # real and fake are uniform on 0.9..1 and 0..0.1.
    assert values == pytest.approx([math.log(2)] * 20)
    ones = torch.ones(64, 1, 2, 2)
    values = [system.adversary.judge(Flat(), ones, ones).loss.item() for _ in range(20)]
    assert np.mean(values) == pytest.approx(math.log(1 + math.e) - (0.95 + 0.05) / 2, rel=0.01)
    assert np.std(values) > 0


@pytest.mark.parametrize(("kind", "probability"), [("vanilla", True), ("lsgan", False), ("wgan-gp", False)])
def test_logged_scores_are_what_the_discriminator_says(kind: str, probability: bool) -> None:
    real, fake = torch.full((2, 1, 3, 3), 0.8), torch.full((2, 1, 3, 3), -0.3)
    network = nn.Conv2d(1, 1, 1)
    verdict = Adversary(AdversaryOptions(kind=kind)).judge(network, real, fake)  # type: ignore[arg-type]
    for score, picture in ((verdict.real, real), (verdict.fake, fake)):
        said = network(picture).mean()
        close(score, torch.sigmoid(said) if probability else said)
    loss = AdversarialLoss("wgan" if kind == "wgan-gp" else kind).discriminator(network(real), network(fake))  # type: ignore[arg-type]
    if kind == "wgan-gp":
        # The score of a picture is the mean over its 9 patches: |gradient| = |w| / 9 at each of 9 pixels.
        loss = loss + 10 * (network.weight.abs().squeeze() / 3 - 1) ** 2
    close(verdict.loss, loss)
    assert not verdict.fake.requires_grad
    assert verdict.loss.requires_grad
    assert set(verdict.scalars("_x")) == {"loss_d_x", "d_real_x", "d_fake_x"}


def test_paired_methods_refuse_unpaired_data() -> None:
    for name in ("gan-v1", "cyclegan-v3"):
        with pytest.raises(ConfigError, match="pair"):
            tiny_system(name, "data.layout=unpaired")


def test_any_generator_fits_any_recipe() -> None:
    for name in ("gan-v1", "cyclegan-v6", "cartoongan", "landmark-cyclegan"):
        overrides = [o for o in TINY[name] if not o.startswith("generator.options")]
        recipe = load_recipe(
            name, [*overrides, "generator.kind=toon", "generator.options={widths = [4, 8, 8], blocks = [0, 1, 0]}"]
        )
        train(build_system(recipe), 2)


CRITICS = [
    pytest.param(
        name, kind, marks=() if (name, kind) in (("dcgan", "wgan-gp"), ("gan-v1", "wgan-clip")) else pytest.mark.slow
    )
    for name in ("gan-v1", "cyclegan", "landmark-cyclegan", "content-style", "dcgan", "xgan")
    for kind in ("wgan-gp", "wgan-clip")
]


@pytest.mark.parametrize(("name", "kind"), CRITICS)
def test_wasserstein_critic_drops_in(name: str, kind: str) -> None:
    more = ["discriminator.options.norm=instance"] if name == "dcgan" else []
    system = tiny_system(name, f"method.adversary.kind={kind}", "method.adversary.critic_steps=2", *more)
    _, log = train(system, 4)
    assert all(np.isfinite(list(scalars.values())).all() for scalars in log)
    if kind == "wgan-clip":
        critics = [net for n, net in system.networks.items() if "discriminator" in n]
        assert critics
        assert all(p.abs().max() <= 0.01 for critic in critics for p in critic.parameters())


def test_wasserstein_penalty_refuses_batch_norm() -> None:
    with pytest.raises(ConfigError, match="norm"):
        tiny_system("dcgan", "method.adversary.kind=wgan-gp")


def test_critic_steps_update_the_generator_less_often() -> None:
    system = tiny_system("wgan-gp", "method.adversary.critic_steps=3")
    _, log = train(system, 6)
    assert ["loss_g" in scalars for scalars in log] == [False, False, True] * 2


def test_critic_steps_reach_both_halves_of_caricature() -> None:
    system = tiny_system("caricature", "method.adversary.critic_steps=3", "method.faces_to_fit=2")
    context = Context(system, 6)
    updates: list[tuple[int, str]] = []
    step, original = 0, context.update

    def record(name: str, loss: Tensor) -> None:
        updates.append((context.step, name))
        original(name, loss)

    context.update = record  # type: ignore[method-assign]
    for step in range(6):
        context.step = step
        system.step(tiny_batch(system), context)
    for name in ("generator", "geometry"):
        assert [step for step, updated in updates if updated == name] == [2, 5]
    for name in ("discriminator", "geometry_discriminators"):
        assert [step for step, updated in updates if updated == name][-3:] == [3, 4, 5]


def test_landmark_losses_reach_the_generator_through_the_frozen_regressor() -> None:
    system = tiny_system("landmark-cyclegan")
    batch = tiny_batch(system)
    points = (torch.rand(2, 5, 2) - 0.5).float()
    system.regressor("y").eval()
    fake = system.generator("generator")(batch["source"], points)
    losses = system.fine_losses("y", fake, points)
    for name, loss in losses.items():
        assert networks_reached(system, loss) == {"generator"}, name
    gradients = torch.autograd.grad(
        losses["loss_landmarks"], list(system.regressor("y").parameters()), retain_graph=True, allow_unused=True
    )
    assert all(gradient is None for gradient in gradients)
    body = torch.autograd.grad(losses["loss_landmarks"], list(system.generator("generator").body.parameters()))
    assert all(gradient is not None for gradient in body)
    assert sum(float(gradient.abs().sum()) for gradient in body) > 0


def test_landmark_regressors_stay_as_they_are_in_the_fine_stage() -> None:
    system = tiny_system("landmark-cyclegan")
    context = Context(system, 4)
    for step in (0, 1):
        context.step = step
        system.step(tiny_batch(system), context)
    frozen_state = {k: v.clone() for k, v in system.regressor("x").state_dict().items()}
    for step in (2, 3):
        context.step = step
        system.networks.train()
        scalars = system.step(tiny_batch(system), context)
        assert "loss_landmarks_y" in scalars
    for key, value in system.regressor("x").state_dict().items():
        assert torch.equal(value, frozen_state[key]), key


def test_cartoongan_starts_with_content_alone_and_uses_smoothed_edges() -> None:
    system = tiny_system("cartoongan")
    _, log = train(system, 4)
    assert [set(scalars) for scalars in log] == [{"loss_content"}] * 2 + [
        {"loss_d", "d_real", "d_fake", "loss_g", "loss_content"}
    ] * 2
    with pytest.raises(ConfigError, match="edges"):
        tiny_system("cartoongan", "data.edges=false")


def test_cartoongan_optional_terms_reach_the_generator() -> None:
    system = tiny_system(
        "cartoongan",
        "data.landmarks=true",
        "method.landmark_weight=1.0",
        "method.style_weight=1.0",
        "method.colour_weight=1.0",
    )
    system.optimisers()
    batch = tiny_batch(system)
    fake = system.networks["generator"](batch["source"])
    losses = system.generator_losses(batch, fake)
    assert set(losses) == {"loss_g", "loss_content", "loss_style", "loss_colour", "loss_landmarks"}
    for name, loss in losses.items():
        assert networks_reached(system, loss) == {"generator"}, name
    features = TinyFeatures()
    expected = 10 * sum((a - b).abs().mean() for a, b in zip(features(fake), features(batch["source"]), strict=True))
    assert losses["loss_content"].item() == pytest.approx(float(expected.detach()), rel=1e-5)
    train(system, 4)


def test_xgan_terms_reach_the_right_networks() -> None:
    system = tiny_system("xgan")
    system.optimisers()
    batch, xgan = tiny_batch(system), system.networks["generator"]
    e_photo, e_cartoon = xgan.encode(batch["source"], "photo"), xgan.encode(batch["target"], "cartoon")
    fake_cartoon, fake_photo = xgan.decode(e_photo, "cartoon"), xgan.decode(e_cartoon, "photo")
    losses = system.generator_losses(batch["source"], batch["target"], e_photo, e_cartoon, fake_photo, fake_cartoon)
    reached = {name: networks_reached(system, loss) for name, loss in losses.items()}
    assert reached == {
        "loss_reconstruction": {"generator"},
        "loss_domain": {"generator", "classifier"},
        "loss_semantic": {"generator"},
        "loss_g": {"generator"},
        "loss_perceptual": {"generator"},
    }


def test_content_style_discriminator_rests_while_it_wins() -> None:
    system = tiny_system("content-style")
    system.wins = 0.99
    context = Context(system, 4)
    assert "loss_d" not in system.step(tiny_batch(system), context)
    system.wins = 0.2
    assert "loss_d" in system.step(tiny_batch(system), context)


def test_content_style_back_takes_another_photos_style() -> None:
    system = tiny_system("content-style")
    batch = tiny_batch(system)
    other = torch.rand(2, 3, 32, 32, requires_grad=True)
    losses, _ = system.generator_losses(batch["source"], batch["target"], other)
    for name, loss in losses.items():
        (gradient,) = torch.autograd.grad(loss, other, retain_graph=True, allow_unused=True)
        assert (gradient is not None) == (name == "loss_back")
        assert networks_reached(system, loss) == {"generator"}


def test_caricature_degree_is_a_control() -> None:
    system = tiny_system("caricature")
    train(system, 4)
    assert system.collected is None
    points = torch.rand(2, 63, 2) - 0.5
    with torch.no_grad():
        none, once, twice = (system.exaggerated(points, degree, system.networks) for degree in (0.0, 1.0, 2.0))
    torch.testing.assert_close(none, points)
    assert (once - points).abs().max() > 0
    torch.testing.assert_close(twice - points, 2 * (once - points), atol=1e-5, rtol=1e-3)


def test_caricature_appearance_learns_from_drawings_in_the_shape_of_photos() -> None:
    from toonfilter.train.networks.warping import warp_by_landmarks

    system = tiny_system("caricature")
    cartoon, points = torch.rand(2, 3, 32, 32), torch.rand(2, 63, 2) - 0.5
    assert system.in_photo_shape(cartoon, points) is cartoon
    system.collect(torch.rand(4, 63, 2) - 0.5, torch.rand(4, 63, 2) - 0.5)
    for parameter in system.networks["geometry_back"].parameters():
        parameter.data.mul_(30)
    space, back = system.networks["space"], system.networks["geometry_back"]
    code = space.encode(points)
    moved = points + space.decode(back(code)) - space.decode(code)
    torch.testing.assert_close(
        system.in_photo_shape(cartoon, points), warp_by_landmarks(cartoon, points, moved), atol=1e-4, rtol=1e-4
    )
    assert tiny_system("caricature", "method.warped=false").options.warped is False


@pytest.mark.filterwarnings("ignore")
def test_caricature_geometry_is_exported_with_its_degree(tmp_path: Path) -> None:
    onnxruntime, _ = pytest.importorskip("onnxruntime"), pytest.importorskip("onnxscript")
    from toonfilter.train.caricature_use import export_geometry, geometry_of
    from toonfilter.train.checkpoint import keep_weights

    system = tiny_system("caricature")
    common = {"step": 1, "recipe": system.recipe, "data": "", "averaged": {}}
    keep_weights(tmp_path / "early", weights=system.networks.state_dict(), **common)
    with pytest.raises(ConfigError, match="not fitted yet"):
        export_geometry(tmp_path / "early", tmp_path / "g.onnx")
    system.collect(torch.rand(4, 63, 2) - 0.5, torch.rand(4, 63, 2) - 0.5)
    keep_weights(tmp_path / "run", weights=system.networks.state_dict(), **common)
    export_geometry(tmp_path / "run", tmp_path / "g.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "g.onnx"), providers=["CPUExecutionProvider"])
    for count, degree in ((1, 0.0), (3, 1.7)):
        points = torch.rand(count, 63, 2) - 0.5
        fed = {"landmarks": points.numpy(), "degree": np.array([degree], np.float32)}
        found = session.run(None, fed)[0]
        with torch.no_grad():
            expected = geometry_of(system)(points, torch.tensor([degree])).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)
        if degree == 0:
            np.testing.assert_allclose(found, points.numpy(), atol=1e-5)


def test_caricature_takes_the_style_of_an_exemplar(tmp_path: Path) -> None:
    from toonfilter.train.caricature_use import Caricaturist
    from toonfilter.train.checkpoint import keep_weights
    from toonfilter.train.data.pictures import write_png

    system = tiny_system("caricature")
    weights = system.networks.state_dict()
    keep_weights(tmp_path / "run", step=1, recipe=system.recipe, data="", weights=weights, averaged={})
    exemplar = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    write_png(tmp_path / "e.png", exemplar)
    picture = np.random.default_rng(1).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    drawer = Caricaturist(tmp_path / "run", tmp_path / "e.png")
    found = drawer(picture, 1.0)
    drawer.close()
    network = system.networks["generator"].eval()
    planes = [torch.from_numpy(p).permute(2, 0, 1)[None].float() / 127.5 - 1 for p in (picture, exemplar)]
    with torch.no_grad():
        drawn = network(planes[0], network.style_cartoon(planes[1]))[0]
    expected = (drawn.permute(1, 2, 0) * 127.5 + 127.5).round().numpy()
    # Noise has no face: it is drawn and not warped.
    assert np.abs(found.astype(float) - expected).max() <= 1
    other = tiny_system("cyclegan")
    keep_weights(tmp_path / "c", step=1, recipe=other.recipe, data="", weights=other.networks.state_dict(), averaged={})
    with pytest.raises(ConfigError, match="has no geometry"):
        Caricaturist(tmp_path / "c")


def test_caricature_geometry_terms_reach_geometry_only() -> None:
    system = tiny_system("caricature")
    train(system, 4)
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    nets = system.networks
    fake_y, fake_x = nets["geometry"](x), nets["geometry_back"](y)
    losses = system.geometry_losses(x, y, fake_x, fake_y)
    for name, loss in losses.items():
        assert networks_reached(system, loss) == {"geometry", "geometry_back"}, name
    m_x, m_y = system.means["x"], system.means["y"]
    cosine = nn.CosineSimilarity(dim=1)
    expected = (1 - cosine(fake_y - m_y, x - m_x)).mean() + (1 - cosine(fake_x - m_x, y - m_y)).mean()
    assert losses["loss_characteristic"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_dcgan_sizes_and_interpolation() -> None:
    from toonfilter.train.networks.dcgan import DcganDiscriminator, DcganGenerator
    from toonfilter.train.systems.dcgan import interpolate

    generator, discriminator = DcganGenerator().eval(), DcganDiscriminator().eval()
    noise = torch.randn(2, 100)
    with torch.no_grad():
        small = generator.project(noise[:, :, None, None])
        grown = generator.grow(small)
        assert small.shape == (2, 512, 4, 4)
        assert grown.shape == (2, 64, 32, 32)
        assert generator.extra(grown).shape == grown.shape
        picture = generator(noise)
        assert picture.shape == (2, 3, 64, 64)
        assert picture.abs().max() <= 1
        assert discriminator.features(picture).shape == (2, 512, 4, 4)
        assert discriminator(picture).shape == (2, 1, 1, 1)
    way = interpolate(noise[0], noise[1], 5)
    torch.testing.assert_close(way[0], noise[0])
    torch.testing.assert_close(way[-1], noise[1], atol=1e-4, rtol=1e-4)
    with pytest.raises(ConfigError, match="noise"):
        generator(torch.randn(2, 99))


def close(value: Tensor, expected: Tensor) -> None:
    assert value.item() == pytest.approx(expected.item(), rel=1e-4, abs=1e-7)


def test_content_style_terms_equal_the_formulas() -> None:
    system = tiny_system("content-style")
    batch, net = tiny_batch(system), system.networks["generator"]
    x, y, other = batch["source"], batch["target"], batch["edges"]
    losses, fake = system.generator_losses(x, y, other)
    c, s, d = net.content, net.style, net.decoder
    torch.testing.assert_close(fake, d(c(x), s(y)))
    close(losses["loss_back"], 10 * (d(c(fake), s(other)) - x).abs().mean())
    close(losses["loss_identity"], 10 * ((d(c(x), s(x)) - x).abs().mean() + (d(c(y), s(y)) - y).abs().mean()))
    close(losses["loss_content"], (c(fake) - c(x)).abs().mean())
    close(losses["loss_style"], (s(fake) - s(y)).abs().mean())
    close(losses["loss_g"], ((system.networks["discriminator"](fake) - 1) ** 2).mean())


def test_xgan_terms_equal_the_formulas() -> None:
    system = tiny_system("xgan")
    system.optimisers()
    nets, batch = system.networks.eval(), tiny_batch(system)
    net, x, y = nets["generator"], batch["source"], batch["target"]
    e_x, e_y = net.encode(x, "photo"), net.encode(y, "cartoon")
    fake_y, fake_x = net.decode(e_x, "cartoon"), net.decode(e_y, "photo")
    losses = system.generator_losses(x, y, e_x, e_y, fake_x, fake_y)
    rebuilt = ((net.decode(e_x, "photo") - x) ** 2).mean() + ((net.decode(e_y, "cartoon") - y) ** 2).mean()
    close(losses["loss_reconstruction"], rebuilt)
    semantic = (net.encode(fake_y, "cartoon") - e_x).abs().mean() + (net.encode(fake_x, "photo") - e_y).abs().mean()
    close(losses["loss_semantic"], semantic)
    d_x, d_y = nets["classifier"](e_x), nets["classifier"](e_y)
    close(losses["loss_domain"], (d_x**2).mean() + ((d_y - 1) ** 2).mean())
    royer = tiny_system("xgan", "method.domain_loss=cross-entropy")
    royer.networks.load_state_dict(nets.state_dict())
    losses = royer.generator_losses(x, y, e_x, e_y, fake_x, fake_y) | {"loss_g": losses["loss_g"]}
    p_x, p_y = torch.sigmoid(d_x), torch.sigmoid(d_y)
    close(losses["loss_domain"], -(torch.log(p_x).mean() + torch.log(1 - p_y).mean()))
    d_x = torch.sigmoid(nets["discriminator_photo"](fake_x))
    d_y = torch.sigmoid(nets["discriminator_cartoon"](fake_y))
    close(losses["loss_g"], -(torch.log(d_x).mean() + torch.log(d_y).mean()))


def test_landmark_terms_equal_the_formulas() -> None:
    from toonfilter.train.networks.landmark_regressor import heat_maps

    system = tiny_system("landmark-cyclegan")
    batch, points = tiny_batch(system), torch.rand(2, 5, 2) - 0.5
    regressor = system.regressor("y").eval()
    fake = system.generator("generator")(batch["source"], points)
    losses = system.fine_losses("y", fake, points)
    maps = regressor(fake)
    close(losses["loss_landmarks"], 100 * ((maps - heat_maps(points, 16, 16)) ** 2).mean())
    together = torch.cat([fake, heat_maps(points, 32, 32)], 1)
    close(losses["loss_matching"], ((system.networks["matching_y"](together) - 1) ** 2).mean())
    patches = system.patches("y", fake, None)
    assert {patch.shape for patch in patches.values()} == {torch.Size([2, 3, 16, 16])}
    local = sum(((system.networks[f"{region}_y"](patch) - 1) ** 2).mean() for region, patch in patches.items())
    close(losses["loss_local"], torch.as_tensor(0.3 * local))


def test_caricature_appearance_terms_equal_the_formulas() -> None:
    system = tiny_system("caricature")
    system.optimisers()
    batch, net = tiny_batch(system), system.networks["generator"]
    x, y, z = batch["source"], batch["target"], torch.randn(2, 8)
    losses, fake = system.appearance_losses(x, y, z)
    c_x, c_y = net.content_photo(x), net.content_cartoon(y)
    torch.testing.assert_close(fake, net.decode_cartoon(c_x, z))
    image = (net.decode_photo(c_x, net.style_photo(x)) - x).abs().mean()
    close(losses["loss_image"], 10 * (image + (net.decode_cartoon(c_y, net.style_cartoon(y)) - y).abs().mean()))
    close(losses["loss_content"], (net.content_cartoon(fake) - c_x).abs().mean())
    close(losses["loss_style"], (net.style_cartoon(fake) - z).abs().mean())
    close(losses["loss_cycle"], 10 * (net.decode_photo(net.content_cartoon(fake), net.style_photo(x)) - x).abs().mean())
    features = TinyFeatures()
    perceptual = [((a - b) ** 2).mean() for a, b in zip(features(fake), features(x), strict=True)]
    close(losses["loss_perceptual"], torch.stack(perceptual).sum())
    for name, loss in losses.items():
        assert networks_reached(system, loss) == {"generator"}, name


def test_warping_moves_points_where_they_should_go() -> None:
    from toonfilter.train.networks.landmark_regressor import heat_maps, soft_argmax
    from toonfilter.train.networks.warping import warp_by_landmarks

    source = torch.tensor([[[-0.3, -0.2], [0.3, -0.2], [0.0, 0.3]]])
    target = source + torch.tensor([[[-0.05, 0.0], [0.05, 0.0], [0.0, 0.08]]])
    image = heat_maps(source, 64, 64, sigma=0.08).requires_grad_(True)
    warped = warp_by_landmarks(image, source, target)
    torch.testing.assert_close(soft_argmax(warped, 50.0), target, atol=0.02, rtol=0)
    torch.testing.assert_close(warp_by_landmarks(image, source, source), image, atol=1e-4, rtol=0)
    assert torch.autograd.grad(warped.sum(), image)[0].abs().sum() > 0
