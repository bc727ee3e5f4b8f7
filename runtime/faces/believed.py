"""Which meshes are faces: a head has one, and what lies turned beside upright faces mostly is none."""

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from toonfilter.runtime.faces.config import BeliefConfig
from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.geometry.box import Box


def believed_faces(
    faces: Sequence[Face], config: BeliefConfig, before: Collection[int] = (), unmeshed: Sequence[Box] = ()
) -> tuple[list[Face], list[Box]]:
    """Those of the faces that may be drawn with features, in their order, and the places of the others.

    before: ids that were believed in the frame before; they are doubted later. unmeshed: faces that no mesh fits: a
    much smaller one within is a nostril.
    """
    kept: list[Face] = []
    doubted: list[Box] = []
    for face in sorted(faces, key=lambda one: -_weight(one, config)):
        is_known = face.id in before
        in_larger = any(_is_speck_in(face.box, box, config) for box in unmeshed)
        if (
            in_larger
            or any(_is_part_of(face, other, config) for other in kept)
            or (kept and _turned_deg(face, kept[0]) > config.turned_deg + config.known_deg * is_known)
        ):
            doubted.append(face.box)
        else:
            kept.append(face)
    ids = {face.id for face in kept}
    return [face for face in faces if face.id in ids], doubted


def head_around(mesh: Box, config: BeliefConfig) -> Box:
    """The head of an upright face, with hair and ears. mesh: the box of its mesh."""
    beside = config.beside * mesh.width
    return Box(mesh.left - beside, mesh.top - config.forehead * mesh.height, mesh.right + beside, mesh.bottom)


def _weight(face: Face, config: BeliefConfig) -> float:
    """The size of a face, less where it is turned."""
    turned = abs((face.pose[2] + 180) % 360 - 180) > config.turned_deg
    return face.fit.scale * (config.turned_weight if turned else 1.0)


def _turned_deg(face: Face, other: Face) -> float:
    return abs((face.pose[2] - other.pose[2] + 180) % 360 - 180)


def _is_speck_in(mesh: Box, face: Box, config: BeliefConfig) -> bool:
    return face.holds(mesh.centre) and max(mesh.width, mesh.height) < config.speck * max(face.width, face.height)


def _is_part_of(face: Face, larger: Face, config: BeliefConfig) -> bool:
    head, is_speck = head_around(larger.box, config), face.fit.scale < config.speck * larger.fit.scale
    if is_speck:
        # Jewellery and collars, too.
        head = replace(head, bottom=head.bottom + config.neck * larger.box.height)
        head = _with_back(head, larger, config)
    is_turned = _turned_deg(face, larger) > config.upside_down_deg
    return head.holds(face.box.centre) and (is_speck or is_turned)


def _with_back(head: Box, face: Face, config: BeliefConfig) -> Box:
    """With the ear and the back of the head, which a turned face shows."""
    turn = math.sin(math.radians(face.pose[0]))
    behind = config.behind * face.box.width * abs(turn)
    return replace(head, right=head.right + behind) if turn < 0 else replace(head, left=head.left - behind)
