"""The kernels' arithmetic: numpy reference against OpenCV, CPU build of the kernels against the reference; the PTX."""

import ctypes
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from build_kernels import SOURCE, build_library, build_ptx
from toonfilter.runtime.cuda import reference
from toonfilter.runtime.cuda.kernels import SHIPPED, shipped_ptx
from toonfilter.runtime.cuda.regions import FACE, plan_regions
from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.geometry.alignment import CropTransform

SIZE = 64
GRID = 48


def picture(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A smooth colourful picture with some hard edges."""
    coarse = random.integers(0, 256, (height // 12 + 2, width // 12 + 2, 3)).astype(np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    image[height // 3 : height // 3 + 9, width // 4 :] = (250, 20, 90)
    return np.ascontiguousarray(image)


def transforms(random: np.random.Generator, count: int, height: int, width: int, side: tuple[float, float]) -> list:
    return [
        CropTransform(
            float(random.uniform(0, width)),
            float(random.uniform(0, height)),
            float(random.uniform(*side)),
            float(random.uniform(-3, 3)),
            SIZE,
        )
        for _ in range(count)
    ]


def pooled(plan, image: np.ndarray) -> np.ndarray:
    return np.concatenate([region.of(image).ravel() for region in plan.regions])


def smooth_field(random: np.random.Generator) -> np.ndarray:
    field = cv2.resize(random.uniform(-6, 6, (6, 6, 2)).astype(np.float32), (GRID, GRID))
    return np.ascontiguousarray(field)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    path = tmp_path_factory.mktemp("build") / "libportrait.so"
    build_library(path)
    return ctypes.CDLL(str(path))


def address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@pytest.mark.parametrize("seed", range(6))
def test_cropping_is_that_of_opencv(seed) -> None:
    random = np.random.default_rng(seed)
    image = picture(random, 150, 200)
    aligned = transforms(random, 3, 150, 200, (40, 100))
    plan = plan_regions(aligned, 150, 200)
    fields = np.stack([smooth_field(random) for _ in aligned])
    crops = reference.crop_faces(plan.faces, pooled(plan, image), fields, SIZE)
    axis = np.arange(SIZE, dtype=np.float32)
    for n, transform in enumerate(aligned):
        places = np.dstack(np.meshgrid(axis, axis)) + cv2.resize(fields[n], (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        maps = cv2.transform(places.astype(np.float32), transform.crop_to_frame)
        expected = cv2.remap(image, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        error = np.abs(crops[n].astype(int) - expected)
        # cv2.remap rounds places to 1/32 px.
        assert error.mean() < 0.8
        assert np.percentile(error, 99) <= 8


def test_large_faces_are_averaged_and_not_aliased() -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    image[:, ::2] = 200
    plan = plan_regions([CropTransform(200, 200, 320, 0.0, SIZE)], 400, 400)
    assert plan.faces["subsamples"][0] == 5
    crop = reference.crop_faces(plan.faces, pooled(plan, image), None, SIZE)[0]
    assert np.abs(crop.astype(int) - 100).max() <= 12


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("with_matte", [True, False])
def test_blending_is_that_of_opencv(seed, with_matte) -> None:
    random = np.random.default_rng(seed)
    image = picture(random, 150, 200)
    transform = transforms(random, 1, 150, 200, (40, 160))[0]
    plan = plan_regions([transform], 150, 200)
    cartoon = np.dstack([picture(random, SIZE, SIZE), picture(random, SIZE, SIZE)[..., 0]])
    window, hull = (picture(random, SIZE, SIZE)[..., 0] for _ in range(2))
    pool = pooled(plan, image)
    reference.blend_face(plan.faces[0], pool, cartoon, cartoon[..., 3] if with_matte else None, window, hull)
    result = image.copy()
    plan.regions[0].of(result)[:] = pool.reshape(plan.regions[0].of(result).shape)

    shown = np.maximum(cv2.multiply(cartoon[..., 3], window, scale=1 / 255), hull) if with_matte else hull
    weighted = np.dstack([cartoon[..., :3] * (shown[..., None] / 255.0), shown / 255.0]).astype(np.float32)
    warped = cv2.warpAffine(weighted, transform.crop_to_frame, (200, 150), flags=cv2.INTER_LINEAR, borderValue=0)
    expected = image * (1 - warped[..., 3:]) + warped[..., :3]
    error = np.abs(result - expected)
    assert error.mean() < 0.5
    assert np.percentile(error, 99.5) <= 9
    far = cv2.dilate((warped[..., 3] > 0).astype(np.uint8), np.ones((3, 3))) == 0
    assert (result[far] == image[far]).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_compiled_kernels_draw_what_the_reference_draws(library, seed) -> None:
    random = np.random.default_rng(100 + seed)
    image = picture(random, 220, 300)
    aligned = transforms(random, 4, 220, 300, (30, 260))
    plan = plan_regions(aligned, 220, 300)
    fields = np.stack([smooth_field(random) for _ in aligned])
    pool = pooled(plan, image)
    for given, grid in ((fields, GRID), (None, 0)):
        crops = np.empty((4, SIZE, SIZE, 3), np.uint8)
        library.crop_faces(4, address(plan.faces), address(pool), address(fields), grid, SIZE, address(crops))
        expected = reference.crop_faces(plan.faces, pool, given, SIZE)
        assert np.abs(crops.astype(int) - expected).max() <= 1
    for channels in (3, 4):
        cartoons = np.stack([np.dstack([picture(random, SIZE, SIZE)] * 2)[..., :channels] for _ in aligned])
        cartoons = np.ascontiguousarray(cartoons)
        window, oval = (picture(random, SIZE, SIZE)[..., 0].copy() for _ in range(2))
        hulls = np.stack([picture(random, SIZE, SIZE)[..., 0] for _ in aligned])
        mine, theirs = pool.copy(), pool.copy()
        for n in range(4):
            matte = cartoons[n, ..., 3] if channels == 4 else oval
            reference.blend_face(plan.faces[n], theirs, cartoons[n], matte, window, hulls[n])
            start = ctypes.c_void_p(cartoons.ctypes.data + 3) if channels == 4 else address(oval)
            step, stride = (4, 4 * SIZE * SIZE) if channels == 4 else (1, 0)
            library.blend_face(
                address(plan.faces), n, address(mine), address(cartoons), channels, start, step, stride,
                address(window), address(hulls), SIZE,
            )  # fmt: skip
        assert np.abs(mine.astype(int) - theirs).max() <= 1
        assert (mine == theirs).mean() > 0.99


def test_the_face_record_is_the_kernels_struct(library) -> None:
    assert FACE.itemsize == 24 * 4
    # Read back through the kernel: a crop of a region that starts late in the pool.
    pool = np.zeros(1000 + 3 * SIZE * SIZE, np.uint8)
    pool[1000:] = 77
    face = np.zeros(1, FACE)
    face["crop_to_region"] = [1, 0, 0, 0, 1, 0]
    face["region_offset"], face["region_width"], face["region_height"], face["subsamples"] = 1000, SIZE, SIZE, 2
    crop = np.empty((1, SIZE, SIZE, 3), np.uint8)
    library.crop_faces(1, address(face), address(pool), None, 0, SIZE, address(crop))
    assert (crop == 77).all()


def test_regions_hold_all_crops_once() -> None:
    random = np.random.default_rng(3)
    for _ in range(30):
        aligned = transforms(random, 4, 300, 400, (30, 260))
        plan = plan_regions(aligned, 300, 400)
        covered = np.zeros((300, 400), int)
        for region in plan.regions:
            covered[region.top : region.bottom, region.left : region.right] += 1
        assert covered.max() == 1
        assert plan.pool_bytes == 3 * covered.sum()
        assert plan.regions[-1].offset + plan.regions[-1].size_bytes == plan.pool_bytes
        for face, transform in zip(plan.faces, aligned, strict=True):
            assert face["left"] + face["width"] <= face["region_width"]
            assert face["top"] + face["height"] <= face["region_height"]
            region = next(region for region in plan.regions if region.offset == face["region_offset"])
            out = face["crop_to_region"].reshape(2, 3) @ [5, 9, 1] + [region.left, region.top]
            np.testing.assert_allclose(out, transform.crop_to_frame @ [5, 9, 1], atol=1e-2)
            back = face["region_to_crop"].reshape(2, 3) @ [7, 2, 1]
            np.testing.assert_allclose(back, transform.frame_to_crop @ [7 + region.left, 2 + region.top, 1], atol=1e-2)


def test_a_crop_beside_the_frame_changes_nothing() -> None:
    plan = plan_regions([CropTransform(-500, 900, 50, 0.3, SIZE)], 100, 100)
    image = np.full((100, 100, 3), 9, np.uint8)
    pool = pooled(plan, image)
    full = np.full((SIZE, SIZE), 255, np.uint8)
    reference.blend_face(plan.faces[0], pool, np.zeros((SIZE, SIZE, 4), np.uint8), full, full, full)
    assert (pool == 9).all()


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc")
def test_the_shipped_ptx_is_that_of_the_source(tmp_path) -> None:
    built = tmp_path / "portrait.ptx"
    build_ptx(built)
    names = [line for line in SHIPPED.read_text().splitlines() if ".visible .entry" in line]
    assert names == [f".visible .entry {name}(" for name in ("crop_faces", "blend_face", "stand_in_generator")]
    compiler = [line for line in SHIPPED.read_text().splitlines() if line.startswith("// Cuda compilation tools")]
    if compiler[0] in built.read_text():
        assert built.read_text() == SHIPPED.read_text()
    for architecture in ("sm_75", "sm_86", "sm_89", "sm_90", "sm_120"):
        if shutil.which("ptxas"):
            command = ["ptxas", f"-arch={architecture}", "-o", str(tmp_path / "x.cubin"), str(SHIPPED)]
            assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert shipped_ptx().endswith(b"}\n\n\0")


def test_compilers_that_fail_are_told(tmp_path) -> None:
    with pytest.raises(BackendError, match="does not run"):
        build_ptx(tmp_path / "x.ptx", nvcc="no-such-nvcc")
    with pytest.raises(BackendError, match="failed"):
        build_library(tmp_path / "x.so", compiler="false")
    assert SOURCE.is_file()
