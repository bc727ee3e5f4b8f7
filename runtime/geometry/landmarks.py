"""Which points of the face mesh make which part of a face: the one table of numbers.

"right" is the person's own right, at the left of an unmirrored picture. Lids, brows and creases run from the temple to
the nose; lips run from the person's right to their left; lines of age run from top to bottom or from nose to temple.
"""

from typing import Final, NamedTuple

Indices = tuple[int, ...]


class EyePoints(NamedTuple):
    """Points of one eye and what is around it. iris: centre, then four points of its edge."""

    upper: Indices
    lower: Indices
    crease: Indices
    bag: Indices
    iris: Indices
    brow_upper: Indices
    brow_lower: Indices
    crow: Indices
    """Beside the outer corner: the corner's neighbour, then towards the temple."""

    @property
    def corners(self) -> tuple[int, int]:
        """Outer and inner corner."""
        return self.upper[0], self.upper[-1]


RIGHT_EYE: Final = EyePoints(
    upper=(33, 246, 161, 160, 159, 158, 157, 173, 133),
    lower=(33, 7, 163, 144, 145, 153, 154, 155, 133),
    crease=(226, 247, 30, 29, 27, 28, 56, 190),
    bag=(31, 228, 229, 230, 231, 232, 233),
    iris=(468, 469, 470, 471, 472),
    brow_upper=(70, 63, 105, 66, 107),
    brow_lower=(46, 53, 52, 65, 55),
    crow=(130, 226, 35, 143),
)
LEFT_EYE: Final = EyePoints(
    upper=(263, 466, 388, 387, 386, 385, 384, 398, 362),
    lower=(263, 249, 390, 373, 374, 380, 381, 382, 362),
    crease=(446, 467, 260, 259, 257, 258, 286, 414),
    bag=(261, 448, 449, 450, 451, 452, 453),
    iris=(473, 474, 475, 476, 477),
    brow_upper=(300, 293, 334, 296, 336),
    brow_lower=(276, 283, 282, 295, 285),
    crow=(359, 446, 265, 372),
)
EYES: Final = (RIGHT_EYE, LEFT_EYE)

LIP_TOP: Final = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LIP_BOTTOM: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
MOUTH_TOP: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
MOUTH_BOTTOM: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)

BETWEEN_BROWS: Final = 9
NOSE_RIDGE: Final = (BETWEEN_BROWS, 168, 6, 197, 195, 5, 4)
"""From between the brows to the tip."""
NOSE_PROFILE: Final = (*NOSE_RIDGE, 1, 19, 94, 2)
"""As the ridge, and on around the tip to below the nose."""
NOSE_BASE: Final = (98, 97, 2, 326, 327)
RIGHT_WING: Final = (129, 49, 48, 64, 98)
LEFT_WING: Final = (358, 279, 278, 294, 327)
NOSTRILS: Final = ((60, 75, 242, 20), (290, 305, 462, 250))
NOSE_TIP: Final = 4
BELOW_NOSE: Final = 2

JAW: Final = (
    *(234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    *(377, 400, 378, 379, 365, 397, 288, 361, 323, 454),
)
FACE_OVAL: Final = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""Around the face, from the forehead's top towards the person's left."""
FOREHEAD_TOP: Final = 10
CHIN: Final = 152
TEMPLES: Final = (127, 356)
CHEEKS: Final = (50, 280)
MESH_POINTS: Final = 468
"""Without the irises, which follow."""

RIGHT_FOLD: Final = (129, 203, 206, 216, 212)
LEFT_FOLD: Final = (358, 423, 426, 436, 432)
"""From the wings of the nose around the mouth's corners."""
RIGHT_MARIONETTE: Final = (57, 43, 202, 211)
LEFT_MARIONETTE: Final = (287, 273, 422, 431)
FOREHEAD_ROWS: Final = (
    (103, 67, 109, 10, 338, 297, 332),
    (104, 69, 108, 151, 337, 299, 333),
    (105, 66, 107, 9, 336, 296, 334),
)
"""Three rows across the forehead, from its top down."""
FROWN: Final = ((108, 107, 55), (337, 336, 285))
"""Upright lines between the brows."""
SKIN_SAMPLES: Final = (50, 280, 101, 330, 36, 266, 205, 425, 118, 347, 117, 346, 151, 9, 108, 337, 5, 195)
