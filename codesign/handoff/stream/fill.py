"""Pile-up that varies: the mean number of collisions of a crossing falls over a fill, and events are chosen by it.

The mean falls exponentially from the first to the last value within the time that is simulated: a fill of hours in time
lapse. In a crossing the number of collisions is Poisson's. An event of a file with n collisions then comes with the
probability P(n; mean) divided among the events that have n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError

__all__ = ("FillPileUp",)

#: of Poisson's distribution, the share that the events must cover
_COVERED = 0.95


@dataclass(frozen=True)
class FillPileUp:
    """Mean pile-up at the begin and at the end of a fill."""

    begin: float
    end: float

    def __post_init__(self) -> None:
        if not (0 < self.begin <= 1000 and 0 < self.end <= 1000):
            raise InputError("pile-up is above 0 and at most 1000 at the begin and the end of the fill")

    def mean(self, share: float) -> float:
        """At a time of the fill, 0 its begin and 1 its end."""
        return float(self.begin * (self.end / self.begin) ** share)

    def weights(self, collisions: NDArray[np.int64], share: float) -> NDArray[np.float64]:
        """The probability of each event, (events,), by its number of collisions, at a time of the fill.

        InputError where the events do not have what such a crossing has.
        """
        from scipy.stats import poisson

        mean = self.mean(share)
        counts = np.bincount(collisions)
        each = np.where(counts > 0, poisson.pmf(np.arange(len(counts)), mean), 0.0)
        if each.sum() < _COVERED:
            raise InputError(
                f"events with {collisions.min()} to {collisions.max()} collisions cover {100 * each.sum():.0f} % of "
                f"crossings with {mean:.1f} on average: give events with that pile-up, or another --pile-up"
            )
        chosen = each[collisions] / counts[collisions]
        return np.asarray(chosen / chosen.sum())
