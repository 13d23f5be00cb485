"""Of every element of every signal, whether an output depends on it."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.exact import Exact
from codesign.graph.nodes import CODESIGN, QONNX, STANDARD, Call, Operand, result_of
from codesign.graph.passes.open_graph import OpenGraph, domain_of

__all__ = ("ELEMENTWISE", "needs")

Mask = NDArray[np.bool_]

#: of these an element of the result depends on that of each operand which broadcasts to it
ELEMENTWISE = {
    STANDARD: frozenset(
        {
            "Add", "Sub", "Mul", "Div", "Sum", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Relu", "LeakyRelu",
            "PRelu", "Max", "Min", "Clip", "Where", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "And",
            "Or", "Not", "Xor", "Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "BatchNormalization", "Pow",
            "Mod",
        }
    ),
    QONNX: frozenset({"Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold"}),
    CODESIGN: frozenset({"FixedPoint", "Table"}),
}  # fmt: skip
#: of these the result's elements are those of the operands, in another order
_MOVING = frozenset(
    {
        "Reshape", "Flatten", "Transpose", "Concat", "Gather", "Slice", "Split", "Squeeze", "Unsqueeze", "Expand",
        "Tile", "Pad",
    }
)  # fmt: skip
_EXACT = Exact()


def needs(graph: OpenGraph) -> dict[str, Mask]:
    """By signal, (1, ...). A number that is always the same counts as any other: what makes it does so of its operands,
    and not of others in their place."""
    found = {name: np.zeros(x.shape, dtype=bool) for name, x in graph.signals.items()}
    for name in graph.outputs:
        found[name][...] = True
    for node in reversed(graph.working()):
        needed = [found[name] for name in node.output if name in graph.signals]
        for name, mask in _of(graph, node, needed).items():
            found[name] |= mask
    return found


def _of(graph: OpenGraph, node: onnx.NodeProto, needed: list[Mask]) -> dict[str, Mask]:
    signals = [name for name in node.input if name in graph.signals]
    domain = domain_of(node)
    if node.op_type in ELEMENTWISE.get(domain, ()):
        return _by_element(graph, node, needed[0])
    if domain == STANDARD and node.op_type in _MOVING:
        return _move(graph, node, needed)
    if domain == STANDARD and node.op_type == "MatMul" and node.input[1] in graph.constants:
        weights = graph.constants[node.input[1]]
        x = graph.signals[node.input[0]].shape
        if weights.ndim >= 2 and len(x) >= 2:
            asked = (needed[0][..., None, :] & (weights != 0)[..., None, :, :]).any(axis=-1)
            # a matrix for each place of some axes: where it stands for several, any of them
            if asked.shape == (*needed[0].shape[:-1], weights.shape[-2]) == x:
                return {node.input[0]: asked}
    whole = any(mask.any() for mask in needed)
    return {name: np.full(graph.signals[name].shape, whole) for name in signals}


def _by_element(graph: OpenGraph, node: onnx.NodeProto, needed: Mask) -> dict[str, Mask]:
    found: dict[str, Mask] = {}
    for place, name in enumerate(node.input):
        if name not in graph.signals:
            continue
        mask = needed
        if node.op_type == "Mul" and len(node.input) == 2 and node.input[1 - place] in graph.constants:
            factor = graph.constants[node.input[1 - place]]
            mask = needed & np.broadcast_to(factor != 0, needed.shape)
        shape = graph.signals[name].shape
        padded = (1,) * (mask.ndim - len(shape)) + shape
        axes = tuple(a for a, n in enumerate(padded) if n != mask.shape[a])
        found[name] = found.get(name, np.zeros(shape, dtype=bool)) | mask.any(axis=axes, keepdims=True).reshape(shape)
    return found


def _move(graph: OpenGraph, node: onnx.NodeProto, needed: list[Mask]) -> dict[str, Mask]:
    """Number the elements, move the numbers, and look which of them come out where something is needed."""
    numbered, start = {}, 1
    for name in dict.fromkeys(n for n in node.input if n in graph.signals):
        shape = graph.signals[name].shape
        numbered[name] = np.arange(start, start + prod(shape), dtype=np.float64).reshape(shape)
        start += prod(shape)
    operands: tuple[Operand[NDArray[np.float64]] | None, ...] = tuple(
        None if not name
        else Operand(name, numbered[name], False) if name in numbered
        else Operand(name, _quiet(graph, node, name), True)
        for name in node.input
    )  # fmt: skip
    try:
        out = result_of(Call(graph.read(node), operands, _EXACT))
    except UnsupportedError:
        return {name: np.ones(x.shape, dtype=bool) for name, x in numbered.items()}
    alive = np.zeros(start, dtype=bool)
    for value, mask in zip(out, needed, strict=False):
        alive[np.asarray(value)[mask].astype(np.int64)] = True
    return {name: alive[x.astype(np.int64)] for name, x in numbered.items()}


def _quiet(graph: OpenGraph, node: onnx.NodeProto, name: str) -> NDArray[np.float64]:
    """A constant: of Concat a value, which is nobody's number; of others a shape or an index."""
    values = graph.constants[name]
    return np.zeros(values.shape) if node.op_type == "Concat" else values
