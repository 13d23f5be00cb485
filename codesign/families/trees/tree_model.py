"""Boosted trees of any source, in one form, and how they become a design: thresholds as codes, leaves on a grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import Literal, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from pydantic import BaseModel, ConfigDict, Field

from codesign.core.design import Design
from codesign.core.errors import InputError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.graph.ensemble import ML
from codesign.graph.forest import MOST_TREE_NODES, Forest, Tree
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.operators.trees import MOST_LEAF_BITS
from codesign.graph.reader import read_graph

__all__ = ("LEAF_BITS", "Kind", "LeafRounding", "TreeModel")

#: bits of the largest leaf, its sign included
LEAF_BITS = 12
Kind: TypeAlias = Literal["xgboost-json", "xgboost-ubj", "lightgbm", "onnx", "conifer", "skops", "nodes"]
_OPSET, _ML_OPSET, _IR_VERSION = 20, 3, 10


class LeafRounding(BaseModel):
    """How far the sums of rounded leaves lie from those of the source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: float = Field(description="all leaves and base values are multiples of it, a power of two")
    trees: int = Field(description="most trees of an output")
    bound: float = Field(description="no sum moves by more: trees x half a step")
    largest: float = Field(description="largest difference of a sum that was seen")
    events: int = Field(description="over so many events")


@dataclass(frozen=True, eq=False)
class TreeModel:
    """Trees as they were trained, and the file that they were read from.

    Attributes
    ----------
    kind: format of the file.
    source: what wrote it, such as "XGBoost 3.2.0".
    content: the file.
    objective: as the source names it.
    features: names of the inputs.
    outputs: labels of the outputs: of the classes, or one.
    trees: in the order of the file, each with its output; what they give together is the source's raw margin.
    base: (outputs,) what is added to it.
    single: whether the source compares in float32.
    notes: what the user should know of how the file was read.
    """

    kind: Kind
    source: str
    content: bytes
    objective: str
    features: tuple[str, ...]
    outputs: tuple[str, ...]
    trees: tuple[Tree, ...]
    base: NDArray[np.float64]
    single: bool
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.base) != len(self.outputs) or any(not 0 <= t.output < len(self.outputs) for t in self.trees):
            raise InputError(f"{self.source}: trees or base values do not fit {len(self.outputs)} outputs")
        if sum(len(t.features) for t in self.trees) > MOST_TREE_NODES:
            raise InputError(f"{self.source}: more than {MOST_TREE_NODES} nodes")
        for number, tree in enumerate(self.trees):
            if int(tree.features.max(initial=-1)) >= len(self.features):
                raise InputError(f"{self.source}: tree {number} decides on an input that is not there")
            tree.order(f"{self.source}: tree {number}")

    @property
    def trees_of_an_output(self) -> int:
        """Most trees that one output is the sum of."""
        return int(np.bincount([t.output for t in self.trees], minlength=1).max(initial=0))

    def margins(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The raw margin (events, outputs) of values (events, features), the leaves summed in float64."""
        seen = x.astype(np.float32).astype(np.float64) if self.single else x
        return self.base + self._sums(seen)

    def _sums(self, seen: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.zeros((len(seen), len(self.outputs)))
        forest = Forest.of(self.trees)
        reached = seen[:, forest.features] >= forest.thresholds
        at = np.tile(forest.roots, (len(seen), 1))
        while (at >= 0).any():
            here = np.maximum(at, 0)
            turn = np.take_along_axis(reached, forest.comparator[here], axis=1)
            at = np.where(at < 0, at, np.where(turn, forest.reached[here], forest.below[here]))
        given = forest.constants[~at] if self.trees else np.zeros((len(seen), 0))
        for column, tree in enumerate(self.trees):
            sums[:, tree.output] += given[:, column]
        return sums

    def values(self, inputs: InputQuantisation, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """What the source is given for codes (events, features): ``offset + step * code``."""
        return np.asarray(np.asarray(inputs.offset) + np.asarray(inputs.step) * codes, dtype=np.float64)

    # --------------------------------------------------------------------------------------------------------- rounding
    def step(self, leaf_bits: int = LEAF_BITS) -> float:
        """The grid of leaves of which the largest has ``leaf_bits`` bits, its sign included."""
        if not 2 <= leaf_bits <= MOST_LEAF_BITS:
            raise InputError(f"leaves of {leaf_bits} bits: give 2 to {MOST_LEAF_BITS}")
        leaves = [np.abs(t.values[t.leaves]).max(initial=0.0) for t in self.trees]
        largest = max([float(v) for v in leaves], default=0.0)
        if not largest:
            largest = float(np.abs(self.base).max(initial=0.0)) or 1.0
        return 2.0 ** (ceil(log2(largest)) - leaf_bits + 1)

    def rounded(self, leaf_bits: int = LEAF_BITS) -> TreeModel:
        """The same with leaves and base values on the grid of :meth:`step`.

        What rounding takes from a base value is given to the first tree of its output before that is rounded: so each
        sum moves by at most half a step for each of its trees.
        """
        step = self.step(leaf_bits)
        base = np.rint(self.base / step) * step
        left = dict(enumerate(self.base - base))
        trees = []
        for tree in self.trees:
            rounded = np.rint((tree.values + left.pop(tree.output, 0.0)) / step) * step
            trees.append(replace(tree, values=np.where(tree.leaves, rounded, 0.0)))
        return replace(self, trees=tuple(trees), base=base)

    def rounding(self, inputs: InputQuantisation, codes: NDArray[np.int64], leaf_bits: int = LEAF_BITS) -> LeafRounding:
        """How far the design's sums are from the source's, over codes (events, features)."""
        x, step = self.values(inputs, codes), self.step(leaf_bits)
        moved = np.abs(self.rounded(leaf_bits).margins(x) - self.margins(x))
        most = max(1, self.trees_of_an_output)
        return LeafRounding(
            step=step, trees=most, bound=most * step / 2, largest=float(moved.max(initial=0.0)), events=len(codes)
        )

    # ----------------------------------------------------------------------------------------------------------- design
    def design(self, inputs: InputQuantisation, leaf_bits: int = LEAF_BITS) -> Design:
        """The raw margin of rounded leaves as an exact integer function of codes.

        ``inputs``: what each code stands for, ``offset + step * code``, in the units in which the model was trained.
        A threshold becomes the first code whose value the source finds to reach it. InputError where the number of
        inputs is another one; UnsupportedError where a sum needs more bits than are exact.
        """
        if len(inputs.types) != len(self.features):
            raise InputError(f"{len(inputs.types)} inputs are given, {self.source} was trained on {len(self.features)}")
        content = self.rounded(leaf_bits).onnx(inputs)
        found = read_graph(content).run(Interval.of_port(inputs.port), Intervals())
        ends = zip(found.low[0], found.high[0], found.step[0], strict=True)
        types = tuple(tightest_type(float(low), float(high), float(step)) for low, high, step in ends)
        return Design(content, inputs, Port(name="margin", types=types, labels=self.outputs))

    def first_codes(self, tree: Tree, inputs: InputQuantisation) -> NDArray[np.int64]:
        """For each decision of a tree the first code whose value reaches its threshold; the largest + 1: none."""
        codes = np.zeros(len(tree.features), dtype=np.int64)
        for node in np.flatnonzero(tree.features >= 0).tolist():
            feature = int(tree.features[node])
            codes[node] = self._first_code(
                float(tree.thresholds[node]), inputs.offset[feature], inputs.step[feature], inputs.types[feature]
            )
        return codes

    def _first_code(self, threshold: float, offset: float, step: float, kind: FixedPoint) -> int:
        """By halving: value and rounding are monotone in the code."""

        def reaches(code: int) -> bool:
            value = offset + step * code
            return float(np.float32(value)) >= threshold if self.single else value >= threshold

        low, high = kind.minimum, kind.maximum + 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if reaches(middle) else (middle + 1, high)
        return low

    def onnx(self, inputs: InputQuantisation, heads: Mapping[str, tuple[str, ...]] | None = None) -> bytes:
        """One TreeEnsembleRegressor on the values of the port, with the leaves as they are.

        Of several ``heads``, the names of the outputs of each, its sums are split among them, an output a head.
        """
        columns: dict[str, list[float | int | str]] = {}

        def put(**entries: float | int | str) -> None:
            for name, value in entries.items():
                columns.setdefault(name, []).append(value)

        for number, tree in enumerate(self.trees):
            codes = self.first_codes(tree, inputs)
            # nodes are numbered anew, the root first: the tools that read it want that
            order = tree.order(self.source)[::-1]
            order = [0, *(n for n in order if n != 0)]
            places = {node: place for place, node in enumerate(order)}
            for node in order:
                leaf = bool(tree.features[node] < 0)
                feature = 0 if leaf else int(tree.features[node])
                put(
                    nodes_treeids=number,
                    nodes_nodeids=places[node],
                    nodes_featureids=feature,
                    nodes_modes="LEAF" if leaf else "BRANCH_LT",
                    nodes_values=0.0 if leaf else float(codes[node]) * inputs.types[feature].lsb,
                    nodes_truenodeids=0 if leaf else places[int(tree.below[node])],
                    nodes_falsenodeids=0 if leaf else places[int(tree.reached[node])],
                )
                if leaf:
                    put(
                        target_treeids=number,
                        target_nodeids=places[node],
                        target_ids=tree.output,
                        target_weights=float(tree.values[node]),
                    )
        if not self.trees:
            raise UnsupportedError(f"{self.source}: has no tree, so its outputs do not depend on its inputs")
        several = heads is not None and len(heads) > 1
        given, sums = ("trees.inputs", "trees.sums") if several else ("x", "y")  # no names that a head can have
        ensemble = helper.make_node(
            "TreeEnsembleRegressor",
            [given],
            [sums],
            "trees",
            domain=ML,
            n_targets=len(self.outputs),
            base_values=[float(b) for b in self.base],
            **columns,
        )
        nodes, constants, sizes = [ensemble], [], {sums: len(self.outputs)}
        if several:
            assert heads is not None
            sizes = {name: len(labels) for name, labels in heads.items()}
            constants = [helper.make_tensor("trees.sizes", TensorProto.INT64, [len(sizes)], list(sizes.values()))]
            nodes.append(helper.make_node("Split", [sums, "trees.sizes"], list(sizes), "heads", axis=1))
        graph = helper.make_graph(
            nodes,
            "trees",
            [helper.make_tensor_value_info(given, TensorProto.FLOAT, ["events", len(self.features)])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["events", size]) for name, size in sizes.items()],
            constants,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(ML, _ML_OPSET)]
        model = helper.make_model(graph, producer_name="codesign", opset_imports=opsets, ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString(deterministic=True)
        return content
