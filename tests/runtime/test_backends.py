from unittest.mock import Mock

import numpy as np
import pytest

from toonfilter.runtime.backends import ENGINES, EngineOptions, open_translator
from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.errors import BackendError, ToonfilterError

CPU_ENGINES = ["onnxruntime", "openvino"]


@pytest.mark.parametrize("engine", CPU_ENGINES)
@pytest.mark.parametrize("count", [1, 3])
def test_engines_agree_with_the_formula(tiny_bundle: Bundle, engine: str, count: int) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (count, 64, 64, 3), np.uint8)
    guidance = rng.integers(0, 256, (count, 64, 64, 3), np.uint8)
    opened = open_translator(tiny_bundle, engine, EngineOptions(size=64))
    opened.translator.warm_up(64)
    result = opened.translator.translate(crops, guidance)
    expected = np.clip(200 - 0.7 * crops[..., ::-1] + 0.2 * guidance[..., :1], 0, 255)
    assert result.shape == (count, 64, 64, 4)
    assert result.dtype == np.uint8
    assert np.abs(result[..., :3] - expected).max() <= 1.01
    assert (result[..., 3] == 255).all()
    described = opened.translator.describe()
    assert described.engine == engine
    assert described.precision == "fp32"
    assert described.device == "CPU"
    opened.translator.close()
    opened.translator.close()


def test_auto_reports_why_engines_were_skipped(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(ENGINES):
        if name != "onnxruntime":
            monkeypatch.setitem(ENGINES, name, Mock(side_effect=BackendError("no such device")))
    opened = open_translator(tiny_bundle, "auto", EngineOptions(size=64))
    assert opened.translator.describe().engine == "onnxruntime"
    order = list(ENGINES)
    assert opened.skipped == dict.fromkeys(order[: order.index("onnxruntime")], "no such device")


def test_auto_with_no_engine_gives_every_reason(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(ENGINES):
        monkeypatch.setitem(ENGINES, name, Mock(side_effect=BackendError("gone")))
    with pytest.raises(BackendError, match="onnxruntime: gone"):
        open_translator(tiny_bundle)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_named_engine_fails_instead_of_falling_back(tiny_bundle: Bundle, engine: str) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    with pytest.raises(ToonfilterError, match="no int8 file"):
        open_translator(tiny_bundle, engine, EngineOptions(size=64, precision="int8"))


def test_openvino_draws_the_same_warmed_up_or_not(tiny_bundle: Bundle) -> None:
    pytest.importorskip("openvino")
    opened = open_translator(tiny_bundle, "openvino", EngineOptions(size=64))
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (1, size, size, 3), np.uint8) for size in (64, 96)]
    before = [opened.translator.translate(picture, picture).copy() for picture in pictures]
    opened.translator.warm_up(64)
    for picture, expected in zip(pictures, before, strict=True):
        np.testing.assert_allclose(opened.translator.translate(picture, picture).astype(int), expected, atol=1)
    with pytest.raises(BackendError, match="OpenVINO failed on tiny"):
        opened.translator.translate(np.zeros((1, 64, 64, 5), np.uint8), pictures[0])
    opened.translator.close()


def test_wrong_shapes_become_our_error(tiny_bundle: Bundle) -> None:
    opened = open_translator(tiny_bundle, "onnxruntime", EngineOptions(size=64))
    with pytest.raises(BackendError, match="ONNX Runtime failed on tiny"):
        opened.translator.translate(np.zeros((1, 64, 64, 5), np.uint8), np.zeros((1, 64, 64, 3), np.uint8))
