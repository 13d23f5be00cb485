"""Decision trees as a graph of few comparators and choices: equal comparators, choices and subtrees stand once.

Every comparison of a number with a threshold is "x reaches t", x >= t, with the branches in one order or the other:
x > t is that x reaches the next number above t, which is exact, for x is a number of float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError

if TYPE_CHECKING:
    from codesign.graph.domain import Array, Domain, Shaped, Taken

    S = TypeVar("S", bound=Shaped)

__all__ = ("MOST_DEPTH", "MOST_TREE_NODES", "Forest", "Tree", "above")

#: nodes of all trees together, and decisions in a row
MOST_TREE_NODES, MOST_DEPTH = 1 << 19, 128


def above(threshold: float) -> float:
    """The smallest number that is larger: x > t is x >= above(t)."""
    return float(np.nextafter(threshold, np.inf))


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree, node by node, its root first: where ``x[feature] >= threshold`` on to ``reached``, else to ``below``.

    Attributes
    ----------
    features: (nodes,) -1 at a leaf.
    thresholds: (nodes,) float64.
    reached, below: (nodes,) places of nodes; a node may be reached from several.
    values: (nodes,) what a leaf gives.
    output: to which output that is given.
    """

    features: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    reached: NDArray[np.int64]
    below: NDArray[np.int64]
    values: NDArray[np.float64]
    output: int = 0

    @property
    def leaves(self) -> NDArray[np.bool_]:
        """Which nodes are leaves."""
        return self.features < 0

    def order(self, what: str) -> list[int]:
        """The nodes that the root leads to, each behind those it leads to.

        UnsupportedError names the tree, ``what``: a place that is none, a circle, more than ``MOST_DEPTH`` decisions.
        """
        nodes = len(self.features)
        depth: dict[int, int] = {}
        found: list[int] = []
        waiting: list[tuple[int, bool]] = [(0, False)]
        above_it: set[int] = set()
        while waiting:
            node, finished = waiting.pop()
            if finished:
                above_it.discard(node)
                depth[node] = 1 + max(depth[int(self.reached[node])], depth[int(self.below[node])])
                found.append(node)
                continue
            if not 0 <= node < nodes:
                raise UnsupportedError(f"{what}: a branch leads to a node that is not there: the file is damaged")
            if node in depth:
                continue
            if node in above_it:
                raise UnsupportedError(f"{what}: a branch leads back to its own node: the file is damaged")
            if self.features[node] < 0:
                depth[node] = 0
                found.append(node)
                continue
            above_it.add(node)
            if len(above_it) > MOST_DEPTH:
                raise UnsupportedError(f"{what}: more than {MOST_DEPTH} decisions in a row: train it with a max_depth")
            waiting += [(node, True), (int(self.reached[node]), False), (int(self.below[node]), False)]
        return found


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees of one output each, as comparators, and choices between two: of constants, or of earlier choices.

    Attributes
    ----------
    features, thresholds: (comparators,) of each comparator.
    comparator, reached, below: (choices,) of each choice its comparator, and its two sides: the place of an earlier
        choice, or ``~k`` for constant number k. Sorted by ``level``.
    level: (choices,) how many choices are at most in a row, this one included.
    constants: (constants,).
    roots: (trees,) what each tree is, a choice or ``~k``.
    """

    features: Taken
    thresholds: Array
    comparator: Taken
    reached: Taken
    below: Taken
    level: Taken
    constants: Array
    roots: Taken

    @classmethod
    def of(cls, trees: Sequence[Tree], names: Sequence[str] = ()) -> Forest:
        """Merge equal parts, and drop choices between equals. UnsupportedError as of :meth:`Tree.order`."""
        comparators: dict[tuple[int, float], int] = {}
        constants: dict[float, int] = {}
        choices: dict[tuple[int, int, int], int] = {}
        levels: list[int] = []
        roots: list[int] = []
        for number, tree in enumerate(trees):
            made: dict[int, int] = {}
            for node in tree.order(names[number] if names else f"tree {number}"):
                if tree.features[node] < 0:
                    value = float(tree.values[node]) + 0.0  # -0.0 is 0.0
                    made[node] = ~constants.setdefault(value, len(constants))
                    continue
                first, second = made[int(tree.reached[node])], made[int(tree.below[node])]
                if first == second:
                    made[node] = first
                    continue
                compared = (int(tree.features[node]), float(tree.thresholds[node]) + 0.0)
                key = (comparators.setdefault(compared, len(comparators)), first, second)
                if key not in choices:
                    choices[key] = len(choices)
                    levels.append(1 + max(levels[c] if c >= 0 else 0 for c in (first, second)))
                made[node] = choices[key]
            roots.append(made[0])
        order = np.argsort(np.array(levels, dtype=np.int64), kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))

        def moved(given: Sequence[int]) -> Taken:
            found = np.array(given, dtype=np.int64)
            found[found >= 0] = place[found[found >= 0]]
            return found

        keys = np.array(list(choices), dtype=np.int64).reshape(-1, 3)[order]
        return cls(
            np.array([f for f, _ in comparators], dtype=np.int64),
            np.array([t for _, t in comparators], dtype=np.float64),
            keys[:, 0],
            moved(keys[:, 1].tolist()),
            moved(keys[:, 2].tolist()),
            np.array(levels, dtype=np.int64)[order],
            np.array(list(constants), dtype=np.float64),
            moved(roots),
        )

    def over(self, domain: Domain[S], x: S) -> S:
        """What each tree gives, (events, trees), composed of a domain's primitives; no root may be a constant."""
        bits = domain.reaches(domain.take(x, self.features, 1), self.thresholds)
        pool: S | None = None
        for level in range(1, int(self.level.max()) + 1):
            here = np.flatnonzero(self.level == level)
            sides: list[Any] = [self._side(domain, pool, side[here]) for side in (self.reached, self.below)]
            chosen = domain.select(domain.take(bits, self.comparator[here], 1), sides[0], sides[1])
            pool = chosen if pool is None else domain.concat([pool, chosen], 1)
        assert pool is not None
        return domain.take(pool, self.roots, 1)

    def _side(self, domain: Domain[S], pool: S | None, wanted: Taken) -> S | Array:
        """Choices and constants side by side, by their places."""
        constant = wanted < 0
        if constant.all():
            return self.constants[~wanted][None]
        assert pool is not None
        if not constant.any():
            return domain.take(pool, wanted, 1)
        used, where = np.unique(~wanted[constant], return_inverse=True)
        places = wanted.copy()
        places[constant] = pool.shape[1] + where
        return domain.take(domain.concat([pool, self.constants[used][None]], 1), places, 1)
