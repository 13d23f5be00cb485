"""What a node of ``ai.onnx.ml`` says: TreeEnsemble, TreeEnsembleRegressor and TreeEnsembleClassifier as trees.

A signal here is a number of fixed point, so it is never missing: where a node sends what is no number is not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.forest import MOST_TREE_NODES, Tree, above
from codesign.graph.nodes import Node
from codesign.graph.tensors import tensor_of

__all__ = ("ML", "Ensemble", "ensemble_of", "node_of")

ML = "ai.onnx.ml"
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


@dataclass(frozen=True)
class Ensemble:
    """What a node of ``ai.onnx.ml`` says: trees of one output each, and what becomes of what they give.

    Attributes
    ----------
    trees: a tree of the file stands once for each output that its leaves give something to.
    average_of: number of trees of the file.
    base: (outputs,) added at the end.
    labels: of a classifier's outputs, whole numbers or text.
    one_score: of two classes, whether the leaves give one score.
    partial: whether a leaf of a tree gives nothing to an output to which another one gives something: 0, in a sum.
    """

    trees: tuple[Tree, ...]
    average_of: int
    aggregate: str
    transform: str
    base: NDArray[np.float64]
    labels: tuple[int, ...] | tuple[str, ...] = ()
    one_score: bool = False
    partial: bool = False

    @property
    def outputs(self) -> int:
        """Number of outputs of the sums, before a second class is added."""
        return len(self.base)


class _Attributes:
    """The attributes of a node as arrays; UnsupportedError names the one that is not as it should be."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def refuse(self, why: str) -> UnsupportedError:
        return UnsupportedError(f"{self.node.name}: {why}")

    def numbers(self, name: str) -> NDArray[np.float64]:
        given = self.node.attributes.get(name)
        if given is None:
            given = self.node.attributes.get(f"{name}_as_tensor", ())
        values = tensor_of(given).values if isinstance(given, onnx.TensorProto) else np.array(given, dtype=np.float64)
        if values.ndim != 1 or not np.isfinite(values).all():
            raise self.refuse(f"'{name}' is no row of finite numbers")
        return values

    def whole(self, name: str, length: int | None = None) -> NDArray[np.int64]:
        given = self.node.attributes.get(name, ())
        values = tensor_of(given).values if isinstance(given, onnx.TensorProto) else np.array(given, dtype=np.float64)
        if values.ndim != 1 or not np.array_equal(values, np.rint(values)):
            raise self.refuse(f"'{name}' are no whole numbers in a row")
        if length is not None and len(values) != length:
            raise self.refuse(f"'{name}' has {len(values)} entries, expected {length}: the file is damaged")
        return np.clip(values, -(2.0**62), 2.0**62).astype(np.int64)

    def words(self, name: str) -> list[str]:
        return [
            w.decode(errors="replace") if isinstance(w, bytes) else str(w) for w in self.node.attributes.get(name, ())
        ]

    def word(self, name: str, default: str) -> str:
        given = self.node.attributes.get(name, default)
        if not isinstance(given, str):
            raise TypeError(name)
        return given

    def one(self, name: str, default: int) -> int:
        given = self.node.attributes.get(name, default)
        if not isinstance(given, int):
            raise TypeError(name)
        return given


def ensemble_of(node: Node) -> Ensemble:
    """Read a node; UnsupportedError for what is damaged, and for membership in sets."""
    given = _Attributes(node)
    try:
        return _by_roots(given) if node.op == "TreeEnsemble" else _by_ids(given)
    except (ValueError, TypeError, OverflowError):
        raise given.refuse("an attribute is of another type than ai.onnx.ml says: the file is damaged") from None


def node_of(proto: onnx.NodeProto, name: str) -> Node:
    """A node of a file, under a name, with its attributes as the reader of graphs has them."""
    given = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
    plain = {n: v.decode(errors="replace") if isinstance(v, bytes) else v for n, v in given.items()}
    return Node(name, proto.domain, proto.op_type, tuple(proto.input), tuple(proto.output), plain)


class _Grown:
    """Nodes of one tree of the file, and what each leaf gives to which output."""

    def __init__(self, given: _Attributes) -> None:
        self.given = given
        self.features: list[int] = []
        self.thresholds: list[float] = []
        self.reached: list[int] = []
        self.below: list[int] = []
        self.leaves: dict[int, dict[int, float]] = {}

    def leaf(self, votes: dict[int, float]) -> int:
        self.leaves[len(self.features)] = votes
        return self._node(-1, 0.0, -1, -1)

    def _node(self, feature: int, threshold: float, reached: int, below: int) -> int:
        self.features.append(feature)
        self.thresholds.append(threshold)
        self.reached.append(reached)
        self.below.append(below)
        return len(self.features) - 1

    def place(self) -> int:
        """Room for a decision whose branches are not known yet."""
        return self._node(0, 0.0, -1, -1)

    def decide(self, place: int, mode: str, feature: int, threshold: float, yes: int, no: int) -> None:
        """Fill it: every mode is that x reaches a number, or that it reaches one and not another."""
        if mode not in _MODES or mode == "BRANCH_MEMBER":
            raise self.given.refuse(
                f"a branch {mode[:40]!a} has no exact hardware here; known: {', '.join(_MODES[:-1])}. Train without "
                "categories, or give each its own input of 0 and 1"
            )
        if feature < 0:
            raise self.given.refuse(f"a branch on feature {feature}: the file is damaged")
        if mode in ("BRANCH_EQ", "BRANCH_NEQ"):
            same, other = (yes, no) if mode == "BRANCH_EQ" else (no, yes)
            inner = self._node(feature, above(threshold), other, same)
            yes, no, mode = inner, other, "BRANCH_GTE"
        if mode in ("BRANCH_LEQ", "BRANCH_GT"):
            threshold = above(threshold)
        reached, below = (no, yes) if mode in ("BRANCH_LEQ", "BRANCH_LT") else (yes, no)
        self.features[place], self.thresholds[place] = feature, threshold
        self.reached[place], self.below[place] = reached, below

    @property
    def partial(self) -> bool:
        """Whether leaves give to different outputs."""
        return len({frozenset(votes) for votes in self.leaves.values()}) > 1

    def trees(self) -> list[Tree]:
        """One for each output that a leaf gives something to."""
        outputs = sorted({o for votes in self.leaves.values() for o in votes})
        found = []
        for output in outputs:
            values = np.zeros(len(self.features))
            for leaf, votes in self.leaves.items():
                values[leaf] = votes.get(output, 0.0)
            found.append(
                Tree(
                    np.array(self.features, dtype=np.int64),
                    np.array(self.thresholds),
                    np.array(self.reached, dtype=np.int64),
                    np.array(self.below, dtype=np.int64),
                    values,
                    output,
                )
            )
        return found


def _checked_size(given: _Attributes, nodes: int) -> None:
    if not 0 < nodes <= MOST_TREE_NODES:
        raise given.refuse(f"{nodes} nodes of trees; 1 to {MOST_TREE_NODES} are read")


def _aggregate(given: _Attributes, aggregate: str, transform: str) -> None:
    if aggregate not in _AGGREGATES:
        raise given.refuse(f"aggregate_function {aggregate[:40]!a}; known: {', '.join(_AGGREGATES)}")
    if transform not in _TRANSFORMS:
        raise given.refuse(f"post_transform {transform[:40]!a}; known: {', '.join(_TRANSFORMS)}")


def _by_ids(given: _Attributes) -> Ensemble:
    """TreeEnsembleRegressor and TreeEnsembleClassifier: nodes by the number of their tree and their own."""
    classifier = given.node.op == "TreeEnsembleClassifier"
    owner = "class" if classifier else "target"
    ids = given.whole("nodes_nodeids")
    count = len(ids)
    _checked_size(given, count)
    tree_ids, features = given.whole("nodes_treeids", count), given.whole("nodes_featureids", count)
    yes, no = given.whole("nodes_truenodeids", count), given.whole("nodes_falsenodeids", count)
    thresholds, modes = given.numbers("nodes_values"), given.words("nodes_modes")
    if len(thresholds) != count or len(modes) != count:
        raise given.refuse(f"{count} nodes with {len(thresholds)} thresholds and {len(modes)} modes")
    weights = given.numbers(f"{owner}_weights")
    _checked_size(given, len(weights))
    voters = [given.whole(f"{owner}_{what}", len(weights)) for what in ("treeids", "nodeids", "ids")]
    labels: tuple[Any, ...] = ()
    if classifier:
        labels = tuple(given.words("classlabels_strings")) or tuple(given.whole("classlabels_int64s").tolist())
        outputs = len(labels)
    else:
        outputs = given.one("n_targets", 1)
    if not 1 <= outputs <= 10_000:
        raise given.refuse(f"{outputs} outputs")
    votes: dict[tuple[int, int], dict[int, float]] = {}
    for tree, node, output, weight in zip(*(v.tolist() for v in voters), weights.tolist(), strict=True):
        if not 0 <= output < outputs:
            raise given.refuse(f"a leaf gives to output {output} of {outputs}: the file is damaged")
        leaf = votes.setdefault((tree, node), {})
        leaf[output] = leaf.get(output, 0.0) + weight
    found: list[Tree] = []
    partial = False
    starts = [0, *(np.flatnonzero(np.diff(tree_ids)) + 1).tolist(), count]
    if len(set(tree_ids.tolist())) != len(starts) - 1:
        raise given.refuse("the nodes of one tree do not stand together: write them tree by tree")
    for low, high in pairwise(starts):
        grown = _Grown(given)
        number = int(tree_ids[low])
        places: dict[int, int] = {}
        for i in range(low, high):
            node = int(ids[i])
            if node in places:
                raise given.refuse(f"node {node} of tree {number} stands twice")
            places[node] = grown.leaf(votes.get((number, node), {})) if modes[i] == "LEAF" else grown.place()
        for i in range(low, high):
            if modes[i] == "LEAF":
                continue
            ends = [places.get(int(side[i]), -2) for side in (yes, no)]
            if min(ends) < 0:
                raise given.refuse(f"tree {number}: a branch leads to a node that is not there: the file is damaged")
            grown.decide(places[int(ids[i])], modes[i], int(features[i]), float(thresholds[i]), *ends)
        found += grown.trees()
        partial |= grown.partial
    aggregate, transform = given.word("aggregate_function", "SUM"), given.word("post_transform", "NONE")
    _aggregate(given, aggregate, transform)
    one_score = classifier and outputs == 2 and len(set(voters[2].tolist())) == 1
    base = given.numbers("base_values")
    if one_score:
        found = [replace(t, output=0) for t in found]
        outputs = 1
        if len(base) == 2:
            raise given.refuse("two base values with one score of two classes mean different things in different tools")
    if len(base) not in (0, outputs):
        raise given.refuse(f"{len(base)} base values for {outputs} outputs")
    return Ensemble(
        trees=tuple(found),
        average_of=len(starts) - 1,
        aggregate=aggregate,
        transform=transform,
        base=base if len(base) else np.zeros(outputs),
        labels=labels,
        one_score=one_score,
        partial=partial,
    )


def _by_roots(given: _Attributes) -> Ensemble:
    """TreeEnsemble of opset 5: decisions and leaves in tables of their own."""
    features = given.whole("nodes_featureids")
    count = len(features)
    _checked_size(given, count)
    thresholds, modes = given.numbers("nodes_splits"), given.whole("nodes_modes", count)
    sides = [
        (given.whole(f"nodes_{side}nodeids", count), given.whole(f"nodes_{side}leafs", count))
        for side in ("true", "false")
    ]
    weights = given.numbers("leaf_weights")
    _checked_size(given, len(weights))
    targets, roots = given.whole("leaf_targetids", len(weights)), given.whole("tree_roots")
    outputs = given.one("n_targets", 1)
    if not 1 <= outputs <= 10_000 or ((targets < 0) | (targets >= outputs)).any():
        raise given.refuse(f"leaves that give to none of the {outputs} outputs: the file is damaged")
    if len(thresholds) != count or not len(roots) or ((roots < 0) | (roots >= count)).any():
        raise given.refuse("thresholds or roots do not fit the nodes: the file is damaged")
    if ((modes < 0) | (modes >= len(_MODES))).any():
        raise given.refuse(f"a branch of mode {int(modes.max())}; known: 0 to {len(_MODES) - 2}")
    found: list[Tree] = []
    total, partial = 0, False
    for root in roots.tolist():
        grown = _Grown(given)
        places: dict[int, int] = {root: grown.place()}
        leaves: dict[int, int] = {}
        waiting = [root]
        while waiting:
            node = waiting.pop()
            ends = []
            for where, leafs in sides:
                to = int(where[node])
                if not 0 <= to < (len(weights) if leafs[node] else count):
                    raise given.refuse(f"node {node}: a branch leads to what is not there: the file is damaged")
                if leafs[node]:
                    if to not in leaves:
                        leaves[to] = grown.leaf({int(targets[to]): float(weights[to])})
                    ends.append(leaves[to])
                    continue
                if to not in places:
                    places[to] = grown.place()
                    waiting.append(to)
                ends.append(places[to])
            grown.decide(places[node], _MODES[modes[node]], int(features[node]), float(thresholds[node]), *ends)
        total += len(grown.features)
        _checked_size(given, total)
        found += grown.trees()
        partial |= grown.partial
    aggregate = _name(given, "aggregate_function", _AGGREGATES, 1)
    return Ensemble(
        trees=tuple(found),
        average_of=len(roots),
        aggregate=aggregate,
        transform=_name(given, "post_transform", _TRANSFORMS, 0),
        base=np.zeros(outputs),
        partial=partial,
    )


def _name(given: _Attributes, name: str, known: Sequence[str], default: int) -> str:
    index = given.one(name, default)
    if not 0 <= index < len(known):
        raise given.refuse(f"{name} {index}; known: 0 to {len(known) - 1}")
    return known[index]
