"""A chain of layers over items or images as one over flat signals: what is linear between two activations is a matrix.

Convolutions, sums, means and averages over windows, layers that items share, and whatever only moves elements are
linear: each is the matrix that it makes of unit vectors, and those that follow one another are multiplied. Moving alone
costs nothing: the next matrix takes its rows in another order. Flows that know fully connected layers alone read such a
chain; the integers are the graph's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.domain import Array
from codesign.graph.exact import Exact
from codesign.graph.nodes import CHANNELS_LAST, CODESIGN, QONNX, STANDARD, Call, Node, Operand, result_of
from codesign.graph.reader import Graph, Operands, read_graph

__all__ = ("flat_chain",)

#: linear in one signal, whatever the constants beside it
_LINEAR = frozenset({
    "MatMul", "Gemm", "Conv", "AveragePool", "GlobalAveragePool", "ReduceSum", "ReduceMean", "Transpose", "Reshape",
    "Flatten", "Squeeze", "Unsqueeze", "Slice", "Gather", "Identity", "Pad", "Neg", "Mul", "Add", "Sub", "Div",
})  # fmt: skip
#: of these, those that only say where an element stands
_MOVES = frozenset({"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})
#: element by element
_EACH = frozenset({"Relu", "Quant", "IntQuant", "BipolarQuant", "FixedPoint", "Table", "Trunc"})
#: elements of a matrix at most: beyond, it makes no sense as one
_MOST = 1 << 20


@dataclass(frozen=True)
class _Flat:
    """A signal: the flat tensor ``name`` (n elements), and what of it the graph's tensor of ``shape`` is.

    ``matrix`` (n, m) and ``offset`` (m,) give its elements in order; None: element i is ``order[i]`` of the tensor.
    """

    name: str
    shape: tuple[int, ...]
    order: NDArray[np.int64]
    matrix: Array | None = None
    offset: Array | None = None


def flat_chain(content: bytes, size: int, flow: str) -> bytes:
    """The chain of a graph of ``size`` inputs, itself where every signal has one axis beside the events'.

    UnsupportedError names, for ``flow``, the node that is in no chain.
    """
    graph = read_graph(content)
    found = graph.signals(np.zeros((1, size)), Exact())
    shapes = {name: tuple(np.shape(v)[1:]) for name, v in found.items() if name not in graph.constants}
    if all(len(shape) == 1 for shape in shapes.values()):
        return content
    return _Chain(graph, shapes, flow).write()


class _Chain:
    """Writes the flat graph, node by node."""

    def __init__(self, graph: Graph, shapes: dict[str, tuple[int, ...]], flow: str) -> None:
        self.graph, self.flow, self.shapes = graph, flow, shapes
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise UnsupportedError(f"flow {flow}: several inputs or outputs; a chain of layers has one of each")

    def refuse(self, node: Node, why: str) -> UnsupportedError:
        """What is in no chain."""
        return UnsupportedError(f"flow {self.flow}: {node.name}: {why}")

    def constant(self, values: Array) -> str:
        """A constant of the flat graph."""
        from onnx import numpy_helper

        name = f"flat_c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=np.float32), name))
        if not np.array_equal(numpy_helper.to_array(self.constants[-1]).astype(np.float64), values):
            raise UnsupportedError(f"flow {self.flow}: a constant of {np.shape(values)} has more than 24 bits")
        return name

    def emit(self, op: str, inputs: Sequence[str], domain: str = "", **attributes: Any) -> str:
        """A node of the flat graph; the name of what it gives."""
        from onnx import helper

        name = f"flat_n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"{op}_{name}", domain=domain, **attributes))
        return name

    def write(self) -> bytes:
        """The whole graph."""
        from onnx import TensorProto, helper

        (block,), (wanted,) = self.graph.inputs, self.graph.outputs
        size = prod(self.shapes[block.name])
        found = {block.name: _Flat(block.name, self.shapes[block.name], np.arange(size))}
        for node in self.graph.nodes:
            signals = [i for i in node.inputs if i in found]
            if not signals:
                continue
            if len(signals) > 1:
                raise self.refuse(node, f"'{node.op}' of two signals; a chain of layers has none")
            found[node.outputs[0]] = self.step(node, found[signals[0]])
        last = found[wanted]
        if last.matrix is None and (last.name == block.name or (np.diff(last.order) != 1).any()):
            last = self.joined(last, np.eye(size_of(last)), np.zeros(size_of(last)))
        last = self.settled(last)
        self.nodes[-1].output[0] = wanted
        versions = {"": 20, QONNX: 2, CODESIGN: 1}
        used = {node.domain for node in self.nodes} | {""}
        graph = helper.make_graph(
            self.nodes, "flat",
            [helper.make_tensor_value_info(block.name, TensorProto.FLOAT, ["events", size])],
            [helper.make_tensor_value_info(wanted, TensorProto.FLOAT, ["events", size_of(last)])],
            self.constants,
        )  # fmt: skip
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid(d, v) for d, v in versions.items() if d in used]
        )
        model.ir_version = 10
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def step(self, node: Node, x: _Flat) -> _Flat:
        """One node after a signal."""
        shape = self.shapes[node.outputs[0]]
        if node.op in _EACH:
            return replace(self.each(node, self.settled(x)), shape=shape)
        known = node.domain in (STANDARD, CHANNELS_LAST)
        divides = node.op == "Div" and node.inputs[0] in self.graph.constants
        if node.op not in _LINEAR or not known or divides:
            raise self.refuse(node, f"operator '{node.op}' is neither linear nor an activation of a chain of layers")
        if node.op in _MOVES and x.matrix is None:
            return replace(x, shape=shape, order=x.order[self.moved(node, x.shape)])
        matrix, offset = self.linear(node, x.shape, prod(shape))
        return replace(self.joined(x, matrix, offset), shape=shape)

    def linear(self, node: Node, shape: tuple[int, ...], outputs: int) -> tuple[Array, Array]:
        """The matrix (n, m) and the constant (m,) of a node that is linear in its one signal."""
        size = prod(shape)
        if size * outputs > _MOST:
            raise self.refuse(node, f"a matrix of {size} x {outputs} is too large for one layer")
        probes = np.concatenate([np.zeros((1, size)), np.eye(size)]).reshape(-1, *shape)
        rows = self.run(node, probes).reshape(size + 1, outputs)
        return rows[1:] - rows[0], rows[0]

    def moved(self, node: Node, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Where each element was, of a node that only moves them."""
        numbered = np.arange(prod(shape), dtype=np.float64).reshape(1, *shape)
        return self.run(node, numbered).ravel().astype(np.int64)

    def run(self, node: Node, values: Array) -> Array:
        """A node on values (events, ...) of its one signal."""
        constants = self.graph.constants
        operands: Operands = tuple(
            None if not i else Operand(i, constants[i], True) if i in constants else Operand(i, values, False)
            for i in node.inputs
        )
        (out,) = result_of(Call(node, operands, Exact()))
        return np.asarray(out, dtype=np.float64)

    def joined(self, x: _Flat, matrix: Array, offset: Array) -> _Flat:
        """A signal through one more matrix."""
        if x.matrix is None:
            rows = np.zeros_like(matrix)
            rows[x.order] = matrix
            return replace(x, matrix=rows, offset=offset)
        assert x.offset is not None
        return replace(x, matrix=x.matrix @ matrix, offset=x.offset @ matrix + offset)

    def settled(self, x: _Flat) -> _Flat:
        """A signal whose matrix is a layer of the flat graph."""
        if x.matrix is None:
            return x
        assert x.offset is not None
        name = self.emit("MatMul", [x.name, self.constant(x.matrix)])
        if x.offset.any():
            name = self.emit("Add", [name, self.constant(x.offset)])
        return _Flat(name, x.shape, np.arange(x.matrix.shape[1]))

    def each(self, node: Node, x: _Flat) -> _Flat:
        """An activation or quantiser, its constants in the order of the flat tensor."""
        inputs = [x.name]
        for place, name in enumerate(node.inputs[1:], 1):
            values = np.asarray(self.graph.constants[name], dtype=np.float64)
            if values.size == 1:
                values = values.reshape(())
            elif node.op == "Table":
                raise self.refuse(node, f"a table that differs from element to element (operand {place})")
            else:
                flat = np.zeros(size_of(x))
                flat[x.order] = np.broadcast_to(values, (1, *x.shape)).ravel()
                values = flat
            inputs.append(self.constant(values))
        return replace(x, name=self.emit(node.op, inputs, node.domain, **node.attributes))


def size_of(x: _Flat) -> int:
    """Elements of a signal."""
    return prod(x.shape)
