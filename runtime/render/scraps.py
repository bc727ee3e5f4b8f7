"""Small patches that no part claims go to what they lie in, and bodies have calm outlines."""

from collections.abc import Mapping

import cv2
import numpy as np

from toonfilter.runtime.render.contours import COARSE_PX, Plane, Points, coarsened
from toonfilter.runtime.render.head_planes import disc, half_plane
from toonfilter.runtime.render.palette import cloth_plane

_CLOTH_LEVEL = 110
"""Level from which a place counts as cloth. Raising it finds fewer and smaller scraps."""
_MOST_U2 = 1.0
"""Area of a scrap at most, in squared distances of the pupils. Raising it takes small collars for skin."""
_TAKERS = ("skin", "hair", "headwear")
_LEAST_SHARE = 0.45
_LEAST_SHARE_HIGH = 0.25
"""Share of its surroundings that the taker must be; the second for scraps that lie wholly above the mouth, where nobody
wears cloth that hangs together with none below. Raising them leaves more scraps as cloth."""

_PATCH_LEVEL, _EARS_U, _LEAST_HAIR, _MOSTLY_HIGH = 100, 0.45, 0.3, 0.6
"""Level from which a place is of a patch of skin, how far around a face's outline its own skin reaches, in distances of
the pupils, which share of a patch's surroundings must be hair for it to be hair, too, and which share of the patch must
lie above the forehead for it to be cloth. Lowering the last three takes ears and hands for hair and hats."""
_CALM_U, _BELOW_U = 0.21, 0.25
"""Half the width of notches and of tatters in a body's outline that are taken out, in distances of the pupils, and how
far below the chin that begins. Raising the first rounds shoulders and closes gaps below arms."""
_HOLE_U2 = 1.5
"""Area of a hole in a body, in squared distances of the pupils, up to which it is filled. Raising it fills the space
between an arm and the chest."""


def with_calm_body(
    planes: Mapping[str, Plane], chin: Points, down: Points, unit_px: float, *, keep_person: bool
) -> dict[str, Plane]:
    """The planes with a person whose outline is calm below the chin: shoulders and sleeves have no tatters.

    planes: uint8 [h, w]. chin: [2] px. down: unit vector from the eyes to the chin. unit_px: distance of the pupils.
    keep_person: nothing is taken from the person.
    """
    person = planes["person"]
    cells = coarsened(person)
    small = cv2.resize(cells, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    cell_px = 2 * COARSE_PX
    radius = max(1, round(_CALM_U * unit_px / cell_px))
    side = 2 * radius + 1
    body = cv2.copyMakeBorder(small, side, side, side, side, cv2.BORDER_REPLICATE)
    body = cv2.morphologyEx(cv2.morphologyEx(body, cv2.MORPH_CLOSE, disc(radius)), cv2.MORPH_OPEN, disc(radius))
    body = cv2.max(body, _enclosed(body, _HOLE_U2 * (unit_px / cell_px) ** 2))
    body = cv2.blur(body[side:-side, side:-side], (2 * (radius // 2) + 1,) * 2)
    below = half_plane(person.shape, chin + down * np.float32(_BELOW_U * unit_px), down)
    calm = cv2.resize(body, (person.shape[1], person.shape[0]), interpolation=cv2.INTER_CUBIC)
    if keep_person:
        calm = cv2.max(calm, person)
    bare = cv2.max(planes["skin"], planes["hair"])
    calm = cv2.max(calm, cv2.min(person, bare))
    return {**planes, "person": np.where(below > 0, calm, person)}


def _enclosed(body: Plane, most_px2: float) -> Plane:
    """255 in holes of a body that are no larger than this many cells: collars that look like the room."""
    room = cv2.compare(body, 128, cv2.CMP_LT)
    _, parts, found, _ = cv2.connectedComponentsWithStats(room, connectivity=4)
    left, top, width, height, area = (found[:, place] for place in range(5))
    inside = (left > 0) & (top > 0) & (left + width < body.shape[1]) & (top + height < body.shape[0])
    holes = (inside & (area <= most_px2)).astype(np.uint8) * 255
    holes[0] = 0
    filled: Plane = holes[parts]
    return filled


def without_scraps(planes: Mapping[str, Plane], below: Plane, unit_px: float, *, keep_person: bool) -> dict[str, Plane]:
    """The planes with small patches of cloth given to the skin, hair or headwear, or left to the room, around them.

    Jewellery on a neck and gaps in hair are no clothes. Cloth below the mouth that the picture's edge cuts stays.

    planes: uint8 [h, w]. below: 255 below a face's mouth. unit_px: distance of the pupils in them. keep_person: nothing
    is left to the room.
    """
    cloth = cloth_plane(planes, under_beard=True)
    cells = cv2.compare(coarsened(cloth), _CLOTH_LEVEL, cv2.CMP_GE)
    count, scraps, found, _ = cv2.connectedComponentsWithStats(cells)
    if count < 2:
        return dict(planes)
    around = {name: coarsened(planes[name]) for name in _TAKERS}
    around["room"] = coarsened(cv2.bitwise_not(planes["person"]))
    most = _MOST_U2 * (unit_px / COARSE_PX) ** 2
    is_below = cv2.resize(below, cells.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    low = np.bincount(scraps[is_below], minlength=count) > 0
    given: dict[str, Plane] = {}
    for number in range(1, count):
        left, top, width, height, area = (int(value) for value in found[number])
        is_small = area <= most and not _is_cut(left, top, width, height, cells.shape)
        if low[number] and not is_small:
            continue
        least = _LEAST_SHARE if low[number] else _LEAST_SHARE_HIGH
        window = np.s_[max(0, top - 1) : top + height + 1, max(0, left - 1) : left + width + 1]
        scrap = (scraps[window] == number).astype(np.uint8)
        rim = cv2.dilate(scrap, np.ones((3, 3), np.uint8)) - scrap
        shares = {name: cv2.mean(plane[window], rim)[0] / 255 for name, plane in around.items()}
        if not is_small:
            # What is large above the mouth is no face.
            del shares["skin"]
        taker = max(shares, key=lambda name: shares[name])
        if shares[taker] < least or (taker == "room" and keep_person):
            continue
        region = given.setdefault(taker, np.zeros_like(cells))
        region[window] |= cv2.dilate(scrap, np.ones((3, 3), np.uint8)) * np.uint8(255)
    return _handed_over(planes, cloth, given)


def without_throat_hair(planes: Mapping[str, Plane], below: Plane, unit_px: float) -> dict[str, Plane]:
    """The planes with small patches of hair amid the skin of a throat or chest given to that: light and wrinkles.

    planes: uint8 [h, w]. below: 255 below a face's chin. unit_px: distance of the pupils in them.
    """
    hair, skin = coarsened(planes["hair"]), coarsened(planes["skin"])
    size = hair.shape[1], hair.shape[0]
    levels = cv2.compare(hair, _PATCH_LEVEL, cv2.CMP_GE)
    count, patches, found, _ = cv2.connectedComponentsWithStats(levels)
    is_high = cv2.resize(below, size, interpolation=cv2.INTER_NEAREST) == 0
    hangs = np.bincount(patches[is_high], minlength=count) > 0
    given = np.zeros_like(hair)
    for number in range(1, count):
        if hangs[number] or found[number, cv2.CC_STAT_AREA] > _MOST_U2 * (unit_px / COARSE_PX) ** 2:
            continue
        patch = (patches == number).astype(np.uint8)
        rim = cv2.dilate(patch, np.ones((3, 3), np.uint8)) - patch
        if cv2.mean(skin, rim)[0] > 255 * _LEAST_SHARE:
            given |= cv2.dilate(patch, np.ones((3, 3), np.uint8)) * np.uint8(255)
    if not given.any():
        return dict(planes)
    taken = _handed_over(planes, planes["hair"], {"skin": given})
    return {**taken, "hair": cv2.subtract(planes["hair"], cv2.subtract(taken["skin"], planes["skin"]))}


def without_stray_skin(
    planes: Mapping[str, Plane], face: Plane, above: Plane, crown: Plane, unit_px: float
) -> dict[str, Plane]:
    """The planes with patches of skin amid hair given to the hair (light in curls, walls behind them), and those above
    a face that do not touch it to the cloth: flowers and hats.

    planes: uint8 [h, w]. face: 255 in a face's outline. above, crown: 255 above its chin, where hands stay, and above
    its forehead. unit_px: distance of the pupils in them.
    """
    skin = coarsened(planes["skin"])
    size = skin.shape[1], skin.shape[0]
    levels = cv2.compare(skin, _PATCH_LEVEL, cv2.CMP_GE)
    cells = cv2.min(levels, cv2.resize(above, size, interpolation=cv2.INTER_NEAREST))
    reach = 2 * max(1, round(_EARS_U * unit_px / COARSE_PX)) + 1
    near = cv2.dilate(cv2.resize(face, size, interpolation=cv2.INTER_AREA), np.ones((reach, reach), np.uint8))
    high = cv2.resize(crown, size, interpolation=cv2.INTER_NEAREST)
    count, patches = cv2.connectedComponents(cells)
    hair = coarsened(planes["hair"])
    to_hair, to_cloth = np.zeros_like(cells), np.zeros_like(cells)
    kernel = np.ones((3, 3), np.uint8)
    for number in range(1, count):
        patch = (patches == number).astype(np.uint8)
        if cv2.mean(near, patch)[0] > 0:
            continue
        whole = cv2.dilate(patch, kernel)
        if cv2.mean(hair, whole - patch)[0] >= 255 * _LEAST_HAIR:
            to_hair |= whole * np.uint8(255)
        elif cv2.mean(high, patch)[0] >= 255 * _MOSTLY_HIGH:
            to_cloth |= whole * np.uint8(255)
    if not (to_hair.any() or to_cloth.any()):
        return dict(planes)
    shape = planes["skin"].shape[1], planes["skin"].shape[0]
    given, gone = (
        cv2.min(cv2.resize(one, shape, interpolation=cv2.INTER_LINEAR), planes["skin"]) for one in (to_hair, to_cloth)
    )
    bare = cv2.subtract(cv2.subtract(planes["skin"], given), gone)
    return {**planes, "skin": bare, "hair": cv2.add(planes["hair"], given)}


def _is_cut(left: int, top: int, width: int, height: int, shape: tuple[int, ...]) -> bool:
    return left == 0 or top == 0 or left + width == shape[1] or top + height == shape[0]


def _handed_over(planes: Mapping[str, Plane], part: Plane, given: Mapping[str, Plane]) -> dict[str, Plane]:
    """The planes with what is given of a part added to others. given: where, by who takes it, in cells of COARSE_PX."""
    result = dict(planes)
    size = part.shape[1], part.shape[0]
    for taker, region in given.items():
        large = cv2.min(cv2.resize(region, size, interpolation=cv2.INTER_LINEAR), part)
        if taker == "room":
            result["person"] = cv2.subtract(result["person"], large)
        else:
            result[taker] = cv2.add(result[taker], large)
    return result
