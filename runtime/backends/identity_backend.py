"""A translator without a network, for tests of everything around it."""

from collections.abc import Callable

import numpy as np

from toonfilter.runtime.backends.translator import Crops, Description


def invert_colours(crops: Crops, guidance: Crops | None) -> Crops:  # noqa: ARG001
    """The negative of the crops, so that covered and uncovered pixels can be told apart."""
    return np.bitwise_not(crops)


class IdentityTranslator:
    """See `Translator`. draw: what stands in for the generator; the default returns the crops unchanged."""

    def __init__(self, draw: Callable[[Crops, Crops | None], Crops] | None = None) -> None:
        self.draw = draw or (lambda crops, guidance: crops.copy())  # noqa: ARG005
        self.calls = 0

    def translate(self, crops: Crops, guidance: Crops | None) -> Crops:
        self.calls += 1
        return self.draw(crops, guidance)

    def warm_up(self, size: int) -> None:
        self.draw(np.zeros((1, size, size, 3), np.uint8), np.zeros((1, size, size, 3), np.uint8))

    def close(self) -> None:
        """Nothing to free."""

    def describe(self) -> Description:
        return Description("identity", "1", "uint8", "CPU")
