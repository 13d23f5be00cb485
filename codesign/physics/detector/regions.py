"""The calorimeter in regions of 4 x 4 trigger towers, 18 in phi and 14 in eta, as CMS' first layer hands them on.

The regions of an event are those of the very towers in which :func:`codesign.physics.detector.simulated_events` finds
the event's Level-1 objects: same card, same place, same numbers. Both are made in one go, of one simulation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from codesign.physics.detector.event_card import EventCard
from codesign.physics.detector.level1_codes import LEVEL1, Arrays, make_level1
from codesign.physics.detector.soft_pool import SoftPool

__all__ = ("MOST_ENERGY", "REGION_COLUMNS", "REGION_ROWS", "SEEN_REGIONS", "make_regions", "regions_of")

#: regions in phi and in eta, |eta| below 3
REGION_ROWS, REGION_COLUMNS = 18, 14
#: names of the arrays: ``regions`` (events, 18, 14) uint16, and those of the Level-1 objects
SEEN_REGIONS = ("regions", *LEVEL1)
#: the most that a region's 10 bits hold, in steps of 0.5 GeV
MOST_ENERGY = 1023
#: rings of towers with |eta| below 3
_RINGS = slice(12, 68)


def regions_of(towers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Transverse energies (18, 14) in steps of 0.5 GeV of trigger towers (2, rings, phis)."""
    total = (towers[0] + towers[1])[_RINGS]  # 56 rings, 72 phis
    cells = total.reshape(REGION_COLUMNS, 4, REGION_ROWS, 4).sum(axis=(1, 3))
    return np.asarray(np.minimum(cells.T, MOST_ENERGY), dtype=np.int32)


def make_regions(
    card: EventCard, number: int, events: int, pool: SoftPool, done: Callable[[int], None] | None = None
) -> Arrays:
    """``SEEN_REGIONS`` of the first ``events`` events of piece ``number``."""
    found: list[NDArray[np.int32]] = []
    objects = make_level1(card, number, events, pool, done, look=lambda towers: found.append(regions_of(towers)))
    return {"regions": np.array(found, dtype=np.uint16).reshape(-1, REGION_ROWS, REGION_COLUMNS)} | objects
