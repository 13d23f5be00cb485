"""What is made of grown trees without growing them again: fewer decisions, and leaves on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from codesign.graph.forest import Tree

__all__ = ("carried", "leaf_of", "nearest", "pruned")


def leaf_of(tree: Tree, x: NDArray[np.float64]) -> NDArray[np.int64]:
    """The leaf that each event (events, features) comes to, (events,)."""
    at = np.zeros(len(x), dtype=np.int64)
    rows = np.arange(len(x))
    while (inner := ~tree.leaves[at]).any():
        here = at[inner]
        turn = x[rows[inner], tree.features[here]] >= tree.thresholds[here]
        at[inner] = np.where(turn, tree.reached[here], tree.below[here])
    return at


def pruned(
    trees: Sequence[Tree], x: NDArray[np.float64], weights: NDArray[np.float64] | None, share: float
) -> tuple[Tree, ...]:
    """The same trees without the ``share`` of all their decisions whose two sides differ least.

    A decision between two leaves of values a and b, which w and v events come to by their weights, costs the squares of
    the sums ``w v / (w + v) (a - b)**2`` when one leaf of their mean takes its place. The cheapest of all trees goes
    first, and what becomes a decision between leaves by that may follow. ``x``: (events, features) of training.
    """
    weight = np.ones(len(x)) if weights is None else weights
    features = [tree.features.copy() for tree in trees]
    values = [tree.values.copy() for tree in trees]
    events = [np.bincount(leaf_of(t, x), weights=weight, minlength=len(t.features)) for t in trees]

    def price(number: int, node: int) -> float | None:
        """Of a decision between two leaves; None of any other."""
        sides = [int(trees[number].below[node]), int(trees[number].reached[node])]
        if features[number][sides].max() >= 0:
            return None
        (a, b), (w, v) = values[number][sides], events[number][sides]
        return float(w * v / (w + v) * (a - b) ** 2) if w + v else 0.0

    decisions = [(number, int(node)) for number, tree in enumerate(trees) for node in np.flatnonzero(~tree.leaves)]
    above = {(n, int(side[node])): node for n, node in decisions for side in (trees[n].below, trees[n].reached)}
    prices = [(price(*decision), *decision) for decision in decisions]
    waiting = [(cost, number, node) for cost, number, node in prices if cost is not None]
    heapify(waiting)
    for _ in range(round(share * len(decisions))):
        _, number, node = heappop(waiting)  # while a decision is left, one is between leaves
        sides = [int(trees[number].below[node]), int(trees[number].reached[node])]
        total = events[number][sides].sum()
        mean = np.average(values[number][sides], weights=events[number][sides] if total else None)
        features[number][node], values[number][node], events[number][node] = -1, mean, total
        parent = above.get((number, node))
        if parent is not None and (cost := price(number, parent)) is not None:
            heappush(waiting, (cost, number, parent))
    return tuple(
        _compact(replace(tree, features=f, values=np.where(f < 0, v, 0.0)))
        for tree, f, v in zip(trees, features, values, strict=True)
    )


def _compact(tree: Tree) -> Tree:
    """Without the nodes that the root does not lead to; the root first."""
    kept = [0, *sorted(n for n in tree.order("a tree") if n)]
    place = {node: number for number, node in enumerate(kept)}
    leaves = tree.features < 0

    def moved(side: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.array([-1 if leaves[n] else place[int(side[n])] for n in kept], dtype=np.int64)

    thresholds = np.where(leaves, 0.0, tree.thresholds)
    return replace(
        tree, features=tree.features[kept], thresholds=thresholds[kept], reached=moved(tree.reached),
        below=moved(tree.below), values=tree.values[kept],
    )  # fmt: skip


def nearest(trees: Sequence[Tree], step: float) -> tuple[Tree, ...]:
    """Each leaf at the nearest multiple of ``step``."""
    return tuple(replace(t, values=np.where(t.leaves, np.rint(t.values / step) * step, 0.0)) for t in trees)


def carried(
    trees: Sequence[Tree], step: float, x: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> tuple[Tree, ...]:
    """Each leaf at the multiple of ``step`` above or below it, tree after tree: whichever brings the sums of the events
    (events, features) of training that come to it closer, on average, to what they were.

    What one tree rounds off the next ones give back where they can; no leaf moves by a whole step.
    """
    weight = np.ones(len(x)) if weights is None else weights
    missing: dict[int, NDArray[np.float64]] = {}
    found = []
    for tree in trees:
        owed = missing.setdefault(tree.output, np.zeros(len(x)))
        leaf, count = leaf_of(tree, x), len(tree.features)
        events = np.bincount(leaf, weights=weight, minlength=count)
        mean = np.bincount(leaf, weights=weight * owed, minlength=count) / np.where(events > 0, events, 1.0)
        below = np.floor(tree.values / step) * step
        up = (tree.values + mean - below) > step / 2
        up &= below < tree.values  # a leaf on the grid stays
        values = np.where(tree.leaves, below + up * step, 0.0)
        owed += (tree.values - values)[leaf]
        found.append(replace(tree, values=values))
    return tuple(found)
