"""Paired measures and feature nets against closed forms and independent libraries."""

import cv2
import numpy as np
import onnx
import pytest
import skimage.data
import skimage.metrics
import torch
from onnx import TensorProto, helper, numpy_helper

from toonfilter.benchmarks.quality import feature_nets, paired, sift
from toonfilter.benchmarks.quality.learned_perceptual import open_lpips
from toonfilter.runtime.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    image = cv2.resize(skimage.data.astronaut(), (192, 192), interpolation=cv2.INTER_AREA)
    return image, cv2.GaussianBlur(image, (0, 0), 2)


def test_l1_and_psnr_of_known_differences(pair) -> None:
    image = np.full((20, 20, 3), 100, np.uint8)
    assert paired.l1(image, image + 51) == pytest.approx(0.2)
    assert paired.psnr(image, image + 51) == pytest.approx(20 * np.log10(5))
    assert paired.psnr(*pair) == pytest.approx(skimage.metrics.peak_signal_noise_ratio(*pair), rel=1e-6)
    assert paired.psnr(image, image) == paired.MOST_PSNR_DB


def test_ssim_by_its_formula(pair) -> None:
    first, second = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in pair)

    def local_mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    mean1, mean2, c1, c2 = local_mean(first), local_mean(second), (0.01 * 255) ** 2, (0.03 * 255) ** 2
    variances = local_mean(first**2) - mean1**2 + local_mean(second**2) - mean2**2
    covariance = local_mean(first * second) - mean1 * mean2
    index = (2 * mean1 * mean2 + c1) * (2 * covariance + c2) / ((mean1**2 + mean2**2 + c1) * (variances + c2))
    assert paired.ssim(*pair) == pytest.approx(index[5:-5, 5:-5].mean(), abs=1e-4)


def test_ssim_of_flat_pictures_and_of_equal_ones(pair) -> None:
    flat = np.full((30, 30, 3), 100, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert paired.ssim(flat, flat + 50) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1))
    assert paired.ssim(pair[0], pair[0]) == 1


def test_sift_finds_a_shifted_picture_and_nothing_in_noise(pair) -> None:
    image = pair[0]
    itself = sift.sift_matches(image, image)
    assert itself.matches == itself.inliers > 50
    shifted = np.roll(image, 9, axis=1)
    assert sift.sift_matches(image, shifted).inliers > 0.7 * itself.inliers
    noise = np.random.default_rng(0).integers(0, 255, image.shape, dtype=np.uint8)
    assert sift.sift_matches(image, noise).inliers < 8
    assert sift.sift_matches(image, np.zeros_like(image)) == sift.SiftMatches(0, 0)


@pytest.fixture
def tiny_net(tmp_path):
    """A net whose vector is the mean colour and whose maps are the picture and its negative."""
    weight = numpy_helper.from_array(np.concatenate([np.eye(3), -np.eye(3)])[..., None, None].astype("f4"), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["vector"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, "H", "W"])],
        [
            helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["N", 6, "H", "W"]),
            helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["N", 3]),
        ],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "tiny.onnx"
    onnx.save(model, path)
    return path


def test_scalings_reach_the_net(tiny_net) -> None:
    image = np.full((10, 14, 3), (255, 51, 0), np.uint8)
    expected = {
        "raw": (255, 51, 0),
        "unit": (1, 0.2, 0),
        "signed": (1, -0.6, -1),
        "caffe": (0 - 104, 51 - 117, 255 - 123),
        "imagenet": ((1 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, -0.406 / 0.225),
    }
    for scaling, vector in expected.items():
        net = feature_nets.OnnxFeatures(f"{tiny_net}:{scaling}")
        np.testing.assert_allclose(net.vector(image), vector, rtol=1e-3)


def test_unknown_scaling_and_missing_file_are_named(tiny_net) -> None:
    with pytest.raises(ConfigError, match=r"unknown input scaling; give FILE.onnx:SCALING, one of signed"):
        feature_nets.OnnxFeatures(str(tiny_net))
    with pytest.raises(DataError, match="does not exist"):
        feature_nets.OnnxFeatures("nowhere.onnx:raw")


def test_perceptual_distance_of_known_maps(tiny_net) -> None:
    first = [np.array([[[3.0]], [[4.0]]], np.float32)]
    second = [np.array([[[4.0]], [[-3.0]]], np.float32)]
    assert feature_nets.perceptual_distance(first, first) == 0
    # Orthogonal directions are at squared distance 2, whatever their lengths.
    assert feature_nets.perceptual_distance(first, second) == pytest.approx(2)
    assert feature_nets.perceptual_distance(first, [7 * second[0]]) == pytest.approx(2)
    net = feature_nets.OnnxFeatures(f"{tiny_net}:raw")
    image = np.full((32, 32, 3), (200, 0, 0), np.uint8)
    assert feature_nets.perceptual_distance(net.maps(image), net.maps(image[..., ::-1])) == pytest.approx(2)


def test_perceptual_distance_is_lpips_with_weights_of_one() -> None:
    lpips = pytest.importorskip("lpips")
    generator = np.random.default_rng(0)
    maps = [
        [generator.normal(size=(8, 5, 5)).astype("f4"), generator.normal(size=(4, 3, 3)).astype("f4")] for _ in "ab"
    ]
    expected = sum(
        float(((lpips.normalize_tensor(a) - lpips.normalize_tensor(b)) ** 2).sum(1).mean())
        for a, b in zip(*[[torch.from_numpy(m[None]) for m in side] for side in maps], strict=True)
    )
    assert feature_nets.perceptual_distance(*maps) == pytest.approx(expected, rel=1e-5)


def test_torchvision_weights_are_named_when_missing(tmp_path) -> None:
    missing = feature_nets.open_torchvision("resnet34", ("mmd",), tmp_path)
    assert isinstance(missing, feature_nets.MissingNet)
    assert missing.reason == f"no resnet34-b627a593.pth in {tmp_path}; put it there, or allow --download"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_inception_of_published_fids_is_taken_where_its_weights_are(tmp_path, pair, monkeypatch) -> None:
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    missing = feature_nets.open_inception(("fid",), tmp_path)
    assert missing.reason.startswith("no weights-inception-2015-12-05-6726825d.pth in ")
    path = tmp_path / "weights-inception-2015-12-05-6726825d.pth"
    torch.save({"nothing": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="does not hold the Inception weights"):
        feature_nets.open_inception(("fid",), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *_: None)
        plain = fidelity.FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=str(path))
    torch.save(plain.state_dict(), path)
    net = feature_nets.open_inception(("fid",), tmp_path)
    assert net.name == "inception-2015-12-05"
    levels = torch.from_numpy(pair[0]).permute(2, 0, 1)[None]
    np.testing.assert_allclose(net.vector(pair[0]), plain(levels)[0][0].numpy(), rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_lpips_is_the_packages_own_on_alexnets_weights(tmp_path, pair) -> None:
    lpips, models = pytest.importorskip("lpips"), pytest.importorskip("torchvision.models")
    missing = open_lpips(tmp_path)
    assert missing.reason == f"no alexnet-owt-7be5be79.pth in {tmp_path}; put it there, or allow --download"
    torch.manual_seed(0)
    alexnet = models.alexnet(weights=None)
    torch.save(alexnet.state_dict(), tmp_path / "alexnet-owt-7be5be79.pth")
    found = open_lpips(tmp_path)
    expected = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    for number in range(1, 6):
        for name, layer in getattr(expected.net, f"slice{number}").named_children():
            layer.load_state_dict(alexnet.features[int(name)].state_dict())
    pictures = [torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1 for image in pair]
    assert found.distance(*pair) == pytest.approx(float(expected(*pictures)), rel=1e-4)
    assert found.distance(*pair) > 0
    assert found.distance(pair[0], pair[0]) == 0
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "alexnet-owt-7be5be79.pth")
    with pytest.raises(DataError, match="AlexNet"):
        open_lpips(tmp_path)


def test_any_net_is_fed_at_its_own_size_and_layout(tmp_path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("ReduceMax", ["x"], ["most"], axes=[1, 2], keepdims=0),
        ],
        "nhwc",
        [helper.make_tensor_value_info("x", types.FLOAT, [1, 48, 48, 3])],
        [helper.make_tensor_value_info(name, types.FLOAT, [1, 3]) for name in ("mean", "most")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "n.onnx")
    image = np.zeros((48, 48, 3), np.uint8)
    image[:24, :, 1] = 200
    np.testing.assert_allclose(feature_nets.OnnxFeatures(f"{tmp_path / 'n.onnx'}:raw").vector(image), (0, 100, 0))
    np.testing.assert_allclose(feature_nets.OnnxFeatures(f"{tmp_path / 'n.onnx'}:raw:most").vector(image), (0, 200, 0))
    with pytest.raises(ConfigError, match="no output 'least'; there are: mean, most"):
        feature_nets.OnnxFeatures(f"{tmp_path / 'n.onnx'}:raw:least")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "width"), [("resnet34", 512), ("inception_v3", 2048)])
def test_torchvision_nets_give_pooled_features(tmp_path, pair, kind: str, width: int) -> None:
    models = pytest.importorskip("torchvision.models")
    options = {"init_weights": False} if kind == "inception_v3" else {}
    network = models.get_model(kind, weights=None, **options)
    name = models.get_model_weights(kind).IMAGENET1K_V1.url.rpartition("/")[2]
    torch.save(network.state_dict(), tmp_path / name)
    net = feature_nets.open_torchvision(kind, ("fid",), tmp_path)
    assert net.vector(pair[0]).shape == (width,)
    # What reaches the first layer: Inception was trained on -1..1, the ResNets on ImageNet's mean and spread.
    fed = []
    first = next(module for module in net.network.modules() if isinstance(module, torch.nn.Conv2d))
    first.register_forward_pre_hook(lambda _, given: fed.append(given[0]))
    for level in (0, 255):
        net.vector(np.full((40, 40, 3), level, np.uint8))
    low, high = (-1.0, 1.0) if kind == "inception_v3" else (-0.485 / 0.229, (1 - 0.485) / 0.229)
    assert [float(given[0, 0, 9, 9]) for given in fed] == pytest.approx([low, high], rel=1e-5)
    torch.save({"fc.weight": torch.zeros(1)}, tmp_path / name)
    with pytest.raises(DataError, match="does not hold the weights"):
        feature_nets.open_torchvision(kind, ("fid",), tmp_path)
