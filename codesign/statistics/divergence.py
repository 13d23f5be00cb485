"""How much two distributions differ: the Jensen-Shannon divergence (Lin, IEEE Trans. Inf. Theory 37 (1991) 145)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ("divergences",)

Array = NDArray[np.float64]


def divergences(places: NDArray[np.intp], passed: NDArray[np.bool_], weights: Array, bins: int) -> Array:
    """In bits, 0 to 1, of a histogram between the events that pass and those that do not, (rows,): ``places`` (events,)
    are the bins, ``passed`` and ``weights`` (rows, events). NaN where none passes or none fails."""
    found = np.full(len(weights), np.nan)
    for row in range(len(weights)):
        of = [np.bincount(places[some], weights[row, some], bins) for some in (passed[row], ~passed[row])]
        if min(h.sum() for h in of) <= 0:
            continue
        p, q = (h / h.sum() for h in of)
        middle = (p + q) / 2
        found[row] = sum(float((h[h > 0] * np.log2(h[h > 0] / middle[h > 0])).sum()) for h in (p, q)) / 2
    return found
