"""No style file shows the face: what it draws is measured as everything else is."""

import pytest

from toonfilter.runtime.image.still_images import StillFilter, StillSettings
from toonfilter.runtime.likeness import MOST_LIKENESS, likeness, view_of
from toonfilter.runtime.live.sinks import image_of
from toonfilter.runtime.privacy import PrivacyState

BARE = """
[proportions]
eye_width = 1.0
eye_height = 1.0
nose_width = 1.0
nose_length = 1.0
jaw_width = 1.0
eye_drop = 0.0
nose_lift = 0.0

[base]
outer_line_u = 0.0
hair_line_u = 0.0
inner_line_u = 0.0
inner_ink = 0.0
shade = 0.0
form_shade = 0.0
modelling = 1.0
folds = 1.0
saturation = 1.0
skin_tones = [[-2, -2], [-4, -4], [-6, -6], [-8, -8], [-11, -11], [-15, -15], [2, 2], [4, 4], [7, 7], [10, 10]]

[features.eyes]
width = 1.0
iris_size = 1.0
lid_line_u = 0.0
"""
"""The person's own proportions, no ink, and as much of the photo's light as a style can ask for."""


@pytest.mark.slow
def test_the_barest_style_hides_the_face_by_the_guards_own_measure(tmp_path, face) -> None:
    path = tmp_path / "bare.toml"
    path.write_text(BARE)
    still = StillFilter(StillSettings(style=str(path)))
    portrait, found = face
    safe = still.process(portrait)
    still.close()
    assert safe.state in (PrivacyState.PROTECTED, PrivacyState.COVERED)
    assert safe.faces_found == 1
    view = view_of(found.box, found.fit.roll_rad)
    assert likeness(portrait, portrait, view) > MOST_LIKENESS
    assert likeness(portrait, image_of(safe), view) <= MOST_LIKENESS
