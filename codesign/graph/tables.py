"""Tables: a finite function of a code, made once and stored in the design as a constant that every domain reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.domain import Array

__all__ = ("MOST_ENTRIES", "Table")

#: entries of one table: an address of 16 bits
MOST_ENTRIES = 1 << 16


@dataclass(frozen=True)
class Table:
    """``values[..., c - low]`` for a signal ``c * 2**exponent``.

    ``values`` is (entries,), or (..., entries) of which the axes before the last broadcast to the signal's, the events'
    of length 1 or absent.
    """

    low: int
    exponent: int
    values: Array

    @property
    def entries(self) -> int:
        """Codes that it knows."""
        return int(self.values.shape[-1])

    @property
    def lsb(self) -> float:
        """What a code of 1 is worth."""
        return 2.0**self.exponent

    def entry(self, x: Array) -> NDArray[np.int64]:
        """Places of values in it; UnsupportedError for a value that is none of its codes."""
        codes = x / self.lsb - self.low
        wrong = (codes != np.rint(codes)) | (codes < 0) | (codes >= self.entries)
        if wrong.any():
            raise UnsupportedError(
                f"the value {x[wrong].ravel()[0]:g} is no code of the table, which knows {self.low * self.lsb:g} to "
                f"{(self.low + self.entries - 1) * self.lsb:g} in steps of {self.lsb:g}; quantise to its type first"
            )
        return codes.astype(np.int64)

    def of(self, x: Array) -> Array:
        """Its values for exact numbers, of any shape."""
        whole = np.broadcast_to(self.values, (*x.shape, self.entries))
        return np.asarray(np.take_along_axis(whole, self.entry(x)[..., None], -1)[..., 0])

    def rows(self, shape: tuple[int, ...]) -> tuple[Array, NDArray[np.int64]]:
        """The tables that differ (number, entries), and for each element of a signal (1, ...) which it reads."""
        apart = self.values.reshape(-1, self.entries)
        kept, which = np.unique(apart, axis=0, return_inverse=True)
        return kept, np.broadcast_to(which.reshape(self.values.shape[:-1]), (1, *shape[1:]))

    def reached(self, low: Array, high: Array, step: Array) -> Iterator[tuple[tuple[int, ...], Array]]:
        """For each element of a signal of these bounds and this grid, (1, ...): its place, and what it can read.

        UnsupportedError where it may be no code of the table.
        """
        rows, which = self.rows(low.shape)
        for place in np.ndindex(*low.shape):
            grid = float(step[place]) or self.lsb
            first, last = np.ceil(low[place] / grid) * grid, np.floor(high[place] / grid) * grid
            ends = self.entry(np.array([first, last]))
            if first != last and grid < self.lsb:
                raise UnsupportedError(
                    f"a signal in steps of {grid:g} is finer than the table's codes of {self.lsb:g}; quantise it first"
                )
            stride = max(1, int(grid / self.lsb))
            yield place, rows[which[place]][ends[0] : ends[1] + 1 : stride]
