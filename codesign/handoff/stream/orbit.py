"""The orbit: which crossings have bunches of both beams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ("CROSSINGS", "Orbit")

#: crossings of one turn of the LHC, 25 ns each (LHC Design Report, CERN-2004-003, chapter 2)
CROSSINGS = 3564


@dataclass(frozen=True)
class Orbit:
    """Places 0 .. 3563 of the crossings with collisions, rising."""

    filled: NDArray[np.int64]

    @classmethod
    def trains(cls, bunches: int = 36, trains: int = 5, gap: int = 7, pause: int = 31, abort: int = 119) -> Orbit:
        """Injections of ``trains`` trains of ``bunches`` bunches, ``gap`` empty crossings between trains, ``pause``
        between injections and ``abort`` at the end of the turn: a model, not one of the LHC's own filling schemes."""
        one = np.concatenate([np.arange(bunches) + i * (bunches + gap) for i in range(trains)])
        length = trains * bunches + (trains - 1) * gap
        starts = range(0, CROSSINGS - abort - length + 1, length + pause)
        return cls(np.concatenate([one + start for start in starts]).astype(np.int64))

    @property
    def share(self) -> float:
        """Of all crossings, those with collisions."""
        return len(self.filled) / CROSSINGS

    def crossing(self, collision: NDArray[Any]) -> NDArray[np.int64]:
        """The number of the crossing, from the first turn on, of the n-th crossing with collisions."""
        turn, place = np.divmod(np.asarray(collision, dtype=np.int64), len(self.filled))
        return np.asarray(turn * CROSSINGS + self.filled[place])
