"""The calorimeter's towers: 80 rings in eta of 72 towers in phi, the geometry that all tiers share.

Rings 0 to 79 go from eta -5.191 to 5.191; tower ``ring * 72 + k`` covers phi from ``k`` to ``k + 1`` times 5 degrees.
Edges of the barrel, endcap and forward rings as in CMS (JINST 3 (2008) S08004, section 5; the two that overlap at
|eta| = 3 are one).
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = (
    "ETA_MAX",
    "PHIS",
    "PHI_STEP",
    "RINGS",
    "RING_AREA",
    "RING_CENTRE",
    "RING_EDGES",
    "TOWERS",
    "TRACKER_RINGS",
    "ring_of",
    "turn",
)

_POSITIVE = (
    *(0.087 * i for i in range(21)),
    *(1.830, 1.930, 2.043, 2.172, 2.322, 2.500, 2.650, 3.000),  # endcap
    *(3.139, 3.314, 3.489, 3.664, 3.839, 4.013, 4.191, 4.363, 4.538, 4.716, 4.889, 5.191),  # forward
)

RINGS = 80
PHIS = 72
TOWERS = RINGS * PHIS
PHI_STEP = 2 * math.pi / PHIS
ETA_MAX = _POSITIVE[-1]

#: (81,) edges in eta, rising.
RING_EDGES: NDArray[np.float64] = np.array([-e for e in _POSITIVE[:0:-1]] + list(_POSITIVE))
#: (80,) centres in eta.
RING_CENTRE: NDArray[np.float64] = (RING_EDGES[1:] + RING_EDGES[:-1]) / 2
#: (80,) area of one tower of a ring in eta times phi.
RING_AREA: NDArray[np.float64] = np.diff(RING_EDGES) * PHI_STEP
#: Rings within the tracker, |eta| below 2.5: from the first to before the second.
TRACKER_RINGS = (14, 66)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def turn(phi: float) -> float:
    """Bring an angle to [-pi, pi)."""
    return (phi + math.pi) % (2 * math.pi) - math.pi


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def ring_of(eta: float) -> int:
    """Ring that holds ``eta``, -1 outside."""
    if abs(eta) >= ETA_MAX:
        return -1
    if abs(eta) < 1.74:  # equal steps
        return 40 + math.floor(eta / 0.087)
    low, high = 0, RINGS
    while high - low > 1:
        middle = (low + high) // 2
        if RING_EDGES[middle] <= eta:
            low = middle
        else:
            high = middle
    return low
