"""The one reader and writer of pictures: colours, orientation, transparency, pages, refusals; and jobs over folders."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms

from toonfilter.runtime import privacy
from toonfilter.runtime.errors import CaptureError, ConfigError, OutputError
from toonfilter.runtime.files.image_files import Moment, Picture, read_image, read_picture, write_image, write_picture
from toonfilter.runtime.frames import Frame, SafeFrame
from toonfilter.runtime.image.image_jobs import convert_pictures, default_output, plan_pictures

Image = NDArray[np.uint8]


class CoveringPictures:
    def process(self, image: Image) -> SafeFrame:
        return privacy.cover(Frame(image.copy(), 0), "no face found", 255 - image)


@pytest.fixture
def scene() -> Image:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20, :30], image[:20, 30:], image[20:, :30], image[20:, 30:] = (200, 40, 40), (40, 180, 60), 90, (30, 60, 210)
    return image


def gamma_profile(gamma: float) -> bytes:
    """A real profile with other numbers for the same colours: sRGB with another curve, written by littlecms."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # Every curve of it becomes a plain gamma of the same length: type `curv`, one entry, u8Fixed8.
    tags = int.from_bytes(content[128:132], "big")
    for tag in range(tags):
        at = 132 + 12 * tag
        if content[at + 1 : at + 4] == b"TRC":
            start = int.from_bytes(content[at + 4 : at + 8], "big")
            content[start : start + 14] = b"curv" + bytes(4) + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2)
            content[at + 8 : at + 12] = (14).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
def test_profiles_are_converted_as_littlecms_does(scene: Image, tmp_path: Path, suffix: str) -> None:
    profile = gamma_profile(1.2)
    path = tmp_path / f"other{suffix}"
    Pillow.fromarray(scene).save(path, icc_profile=profile, quality=100)
    source = Pillow.open(path).convert("RGB")
    expected = np.asarray(
        ImageCms.profileToProfile(source, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"))
    )
    found = read_image(path)
    assert np.abs(expected.astype(int) - scene).max() > 20
    assert np.abs(found.astype(int) - expected).max() <= 3


def test_cmyk_becomes_rgb(scene: Image, tmp_path: Path) -> None:
    Pillow.fromarray(scene).convert("CMYK").save(tmp_path / "print.jpg", quality=100)
    assert np.abs(read_image(tmp_path / "print.jpg").astype(int) - scene).mean() < 6


def test_a_damaged_profile_is_told_and_the_picture_is_read(scene: Image, tmp_path: Path) -> None:
    Pillow.fromarray(scene).save(tmp_path / "a.png", icc_profile=b"no profile at all")
    picture = read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.moments[0].image, scene)
    assert "profile" in picture.notes[0]


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png", ".tiff"])
@pytest.mark.parametrize("mark", range(1, 9))
def test_every_orientation_comes_out_upright(scene: Image, tmp_path: Path, suffix: str, mark: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = mark
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the inverse, as Pillow.Transpose counts
    stored = Pillow.fromarray(scene)
    if mark in turned:
        stored = stored.transpose(Pillow.Transpose(turned[mark]))
    stored.save(tmp_path / f"a{suffix}", exif=exif, quality=95)
    found = read_image(tmp_path / f"a{suffix}")
    assert found.shape == scene.shape
    assert np.abs(found.astype(int) - scene).mean() < 8


def test_heic_and_avif_are_read(scene: Image, tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    for name in ("a.heic", "a.avif"):
        Pillow.fromarray(scene).save(tmp_path / name, quality=90)
        assert np.abs(read_image(tmp_path / name).astype(int) - scene).mean() < 8


def test_sixteen_bits_keep_their_levels(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(4, 0)
    Pillow.fromarray(levels).save(tmp_path / "deep.png")
    assert np.abs(read_image(tmp_path / "deep.png")[0, :, 0].astype(int) - levels[0] / 257).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff", ".gif"])
def test_transparency_is_kept_and_nothing_hides_under_it(scene: Image, tmp_path: Path, suffix: str) -> None:
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[:, :15] = 0
    write_image(tmp_path / f"a{suffix}", scene, alpha)
    with Pillow.open(tmp_path / f"a{suffix}") as stored:
        found = np.array(stored.convert("RGBA"))
    assert np.array_equal(found[..., 3] == 0, alpha == 0)
    assert np.abs(found[:, :14, :3].astype(int) - scene[:, :14]).mean() > 30


def test_transparent_places_become_white_where_the_format_has_none(scene: Image, tmp_path: Path) -> None:
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[:, :16] = 0
    write_image(tmp_path / "a.jpg", scene, alpha)
    found = read_image(tmp_path / "a.jpg")
    assert found[:, :12].min() > 240


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tiff"])
def test_all_moments_of_an_animation_come_through(tmp_path: Path, suffix: str) -> None:
    levels = (40, 120, 220)
    moments = tuple(Moment(np.full((24, 32, 3), level, np.uint8), None, 80.0) for level in levels)
    write_picture(tmp_path / f"in{suffix}", Picture(moments, 3))
    plan = plan_pictures([tmp_path / f"in{suffix}"], tmp_path / f"out{suffix}", overwrite=False)
    (done,) = convert_pictures(plan, CoveringPictures())
    assert done.error is None
    assert len(done.safe) == 3
    result = read_picture(tmp_path / f"out{suffix}")
    assert [round(float(moment.image.mean())) for moment in result.moments] == pytest.approx(
        [255 - level for level in levels], abs=4
    )
    if suffix != ".tiff":
        assert {moment.duration_ms for moment in result.moments} == {80.0}
        assert result.loops == 3


def test_an_animation_into_a_format_of_one_picture_is_told(tmp_path: Path) -> None:
    moments = tuple(Moment(np.full((24, 32, 3), level, np.uint8), None, 80.0) for level in (40, 120))
    write_picture(tmp_path / "in.gif", Picture(moments))
    plan = plan_pictures([tmp_path / "in.gif"], tmp_path / "out.jpg", overwrite=False)
    (done,) = convert_pictures(plan, CoveringPictures())
    assert "only the first of 2" in done.notes[0]


def test_nothing_of_the_source_but_pixels_is_written(scene: Image, tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif[0x010E], exif[0x013B] = "REALNAME at home", "REALNAME"
    Pillow.fromarray(scene).save(tmp_path / "in.jpg", exif=exif, comment=b"REALNAME", icc_profile=gamma_profile(1.2))
    plan = plan_pictures([tmp_path / "in.jpg"], tmp_path / "out.jpg", overwrite=False)
    assert [done.error for done in convert_pictures(plan, CoveringPictures())] == [None]
    assert b"REALNAME" in (tmp_path / "in.jpg").read_bytes()
    with Pillow.open(tmp_path / "out.jpg") as result:
        assert set(result.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "0 bytes"), (b"text", "of no known kind"), (b"\x89PNG\r\n\x1a\n1234", "not a picture")],
)
def test_bad_pictures_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=message):
        read_picture(path)


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    Pillow.new("1", (40_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(CaptureError, match="too large"):
        read_picture(tmp_path / "bomb.png")


def test_folders_keep_names_leave_out_what_is_no_picture_and_do_not_read_their_own_output(
    scene: Image, tmp_path: Path
) -> None:
    album = tmp_path / "album"
    (album / "trip.jpg").mkdir(parents=True)
    write_image(album / "a.png", scene)
    write_image(album / "trip.jpg" / "b.png", scene)
    (album / "._a.png").write_bytes(b"\0\5\26\7Mac OS X")
    (album / "bad.jpg").write_bytes(b"no picture")
    (album / "notes.txt").write_text("words")
    for _ in range(2):
        plan = plan_pictures([album], album / "out", overwrite=True)
        assert [path.name for path in plan.left_out] == ["notes.txt"]
        results = {done.source.name: done for done in convert_pictures(plan, CoveringPictures())}
        assert set(results) == {"a.png", "b.png", "bad.jpg"}
        assert isinstance(results["bad.jpg"].error, CaptureError)
    made = sorted(path.relative_to(album / "out").as_posix() for path in (album / "out").rglob("*") if path.is_file())
    assert made == ["a.png", "trip.jpg/b.png"]


def test_targets_are_protected(scene: Image, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    write_image(photo, scene)
    with pytest.raises(OutputError, match="input"):
        plan_pictures([photo], photo, overwrite=True)
    (tmp_path / "second name.png").hardlink_to(photo)
    with pytest.raises(OutputError, match="input"):
        plan_pictures([photo], tmp_path / "second name.png", overwrite=True)
    target = tmp_path / "there.png"
    target.write_bytes(b"")
    with pytest.raises(OutputError, match="--overwrite"):
        plan_pictures([photo], target, overwrite=False)
    assert plan_pictures([photo], target, overwrite=True).pairs == ((photo, target),)
    with pytest.raises(ConfigError, match="several"):
        plan_pictures([photo, target], tmp_path / "z.jpg", overwrite=False)
    (tmp_path / "film.mp4").write_bytes(b"")
    with pytest.raises(ConfigError, match="toonfilter video"):
        plan_pictures([tmp_path / "film.mp4"], tmp_path / "z.jpg", overwrite=False)


def test_missing_input_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="does not exist"):
        plan_pictures([tmp_path / "no.png"], tmp_path / "x.png", overwrite=False)
    with pytest.raises(CaptureError, match="holds no pictures"):
        plan_pictures([tmp_path], tmp_path / "x", overwrite=False)


def test_names_for_results_that_the_user_did_not_name(tmp_path: Path) -> None:
    assert default_output([tmp_path / "a.b.png"]) == tmp_path / "a.b-cartoon.png"
    assert default_output([tmp_path / "IMG_1.HEIC"]) == tmp_path / "IMG_1-cartoon.jpg"
    assert default_output([tmp_path]) == tmp_path.parent / f"{tmp_path.name}-cartoon"
    with pytest.raises(ConfigError, match="--output"):
        default_output([tmp_path / "a.png", tmp_path / "b.png"])
