"""Ensembles of decision trees of ``ai.onnx.ml``: comparators on the grid of the input, choices, and a sum of leaves."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.graph.domain import Array
from codesign.graph.ensemble import ML, Ensemble, ensemble_of
from codesign.graph.forest import Forest
from codesign.graph.interval import grid
from codesign.graph.nodes import Call, operator

__all__ = ("MOST_LEAF_BITS",)

#: bits of a leaf: float32 holds no more
MOST_LEAF_BITS = 24


@operator("TreeEnsemble", "TreeEnsembleRegressor", domain=ML)
def _ensemble(call: Call[Any]) -> Any:
    return _scores(call, ensemble_of(call.node))


@operator("TreeEnsembleClassifier", domain=ML)
def _classifier(call: Call[Any]) -> Any:
    """Two outputs: the label, and the scores."""
    found = ensemble_of(call.node)
    scores = _scores(call, found)
    if found.one_score:
        raise call.refuse(
            "one score for two classes, which tools write out in different ways: use a TreeEnsembleRegressor, whose "
            "one output is the score of the second class"
        )
    if call.node.outputs[0]:
        label = _label(call, found, scores)
        return label, scores
    return scores, scores


def _scores(call: Call[Any], found: Ensemble) -> Any:
    """The sums (events, outputs)."""
    x = call.signal()
    if len(x.shape) != 2:
        raise call.refuse(f"{call.node.op} of a signal with {len(x.shape)} axes: reshape it to (events, features)")
    used = max((int(t.features.max()) for t in found.trees), default=0)
    if used >= x.shape[1]:
        raise call.refuse(f"a branch on feature {used} of {x.shape[1]}: the file is damaged")
    if found.transform != "NONE":
        raise call.refuse(
            f"post_transform {found.transform} is a function of real numbers: leave it out (NONE); the order of scores "
            "stays, and thresholds move with it"
        )
    _on_a_grid(call, found)
    outputs = range(found.outputs)
    forest = Forest.of(found.trees)
    targets = np.array([t.output for t in found.trees], dtype=np.int64)
    decided = forest.roots >= 0
    signals = call.domain.decide(x, replace(forest, roots=forest.roots[decided])) if decided.any() else None
    constant, places = forest.constants[~forest.roots[~decided]], targets[~decided]
    if found.aggregate in ("MIN", "MAX"):
        return _extremes(call, found, signals, targets[decided], constant, places)
    base = np.array([constant[places == o].sum() for o in outputs])
    part = 1.0
    if found.aggregate == "AVERAGE":
        if found.average_of & (found.average_of - 1):
            raise call.refuse(
                f"an average of {found.average_of} trees has no exact hardware here: use SUM with the leaves divided, "
                "or a number of trees that is a power of two"
            )
        part = 1.0 / found.average_of
    base = base * part + found.base
    if signals is None:
        return call.domain.add(call.domain.matmul(x, np.zeros((x.shape[1], found.outputs))), base)
    matrix = (targets[decided][:, None] == np.arange(found.outputs)) * part
    # a tree that stands more than once is one signal with a weight
    whole, where = np.unique(forest.roots[decided], return_inverse=True)
    if len(whole) < len(where):
        signals = call.domain.take(signals, np.array([int(np.argmax(where == i)) for i in range(len(whole))]), 1)
        matrix = np.stack([matrix[where == i].sum(axis=0) for i in range(len(whole))])
    return call.domain.add(call.domain.matmul(signals, matrix), base)


def _extremes(
    call: Call[Any], found: Ensemble, signals: Any, targets: Any, constant: Array, places: NDArray[np.int64]
) -> Any:
    """The largest, or smallest, of what the trees of each output give."""
    if found.partial:
        raise call.refuse(
            f"{found.aggregate} with a leaf that gives nothing to an output which others give something to"
        )
    sign = 1.0 if found.aggregate == "MAX" else -1.0
    x, columns = call.signal(), []
    for output in range(found.outputs):
        parts = []
        mine = np.flatnonzero(targets == output)
        if mine.size:
            own = call.domain.take(signals, mine, 1)
            parts.append(own if sign > 0 else call.domain.negative(own))
        fixed = sign * constant[places == output]
        if not parts:
            value = fixed.max() if fixed.size else 0.0
            zero = call.domain.matmul(x, np.zeros((x.shape[1], 1)))
            parts.append(call.domain.add(zero, np.array([value])))
        elif fixed.size:
            parts.append(call.domain.maximum(parts.pop(), np.array([fixed.max()])))
        columns.append(call.domain.largest(parts[0]))
    whole = columns[0] if len(columns) == 1 else call.domain.concat(columns, 1)
    return call.domain.add(whole if sign > 0 else call.domain.negative(whole), found.base)


def _label(call: Call[Any], found: Ensemble, scores: Any) -> Any:
    """The label of the largest score, of equal ones the first."""
    if any(isinstance(label, str) for label in found.labels):
        raise call.refuse("labels that are text have no hardware: give the first output no name, and take the scores")
    best = call.domain.take(scores, np.array([0]), 1)
    label: Any = None
    for place in range(1, found.outputs):
        score = call.domain.take(scores, np.array([place]), 1)
        stays = call.domain.at_least(best, score)
        before = np.array([float(found.labels[0])]) if label is None else label
        label = call.domain.select(stays, before, np.array([float(found.labels[place])]))
        best = call.domain.maximum(best, score)
    if label is None:
        label = call.domain.add(call.domain.multiply(best, np.array([0.0])), np.array([float(found.labels[0])]))
    return call.domain.reshape(label, ())


def _on_a_grid(call: Call[Any], found: Ensemble) -> None:
    """Refuse leaves and base values that are no multiples of one step with at most ``MOST_LEAF_BITS`` bits."""
    leaves = np.concatenate([*(t.values[t.leaves] for t in found.trees), found.base])
    largest = float(np.abs(leaves).max(initial=0.0))
    if not largest:
        return
    steps = grid(leaves)
    step = float(steps[steps > 0].min())
    bits = ceil(log2(largest / step + 1))
    if bits <= MOST_LEAF_BITS:
        return
    rounded = 2.0 ** (ceil(log2(largest)) - 11)
    worst = leaves[int(np.argmin(np.where(steps > 0, steps, np.inf)))]
    raise call.refuse(
        f"leaf {worst:.9g} beside {largest:.6g} needs {bits} bits, at most {MOST_LEAF_BITS} are exact: round the "
        f"leaves. To multiples of {rounded:g} (12 bits) a sum moves by at most {rounded / 2:g} for each of its trees "
        "(codesign.importing.trees.read_trees(FILE).design(inputs, leaf_bits=12))"
    )
