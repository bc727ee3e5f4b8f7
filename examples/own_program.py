"""The filter in a program of one's own: every frame of a clip becomes a cartoon.

usage: python own_program.py [CLIP]
"""

import sys
from pathlib import Path

import av

from toonfilter import Filter, PrivacyState

clip = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("astronaut.mp4")
with Filter("cartoon") as cartoon, av.open(str(clip)) as container:
    for number, frame in enumerate(container.decode(video=0)):
        safe = cartoon(frame.to_ndarray(format="rgb24"), frame.time)
        if safe.state is not PrivacyState.PROTECTED:
            sys.stdout.write(f"frame {number}: {safe.state} ({safe.reason})\n")
        # safe.image: uint8 [H, W, 3] RGB, to show, send or store.
        if number == 25:
            break
sys.stdout.write(f"{number + 1} frames, the last with {safe.faces_drawn} of {safe.faces_found} faces drawn\n")
