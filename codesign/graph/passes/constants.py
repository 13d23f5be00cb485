"""Constants computed, equal nodes and tensors once, and what changes nothing left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import onnx
from onnx import numpy_helper

from codesign.core.errors import UnsupportedError
from codesign.graph.domain import Array
from codesign.graph.nodes import STANDARD
from codesign.graph.passes.base import GraphPass
from codesign.graph.passes.open_graph import OpenGraph, domain_of

__all__ = ("FoldedConstants", "LeftOut", "SharedNodes")

#: what stays although its operands are constant: other tools read a weight's type there
_TYPES = ("Quant", "IntQuant", "BipolarQuant", "QuantizeLinear", "DequantizeLinear")
#: of signals that they leave as they are where nothing of them is beyond a bound
_BOUNDS = ("Relu", "Max", "Min", "Clip", "Abs")
#: with what they give in the units of what they take
_QUANTISERS = ("Quant", "IntQuant", "FixedPoint", "Floor", "Ceil", "Round")


class FoldedConstants(GraphPass):
    """Nodes of constants alone become constants, neighbours that add or multiply constants become one."""

    name: ClassVar[str] = "constants"

    def change(self, graph: OpenGraph) -> Iterator[str]:
        """Fold."""
        for node in graph.nodes:
            value = graph.constants.get(node.output[0]) if len(node.output) == 1 else None
            if value is None or node.op_type in (*_TYPES, "Constant") or node.output[0] in graph.outputs:
                continue
            if domain_of(node) == STANDARD and not all(user.op_type in _SHAPED for user in graph.users(node.output[0])):
                try:
                    graph.bypass(node, graph.constant(value, "folded"))
                except UnsupportedError:  # float32 does not hold it: it stays as it is computed
                    continue
                yield f"{_call(node)}: computed, of constants alone"
        yield from self._neighbours(graph)

    def _neighbours(self, graph: OpenGraph) -> Iterator[str]:
        for op, both in (("Add", np.add), ("Mul", np.multiply)):
            for node in graph.nodes:
                first = _with_constant(graph, node, op)
                users = graph.users(node.output[0])
                if first is None or len(users) != 1 or node.output[0] in graph.outputs:
                    continue
                second = _with_constant(graph, users[0], op)
                if second is None or second[0] != node.output[0]:
                    continue
                value = both(graph.constants[first[1]], graph.constants[second[1]])
                try:
                    users[0].input[:] = [first[0], graph.constant(_least(value), "folded")]
                except UnsupportedError:
                    continue
                graph.bypass(node, first[0])
                yield f"{_call(node)}: one with {_call(users[0])}"


#: operands of these are shapes, axes and the like
_SHAPED = ("Reshape", "Expand", "Slice", "Tile", "Pad", "Split", "Unsqueeze", "Squeeze", "Gather", "ConstantOfShape")


def _with_constant(graph: OpenGraph, node: onnx.NodeProto, op: str) -> tuple[str, str] | None:
    """The signal and the constant that such a node takes; None of any other."""
    if node.op_type != op or domain_of(node) != STANDARD or len(node.input) != 2:
        return None
    first, second = node.input
    if first in graph.signals and second in graph.constants:
        found = first, second
    elif second in graph.signals and first in graph.constants:
        found = second, first
    else:
        return None
    same = node.output[0] in graph.signals and graph.signals[found[0]].shape == graph.signals[node.output[0]].shape
    return found if same else None


def _least(values: Array) -> Array:
    return np.asarray(values, dtype=np.float64)


class SharedNodes(GraphPass):
    """Equal tensors are stored once, and equal nodes of the same signals computed once: thresholds and tables, too."""

    name: ClassVar[str] = "shared"

    def change(self, graph: OpenGraph) -> Iterator[str]:
        """Let equal ones be one."""
        stored: dict[bytes, str] = {}
        renamed: dict[str, str] = {}
        for tensor in graph.model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            key = repr((array.dtype, array.shape)).encode() + array.tobytes()
            if stored.setdefault(key, tensor.name) != tensor.name:
                renamed[tensor.name] = stored[key]
        saved = 0
        for node in graph.nodes:
            if any(name in renamed for name in node.input):
                saved += 1
                node.input[:] = [renamed.get(name, name) for name in node.input]
        if saved:
            yield f"{len(renamed)} of {len(stored) + len(renamed)} tensors: each equal to another, stored once"
        made: dict[tuple[object, ...], onnx.NodeProto] = {}
        for node in graph.nodes:
            attributes = sorted(a.SerializeToString(deterministic=True) for a in node.attribute)
            key_of = (domain_of(node), node.op_type, tuple(node.input), *attributes)
            first = made.setdefault(key_of, node)
            if first is node or set(node.output) & graph.outputs or len(node.output) != len(first.output):
                continue
            for user in graph.nodes:
                turned = dict(zip(node.output, first.output, strict=True))
                if turned.keys() & set(user.input):
                    user.input[:] = [turned.get(name, name) for name in user.input]
            yield f"{_call(node)}: the same as {_call(first)}, computed once"


class LeftOut(GraphPass):
    """Quantisers, rectifiers and bounds that change nothing of what can come, and arithmetic with 0 or 1."""

    name: ClassVar[str] = "left out"

    def change(self, graph: OpenGraph) -> Iterator[str]:
        """Leave out."""
        for node in graph.working():
            x, y = graph.signal_of(node), node.output[0]
            if x is None or y in graph.outputs or len(node.output) != 1:
                continue
            before, after = graph.signals[x], graph.signals[y]
            if before.shape != after.shape:
                continue
            same = np.array_equal(before.low, after.low) and np.array_equal(before.high, after.high)
            fixed = before.low == before.high
            grids = bool(((before.step == after.step) | fixed).all())
            standard = domain_of(node) == STANDARD
            if same and grids and node.op_type in _QUANTISERS and not _is_bipolar(graph, node):
                why = "all that can come is of its type"
            elif same and node.op_type in _BOUNDS and standard:
                why = "nothing that can come is beyond its bound"
            elif standard and _does_nothing(graph, node):
                why = "it changes nothing"
            else:
                continue
            graph.bypass(node, x)
            yield f"{_call(node)}: left out, as {why}"


def _is_bipolar(graph: OpenGraph, node: onnx.NodeProto) -> bool:
    """Whether a Quant has one bit and a sign: then it gives -1 and 1, and never 0."""
    if node.op_type not in ("Quant", "IntQuant"):
        return False
    return bool((graph.constants[node.input[3]] == 1).any() and graph.read(node).attributes.get("signed", 1))


def _does_nothing(graph: OpenGraph, node: onnx.NodeProto) -> bool:
    neutral = {"Add": 0.0, "Sub": 0.0, "Mul": 1.0, "Div": 1.0}
    if node.op_type == "Identity":
        return True
    if node.op_type not in neutral or len(node.input) != 2:
        return False
    other = 0 if node.input[1] in graph.signals else 1
    if other == 0 and node.op_type in ("Sub", "Div"):
        return False
    return bool((graph.constants[node.input[other]] == neutral[node.op_type]).all())


def _call(node: onnx.NodeProto) -> str:
    return node.name or f"{node.op_type} of '{node.output[0]}'"
