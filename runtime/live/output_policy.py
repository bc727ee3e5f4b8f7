"""The one place that decides, live, whether a fresh picture is shown, the last one held, or everything covered."""

from dataclasses import dataclass

from toonfilter.runtime.frames import PrivacyState, SafeFrame
from toonfilter.runtime.live.controls import ControlState
from toonfilter.runtime.privacy import HeldPicture

LEAST_COVER_S = 1.0
"""After fresh pictures failed to come in time, the cover stays until they came in time for so long. Raising it calms
a machine that is now and then too slow, and shows the cover longer."""
_HIDDEN = "hidden by the user"
_STARTING = "starting"
_TOO_SLOW = "no fresh picture"
_CHANGING = "settings change"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is sent: a picture, or the cover where there is none, for this reason. is_repeat: it was sent before."""

    picture: SafeFrame | None = None
    reason: str = ""
    is_repeat: bool = False


class OutputPolicy:
    """Decides from state and time alone; has no clock.

    Without a fresh picture the last safe one stays for at most `hold_s`; after that, before the first, while the user
    hides, and while settings change, there is the cover. Where pictures come too late again and again, the cover stays,
    so that it does not flicker.
    """

    def __init__(self, hold_s: float) -> None:
        self._held = HeldPicture(hold_s)
        self._revision = 0
        self._is_hidden = False
        self._style = ""
        self._is_waiting = True
        self._is_changing = False
        self._has_shown = False
        self._late_at_s = float("-inf")

    def follow(self, state: ControlState) -> bool:
        """What the user wants now. Whether that changed: then nothing drawn before counts any more."""
        has_changed = state.revision != self._revision
        if has_changed:
            self._is_changing |= self._style not in ("", state.style)
            self._revision, self._is_hidden = state.revision, state.is_hidden
            self._held.forget()
            self._late_at_s = float("-inf")
            self._is_waiting = True
        self._style = state.style
        return has_changed

    def accepts(self, revision: int) -> bool:
        """Whether a picture that was drawn at this revision of the user's wishes may be shown."""
        return revision == self._revision and not self._is_hidden

    def fresh(self, safe: SafeFrame, now_s: float) -> Choice:
        """A picture came that may be shown."""
        self._is_waiting = self._is_changing = False
        # A picture that the guard held is as old as it was when it was fresh.
        self._held.keep(safe, self._held.kept_at_s if safe.state is PrivacyState.HOLDING else now_s)
        if self._is_unsteady(now_s):
            return Choice(reason=_TOO_SLOW)
        self._has_shown = self._has_shown or safe.state is PrivacyState.PROTECTED
        return Choice(safe)

    def stand_in(self, now_s: float) -> Choice:
        """No picture came in time."""
        if self._is_hidden:
            return Choice(reason=_HIDDEN)
        held = self._held.stand_in(now_s)
        if held is None and not self._is_waiting:
            self._late_at_s = now_s
        if held is not None and not self._is_unsteady(now_s):
            return Choice(held, is_repeat=True)
        if self._is_waiting and not self._has_shown:
            return Choice(reason=_STARTING)
        return Choice(reason=_CHANGING if self._is_changing else _TOO_SLOW)

    def _is_unsteady(self, now_s: float) -> bool:
        """Whether a picture came too late just now, so that others may."""
        return now_s - self._late_at_s < LEAST_COVER_S
