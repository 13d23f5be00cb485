"""Decision trees of alkaid's signals: the bits of the leaf's place, of single-bit choices, and one table of its value.

A choice between two numbers of w bits takes w multiplexers (with the masks that alkaid makes of them w adders); here
only bits are chosen, and a look-up table of six inputs holds one bit of 64 leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from codesign.graph.forest import Forest

__all__ = ("DEEPEST", "tree_signals")

#: decisions in a row, up to which a tree has a table
DEEPEST = 6


def tree_signals(forest: Forest, bits: Sequence[Any]) -> list[Any]:
    """What each tree gives, a signal or a number. ``bits``: of each comparator, a signal of 0 and 1, or a number."""
    places: dict[tuple[int, int], list[Any]] = {}
    chosen: dict[tuple[int, int, int], Any] = {}

    def choose(comparator: int, first: Any, second: Any) -> Any:
        """A bit, of two bits."""
        bit = bits[comparator]
        if first is second or _number(bit):
            return first if first is second or bit else second
        if _number(first) and _number(second):
            if first == second:
                return first
            return bit if first else bit.unary_bit_op("not")
        key = (comparator, id(first), id(second))
        if key not in chosen:
            chosen[key] = bit.msb_mux(first, second)
        return chosen[key]

    def place(node: int, left: int) -> list[Any]:
        """Bits of the place of the leaf that is reached, first decision first."""
        if node < 0:
            return [0.0] * left
        if (node, left) not in places:
            comparator = int(forest.comparator[node])
            sides = [place(int(side[node]), left - 1) for side in (forest.reached, forest.below)]
            rest = [choose(comparator, a, b) for a, b in zip(*sides, strict=True)]
            places[node, left] = [bits[comparator], *rest]
        return places[node, left]

    def leaves(node: int, left: int) -> list[float]:
        """Value of the leaf at each place."""
        if node < 0:
            return [float(forest.constants[~node])] * (1 << left)
        return leaves(int(forest.below[node]), left - 1) + leaves(int(forest.reached[node]), left - 1)

    found = []
    for root in forest.roots.tolist():
        level = int(forest.level[root])
        found.append(_looked_up(place(root, level), np.array(leaves(root, level))))
    return found


def _number(x: Any) -> bool:
    return isinstance(x, float | int)


def _looked_up(place: Sequence[Any], values: np.ndarray[Any, Any]) -> Any:
    """The value at a place, its highest bit first; bits that are known, or do not matter, are left out."""
    table = values.reshape((2,) * len(place))
    used: list[Any] = []
    for bit in place:
        axis = len(used)
        if _number(bit):
            table = np.take(table, int(bit), axis=axis)
        elif np.array_equal(np.take(table, 0, axis=axis), np.take(table, 1, axis=axis)):
            table = np.take(table, 0, axis=axis)
        else:
            used.append(bit)
    if not used:
        return float(table)
    index = sum(bit * float(1 << k) for k, bit in enumerate(reversed(used)))
    return index.lookup(table.ravel())
