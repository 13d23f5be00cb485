"""Of simulated events, the pool of soft collisions that each draws from, and how often those repeat."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

__all__ = ("OPTIONAL", "PileUpCounts", "pools_of")

#: what is read of events where they have it
OPTIONAL = ("Pileup.nTrueInt", "Pileup.pool", "Pileup.nSoft", "Pileup.nFresh")


def pools_of(events: Any) -> NDArray[np.int64]:
    """(events,) the number of each event's pool of soft collisions; -1 where the file has none."""
    if "Pileup" not in events.fields or "pool" not in events.Pileup.fields:
        return np.full(len(events), -1, dtype=np.int64)
    return np.asarray(events.Pileup.pool, dtype=np.int64)


@dataclass
class PileUpCounts:
    """Sums over chunks of events."""

    _pools: list[NDArray[np.int64]] = field(default_factory=list)
    _taken: int = 0
    _fresh: int = 0

    def add(self, events: Any) -> None:
        """Count a chunk."""
        pools = pools_of(events)
        here = (pools >= 0).any()
        self.count(pools, *((events.Pileup.nSoft, events.Pileup.nFresh) if here else (0, 0)))

    def count(self, pools: NDArray[np.int64], taken: Any, fresh: Any) -> None:
        """Count a chunk of events (n,) of these pools, of so many soft collisions taken from them and made anew."""
        self._pools.append(pools)
        self._taken += int(np.sum(taken))
        self._fresh += int(np.sum(fresh))

    @property
    def pools(self) -> NDArray[np.int64]:
        """(events,) of all chunks."""
        return np.concatenate(self._pools) if self._pools else np.empty(0, np.int64)

    @property
    def pooled(self) -> bool:
        """Whether any event shares soft collisions with others."""
        return any((part >= 0).any() for part in self._pools)

    def told(self) -> dict[str, JsonValue]:
        """For a sample's provenance; empty where no event shares soft collisions."""
        if not self.pooled:
            return {}
        return {
            "pile-up": {
                "pools of soft collisions": len(np.unique(self.pools)),
                "soft collisions taken from them": self._taken,
                "collisions generated anew": self._fresh,
            }
        }
