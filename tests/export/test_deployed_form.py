"""The small generator in the form that ships draws what the plain network draws."""

import pytest

torch = pytest.importorskip("torch")

from toonfilter.export.deployed import DeployedToon  # noqa: E402
from toonfilter.export.onnx_export import example_inputs, picture_graph  # noqa: E402
from toonfilter.train.networks.toon import ToonGenerator  # noqa: E402
from toonfilter.train.systems import ExportSpec  # noqa: E402


def lively_toon(guidance: int, channels: int, *, copy_input: bool) -> ToonGenerator:
    """Random weights that make use of the whole range of levels, and beyond."""
    torch.manual_seed(7)
    network = ToonGenerator(
        3 + guidance, channels, widths=(8, 12, 16), blocks=(1, 1, 1), top_blocks=1, copy_input=copy_input
    )
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            gain = 3.0 if name.startswith("leave") else 1.0
            parameter.normal_(0, gain * parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.1)
    return network


@pytest.mark.parametrize("copy_input", [True, False])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("guidance", [0, 3])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 40), (8, 104)])
def test_deployed_form_equals_the_plain_network(guidance, channels, copy_input, height, width) -> None:
    network = lively_toon(guidance, channels, copy_input=copy_input)
    spec = ExportSpec("generator", guidance, channels)
    plain = picture_graph(network, spec)
    deployed = DeployedToon(plain.network, spec).eval()
    random = torch.Generator().manual_seed(1)
    inputs = [
        torch.randint(0, 256, (2, height, width, entry.shape[3]), dtype=torch.uint8, generator=random)
        for entry in example_inputs(spec, 32)
    ]
    with torch.inference_mode():
        expected, result = plain(*inputs), deployed(*inputs)
    assert result.shape == (2, height, width, channels)
    assert result.dtype == torch.uint8
    assert expected.float().std() > 30
    error = (result.int() - expected.int()).abs()
    # A sum that falls on the middle between two levels may be rounded either way.
    assert error.max() <= 1
    assert error.float().mean() < 0.002
