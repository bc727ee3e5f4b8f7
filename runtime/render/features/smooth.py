"""Soft steps."""


def smoothstep(value: float, low: float, high: float) -> float:
    """0 below `low`, 1 above `high`, smooth between."""
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return share * share * (3 - 2 * share)
