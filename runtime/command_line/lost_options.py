"""`--on-lost` as text, and what it means."""

from pathlib import Path

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.privacy import LostPolicy


def lost_policy(text: str, *, confirmed: bool = False) -> LostPolicy:
    """The policy of `hold`, `cover`, `image=FILE` or `pass`.

    Raises:
        ConfigError: another word, or `pass` without `confirmed`. CaptureError: the picture cannot be read.
    """
    action, _, value = text.partition("=")
    if action == "image" and value:
        from toonfilter.runtime.files.image_files import read_image

        return LostPolicy("image", placeholder=read_image(Path(value)), confirmed=confirmed)
    match text:
        case "hold" | "cover" | "pass":
            return LostPolicy(text, confirmed=confirmed)
        case _:
            raise ConfigError(f"--on-lost is {text!r}; must be hold, cover, image=FILE or pass")
