"""Every image-to-image recipe's generator, made small, exports and draws what PyTorch draws."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from toonfilter.export.onnx_export import export_graph, picture_graph  # noqa: E402
from toonfilter.export.parity import check_parity, compare, model_reference, torch_reference  # noqa: E402
from toonfilter.export.precision import to_fp16, to_int8  # noqa: E402
from toonfilter.train.recipe import load_recipe, recipe_names  # noqa: E402
from toonfilter.train.systems import build_system  # noqa: E402

# What makes each kind of network small; the recipes' own figures otherwise.
SMALL = {
    "toon": ["generator.options.widths=[4, 6, 8]", "generator.options.blocks=[1, 1, 1]"],
    "unet": ["generator.options.width=4"],
    "resnet": ["generator.options.width=4", "generator.options.blocks=1"],
}
OTHERS = {
    "landmark-cyclegan": ["method.regressor_width=4", "method.regressor_levels=2", "method.patch_px=16"],
    "cartoongan": ["method.regressor_width=4", "method.regressor_levels=2"],
    "caricature": ["method.geometry_width=8", "method.components=3", "method.faces_to_fit=4"],
    "xgan": ["generator.options.width=4", "generator.options.embedding=16"],
    "content-style": ["generator.options.width=4", "generator.options.blocks=1"],
}
NO_FILTER = {"dcgan"}
# Quick to trace and each of another kind; the rest runs with the slow tests.
FIRST = {"toon", "cyclegan"}
EACH = [pytest.param(name, marks=() if name in FIRST else pytest.mark.slow) for name in recipe_names()]


def small_system(name: str):
    recipe = load_recipe(name)
    overrides = [*SMALL.get(recipe.generator.kind, []), *OTHERS.get(name, []), "discriminator.options.width=4"]
    known = []
    for override in overrides:
        try:
            build_system(load_recipe(name, [*known, override]))
        except Exception:
            continue
        known.append(override)
    return build_system(load_recipe(name, known))


@pytest.mark.parametrize("name", EACH)
def test_the_generator_exports_and_passes_the_gate(name, crops) -> None:
    torch.manual_seed(3)
    system = small_system(name)
    spec = system.export_spec()
    if name in NO_FILTER:
        assert spec is None
        return
    for key in (spec.network, *spec.others.values()):
        network = system.networks[key]
        lively(network)
        size = spec.size_multiple if spec.size_multiple > 64 else 64
        if network_needs_its_size(name):
            size = spec.sizes_px[0]
        graph = picture_graph(network, spec)
        model = export_graph(graph, dataclasses.replace(spec, sizes_px=(size,)), [size], {"toonfilter.name": name})[
            size
        ]
        given = crops if spec.guidance_channels else dataclasses.replace(crops, guidance=None)
        reference = torch_reference(graph)
        for precision, made in (("fp32", model), ("fp16", to_fp16(model, given.feeds(size, 2)))):
            parity = compare(reference, model_reference(made), given, [size], count=2).as_parity(f"{name} {precision}")
            check_parity(parity, precision)


def test_int8_of_the_toon_generator_passes_the_gate(crops) -> None:
    torch.manual_seed(3)
    system = small_system("toon")
    spec = system.export_spec()
    lively(system.networks[spec.network])
    graph = picture_graph(system.networks[spec.network], spec)
    model = export_graph(graph, spec, [64, 96], {})[None]
    quantised = model_reference(to_int8(model, crops.feeds(64)))
    check_parity(compare(torch_reference(graph), quantised, crops, [64, 96]).as_parity("toon int8"), "int8")


def lively(network: "torch.nn.Module") -> None:
    """Weights that draw something: fresh ones often answer one grey."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.add_(torch.randn_like(parameter) * 0.5 * parameter[0].numel() ** -0.5)


def network_needs_its_size(name: str) -> bool:
    """U-Nets halve the picture down to one pixel; XGAN's embedding is for one size."""
    return name.startswith("pix2pix") or name == "xgan"
