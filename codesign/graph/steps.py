"""A real function of one code with a quantiser behind it, as hardware has it: thresholds where monotone, or a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import log2

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.tables import MOST_ENTRIES

__all__ = ("Steps", "steps_of")

#: thresholds of one element
_MOST_STEPS = 1 << 12


@dataclass(frozen=True)
class Steps:
    """Codes of the result for codes ``low`` to ``high`` of the signal.

    ``turned``: the function falls, and the thresholds are of the negative signal. ``thresholds``, each one more code;
    None where the function is neither or they are too many. ``table``, None where it is too long.
    """

    low: int
    high: int
    first: int
    thresholds: tuple[int, ...] | None
    turned: bool
    codes: Callable[[int], int]

    @property
    def entries(self) -> int:
        """Codes of the signal."""
        return self.high - self.low + 1

    def table(self) -> NDArray[np.int64]:
        """A code for each."""
        if self.thresholds is None:
            return np.array([self.codes(c) for c in range(self.low, self.high + 1)], dtype=np.int64)
        reached = np.arange(self.low, self.high + 1) * (-1 if self.turned else 1)
        return self.first + np.searchsorted(np.array(self.thresholds, dtype=np.int64), reached, side="right")

    @property
    def table_cost(self) -> float:
        """About how many look-up tables of six inputs a table of one bit is."""
        return max(1.0, self.entries / 64)

    @property
    def threshold_cost(self) -> float:
        """About how many the comparisons are."""
        return float("inf") if self.thresholds is None else len(self.thresholds) * (1 + log2(self.entries) / 2)


def steps_of(codes: Callable[[int], int], low: int, high: int, step: Fraction, monotone: int | None) -> Steps:
    """The steps of a function of whole numbers from ``low`` to ``high`` that rises (1), falls (-1) or does neither."""
    first, last = codes(low), codes(high)
    if monotone is not None and abs(last - first) <= _MOST_STEPS:
        turned = last < first
        found: list[int] = []
        _between(codes, low, first, high, last, found)
        if turned:  # reached by -x from -(t - 1) on
            found = sorted(1 - t for t in found)
        return Steps(low, high, min(first, last), tuple(found), turned, codes)
    entries = high - low + 1
    if entries > MOST_ENTRIES:
        why = "does neither rise nor fall" if monotone is None else f"has {abs(last - first)} steps"
        raise UnsupportedError(
            f"a function that {why}, of a signal of {(entries - 1).bit_length()} bits; a table takes at most "
            f"{MOST_ENTRIES.bit_length() - 1} bits: quantise it first"
        )
    return Steps(low, high, first, None, False, codes)


def _between(codes: Callable[[int], int], a: int, at_a: int, b: int, at_b: int, found: list[int]) -> None:
    """Where a monotone function changes, one entry for each code that it changes by."""
    waiting = [(a, at_a, b, at_b)]
    while waiting:
        a, at_a, b, at_b = waiting.pop()
        if at_a == at_b:
            continue
        if b == a + 1:
            found.extend([b] * abs(at_b - at_a))
            continue
        middle = (a + b) // 2
        value = codes(middle)
        waiting += [(middle, value, b, at_b), (a, at_a, middle, value)]
