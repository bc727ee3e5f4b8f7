"""The colours of video files: decoded pictures to upright RGB and back, with the file's own matrix and range.

HDR pictures (PQ of SMPTE ST 2084, HLG of ITU-R BT.2100) become ordinary BT.709 pictures, because the cartoon
has no high dynamic range.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.video.pyav_versions import matrix_of_rgb, set_primaries_and_transfer

UNSPECIFIED = 2
_RGB = 0
_BT709, _BT470BG, _SMPTE170M, _BT2020_NCL, _BT2020_CL = 1, 5, 6, 9, 10
_PQ, _HLG = 16, 18
_STEPS = 8192
"""Of the table from HDR levels to light. Raising it is finer than eight bits can show."""
_LIMITED, _FULL = 1, 2

# How much red and blue weigh in luma, by libswscale's number of the matrix (ITU-T H.273, table 4).
_LUMA = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
# libswscale's numbers for the matrices of ITU-T H.273, which counts the same way for these.
_SWS_MATRIX = {_BT709: 1, 4: 4, _BT470BG: 5, _SMPTE170M: 5, 7: 7, _BT2020_NCL: 9, _BT2020_CL: 9}


@dataclass(frozen=True, slots=True)
class Colour:
    """How a file says its numbers are to be read: code points of ITU-T H.273, `range` as in FFmpeg (1 limited,
    2 full, 0 not said)."""

    range: int = 0
    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    @property
    def is_rgb(self) -> bool:
        """Whether the numbers are red, green and blue, as screen recordings have it; the result is never."""
        return self.matrix == _RGB

    @property
    def is_hdr(self) -> bool:
        return self.transfer in (_PQ, _HLG)


BT709 = Colour(_LIMITED, _BT709, _BT709, _BT709)


@dataclass(frozen=True, slots=True)
class Orientation:
    """How to turn a stored picture upright: mirrored first if `is_mirrored`, then `quarter_turns` counterclockwise."""

    quarter_turns: int = 0
    is_mirrored: bool = False

    @property
    def swaps_sides(self) -> bool:
        return self.quarter_turns % 2 == 1

    @classmethod
    def of_display_matrix(cls, matrix: tuple[int, ...] | None) -> "Orientation":
        """The nearest of the eight orientations to a 3x3 display matrix (16.16 fixed point, row by row)."""
        if matrix is None:
            return cls()
        a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
        is_mirrored = a * d - b * c < 0
        if is_mirrored:
            a, b = -a, -b
        # The picture's x axis goes to (a, b), y pointing down; counterclockwise is negative there.
        return cls(round(math.degrees(math.atan2(-b, a)) / 90) % 4, is_mirrored)

    def upright(self, image: Image) -> Image:
        """The stored picture turned upright, C-contiguous; the same array where nothing turns."""
        if self.is_mirrored:
            image = image[:, ::-1]
        return _turned(image, self.quarter_turns)

    def stored(self, image: Image) -> Image:
        """The inverse of `upright`."""
        image = _turned(image, -self.quarter_turns % 4)
        if self.is_mirrored:
            image = image[:, ::-1]
        return np.ascontiguousarray(image)


def _turned(image: Image, quarter_turns: int) -> Image:
    """Counterclockwise by quarter turns; cv2 does it ten times faster than a strided copy."""
    import cv2

    image = np.ascontiguousarray(image)
    if quarter_turns == 0:
        return image
    codes = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)
    turned: Image = cv2.rotate(image, codes[quarter_turns - 1])
    return turned


@dataclass(frozen=True, slots=True)
class CodedForm:
    """How filtered pictures lie in the file. orientation: of the file. width, height: in px, with the padding.

    pad_x, pad_y: encoders of 4:2:0 need even sides, so an odd one gets its last column or row repeated.
    """

    orientation: Orientation
    width: int
    height: int
    pad_x: int
    pad_y: int

    @classmethod
    def of(cls, width: int, height: int, orientation: Orientation) -> "CodedForm":
        """width, height: of the picture as it is stored, px."""
        pad_x, pad_y = (max(2, side + side % 2) - side for side in (width, height))
        return cls(orientation, width + pad_x, height + pad_y, pad_x, pad_y)

    def laid_out(self, image: Image) -> Image:
        """The upright picture as the file has it. image: uint8 [H, W, 3]."""
        image = self.orientation.stored(image)
        if self.pad_x or self.pad_y:
            image = np.pad(image, ((0, self.pad_y), (0, self.pad_x), (0, 0)), mode="edge")
        return image


class ColourConverter:
    """Decoded pictures to RGB for the filter, filtered pictures to what the encoder takes.

    width, height: of the stored picture. coded: see there.
    stores_upright: filtered pictures stay upright, for files that cannot say how to turn them.
    """

    def __init__(
        self, colour: Colour, orientation: Orientation, width: int, height: int, *, stores_upright: bool = False
    ) -> None:
        from av.video.reformatter import VideoReformatter

        self.source = colour
        self.orientation = orientation
        self.width, self.height = width, height
        self._swaps_sides = stores_upright and orientation.swaps_sides
        sides = (height, width) if self._swaps_sides else (width, height)
        self.coded = CodedForm.of(*sides, Orientation() if stores_upright else orientation)
        self.output = _output_of(colour)
        self._to_rgb = VideoReformatter()
        self._to_yuv = yuv_weights(self._matrix(self.output), is_full=self.output.range == _FULL)
        self._tone_map = ToneMap(colour) if colour.is_hdr else None

    def upright_rgb(self, frame: Any) -> Image:
        """uint8 [H, W, 3] of an `av.VideoFrame`, upright; a new array, free to be written into."""
        width, height = fitting_size((frame.width, frame.height), (self.width, self.height))
        matrix = self._matrix(self.source if frame.colorspace == UNSPECIFIED else Colour(matrix=int(frame.colorspace)))
        rgb: Any = self._to_rgb.reformat(
            frame,
            width=width,
            height=height,
            format="rgb48le" if self._tone_map else "rgb24",
            src_colorspace=matrix,
            dst_colorspace=matrix_of_rgb(matrix),
            src_color_range=_FULL if self._is_full(frame.format.name) else _LIMITED,
            dst_color_range=_FULL,
        ).to_ndarray()
        if self._tone_map:
            rgb = self._tone_map(rgb)
        return self.orientation.upright(_centred(rgb, self.width, self.height))

    def stored_frame(self, image: Image) -> Any:
        """An `av.VideoFrame` in yuv420p from an upright uint8 [H, W, 3]; times are not set."""
        import cv2
        from av import VideoFrame

        image, coded = self.coded.laid_out(image), self.coded
        frame = VideoFrame(coded.width, coded.height, "yuv420p")
        # A third of libswscale's time; and colours that were decoded from 2x2 equal ones come out as they were.
        yuv = cv2.transform(image, self._to_yuv)
        small = cv2.resize(yuv, (coded.width // 2, coded.height // 2), interpolation=cv2.INTER_AREA)
        for channel, (plane, picture) in enumerate(zip(frame.planes, (yuv, small, small), strict=True)):
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            cv2.extractChannel(picture, channel, rows[: plane.height, : plane.width])
        frame.colorspace, frame.color_range = self.output.matrix, self.output.range
        set_primaries_and_transfer(frame, self.output.primaries, self.output.transfer)
        return frame

    def stored_aspect(self, pixel_aspect: Fraction | None) -> Fraction | None:
        """Width to height of a pixel, as it is in `stored_frame`."""
        return 1 / pixel_aspect if pixel_aspect and self._swaps_sides else pixel_aspect

    def _is_full(self, pixel_format: str) -> bool:
        return self.source.range == _FULL or pixel_format.startswith(
            ("yuvj", "rgb", "bgr", "gbr", "pal8", "argb", "abgr")
        )

    def _matrix(self, colour: Colour) -> int:
        # Players read an unlabelled file as BT.709 when it is HD, as BT.601 when it is smaller.
        guess = 1 if min(self.width, self.height) >= 720 else 5
        return _SWS_MATRIX.get(colour.matrix, guess)


def _output_of(colour: Colour) -> Colour:
    if colour.is_hdr:
        return BT709
    if colour.is_rgb:
        known = (colour.primaries, colour.transfer)
        return Colour(_LIMITED, _BT709, *(_BT709 if value == UNSPECIFIED else value for value in known))
    return colour


def fitting_size(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """The largest (width, height) of the same shape as `size` that fits into `room`."""
    if size == room:
        return room
    factor = min(room[0] / size[0], room[1] / size[1])
    return max(1, min(room[0], round(size[0] * factor))), max(1, min(room[1], round(size[1] * factor)))


def _centred(image: Image, width: int, height: int) -> Image:
    """The picture in the middle of a black one of this size; itself where it fills it."""
    if image.shape[:2] == (height, width):
        return image
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
    canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    return canvas


def yuv_weights(matrix: int, *, is_full: bool) -> NDArray[np.float32]:
    """float32 [3, 4]: what makes YUV levels of 0..255 from RGB levels and 1. matrix: libswscale's number."""
    red, blue = _LUMA[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    weights = np.stack(
        [luma, (np.array([0, 0, 1]) - luma) / (2 - 2 * blue), (np.array([1, 0, 0]) - luma) / (2 - 2 * red)]
    )
    scale, offset = (np.ones(3), [0, 128, 128]) if is_full else (np.array([219, 224, 224]) / 255, [16, 128, 128])
    levels: NDArray[np.float32] = np.column_stack([weights * scale[:, None], offset]).astype(np.float32)
    return levels


class ToneMap:
    """HDR RGB of BT.2020 primaries to BT.709 at 8 bits: a fixed curve, the same for every frame, so no flicker.

    Linear light after ITU-R BT.2100 (table 4: PQ; table 5: HLG), 203 cd/m2 (BT.2408) as the SDR white, then the curve
    of BT.2390 (section 5.4.1: what is darker than its knee stays, highlights roll off), then the BT.709 primaries and a
    2.4 display gamma.
    """

    WHITE_NITS = 203.0
    PEAK_WHITES = 5.0

    def __init__(self, colour: Colour) -> None:
        code = np.arange(4096, dtype=np.float64) / 4095
        nits = _pq_nits(code) if colour.transfer == _PQ else _hlg_nits(code)
        self._linear: NDArray[np.float32] = (nits / self.WHITE_NITS).astype(np.float32)
        # Dark levels need most of the table: it is over the square root of light.
        root = np.arange(_STEPS, dtype=np.float64) / (_STEPS - 1)
        peak_nits = self.PEAK_WHITES * self.WHITE_NITS
        mapped = rolled_off(root**2 * peak_nits, peak_nits, self.WHITE_NITS) / self.WHITE_NITS
        self._display: NDArray[np.uint8] = np.round(255 * np.clip(mapped, 0, 1) ** (1 / 2.4)).astype(np.uint8)

    def __call__(self, rgb: NDArray[np.uint16]) -> Image:
        """uint16 [H, W, 3], full scale, to uint8 [H, W, 3]."""
        import cv2

        light = cv2.transform(self._linear[rgb >> 4], _BT2020_TO_BT709)
        share = np.sqrt(np.clip(light * (1 / self.PEAK_WHITES), 0, 1))
        picture: Image = self._display[(share * (_STEPS - 1) + 0.5).astype(np.uint16)]
        return picture


def rolled_off(nits: NDArray[np.float64], peak_nits: float, white_nits: float) -> NDArray[np.float64]:
    """Light of a display of `peak_nits` for one of `white_nits`: the electro-electrical curve of ITU-R BT.2390."""
    source_peak, target_peak = _pq_code(np.array([peak_nits, white_nits]))
    level, most = _pq_code(nits) / source_peak, target_peak / source_peak
    knee = 1.5 * most - 0.5
    way = np.clip((level - knee) / (1 - knee), 0, 1)
    spline = (
        (2 * way**3 - 3 * way**2 + 1) * knee
        + (way**3 - 2 * way**2 + way) * (1 - knee)
        + (-2 * way**3 + 3 * way**2) * most
    )
    return _pq_nits(np.where(level < knee, level, spline) * source_peak)


def _pq_code(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = np.clip(nits / 10000.0, 0, 1) ** m1
    code: NDArray[np.float64] = ((c1 + c2 * power) / (1 + c3 * power)) ** m2
    return code


# ITU-R BT.2087, M2 inverted: linear RGB of BT.2020 to linear RGB of BT.709.
_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)


def _pq_nits(code: NDArray[np.float64]) -> NDArray[np.float64]:
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    root = code ** (1 / m2)
    nits: NDArray[np.float64] = 10000.0 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return nits


def _hlg_nits(code: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    nits: NDArray[np.float64] = 1000.0 * scene**1.2
    return nits
