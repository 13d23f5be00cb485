"""Events for a teacher to be asked about: zero bias with a few deposits of energy more, anywhere in the calorimeter.

Zero bias of a small sample has few events of the kind that an anomaly trigger is for. These are made of the training
split's and of nothing that is known of a signal: deposits as often of any energy, on a logarithmic scale, in any place.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codesign.data.sample import Part
from codesign.physics.detector.regions import MOST_ENERGY, REGION_COLUMNS, REGION_ROWS
from codesign.tasks.anomalies.anomaly_sample import REGIONS

__all__ = ("LEAST_GEV", "MOST_DEPOSITS", "MOST_GEV", "with_deposits")

#: most deposits of an event, and the least and the largest energy of one, GeV
MOST_DEPOSITS = 4
LEAST_GEV, MOST_GEV = 5.0, 150.0
#: of the regions' numbers, GeV
_STEP = 0.5
#: least share of a deposit in the region that it is in: the rest is in one of those around it
_INSIDE = 0.4
_AROUND = np.array([(p, e) for p in (-1, 0, 1) for e in (-1, 0, 1) if p or e])


def with_deposits(train: Part, events: int, seed: int) -> Part:
    """So many events of a part, drawn with repetition, whose ``regions`` have 1 to 4 deposits more; all else of them is
    as it was. What lies beyond the calorimeter's edge in eta is lost."""
    random = np.random.default_rng([seed, events])
    found = train.taken(random.integers(0, len(train), events))
    x = found.block(REGIONS.name).astype(np.float64)
    number = random.integers(1, MOST_DEPOSITS + 1, events)
    for count in range(MOST_DEPOSITS):
        here = np.flatnonzero(number > count)
        x[here] += _deposit(len(here), random)
    regions = np.minimum(np.floor(x), MOST_ENERGY).astype(np.float32)
    return replace(found, blocks={**found.blocks, REGIONS.name: regions})


def _deposit(events: int, random: np.random.Generator) -> NDArray[np.float64]:
    """(events, 18, 14, 1) one deposit each."""
    energy = np.exp(random.uniform(np.log(LEAST_GEV / _STEP), np.log(MOST_GEV / _STEP), events))
    inside = random.uniform(_INSIDE, 1.0, events)
    row, column = random.integers(0, REGION_ROWS, events), random.integers(0, REGION_COLUMNS, events)
    beside = _AROUND[random.integers(0, len(_AROUND), events)]
    found = np.zeros((events, REGION_ROWS, REGION_COLUMNS + 2, 1))  # a column more on either side, for what is lost
    each = np.arange(events)
    found[each, row, column + 1, 0] = energy * inside
    found[each, (row + beside[:, 0]) % REGION_ROWS, column + 1 + beside[:, 1], 0] += energy * (1 - inside)
    return found[:, :, 1:-1]
