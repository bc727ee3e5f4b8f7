"""Where a head lies and how it is sampled: alignment, warps, boxes."""
