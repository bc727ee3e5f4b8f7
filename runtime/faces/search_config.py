"""Thresholds of finding faces: how much is searched, when and where, and which detections count.

Units are those of `config`, which has the thresholds of following faces.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """How much work is done.

    max_faces: faces followed with a mesh, so that they are drawn; further ones are covered. Higher: more of a crowd is
        drawn, each costs a mesh (5 ms) and a drawing per frame.
    detect_every: beats between two looks at the whole frame by the same network. Higher: cheaper, newcomers later.
    smallest_part_px: pictures are searched in squares whose side is halved down to this, px. Higher: cheaper, misses
        small faces (the least that is found is a thirtieth of it).
    few_parts: squares; with no more than so many, smaller ones are added: in a small picture they cost little. Higher:
        small faces in small pictures are found, slower.
    between_size: side of the squares in which upright faces are looked for once more where nobody waits, in sides of
        the smallest others. Higher: cheaper. Of 98 portraits 58 px high, six were missed without them, none with them.
    least_between_px: smaller squares than this are left out: they find faces of a few pixels in hair and leaves.
        Higher: fewer of these, small faces are missed.
    edge_size: of the strip at an edge that is laid beside its mirror image, in sides of the picture. Higher: larger
        half faces are found, small ones missed.
    places_looked_at: close looks per beat, for each `places_per_look` places without a mesh. Higher: places are settled
        sooner.
    places_per_look: places. Higher: cheaper in a crowd, places are settled later.
    place_beats: least beats between two close looks at a place. Higher: cheaper, places are settled later.
    cut_beats: least beats between two thorough looks at cuts, where the frame waits. Higher: slower on false cuts.
    dismissed_beats: a doubtful place that a close look cleared is left alone so long. Higher: fewer close looks.
    """

    max_faces: int = 6
    detect_every: int = 6
    smallest_part_px: int = 540
    few_parts: int = 8
    between_size: float = 2 / 3
    least_between_px: int = 200
    edge_size: float = 0.2
    places_looked_at: int = 1
    places_per_look: int = 12
    place_beats: int = 3
    cut_beats: int = 60
    dismissed_beats: int = 12


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """When the detector looks where.

    beats_per_s: the most. Higher: more work at high frame rates.
    early_beats: a frame that comes so much too early is a beat yet, as cameras jitter. Higher: beats are less even.
    at_edge: distance from an edge, in sides of the picture, within which a change calls for a look at the edge. Higher:
        more looks at edges.
    most_urgent: passes in a beat for what changed, from which on the routine waits. Higher: slower beats.
    turned_every: one of so many looks at parts and changes is for turned faces. Higher: these are found later.
    """

    beats_per_s: int = 30
    early_beats: float = 0.25
    at_edge: float = 0.1
    most_urgent: int = 2
    turned_every: int = 4


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
    alone_evidence: the same of a doubt that a mesh fits, in a still picture without any other face. Lower: faces are
        drawn into textures.
    near_score: of a close look at a place without a mesh in a still picture with known faces, from which on it may be
        one. Higher: fewer collars are covered, more misses.
    same_overlap: of the boxes of two passes that see the same face, for its evidence. Higher: less evidence.
    double_overlap: of two detections, from which on the less certain one is left out. Higher: more looks at the same.
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
    alone_evidence: float = 1.1
    near_score: float = 0.45
    same_overlap: float = 0.35
    double_overlap: float = 0.33


@dataclass(frozen=True, slots=True)
class CloseLookConfig:
    """A close look at one place.

    view_px: side of the view. Higher: slower; the network takes 128 or 192 px.
    view_size: side of the view in those of the place. Higher: more beside the place, and a smaller face.
    margin: of the view, in its sides, where no face's middle counts. Higher: fewer neighbours, moved faces are missed.
    beyond: how far outside the picture a face's middle may lie, in the face's sides: there the view is a mirror.
        Higher: mirror images of known faces are taken for others; lower: cut faces are missed.
    """

    view_px: int = 192
    view_size: float = 2.6
    margin: float = 0.25
    beyond: float = 0.25
