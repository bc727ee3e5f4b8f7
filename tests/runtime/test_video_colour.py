"""RGB to what encoders take, against libswscale and against itself."""

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from toonfilter.runtime.video.colour import Colour, ColourConverter, Orientation, ToneMap, rolled_off
from toonfilter.runtime.video.pyav_versions import matrix_of_rgb

LIMITED, FULL = 1, 2
# Code point of ITU-T H.273 and libswscale's number for it.
MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}


def planes_of(frame):
    rows = [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, : plane.width] for plane in frame.planes]
    return [picture[: plane.height].astype(int) for picture, plane in zip(rows, frame.planes, strict=True)]


def smooth_colours(width, height, seed=0):
    """Random colours without sharp edges, where every way of making small colour planes agrees."""
    few = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", MATRICES)
def test_the_same_levels_as_libswscale(matrix, colour_range):
    image = smooth_colours(320, 200)
    frame = ColourConverter(Colour(colour_range, matrix), Orientation(), 320, 200).stored_frame(image)
    assert (frame.colorspace, frame.color_range, frame.format.name) == (matrix, colour_range, "yuv420p")
    number = MATRICES[matrix]
    rgb = av.VideoFrame.from_ndarray(image, format="rgb24")
    # PyAV 17 knows no number for BT.2020 and takes the frame's own.
    rgb.colorspace = matrix
    expected = VideoReformatter().reformat(
        rgb,
        format="yuv420p",
        src_colorspace=matrix_of_rgb(number),
        dst_colorspace=number,
        src_color_range=FULL,
        dst_color_range=colour_range,
    )
    # Its full range is its limited one, stretched, and up to a level off.
    for ours, theirs in zip(planes_of(frame), planes_of(expected), strict=True):
        assert np.abs(ours - theirs).max() <= 2
        assert np.abs(ours - theirs).mean() < 0.8


@pytest.mark.parametrize(("width", "height"), [(2, 2), (64, 48), (66, 50), (65, 49), (1, 1)])
def test_every_size_comes_back_as_it_was(width, height):
    converter = ColourConverter(Colour(LIMITED, 1), Orientation(), width, height)
    image = np.full((height, width, 3), (200, 90, 40), np.uint8)
    back = converter.upright_rgb(converter.stored_frame(image))
    assert back.shape == image.shape
    assert np.abs(back.astype(int) - image).max() <= 3


def test_what_was_decoded_is_encoded_with_the_levels_it_had():
    rng = np.random.default_rng(3)
    source = av.VideoFrame(128, 96, "yuv420p")
    for plane, (low, high) in zip(source.planes, [(60, 190), (100, 156), (100, 156)], strict=True):
        plane.update(rng.integers(low, high, plane.buffer_size, np.uint8).tobytes())
    converter = ColourConverter(Colour(LIMITED, 1), Orientation(), 128, 96)
    again = planes_of(converter.stored_frame(converter.upright_rgb(source)))
    for before, after in zip(planes_of(source), again, strict=True):
        assert np.abs(before - after).max() <= 2


def test_light_of_hdr_stays_below_the_knee_and_rolls_off_above_it():
    nits = np.array([0.1, 1.0, 20.0, 80.0, 203.0, 600.0, 1015.0])
    shown = rolled_off(nits, 1015.0, 203.0)
    assert shown[:4] == pytest.approx(nits[:4], rel=0.02)
    assert np.all(np.diff(shown) > 0)
    assert shown[-1] == pytest.approx(203.0, rel=0.01)


@pytest.mark.parametrize("transfer", [16, 18])
def test_a_wall_in_hdr_is_as_bright_as_in_an_ordinary_picture(transfer):
    # An ordinary picture of a wall at this level, its white at 203 cd/m2 (ITU-R BT.2408), stored as HDR.
    level = 156
    nits = 203.0 * (level / 255) ** 2.4
    if transfer == 16:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = (nits / 10000) ** m1
        code = ((c1 + c2 * power) / (1 + c3 * power)) ** m2
    else:
        scene = (nits / 1000) ** (1 / 1.2)
        code = (3 * scene) ** 0.5 if scene <= 1 / 12 else 0.17883277 * np.log(12 * scene - 0.28466892) + 0.55991073
    shown = ToneMap(Colour(1, 9, 9, transfer))(np.full((4, 4, 3), round(code * 65535), np.uint16))
    assert np.abs(shown.astype(int) - level).max() <= 6
