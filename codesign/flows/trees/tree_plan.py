"""What the hardware of an ensemble of trees is made of: comparators of codes, trees as tables, sums, and the stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.reading.onnx import onnx_model
from codesign.graph.ensemble import ML, ensemble_of, node_of
from codesign.graph.forest import Forest, Tree
from codesign.graph.interval import grid, tightest_type

__all__ = ("DEEPEST", "TreePlan", "plan_of")

#: decisions in a row, up to which a tree is a table
DEEPEST = 8
#: delays in units of an adder's: a comparator, a decision on the way down a tree, its table
_COMPARE, _DECIDE, _TABLE = 1.0, 0.3, 0.5


@dataclass(frozen=True, eq=False)
class TreePlan:
    """An ensemble in integers.

    Attributes
    ----------
    forest: thresholds in codes of the inputs, constants in codes of ``step``; each comparator is open for some code.
    summed: for each output the trees (numbers of roots) that are added; a tree stands in it as often as it counts.
    constant: for each output what is added to them, in codes.
    step: value of one code of a sum.
    """

    forest: Forest
    summed: tuple[tuple[int, ...], ...]
    constant: tuple[int, ...]
    step: float

    def leaves(self, tree: int) -> list[int]:
        """Codes that a tree may give."""
        found, waiting, seen = set(), [int(self.forest.roots[tree])], set()
        while waiting:
            node = waiting.pop()
            if node < 0:
                found.add(int(self.forest.constants[~node]))
            elif node not in seen:
                seen.add(node)
                waiting += [int(self.forest.reached[node]), int(self.forest.below[node])]
        return sorted(found)

    def bounds(self, output: int) -> tuple[int, int]:
        """Smallest and largest code of a sum, of the ends of its trees."""
        ends = [self.leaves(t) for t in self.summed[output]]
        return (
            self.constant[output] + sum(e[0] for e in ends),
            self.constant[output] + sum(e[-1] for e in ends),
        )

    def kinds(self) -> list[FixedPoint]:
        """The type of each sum, without the low bits that are always 0."""
        found = []
        for output in range(len(self.summed)):
            (low, high), step = self.bounds(output), self.step * (1 << self.zeros(output))
            found.append(tightest_type(low * self.step, high * self.step, step))
        return found

    def zeros(self, output: int) -> int:
        """Low bits of a sum that are always 0."""
        codes = self.constant[output]
        for tree in self.summed[output]:
            for leaf in self.leaves(tree):
                codes |= leaf
        return max(0, (codes & -codes).bit_length() - 1)

    def delays(self) -> list[tuple[str, float]]:
        """What is done one after another, and how long it takes in units of an adder."""
        deepest = int(self.forest.level.max(initial=0))
        most = max((len(s) + bool(c) for s, c in zip(self.summed, self.constant, strict=True)), default=0)
        levels = max(0, most - 1).bit_length()
        return [("compare", _COMPARE), ("trees", _DECIDE * deepest + _TABLE), *[("add", 1.0)] * levels]

    def stages(self, stage_delay: float) -> list[list[str]]:
        """What stands between two registers each."""
        found: list[list[str]] = [[]]
        filled = 0.0
        for what, delay in self.delays():
            if found[-1] and filled + delay > stage_delay:
                found.append([])
                filled = 0.0
            found[-1].append(what)
            filled += delay
        return found

    def run(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sums (events, outputs) of input codes (events, inputs), in codes."""
        at = np.tile(self.forest.roots, (len(codes), 1))
        reached = codes[:, self.forest.features] >= self.forest.thresholds
        while (at >= 0).any():
            here = np.maximum(at, 0)
            turn = np.take_along_axis(reached, self.forest.comparator[here], axis=1)
            at = np.where(at < 0, at, np.where(turn, self.forest.reached[here], self.forest.below[here]))
        given = self.forest.constants[~at].astype(np.int64)
        sums = [given[:, list(trees)].sum(axis=1) + c for trees, c in zip(self.summed, self.constant, strict=True)]
        return np.stack(sums, axis=1)


def plan_of(design: Design) -> TreePlan:
    """The plan of a design whose graph is one ensemble that reads its inputs; UnsupportedError for any other."""
    model = onnx_model(design.onnx)
    nodes = list(model.graph.node)
    names = [i.name for i in model.graph.input]
    one = len(nodes) == 1 or (len(nodes) == 2 and _splits(nodes[1], nodes[0], [o.name for o in model.graph.output]))
    if not one or nodes[0].domain != ML or list(nodes[0].input) != names:
        seen = ", ".join(dict.fromkeys(n.op_type for n in nodes[:5]))
        raise UnsupportedError(f"flow trees: takes one ensemble of trees that reads the inputs, not {seen}: use alkaid")
    if nodes[0].op_type == "TreeEnsembleClassifier":
        raise UnsupportedError("flow trees: takes a TreeEnsembleRegressor or TreeEnsemble, not a classifier")
    found = ensemble_of(node_of(nodes[0], nodes[0].name or "trees"))
    if found.aggregate != "SUM" or found.transform != "NONE":
        raise UnsupportedError(
            f"flow trees: sums trees, without a transform, not {found.aggregate} and {found.transform}: use alkaid"
        )
    leaves = np.concatenate([*(t.values[t.leaves] for t in found.trees), found.base])
    steps = grid(leaves)
    step = float(steps[steps > 0].min()) if steps.any() else 1.0
    forest = Forest.of([_in_codes(t, design.inputs.types, step) for t in found.trees])
    decided = np.flatnonzero(forest.roots >= 0)
    if not decided.size:
        raise UnsupportedError("flow trees: every output is constant, there is no hardware")
    if int(forest.level.max()) > DEEPEST:
        raise UnsupportedError(f"flow trees: more than {DEEPEST} decisions in a row: train with max_depth={DEEPEST}")
    roots, place = np.unique(forest.roots[decided], return_inverse=True)
    constant = [round(float(b) / step) for b in found.base]
    summed: list[list[int]] = [[] for _ in found.base]
    for number, tree in enumerate(found.trees):
        if forest.roots[number] < 0:
            constant[tree.output] += int(forest.constants[~forest.roots[number]])
        else:
            summed[tree.output].append(int(place[np.searchsorted(decided, number)]))
    return TreePlan(replace(forest, roots=roots), tuple(map(tuple, summed)), tuple(constant), step)


def _splits(node: NodeProto, ensemble: NodeProto, outputs: list[str]) -> bool:
    """Whether a node gives all sums of an ensemble, in their order, to the outputs of the graph, and nothing else."""
    axis = [a.i for a in node.attribute if a.name == "axis"]
    return (
        (node.op_type, node.domain, axis) == ("Split", "", [1])
        and node.input[:1] == ensemble.output[:1]
        and list(node.output) == outputs
    )


def _in_codes(tree: Tree, kinds: Sequence[FixedPoint], step: float) -> Tree:
    """Thresholds as codes, leaves as codes; what is decided for every code is no decision any more."""
    thresholds, reached, below = tree.thresholds.copy(), tree.reached.copy(), tree.below.copy()
    for node in np.flatnonzero(tree.features >= 0).tolist():
        kind = kinds[int(tree.features[node])]
        code = ceil(Fraction(float(tree.thresholds[node])) / Fraction(kind.lsb))
        thresholds[node] = code
        if code <= kind.minimum:
            below[node] = reached[node]
        elif code > kind.maximum:
            reached[node] = below[node]
    return replace(tree, thresholds=thresholds, reached=reached, below=below, values=np.rint(tree.values / step))
