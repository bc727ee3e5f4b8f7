"""Steadiness: on clips whose answer is known."""

from contextlib import nullcontext

import av
import cv2
import numpy as np
import pytest
import skimage.data

from toonfilter.benchmarks.quality import clips, temporal
from toonfilter.benchmarks.quality.models import FunctionDrawer, Model
from toonfilter.benchmarks.quality.pictures import Picture
from toonfilter.runtime.errors import DataError


@pytest.fixture(scope="module")
def still() -> np.ndarray:
    return cv2.resize(skimage.data.astronaut(), (256, 256), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    region = np.zeros((256, 256), bool)
    region[30:150, 60:180] = True
    return region


def test_step_undoes_and_redoes_the_places() -> None:
    first, second = (clips.MOTIONS["rotation"].place(phase, 100, 120) for phase in (0.1, 0.3))
    point = np.array([30.0, 40.0, 1.0])
    step = clips.step_between(first, second)
    np.testing.assert_allclose(step @ np.append(first @ point, 1), second @ point)


def test_whole_pixel_motion_leaves_no_difference(still, head) -> None:
    moved = np.roll(still, 5, axis=1)
    step = np.array([[1.0, 0, 5], [0, 1, 0]])
    assert temporal.warped_difference(still, moved, step, head) == 0
    assert temporal.warped_difference(still, cv2.add(moved, (3, 3, 3, 0)), step, head) == pytest.approx(3, abs=0.1)


def test_out_of_sight_is_left_out(still) -> None:
    region = np.zeros((256, 256), bool)
    region[:, :4] = True
    assert np.isnan(temporal.warped_difference(still, still, np.array([[1.0, 0, 5], [0, 1, 0]]), region))


@pytest.mark.parametrize("name", clips.MOTIONS)
def test_unchanged_and_dampened_clips(still, head, name: str) -> None:
    clip = clips.moving_still(still, clips.MOTIONS[name], frames=5)
    same = temporal.known_motion_ratio(clip.frames, clip.frames, clip.places, head)
    assert same == pytest.approx(1)
    half = [(frame // 2).astype(np.uint8) for frame in clip.frames]
    assert temporal.known_motion_ratio(clip.frames, half, clip.places, head) == pytest.approx(0.5, abs=0.06)


def test_drawing_that_does_not_follow_is_unsteady(still, head) -> None:
    clip = clips.moving_still(still, clips.MOTIONS["pan"], frames=5)
    frozen = [clip.frames[0]] * 5
    assert temporal.known_motion_ratio(clip.frames, frozen, clip.places, head) > 1.5
    flickering = [
        np.clip(frame.astype(int) + 20 * (index % 2), 0, 255).astype(np.uint8)
        for index, frame in enumerate(clip.frames)
    ]
    assert temporal.known_motion_ratio(clip.frames, flickering, clip.places, head) > 3


def test_noise_has_the_level_it_says(still) -> None:
    gray = np.full_like(still, 128)
    clip = clips.moving_still(gray, clips.MOTIONS["noise"], frames=3)
    assert np.std(clip.frames[1].astype(float)) == pytest.approx(6, abs=0.1)
    difference = temporal.warped_difference(clip.frames[0], clip.frames[1], clip.places[0], np.ones((256, 256), bool))
    assert difference == pytest.approx(6 * np.sqrt(2) * np.sqrt(2 / np.pi), rel=0.02)


def test_flow_difference_follows_a_known_flow(still, head) -> None:
    moved = np.roll(still, (3, -2), axis=(0, 1))
    flow = np.full((256, 256, 2), (2, -3), np.float32)
    assert temporal.flow_difference(still, moved, flow, head) == 0


def test_recorded_ratio_needs_no_known_motion(still, head) -> None:
    frames = clips.moving_still(still, clips.MOTIONS["pan"], frames=4).frames
    heads = [head, head, None, head]
    assert temporal.recorded_ratio(frames, frames, heads) == pytest.approx(1)
    flickering = [
        np.clip(frame.astype(int) + 30 * (index % 2), 0, 255).astype(np.uint8) for index, frame in enumerate(frames)
    ]
    assert temporal.recorded_ratio(frames, flickering, heads) > 2
    assert np.isnan(temporal.recorded_ratio(frames, frames, [None] * 4))


def _write_video(path, frames: list[np.ndarray]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def test_models_are_measured_on_stills_and_videos(tmp_path, still) -> None:
    cv2.imwrite(str(tmp_path / "face.png"), still[..., ::-1])
    pictures = [Picture(f"face{index}", tmp_path / "face.png") for index in range(3)]
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in "abc":
        _write_video(videos / f"{name}.mp4", clips.moving_still(still, clips.MOTIONS["pan"], frames=4).frames)
    (steady, flat) = (
        Model(name, "filter", lambda function=function: nullcontext(FunctionDrawer(function)), draws_clips=True)
        for name, function in (("same", lambda image: image), ("flat", np.zeros_like))
    )
    folder = Model("folder", "results", lambda: nullcontext(None), draws_clips=False)
    seen = []
    found = temporal.measure_temporal(
        [steady, flat, folder],
        pictures,
        temporal.TemporalOptions(stills=3, videos=videos),
        lambda one: seen.append((one.words, one.done, one.total)),
    )
    assert found[0][0]["temporal_ratio"].value == pytest.approx(1)
    assert found[0][0]["temporal_real"].value == pytest.approx(1)
    assert found[1][0]["temporal_pan"].value == 0
    assert found[0][0]["temporal_ratio"].count == 15
    assert "folder of stills" in found[2][1]["temporal_ratio"]
    assert seen[-1] == ("recorded clips", 3, 3)


def test_no_videos_and_no_video_are_named(tmp_path) -> None:
    with pytest.raises(DataError, match="holds no videos"):
        clips.list_videos(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be decoded as a video"):
        list(clips.read_frames(tmp_path / "a.mp4", 5))
