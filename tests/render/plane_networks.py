"""What fields networks that tests make themselves have in common."""

from toonfilter.runtime.backends.translator import Description


class PlanesNetwork:
    """A translator of which only `translate` is missing."""

    def warm_up(self, size: int) -> None: ...

    def close(self) -> None: ...

    def describe(self) -> Description:
        return Description("test", "1", "fp32", "CPU")
