"""What readers of the virtual camera see after a crash; the driver itself is tried in tests/v4l2."""

import struct

import numpy as np
import pytest

from toonfilter.runtime.live import v4l2 as v4l2_devices
from toonfilter.runtime.live.cover_pictures import cover_picture


def test_a_device_that_is_none_is_left_alone(tmp_path):
    picture = cover_picture(64, 48)
    assert not v4l2_devices.set_timeout_picture(str(tmp_path / "video7"), picture, 1000)
    (tmp_path / "video8").write_bytes(bytes(300_000))
    assert not v4l2_devices.set_timeout_picture(str(tmp_path / "video8"), picture, 1000)


def test_the_picture_is_packed_as_the_device_stores_it():
    picture = np.full((48, 64, 3), 128, np.uint8)
    packed = v4l2_devices.packed_picture(picture, 64, 48, b"YU12")
    assert packed is not None
    assert len(packed) == 64 * 48 * 3 // 2
    assert set(packed[64 * 48 :]) == {128}


@pytest.mark.parametrize(("width", "height", "fourcc"), [(64, 48, b"MJPG"), (32, 24, b"YU12"), (63, 48, b"YU12")])
def test_other_formats_and_sizes_are_refused(width, height, fourcc):
    picture = np.zeros((48, 64 if width != 63 else 63, 3), np.uint8)
    assert v4l2_devices.packed_picture(picture, width, height, fourcc) is None


@pytest.mark.parametrize("thefts", [0, 3, 10_000])
def test_the_picture_is_written_again_while_other_programs_take_its_memory(tmp_path, monkeypatch, thefts):
    device = tmp_path / "video10"
    length, place = 8192, 32 * 8192
    device.write_bytes(bytes(place + length))
    controls, looks, wish = [], [], {"set": 0, "heard": 0}

    def ioctl(_handle, request, answer, _mutate):
        if request == 0xC0D05604:
            struct.pack_into("<II4s", answer, 8, 64, 48, b"YU12")
        elif request == 0xC008561C:
            controls.append(struct.unpack("<Ii", answer))
            if controls[-1][0] == 0x0098F903 and controls[-1][1] != wish["set"]:
                # V4L2 tells the driver of changes only.
                wish.update(set=controls[-1][1], heard=controls[-1][1])
        elif request == 0xC0585609:
            looks.append(1)
            struct.pack_into("<I", answer, 64, place if wish["heard"] and len(looks) > thefts else 0)
            wish["heard"] = 0
            struct.pack_into("<I", answer, 72, length)

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    picture = cover_picture(64, 48)
    is_set = v4l2_devices.set_timeout_picture(str(device), picture, 1000)
    assert is_set == (thefts < 10)
    content = device.read_bytes()
    assert not any(content[:place])
    assert (
        content[place : place + 64 * 48 * 3 // 2] == v4l2_devices.packed_picture(picture, 64, 48, b"YU12")
    ) == is_set
    assert ((0x0098F902, 1000) in controls) == is_set
