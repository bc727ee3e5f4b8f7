"""What follows no other frame is read mirrored, too, and both readings count."""

import numpy as np
from plane_networks import PlanesNetwork

from toonfilter.runtime.fields import FIELDS, field_index
from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.scene import FieldsReader

SIZE = 256


class PersonAtTheLeft(PlanesNetwork):
    """Sees a person in the left half of whatever it is shown."""

    def __init__(self) -> None:
        self.calls = 0

    def translate(self, crops: Image, guidance: Image | None) -> Image:
        del guidance
        self.calls += 1
        planes = np.zeros((*crops.shape[:3], len(FIELDS)), np.uint8)
        planes[:, :, : crops.shape[2] // 2, field_index("person")] = 200
        return planes


def test_both_readings_count_and_what_follows_is_read_once() -> None:
    network = PersonAtTheLeft()
    reader = FieldsReader(network, SIZE)
    picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
    person = reader.read(reader.look(picture, steady=False), steady=False).planes["person"]
    assert network.calls == 2
    assert (person == 100).all()
    reader.read(reader.look(picture, steady=True), steady=True)
    assert network.calls == 3
