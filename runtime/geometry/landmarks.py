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

    @property
    def cross(self) -> tuple[int, int, int, int]:
        """Outer and inner corner, and the middles of the upper and the lower lid."""
        return *self.corners, self.upper[4], self.lower[4]

    @property
    def ring(self) -> Indices:
        """Around the opening: from the outer corner along the lower lid, and back along the upper one."""
        return (*self.lower, *self.upper[-2:0:-1])


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
IRISES: Final = (RIGHT_EYE.iris[0], LEFT_EYE.iris[0])
"""Their middles."""
OUTER_CORNERS: Final = (RIGHT_EYE.corners[0], LEFT_EYE.corners[0])
"""Of both eyes."""

LIP_TOP: Final = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LIP_BOTTOM: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
MOUTH_TOP: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
MOUTH_BOTTOM: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LIPS: Final = (*LIP_BOTTOM, *LIP_TOP[-2:0:-1])
"""Around both lips, from the person's right along the lower one, and back along the upper one."""

MOUTH_CORNERS: Final = (LIP_TOP[0], LIP_TOP[-1])
INNER_LIPS: Final = (MOUTH_TOP[5], MOUTH_BOTTOM[5])
"""Where the upper and the lower lip meet in the middle of a closed mouth."""
LIP_MIDDLES: Final = (37, 0, 267, 84, 17, 314, 181, 405)
"""Along the middle third of both lips, where their colour is read."""
UPPER_LIP_RED: Final = (38, 12, 268, 72, 302)
LOWER_LIP_RED: Final = (86, 15, 316, 85, 315)
"""Within the lips, beside the mouth's opening."""

BETWEEN_BROWS: Final = 9
BROW_LINE: Final = (LEFT_EYE.brow_upper[0], BETWEEN_BROWS, RIGHT_EYE.brow_upper[0])
"""Across the face along the brows, from the person's left to their right."""
NOSE_BRIDGE: Final = 168
NOSE_RIDGE: Final = (BETWEEN_BROWS, NOSE_BRIDGE, 6, 197, 195, 5, 4)
"""From between the brows to the tip."""
NOSE_PROFILE: Final = (*NOSE_RIDGE, 1, 19, 94, 2)
"""As the ridge, and on around the tip to below the nose."""
NOSE_BASE: Final = (98, 97, 2, 326, 327)
RIGHT_WING: Final = (129, 49, 48, 64, 98)
LEFT_WING: Final = (358, 279, 278, 294, 327)
DRAWN_WINGS: Final = (RIGHT_WING[1:], LEFT_WING[1:])
"""What is drawn of the right and the left one."""
NOSTRILS: Final = (((75, 240), (60, 60, 79), (99, 20)), ((305, 460), (290, 290, 309), (328, 250)))
"""Outer, middle and inner end of the right and the left one: means of these points."""
NOSE_UNDERSIDE: Final = (98, 75, 44, 19, 274, 305, 327)
"""The upper edge of the plane below the tip, whose lower edge is NOSE_BASE."""
NOSTRIL_TOPS: Final = (79, 309)
RIDGE_EDGES: Final = ((193, 122, 196, 3, 51), (417, 351, 419, 248, 281))
"""The right and the left edge of the ridge, from the brow down."""
NOSE_HOLLOWS: Final = ((55, 189, 188, 174, 217), (285, 413, 412, 399, 437))
"""The right and the left hollow between the ridge and the eye, from the brow down."""
NOSE_AREA: Final = (*NOSE_BASE, 4, 1, 5, 48, 278)
"""Around the lower nose, where no beard grows."""
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
LOWER_JAW: Final = JAW[2:-2]
"""Without what lies beside the ears."""
FACE_SIDES: Final = (JAW[0], JAW[-1])
"""The right and the left side of the face, before the ears."""
EAR_ROOTS: Final = (JAW[:3], JAW[:-4:-1])
"""Where the right and the left ear grow on the cheeks."""
EAR_LIMITS: Final = (105, 164)
"""Points between whose heights ears lie: a brow, and the place between nose and lip."""
TEMPLES: Final = (127, 356)
TEMPLE_ENDS: Final = ((127, 234), (356, 454))
"""Where the temples of glasses meet the right and the left ear, from the upper end of the ear down."""
CHIN: Final = 152
FOREHEAD: Final = 10
"""Its top, in the middle."""
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

FIVE_POINTS: Final = (*IRISES, 1, 61, 291)
"""Irises, tip of the nose, corners of the mouth: what recognisers of faces align."""
CARICATURE_POINTS: Final = (
    *(127, 93, 132, 58, 172, 136, 150, 149, 152, 378, 379, 365, 397, 288, 361, 323, 356, 10, 103, 332),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(33, 159, 158, 133, 153, 145, 362, 385, 386, 263, 374, 380),
    *(168, 6, 197, 1, 98, 97, 2, 326, 327),
    *(61, 40, 37, 0, 267, 270, 291, 321, 17, 91, 13, 14),
)
"""63 points, as many as CariGANs label: outline, brows, eyes, nose, lips."""
RIGID_POINTS: Final = (
    *(10, 151, 9, 21, 251, 54, 284, 103, 332, 67, 297, 109, 338),
    *(8, 168, 6, 197, 195, 5, 33, 133, 362, 263),
    *(127, 356, 234, 454),
)
"""What neither speech nor expression moves: forehead, bridge of the nose and corners of the eyes, temples."""
LID_POINTS: Final = ((33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380))
"""For each eye its corners and two points of each lid, around it: what eye openings are measured at."""
LIP_GAPS: Final = ((13, 14), (82, 87), (312, 317))
"""Points of the upper and the lower lip that lie above each other."""
SKIN_AREAS: Final = (
    (116, 117, 118, 101, 36, 205, 187, 123),
    (345, 346, 347, 330, 266, 425, 411, 352),
    (69, 67, 109, 10, 338, 297, 299, 337, 151, 108),
)
"""Outlines of bare skin: the right and the left cheek, and the forehead."""

HEAD_POINTS: Final = (FOREHEAD, 54, 284, *TEMPLES, NOSE_BRIDGE, *FACE_SIDES)
"""Forehead, temples, bridge and sides: where one head is laid over another."""
OFTEN_TOUCHED: Final = (1, CHIN, *CHEEKS, *FACE_SIDES)
"""Where hands touch a face: nose, chin, cheeks and sides."""


class WarpPoints(NamedTuple):
    """The points whose middles `FaceWarp` moves."""

    eyes: tuple[Indices, Indices] = ((33, 133, 160, 158, 144, 153), (362, 263, 385, 387, 380, 373))
    brows: tuple[Indices, Indices] = (
        (70, 63, 105, 66, 107, 46, 53, 52, 65, 55),
        (300, 293, 334, 296, 336, 276, 283, 282, 295, 285),
    )
    nose: Indices = (4, 5, 195, 98, 327, 129, 358)
    mouth: Indices = (61, 291, 0, 17, 37, 267, 84, 314)
    chin: Indices = (152, 148, 377, 176, 400)
    jaw: Indices = (172, 397, 136, 365, 150, 379, 149, 378, 152)
    cheeks: Indices = (50, 280, 205, 425, 187, 411)
    forehead: Indices = (10, 151, 9, 67, 297)


BEARD_BOTTOM: Final = (
    *(127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    *(377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356),
)
"""From ear to ear along the jaw."""
BEARD_TOP: Final = (447, 376, 411, 425, 423, 327, 2, 98, 203, 205, 187, 147, 227)
"""Back from ear to ear, over cheeks and below the nose."""
MOUSTACHE: Final = (98, 2, 327, 423, 287, 410, 57, 203)
GOATEE: Final = (
    *(98, 2, 327, 423, 426, 436, 432, 430, 394, 395, 369, 377),
    *(152, 148, 140, 170, 169, 210, 212, 216, 206, 203),
)
MEDICAL_MASK: Final = (
    *(227, 123, 50, 101, 198, 5, 420, 330, 280, 352, 447, 454, 323, 361, 288, 397, 365, 379, 378, 400),
    *(377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234),
)
"""Outline of a mask over nose and mouth."""
STRAPS: Final = ((93, 127), (323, 356), (227, 127), (447, 356))
"""Its lower and upper ones: from its edge to the temple, each on the right and the left."""
MIRRORED: Final = (
    *((33, 263), (7, 249), (163, 390), (144, 373), (145, 374), (153, 380), (154, 381), (155, 382), (133, 362)),
    *((173, 398), (157, 384), (158, 385), (159, 386), (160, 387), (161, 388), (246, 466)),
    *((338, 109), (297, 67), (332, 103), (284, 54), (251, 21), (389, 162), (356, 127), (454, 234), (323, 93)),
    *((361, 132), (288, 58), (397, 172), (365, 136), (379, 150), (378, 149), (400, 176), (377, 148)),
    *((61, 291), (146, 375), (91, 321), (181, 405), (84, 314), (269, 39), (270, 40), (409, 185), (267, 37)),
)
"""Pairs of points of outline, eyes and lips that change places in a mirrored picture."""
