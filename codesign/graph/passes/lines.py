"""A step function of whole numbers as one multiplication: ``floor((m x + c) / 2**n)``, bounded, where it is one.

A quantiser with a scale that is no power of two is a row of thresholds: one comparison for each. They lie on a line as
far as whole numbers can tell, and a few bits of its slope give each of them exactly. This is division by a constant as
compilers do it (Granlund and Montgomery, PLDI 1994), decided here for the given range alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ("Line", "line_of", "ones")

#: bits of a slope below the point
_MOST_BITS = 24
#: slopes that are tried for each number of bits
_MOST_SLOPES = 1 << 12
#: what float32 holds, in which others compute; and what is left where that is not enough, in float64
_EXACT = (1 << 24, 1 << 32)


@dataclass(frozen=True)
class Line:
    """``clip(floor((slope * x + offset) / 2**bits), 0, top)`` of whole numbers x."""

    slope: int
    offset: int
    bits: int
    top: int

    def of(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """Its values."""
        return np.asarray(np.clip((self.slope * x + self.offset) >> self.bits, 0, self.top), dtype=np.int64)

    @property
    def adders(self) -> int:
        """Of the product and the offset: one for each digit of the slope, in the form that has the fewest."""
        return ones(self.slope) + 1


def ones(number: int) -> int:
    """Digits other than 0 of a whole number in canonical signed form."""
    return int(abs(number) ^ (3 * abs(number))).bit_count()


def line_of(thresholds: Sequence[int], low: int, high: int) -> Line | None:
    """The line of the fewest adders that counts, for each x from ``low`` to ``high``, the thresholds that x reaches.

    ``thresholds`` rise, all of them in (low, high]; None where no line of so many bits does.
    """
    lines = (_line(np.asarray(thresholds, dtype=np.int64), low, high, most) for most in _EXACT)
    return next((line for line in lines if line is not None), None)


def _line(steps: NDArray[np.int64], low: int, high: int, exact: int) -> Line | None:
    number = len(steps)
    if not number:
        return None
    rank = np.arange(1, number + 1)
    spread = int(steps[-1] - steps[0])
    found: list[Line] = []
    for bits in range(_MOST_BITS + 1):
        if found and bits > found[0].bits + 2:  # more bits give more digits
            break
        least = max(1, ((number - 1) << bits) // (spread + 1))
        most = min(((number - 1) << bits) // max(1, spread - 1) + 1, _EXACT[0])
        if number == 1:
            least, most = 1, 1 << bits
        slopes = np.unique(np.linspace(least, most, min(most - least + 1, _MOST_SLOPES)).astype(np.int64))
        # m t + c >= k 2**n at each threshold t, the k-th, and m (t - 1) + c < k 2**n before it
        reach = (rank << bits)[None] - slopes[:, None] * steps[None]
        first, last = reach.max(axis=1), reach.min(axis=1) - 1 + slopes
        for place in np.flatnonzero(first <= last):
            slope, offset = int(slopes[place]), _roundest(int(first[place]), int(last[place]))
            if max(max(abs(slope * x), abs(slope * x + offset)) for x in (low, high)) < exact:
                found.append(Line(slope, offset, bits, number))
    return min(found, key=lambda line: (line.adders, line.slope, line.bits), default=None)


def _roundest(low: int, high: int) -> int:
    """The number from ``low`` to ``high`` that the largest power of two divides."""
    for shift in range(64, -1, -1):
        number = -(-low >> shift) << shift
        if number <= high:
            return number
    return low
