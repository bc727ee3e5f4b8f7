"""Make examples/astronaut.mp4: a portrait that moves before a camera, with a gentle melody.

Usage: python examples/make_clip.py [OUT]   (needs scikit-image, which carries the portrait)

The portrait is NASA's picture of the astronaut Eileen Collins, in the public domain; scikit-image ships it as
`skimage.data.astronaut`. It is panned, zoomed and turned as a head before a webcam moves; the head comes near the
border of the picture between the fifth and the seventh second.
"""

import math
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, FPS, SECONDS = 1280, 720, 25, 8
FACE_X, FACE_Y = 224.0, 122.0  # the middle of the face in the portrait
SAMPLE_RATE = 48_000
MELODY_HZ = (262, 330, 392, 523, 440, 392, 330, 294)


def studio(portrait: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """The portrait twice as large with its surroundings continued softly on all sides, and the margin in px."""
    large = cv2.resize(portrait, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    margin = 420
    wide = cv2.copyMakeBorder(large, margin, margin, margin, margin, cv2.BORDER_REFLECT_101)
    soft = cv2.GaussianBlur(wide, (0, 0), 45)
    inside = np.zeros(wide.shape[:2], np.float32)
    inside[margin + 30 : -margin - 30, margin + 30 : -margin - 30] = 1
    inside[-margin - 30 :, margin + 30 : -margin - 30] = 1
    weight = cv2.GaussianBlur(inside, (0, 0), 14)[..., None]
    return (wide * weight + soft * (1 - weight)).astype(np.uint8), float(margin)


def pose(time_s: float) -> tuple[float, float, float, float]:
    """Where the middle of the face is (px), its scale against the portrait, and its turn (degrees)."""
    wave = 2 * math.pi * time_s / SECONDS
    near_border = math.exp(-(((time_s - 6.0) / 0.75) ** 2))
    x = 640 + 130 * math.sin(wave) + 30 * math.sin(3 * wave) - 330 * near_border
    y = 310 + 35 * math.sin(2 * wave + 0.6) - 60 * near_border
    scale = 2.1 + 0.3 * math.sin(wave - 0.9)
    return x, y, scale, 7 * math.sin(2 * wave) + 3 * math.sin(5 * wave)


def picture(canvas: NDArray[np.uint8], margin: float, time_s: float) -> NDArray[np.uint8]:
    """One frame, uint8 [720, 1280, 3] RGB."""
    x, y, scale, turn = pose(time_s)
    matrix = cv2.getRotationMatrix2D((margin + 2 * FACE_X, margin + 2 * FACE_Y), turn, scale / 2)
    matrix[:, 2] += (x - margin - 2 * FACE_X, y - margin - 2 * FACE_Y)
    return cv2.warpAffine(canvas, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)


def melody() -> NDArray[np.float32]:
    """float32 [samples], one soft tone a second."""
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    envelope = np.minimum(1, times / 0.05) * np.exp(-2.5 * times)
    tones = [envelope * (np.sin(2 * np.pi * hz * times) + 0.3 * np.sin(4 * np.pi * hz * times)) for hz in MELODY_HZ]
    return (0.2 * np.concatenate(tones)).astype(np.float32)


def write_clip(path: Path) -> None:
    from skimage import data

    canvas, margin = studio(data.astronaut())
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": "24", "preset": "slow", "g": "50"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = video.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = 1, 1, 1, 1
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        sound.codec_context.bit_rate = 64_000
        for number in range(FPS * SECONDS):
            image = picture(canvas, margin, number / FPS)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format="yuv420p", src_colorspace=1, dst_colorspace=1, src_color_range=2, dst_color_range=1
            )
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        samples = melody()
        for start in range(0, len(samples) - 1023, 1024):
            block = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
            block.sample_rate, block.pts = SAMPLE_RATE, start
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))


if __name__ == "__main__":
    write_clip(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "astronaut.mp4")
