"""Trees whose nodes stand in arrays, as most formats have them, in the form of the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from codesign.core.errors import InputError
from codesign.graph.forest import MOST_TREE_NODES, Tree

__all__ = ("tree_of",)


def tree_of(
    what: str,
    *,
    left: Sequence[int],
    right: Sequence[int],
    features: Sequence[int],
    thresholds: Sequence[float],
    values: Sequence[float],
    leaves: Sequence[bool],
    goes_left: Literal["<", "<="],
    output: int,
) -> Tree:
    """A tree of which node 0 is the root; InputError names it, ``what``, where its arrays do not fit together.

    Where ``x[features] goes_left thresholds`` on to ``left``, else to ``right``. ``thresholds`` are as the source
    compares with them: of float32, as float64 holds them.
    """
    count = len(leaves)
    if not count or count > MOST_TREE_NODES:
        raise InputError(f"{what}: {count} nodes; 1 to {MOST_TREE_NODES} are read")
    if any(len(given) != count for given in (left, right, features, thresholds, values)):
        raise InputError(f"{what}: its arrays have different lengths: the file is damaged")
    if max(map(abs, (*left, *right, *features)), default=0) > MOST_TREE_NODES:
        raise InputError(f"{what}: a branch leads to a node that is not there: the file is damaged")
    leaf = np.array(leaves, dtype=np.bool_)
    splits = np.array(thresholds, dtype=np.float64)
    given = np.array(values, dtype=np.float64)
    if np.isnan(splits[~leaf]).any() or not np.isfinite(given[leaf]).all():
        raise InputError(f"{what}: a threshold or leaf is no finite number: train it again")
    chosen = np.array([-1 if at_leaf else f for at_leaf, f in zip(leaves, features, strict=True)], dtype=np.int64)
    if (chosen[~leaf] < 0).any():
        raise InputError(f"{what}: a decision on an input that is not there: the file is damaged")
    if goes_left == "<=":
        splits = np.nextafter(splits, np.inf)  # x <= t is not x >= the next number
    tree = Tree(
        chosen,
        np.where(leaf, 0.0, splits),
        np.array([-1 if at_leaf else n for at_leaf, n in zip(leaves, right, strict=True)], dtype=np.int64),
        np.array([-1 if at_leaf else n for at_leaf, n in zip(leaves, left, strict=True)], dtype=np.int64),
        np.where(leaf, given, 0.0),
        output,
    )
    tree.order(what)
    return tree
