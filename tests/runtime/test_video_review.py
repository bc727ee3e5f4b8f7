"""A look before the file is made: which frames are shown, and regions that the user wants covered."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from covering_filter import CoveringFilter

from toonfilter.runtime import privacy
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.frames import Frame, SafeFrame
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.video.convert import ConvertOptions, convert
from toonfilter.runtime.video.review import COVERS, Cover, CoveringOpener, doubts_in, read_covers

SOMEBODY = privacy.HiddenFace(Box(-100, -100, -90, -90))
"""Outside the picture, so that nothing has to hide it."""


class Unchanged(CoveringFilter):
    """Lets pictures through, until the face is lost."""

    lost_at_s = 9.0

    def draw(self, frame: Frame) -> SafeFrame:
        if frame.captured_at_s >= self.lost_at_s:
            return privacy.cover(frame, "no face found")
        return privacy.Guard().release(frame, frame.image.copy(), frame.image, [SOMEBODY])


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "in.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"crf": "10", "g": "10"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        y, x = np.mgrid[:64, :96]
        picture = np.where(((x // 2 + y // 2) % 2)[..., None], np.uint8(220), np.uint8(30)).repeat(3, 2)
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


class Losing(Unchanged):
    lost_at_s = 2.0


def line(time_s: float, state: str = "protected", found: int = 1, covered: int = 0) -> dict[str, object]:
    return {"time_s": time_s, "state": state, "faces_found": found, "faces_covered": covered}


def test_doubtful_frames_are_the_first_of_every_stretch() -> None:
    audit = [line(number / 10) for number in range(100)]
    assert doubts_in(audit) == []
    for number in range(30, 36):
        audit[number] = line(number / 10, "holding")
    audit[60] = line(6.0, found=2, covered=1)
    audit[80:] = [line(number / 10, found=0, covered=0) for number in range(80, 100)]
    assert [(doubt.number, doubt.reason) for doubt in doubts_in(audit)] == [
        (30, "holding"),
        (60, "face-not-drawn"),
        (61, "fewer-faces"),
        (80, "fewer-faces"),
        (81, "no-face"),
    ]


def test_a_review_shows_frames_and_the_same_command_then_writes_the_file(clip: Path, tmp_path: Path) -> None:
    target, folder = tmp_path / "out.mp4", tmp_path / "review"
    report = convert(clip, target, Losing, ConvertOptions("h264", review=folder))
    assert report.status == "reviewed"
    assert not target.exists()
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["000000.00s-face-not-drawn.jpg", "000002.00s-covered.jpg", COVERS]
    assert read_covers(folder / COVERS) == ()

    class Broken(Unchanged):
        def draw(self, frame: Frame) -> SafeFrame:
            raise AssertionError(f"frame {frame.index} is drawn again")

    assert convert(clip, target, Broken, ConvertOptions("h264")).frames == 40


def test_regions_are_covered_in_their_time_and_nowhere_else(clip: Path, tmp_path: Path) -> None:
    covers = tmp_path / COVERS
    covers.write_text("[[cover]]\nfrom = 1.0\nto = 2.0\nbox = [16, 16, 48, 48]\n")
    regions = read_covers(covers)
    assert regions == (Cover(1.0, 2.0, (16, 16, 48, 48)),)
    convert(clip, tmp_path / "out.mp4", CoveringOpener(Unchanged, regions), ConvertOptions("h264", "high"))
    with av.open(str(tmp_path / "out.mp4")) as result:
        levels = [frame.to_ndarray(format="gray").astype(int) for frame in result.decode(video=0)]
    for number, level in enumerate(levels):
        detail = np.abs(np.diff(level[20:44, 20:44], axis=1)).mean()
        assert (detail < 10) == (10 <= number <= 20), number
        assert np.abs(np.diff(level[20:44, 56:90], axis=1)).mean() > 40


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[cover]]\nfrom = 1.0\nto = 2.0\n", "cover 1: box is missing"),
        ("[[cover]]\nfrom = 1.0\nto = 2.0\nbox = [1, 2, 3]\n", "a list of 4"),
        ("[[cover]]\nfrom = 3.0\nto = 2.0\nbox = [1, 2, 3, 4]\n", "cover 1 is empty"),
        ("[[covers]]\n", "unknown table covers"),
        ("[[cover", r"covers.toml: line 1 is '\[\[cover'; must be TOML: Expected"),
    ],
)
def test_wrong_covers_are_named(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / COVERS).write_text(text)
    with pytest.raises(ConfigError, match=expected):
        read_covers(tmp_path / COVERS)


def test_after_a_review_only_segments_with_regions_are_made_again(clip: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Unchanged, "drawn", [], raising=False)

    class Counting(Unchanged):
        def draw(self, frame: Frame) -> SafeFrame:
            Unchanged.drawn.append(round(frame.captured_at_s * 10))
            return super().draw(frame)

    def converted(**changes) -> int:
        Unchanged.drawn.clear()
        convert(clip, tmp_path / "out.mp4", Counting, ConvertOptions("h264", segment_s=1.0, overwrite=True, **changes))
        return len(Unchanged.drawn)

    assert converted(review=tmp_path / "review") > 40
    # The second of four segments, and the frames before it that the filter warms up on.
    assert converted(covers=(Cover(1.5, 1.6, (0, 0, 32, 32)),), review=tmp_path / "review") < 30
    assert 15 in Unchanged.drawn
    assert 35 not in Unchanged.drawn
    assert converted(review=tmp_path / "review") < 30, "the region was taken away again"
    assert converted() == 0
