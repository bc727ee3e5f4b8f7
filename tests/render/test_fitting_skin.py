"""Meshes in the skin of somebody larger."""

from dataclasses import replace

import numpy as np

from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.geometry.alignment import crop_transform
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.render.fitting_skin import with_fitting_skin
from toonfilter.runtime.render.people import People
from toonfilter.runtime.render.people_reader import Prepared, drawn_faces
from toonfilter.runtime.render.renderer import AlignedFace
from toonfilter.runtime.render.scene import SceneFields


def smaller(face: Face, share: float) -> AlignedFace:
    """The face, with a box so much smaller around its middle."""
    x, y = face.box.centre
    width, height = face.box.width * share / 2, face.box.height * share / 2
    one = replace(face, box=Box(x - width, y - height, x + width, y + height))
    return one, crop_transform(one.landmarks, 256, one.fit)


def test_a_small_mesh_in_much_skin_is_no_face(face) -> None:
    image, own = face
    planes = {name: np.zeros(image.shape[:2], np.uint8) for name in FIELDS}
    box = own.box
    planes["skin"][int(box.top) : int(box.bottom) + 60, int(box.left) - 20 : int(box.right) + 20] = 255
    scene = SceneFields(image, planes, 1.0)
    whole, speck = smaller(own, 1.0), smaller(own, 0.15)
    assert with_fitting_skin(scene, [whole]) == [whole]
    assert with_fitting_skin(scene, [speck]) == []


def test_who_is_not_drawn_is_told(face) -> None:
    image, own = face
    planes = {name: np.zeros(image.shape[:2], np.uint8) for name in FIELDS}
    other = replace(own, id=7)
    prepared = Prepared(SceneFields(image, planes, 1.0), [smaller(own, 1.0)], People([], None))
    assert [[one.id for one in some] for some in drawn_faces(prepared, [own, other])] == [[own.id], [7]]
    assert [[one.id for one in some] for some in drawn_faces([], [own, other])] == [[own.id, 7], []]
