"""Conversion with the real filter: tracker, engine, blending and guard over a small real bundle."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from toonfilter.runtime.command_line.lost_options import lost_policy
from toonfilter.runtime.errors import BundleError, CaptureError, ConfigError
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.render.opening import RenderOptions
from toonfilter.runtime.styles.style import Sliders
from toonfilter.runtime.video.convert import ConvertOptions, convert
from toonfilter.runtime.video.file_filter import file_filter_opener, filter_identity
from toonfilter.runtime.video.local_workers import LocalWorkers


@pytest.fixture(scope="module")
def talking_head(tmp_path_factory, astronaut):
    """The portrait moving a little, key frames every 8 frames; in frames 28 to 33 nobody is there."""
    path = tmp_path_factory.mktemp("head") / "head.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"g": "8", "sc_threshold": "0", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        for number in range(48):
            matrix = np.float32([[0.6, 0, 4 * np.sin(number / 5)], [0, 0.6, -20 + 3 * np.cos(number / 5)]])
            picture = cv2.warpAffine(astronaut, matrix, (320, 240), borderMode=cv2.BORDER_REPLICATE)
            if 28 <= number < 34:
                picture[:] = 120
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


@pytest.mark.slow
def test_segments_resume_and_processes_make_the_same_bytes_with_the_real_filter(talking_head, tiny_bundle, tmp_path):
    settings = FilterSettings(style=str(tiny_bundle.folder), engine="onnxruntime", threads=1)
    opener = file_filter_opener(settings)
    straight = convert(talking_head, tmp_path / "a.mp4", opener, ConvertOptions("h264", segment_s=0.6))
    workers = LocalWorkers(2)
    parallel = convert(talking_head, tmp_path / "b.mp4", opener, ConvertOptions("h264", segment_s=0.6), workers=workers)
    workers.close()
    assert straight.frames == 48
    assert straight.states.get("exposed", 0) == 0
    assert straight.states["protected"] >= 36
    assert straight.states["holding"] + straight.states["covered"] >= 6
    assert parallel.states == straight.states
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_identity_names_bundle_and_settings(tiny_bundle):
    settings = FilterSettings(style=str(tiny_bundle.folder))
    assert filter_identity(settings) == filter_identity(settings)
    assert filter_identity(settings) != filter_identity(
        FilterSettings(style=str(tiny_bundle.folder), rendering=RenderOptions(extent="head"))
    )
    sliders = RenderOptions(sliders=Sliders(likeness=0.5))
    assert filter_identity(settings) != filter_identity(
        FilterSettings(style=str(tiny_bundle.folder), rendering=sliders)
    )
    with pytest.raises(BundleError):
        filter_identity(FilterSettings(style="no such style"))


def test_the_identity_changes_with_the_style_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[base]\nshade = 0.5\n")
    before = filter_identity(FilterSettings(style=str(path)))
    path.write_text("[base]\nshade = 0.6\n")
    assert filter_identity(FilterSettings(style=str(path))) != before


def test_on_lost_words(tmp_path):
    assert lost_policy("hold").action == "hold"
    assert lost_policy("cover").action == "cover"
    assert lost_policy("pass", confirmed=True).action == "pass"
    with pytest.raises(ConfigError, match="--i-accept-exposure"):
        lost_policy("pass")
    with pytest.raises(ConfigError, match="hold, cover, image=FILE or pass"):
        lost_policy("show")
    cv2.imwrite(str(tmp_path / "away.png"), np.full((8, 8, 3), 9, np.uint8))
    policy = lost_policy(f"image={tmp_path / 'away.png'}")
    assert policy.placeholder is not None
    with pytest.raises(CaptureError):
        lost_policy("image=missing.png")
