"""The bootstrap: replicas of a sample in which every collision counts as often as a Poisson number of mean 1 says.

A metric is measured in all replicas at once: its value with the events as they are, its error from the spread over the
replicas (Efron, Ann. Stat. 7 (1979) 1; with Poisson numbers: Oza and Russell, 2001). Thresholds and the like that were
fixed on another sample have replicas of their own (:class:`WorkingPoints`), so that its finite size is in the error,
too. Two designs that are measured in the same replicas are compared in pairs: what both share drops out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp, factorial

import numpy as np
from numpy.typing import NDArray

from codesign.statistics.weighted import Weights

__all__ = ("REPLICAS", "DrawnRows", "Replicas", "WorkingPoints")

Array = NDArray[np.float64]

#: replicas of a sample; of so many events that all of them would be more numbers than _MOST, fewer
REPLICAS = 400
_LEAST, _MOST = 100, 100_000_000
#: numbers of a block of replicas that is measured at once
_BLOCK = 1 << 19
_SEED = 20
#: a collision is drawn so often, at most
_OFTEN = 8
#: where a number of 32 bits turns into the next Poisson number of mean 1
_BORDERS = (np.cumsum([exp(-1) / factorial(k) for k in range(_OFTEN)]) * 2**32).astype(np.uint64)


class WorkingPoints(dict[str, float]):
    """What is fixed before judging, by name, with what it is in each replica of the sample that fixed it.

    It is a mapping of names to numbers; ``replicas``: name -> (1 + replicas,), the number itself first.
    """

    def __init__(self, values: Mapping[str, float], replicas: Mapping[str, Array] | None = None) -> None:
        super().__init__(values)
        self.replicas: dict[str, Array] = dict(replicas or {})

    @classmethod
    def of(cls, rows: Mapping[str, Array]) -> WorkingPoints:
        """From all replicas of each."""
        return cls({name: float(values[0]) for name, values in rows.items()}, rows)


@dataclass(frozen=True)
class DrawnRows:
    """Some replicas of a sample: ``weights`` (rows, events), and which of all replicas they are."""

    weights: Array
    place: slice

    def some(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> DrawnRows:
        """The same replicas of some events, by a mask or their places."""
        return DrawnRows(self.weights[:, which], self.place)

    def point(self, points: Mapping[str, float], name: str) -> Array:
        """A working point in these replicas, (rows,): the same in all where nobody knows how it spreads."""
        known = points.replicas.get(name) if isinstance(points, WorkingPoints) else None
        if known is None or self.place.stop > len(known):
            return np.full(len(self.weights), float(points[name]))
        return known[self.place]


@dataclass(frozen=True)
class Replicas:
    """Replicas of a sample of ``events``: number 0 is the sample itself, and ``number`` more are drawn.

    ``groups`` (events,): the collision of each event, from 0; ``weights``: of the events, None where all count alike.
    """

    name: str
    events: int
    groups: NDArray[np.int64] | None
    weights: Weights
    number: int

    @classmethod
    def of(
        cls,
        name: str,
        events: int,
        collisions: NDArray[np.int64] | None = None,
        weights: Weights = None,
        number: int | None = None,
    ) -> Replicas:
        """Replicas of the sample of this ``name``, which is the seed; ``number`` 0: only the sample itself."""
        groups = None if collisions is None else np.unique(collisions, return_inverse=True)[1].astype(np.int64)
        most = int(np.clip(_MOST // max(events, 1), _LEAST, REPLICAS)) if number is None else number
        return cls(name, events, groups, weights, most)

    def blocks(self) -> Iterator[DrawnRows]:
        """All replicas, a block after another: the first one is the sample itself."""
        own = np.ones(self.events) if self.weights is None else self.weights
        yield DrawnRows(own[None, :], slice(0, 1))
        groups = self.events if self.groups is None else int(self.groups.max(initial=-1)) + 1
        size = max(1, _BLOCK // max(self.events, 1))
        for first in range(0, self.number, size):
            last = min(first + size, self.number)
            counts = _counts(self.name, groups, first, last)
            drawn = counts.astype(np.float64) if self.groups is None else counts[:, self.groups].astype(np.float64)
            yield DrawnRows(drawn if self.weights is None else drawn * self.weights, slice(1 + first, 1 + last))

    def collect(self, measure: Callable[[DrawnRows], Mapping[str, Array]]) -> dict[str, Array]:
        """What is measured in every replica, by name, (1 + number,); NaN where it is not there in a block."""
        found: dict[str, Array] = {}
        for rows in self.blocks():
            for name, values in measure(rows).items():
                if name not in found:
                    found[name] = np.full(1 + self.number, np.nan)
                found[name][rows.place] = values
        return found


@lru_cache(maxsize=8)
def _counts(name: str, groups: int, first: int, last: int) -> NDArray[np.uint8]:
    """How often each of so many collisions counts in some replicas, (replicas, groups)."""
    rng = np.random.default_rng([_SEED, zlib.crc32(name.encode()), first])
    drawn = rng.integers(0, 2**32, size=(last - first, groups), dtype=np.uint32)
    return np.searchsorted(_BORDERS, drawn.ravel(), side="right").astype(np.uint8).reshape(drawn.shape)
