"""What readers of the virtual camera see after a crash; the driver itself is tried in tests/v4l2."""

import numpy as np
import pytest

from toonfilter.runtime import v4l2_devices
from toonfilter.runtime.cover_pictures import cover_picture


def test_a_device_that_is_none_is_left_alone(tmp_path):
    picture = cover_picture(64, 48)
    assert not v4l2_devices.set_timeout_picture(str(tmp_path / "video7"), picture, 1000)
    (tmp_path / "video8").write_bytes(bytes(300_000))
    assert not v4l2_devices.set_timeout_picture(str(tmp_path / "video8"), picture, 1000)


def test_the_picture_is_packed_as_the_device_stores_it():
    picture = np.full((48, 64, 3), 128, np.uint8)
    packed = v4l2_devices._packed(picture, 64, 48, b"YU12")
    assert packed is not None
    assert len(packed) == 64 * 48 * 3 // 2
    assert set(packed[64 * 48 :]) == {128}


@pytest.mark.parametrize(("width", "height", "fourcc"), [(64, 48, b"MJPG"), (32, 24, b"YU12"), (63, 48, b"YU12")])
def test_other_formats_and_sizes_are_refused(width, height, fourcc):
    picture = np.zeros((48, 64 if width != 63 else 63, 3), np.uint8)
    assert v4l2_devices._packed(picture, width, height, fourcc) is None
