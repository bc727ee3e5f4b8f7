"""Thresholds of following faces; `search_config` has those of finding them, `blazeface` and `mesh` MediaPipe's own.

A beat is a frame, but there are no more than 30 in a second. Scores are those of the networks, 0 to 1; an overlap is
that of two boxes, intersection over union, 0 to 1. For each value: what raising it does.
"""

from dataclasses import dataclass, field, replace

from toonfilter.runtime.faces.search_config import CloseLookConfig, DetectionConfig, ScheduleConfig, SearchConfig


@dataclass(frozen=True, slots=True)
class BeliefConfig:
    """Which of several meshes get features.

    forehead, beside, neck, behind, speck: how far above, beside, below a mesh and behind a profile, in its height and
        width, head and neck reach; and size of a mesh there, over its own, that is a detail. Higher: fewer faces close.
    upside_down_deg: turn of a mesh against the head it lies on when it is a forehead or a chin. Lower: the same.
    turned_deg, known_deg: turn against the main face that is doubted; more if believed before. Higher: who lies shows.
    turned_weight: size that a turned face counts, over an upright one's, in who is the main one. Lower: the reverse.
    """

    forehead: float = 0.45
    beside: float = 0.15
    neck: float = 0.95
    behind: float = 0.6
    speck: float = 0.52
    upside_down_deg: float = 100.0
    turned_deg: float = 60.0
    known_deg: float = 15.0
    turned_weight: float = 0.6


@dataclass(frozen=True, slots=True)
class NeighbourConfig:
    """Which finds belong to a face that is known. Sizes are in sides of the known face's box.

    mesh_margin: around a mesh, within which the middle of its detection lies. Higher: neighbours confirm a mesh.
    detection_margin: the same the other way round, in sides of the detection. Higher: the same.
    head_margin: around a face, where hair and ears are. Higher: more close looks, bystanders are covered later.
    chest_aside, chest_down: how far beside and below a face its chest reaches. Higher: the same.
    least_size: of a face beside a head. Higher: children beside adults are left open.
    speck_size: of a face on somebody's head, below which it is looked at closely before it is drawn. Higher: less is
        drawn into hair, and more small faces behind somebody are covered.
    speck_margin: around that head. Higher: the same.
    place_margin: around a place, where what a close look doubts is the face of that place. Higher: false alarms last
        longer.
    most_growth: of a box from one find to the next, and back, in times. Higher: a part of a half hidden face shrinks
        what is covered.
    dismissed_overlap: with a dismissed place, from which on a find is dismissed, too. Higher: more close looks.
    """

    mesh_margin: float = 0.1
    detection_margin: float = 0.3
    head_margin: float = 0.4
    chest_aside: float = 0.3
    chest_down: float = 1.6
    least_size: float = 0.55
    speck_size: float = 0.35
    speck_margin: float = 0.5
    place_margin: float = 0.1
    most_growth: float = 2.0
    dismissed_overlap: float = 0.3
    belief: BeliefConfig = field(default_factory=BeliefConfig)


@dataclass(frozen=True, slots=True)
class MeshViewConfig:
    """How a mesh is found for a detection.

    view_px: side of the view of the place. Higher: slower, eyes of small faces are placed no better.
    view_size: side of the view in those of the detection. Higher: smaller faces in it, more of what is beside them.
    settling: readings after the first one, each around the landmarks before it. Higher: 5 ms each, steadier first
        frames.
    likeliest_bonus: added to the score of the turn that the detection had: masked faces look like faces upside down.
        Higher: wrongly turned detections get no mesh.
    """

    view_px: int = 256
    view_size: float = 1.9
    settling: int = 2
    likeliest_bonus: float = 0.2


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """Which meshes are believed, and for how long.

    score: of the mesh network's own opinion that there is a face. Higher: fewer wrong meshes, more covers.
    eyes: greatest distance of the mesh's eyes from those of the detection, in sides of the detection's box. Higher:
        meshes that lie beside the face are drawn, and the face shows.
    overlap: least overlap of both boxes. Lower: the same.
    still_overlap: the same in still pictures, with what was first detected. Higher: profiles get no features.
    confidence: how far a mesh looks like a face. Higher: as above; below 0.5 wrong drawings leave real faces open.
    confirm_beats: a mesh that no detection confirmed for so long gets close looks. Higher: fewer close looks.
    most_doubts: failed close looks in a row that end a mesh. Higher: wrong meshes live longer.
    jump_overlap, jump_scale: least overlap and greatest change of size of a mesh from frame to frame. Higher overlap,
        lower scale: fast heads are lost more often.
    reach: how far the mesh of a find may lie from it, in sides of its box. Higher: a neighbour's mesh is taken for it.
    double_overlap: of two meshes, from which on they are one face. Higher: one face is drawn twice.
    view: how a mesh is found.
    """

    score: float = 0.5
    eyes: float = 0.15
    overlap: float = 0.5
    still_overlap: float = 0.53
    confidence: float = 0.5
    confirm_beats: int = 6
    most_doubts: int = 3
    jump_overlap: float = 0.1
    jump_scale: float = 1.6
    reach: float = 0.5
    double_overlap: float = 0.5
    view: MeshViewConfig = field(default_factory=MeshViewConfig)


@dataclass(frozen=True, slots=True)
class GrowthConfig:
    """How the place of a lost face grows, on every side, in its longer sides.

    at_once, each_beat, most: as soon as it is lost, then in each beat, and in all. Higher: safer and larger covers.
    """

    at_once: float = 0.15
    each_beat: float = 0.05
    most: float = 0.5


@dataclass(frozen=True, slots=True)
class PlaceConfig:
    """How long the place of a face without a mesh, lost or tentative, is covered.

    lost_beats: after the last sign of it. Higher: covers linger.
    most_lost_beats: the same where the picture is still that of the face. Higher: false alarms last longer.
    vacant_beats, vacant_looks: beats since the last sign of it, and close looks without a face in all turns, that
        together clear a place whose picture changed. Higher: covers linger.
    unmeshed_looks: close looks in a row that must miss a face that never had a mesh, before it is forgotten. Higher:
        false alarms last longer.
    same_place: correlation of a place with its picture when a face was last seen there, from which on the face is taken
        to be there still. Higher: small faces in a crowd are dropped while they are there.
    other_place: the same, below which it is gone where nobody waits, once all turns were looked at: later finds are
        covered afterwards. Higher: faces that are half hidden at once are dropped while they are there.
    picture_px: side of the picture that is kept of a place. Higher: small movements make another place of it.
    drawn_margin: around a followed face, within which a place is drawn with it. Higher: a face behind another one may
        come out uncovered.
    followed_margin: around a followed face, within which a close look at a place found that face. Higher: the same.
    growth: how far it grows while the face is not seen.
    """

    lost_beats: int = 45
    most_lost_beats: int = 300
    vacant_beats: int = 20
    vacant_looks: int = 4
    unmeshed_looks: int = 4
    same_place: float = 0.8
    other_place: float = 0.45
    picture_px: int = 16
    drawn_margin: float = 0.2
    followed_margin: float = 0.8
    growth: GrowthConfig = field(default_factory=GrowthConfig)


@dataclass(frozen=True, slots=True)
class ChangeConfig:
    """Which changes of the picture call for a look.

    thumbnail_px: width and height at which pictures are compared. Higher: slower, and noise counts.
    known_margin: around known faces, in sides of their boxes, where changes do not count. Higher: newcomers beside
        them are found later.
    levels, pixels: a thumbnail's pixel changed by so much, and so many of them. Higher: fewer looks, newcomers later.
    sudden_pixels: so many that changed by twice as much from frame to frame make any frame a beat. Higher: at 50 and 60
        frames per second newcomers are found a frame later.
    small, large: shares of the picture below which a change is looked at closely, and above which it is everywhere.
        Higher: more close looks; more looks at one place alone.
    """

    thumbnail_px: tuple[int, int] = (96, 54)
    known_margin: float = 0.3
    levels: int = 14
    pixels: int = 8
    sudden_pixels: int = 24
    small: float = 0.4
    large: float = 0.6


@dataclass(frozen=True, slots=True)
class NewcomerConfig:
    """What comes in at the left or right side, and is covered before there is enough of a face to be found.

    side_columns, side_rows: pixels of the thumbnail, from the side, and how many rows must change there. Higher: more
        columns, more covers over nobody; more rows, newcomers are covered later.
    widest: of what came in, in widths of the picture; more than that is no newcomer. Higher: more covers over nobody.
    side_beats: how long a place is covered after the last change. Higher: covers linger.
    moving_beats: the same while the camera moves. Higher: the same.
    camera_share: of the columns between both sides; where more changed, the camera moves. Higher: pans cover nobody at
        the sides.
    still_share: the same, below which the camera stands still. Higher: covers linger after a pan.
    head_reach, crown, body_reach: a followed person's own head and shoulders, from the middle of the face to the side,
        above it, and to the side below it; in widths and heights of the face. They reach the sides of many a picture.
        Higher: newcomers behind a followed person are covered later.
    """

    side_columns: int = 2
    side_rows: int = 3
    widest: float = 0.4
    side_beats: int = 16
    moving_beats: int = 4
    camera_share: float = 0.25
    still_share: float = 0.15
    head_reach: float = 1.1
    crown: float = 0.6
    body_reach: float = 2.2


LOOKAHEAD_FRAMES = 8
"""Files: how many later frames may tell of a face. Whoever converts keeps so many. Higher: later finds are covered from
their first frame on; more memory."""


@dataclass(frozen=True, slots=True)
class LookbackConfig:
    """Files: where a face was in the frames before it was found.

    patch_px: longer side of the picture of a face that is looked for. Higher: slower, and small changes count.
    least_px: sides of a picture that can be compared. Higher: faces at the very edge are not followed back.
    patch_growth, search_growth: around a face, what is compared and where it is looked for, in its sides. Higher
        search: faster faces are followed back, more of them to other places.
    side_match, inside_match, cut_match: correlation with a place before: at a side, where half a face comes in;
        elsewhere; and where all of the picture changed between both. Higher: more newcomers are open before they are
        found.
    at_side: distance from a side, in sides of the face. Higher: walls are taken for newcomers.
    least_contrast: standard deviation of what can be followed, levels. Higher: dark faces are not followed back.
    known_margin: around a known place, in its sides, where a face is known. Higher: faces that move fast are not
        followed back.
    """

    patch_px: int = 24
    least_px: int = 4
    patch_growth: float = 0.1
    search_growth: float = 0.7
    side_match: float = 0.5
    inside_match: float = 0.65
    cut_match: float = 0.8
    at_side: float = 0.3
    least_contrast: float = 2.0
    known_margin: float = 0.2


@dataclass(frozen=True, slots=True)
class HeadMotionConfig:
    """How the crop of a head is carried along by the picture.

    focus_size: side of the square of the crop whose motion counts, in sides of the crop. Higher: the room behind the
        head moves it.
    focus_px: the same at which it is compared. Higher: slower, finer.
    window_px: around a point that is followed. Higher: steadier, and expression moves more points.
    halvings: of the picture, for fast motion. Higher: faster heads are followed, less surely.
    least_points: of 56 that must be found again. Higher: the mesh alone places the crop more often.
    farthest: motion from frame to frame, in sides of the crop, and change of its size (of the logarithm). Higher: a
        crop may jump to something else.
    """

    focus_size: float = 0.6
    focus_px: int = 96
    window_px: int = 11
    halvings: int = 2
    least_points: int = 16
    farthest: float = 0.25


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """What is searched, what is believed, and for how long.

    is_patient: nobody waits for the frame (files). Then the first look and every cut are searched in all turns and in
        more sizes, and nothing is covered on motion alone: the frames before a newcomer are covered afterwards.
    """

    is_patient: bool = False
    search: SearchConfig = field(default_factory=SearchConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    detection: DetectionConfig = field(default_factory=DetectionConfig)
    close_look: CloseLookConfig = field(default_factory=CloseLookConfig)
    neighbours: NeighbourConfig = field(default_factory=NeighbourConfig)
    mesh: MeshConfig = field(default_factory=MeshConfig)
    places: PlaceConfig = field(default_factory=PlaceConfig)
    change: ChangeConfig = field(default_factory=ChangeConfig)
    newcomers: NewcomerConfig = field(default_factory=NewcomerConfig)
    lookback: LookbackConfig = field(default_factory=LookbackConfig)
    head_motion: HeadMotionConfig = field(default_factory=HeadMotionConfig)

    def for_files(self) -> "TrackingConfig":
        """The same for a recording, where there is time for every face and every cut.

        Who is found again later is covered afterwards, so that empty places need not stay covered for long.
        """
        search = replace(self.search, max_faces=64, cut_beats=3, place_beats=0, places_looked_at=6)
        places = replace(self.places, vacant_beats=4, lost_beats=20)
        return replace(self, is_patient=True, search=search, places=places)
