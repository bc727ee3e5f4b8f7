"""Every threshold of finding and following faces, in one place.

A beat is a frame, but there are no more than 30 in a second. Scores are those of the networks, 0 to 1. For each value:
what raising it does.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """How much work is done.

    max_faces: faces followed with a mesh, so that they are drawn; further ones are covered. Higher: more of a crowd is
        drawn, each costs a mesh (5 ms) and a drawing per frame.
    detect_every: beats between two looks at the whole frame by the same network. Higher: cheaper, newcomers later.
    smallest_part_px: pictures are searched in squares whose side is halved down to this, px. Higher: cheaper, misses
        small faces (the least that is found is a thirtieth of it).
    places_looked_at: close looks per beat, for each 12 places without a mesh. Higher: places are settled sooner.
    place_beats: least beats between two close looks at a place. Higher: cheaper, places are settled later.
    cut_beats: least beats between two thorough looks at cuts, where the frame waits. Higher: slower on false cuts.
    dismissed_beats: a doubtful place that a close look cleared is left alone so long. Higher: fewer close looks.
    """

    max_faces: int = 6
    detect_every: int = 6
    smallest_part_px: int = 540
    places_looked_at: int = 1
    place_beats: int = 3
    cut_beats: int = 60
    dismissed_beats: int = 12


@dataclass(frozen=True, slots=True)
class DetectionConfig:
    """Which detections count as a face.

    certain_full_score, certain_short_score: of a network's answer that is believed by itself. Higher: fewer false
        covers, more faces that need a second look.
    doubtful_full_score, doubtful_short_score: that calls for a close look. Higher: fewer close looks, more misses.
    side_score: of the short-range network at a mirrored edge, believed by itself. Higher: as above.
    least_evidence: sum of the scores of all passes that see the same face, from which on doubts are believed. Higher:
        fewer false covers, more misses of masked and painted faces.
    meshed_evidence: the same where a mesh fits. Higher: the same.
    lone_score: of a close look that makes a face of a place without a mesh that a single pass doubts. Higher: the same.
    """

    certain_full_score: float = 0.6
    # The short-range model sees faces in texture at scores up to 0.7.
    certain_short_score: float = 0.75
    # Where a leak would be worse than a false alarm.
    doubtful_full_score: float = 0.35
    doubtful_short_score: float = 0.5
    side_score: float = 0.55
    least_evidence: float = 1.9
    meshed_evidence: float = 1.3
    lone_score: float = 0.85


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """Which meshes are believed, and for how long.

    score: of the mesh network's own opinion that there is a face. Higher: fewer wrong meshes, more covers.
    eyes: greatest distance of the mesh's eyes from those of the detection, in sides of the detection's box. Higher:
        meshes that lie beside the face are drawn, and the face shows.
    overlap: least overlap of both boxes. Lower: the same.
    confidence: how far a mesh looks like a face. Higher: as above; below 0.5 wrong drawings leave real faces open.
    confirm_beats: a mesh that no detection confirmed for so long gets close looks. Higher: fewer close looks.
    most_doubts: failed close looks in a row that end a mesh. Higher: wrong meshes live longer.
    jump_overlap, jump_scale: least overlap and greatest change of size of a mesh from frame to frame. Higher overlap,
        lower scale: fast heads are lost more often.
    """

    score: float = 0.5
    eyes: float = 0.15
    overlap: float = 0.5
    confidence: float = 0.5
    confirm_beats: int = 6
    most_doubts: int = 3
    jump_overlap: float = 0.1
    jump_scale: float = 1.6


@dataclass(frozen=True, slots=True)
class PlaceConfig:
    """How long the place of a face without a mesh, lost or tentative, is covered.

    lost_beats: after the last sign of it. Higher: covers linger.
    most_lost_beats: the same where the picture is still that of the face. Higher: false alarms last longer.
    vacant_looks: close looks without a face, in all turns, that clear a place whose picture changed, after
        vacant_beats. Higher: covers linger.
    unmeshed_looks: close looks in a row that must miss a face that never had a mesh, before it is forgotten. Higher:
        false alarms last longer.
    same_place: correlation of a place with its picture when a face was last seen there, from which on the face is taken
        to be there still. Higher: small faces in a crowd are dropped while they are there.
    other_place: the same, below which it is gone where nobody waits, once all turns were looked at: later finds are
        covered afterwards. Higher: faces that are half hidden at once are dropped while they are there.
    most_growth: of the place of a lost face, in its longer sides. Higher: safer and larger covers.
    """

    lost_beats: int = 45
    most_lost_beats: int = 300
    vacant_beats: int = 20
    vacant_looks: int = 4
    unmeshed_looks: int = 4
    same_place: float = 0.8
    other_place: float = 0.45
    most_growth: float = 0.5


@dataclass(frozen=True, slots=True)
class ChangeConfig:
    """Which changes of the picture call for a look.

    levels, pixels: a thumbnail's pixel changed by so much, and so many of them. Higher: fewer looks, newcomers later.
    sudden_pixels: so many that changed by twice as much from frame to frame make any frame a beat. Higher: at 50 and 60
        frames per second newcomers are found a frame later.
    small, large: shares of the picture below which a change is looked at closely, and above which it is everywhere.
    """

    levels: int = 14
    pixels: int = 8
    sudden_pixels: int = 24
    small: float = 0.4
    large: float = 0.6


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """What is searched, what is believed, and for how long.

    is_patient: nobody waits for the frame (files). Then the first look and every cut are searched in all turns and in
        more sizes, and nothing is covered on motion alone: the frames before a newcomer are covered afterwards.
    """

    is_patient: bool = False
    search: SearchConfig = field(default_factory=SearchConfig)
    detection: DetectionConfig = field(default_factory=DetectionConfig)
    mesh: MeshConfig = field(default_factory=MeshConfig)
    places: PlaceConfig = field(default_factory=PlaceConfig)
    change: ChangeConfig = field(default_factory=ChangeConfig)
