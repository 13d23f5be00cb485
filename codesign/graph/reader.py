"""Read an ONNX or QONNX graph and run it over a domain. The heart of the toolchain; what is not exact is refused.

A graph takes one input for each block of what it sees, (events, ...), and gives one output for each head. It is run on
flat signals: the blocks row-major one after another, (events, n), and the heads in the same way, (events, m).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, TypeVar

import numpy as np
import onnx

from codesign.errors import InputError, UnsupportedError
from codesign.graph import operators
from codesign.graph.domain import Array, Domain, Shaped
from codesign.graph.exact import Exact
from codesign.graph.nodes import CODESIGN, OPERATORS, QONNX, STANDARD, Call, Node, Operand, result_of
from codesign.graph.tensors import Stored, constant_of, tensor_of
from codesign.reading.onnx import onnx_model

__all__ = ("Block", "Domain", "Graph", "Weighted", "read_graph")

S = TypeVar("S", bound=Shaped)

assert operators.__all__, "importing them registers them"

#: attributes that hold another graph
_SUBGRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


@dataclass(frozen=True)
class Weighted:
    """A layer with weights: the name of the signal that enters it, and its matrix (inputs, outputs)."""

    signal: str
    weights: Array


@dataclass(frozen=True)
class Block:
    """An input or output: its name, and its shape without the events' axis."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Elements of an event."""
        return prod(self.shape)


class Graph:
    """A checked graph: every operator is known, every constant finite, inputs and outputs named."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self._stored: dict[str, Stored] = {i.name: tensor_of(i) for i in graph.initializer}
        for sparse in graph.sparse_initializer:
            raise UnsupportedError(f"tensor '{sparse.values.name}': a sparse initialiser; save it as a dense one")
        opsets = {o.domain if o.domain != "ai.onnx" else STANDARD: o.version for o in model.opset_import}
        self._nodes: list[Node] = []
        obstacles: list[str] = []
        for index, node in enumerate(graph.node):
            name = node.name or f"{node.op_type} number {index}"
            domain = STANDARD if node.domain == "ai.onnx" else node.domain
            if domain == STANDARD and node.op_type == "Constant":
                self._stored[node.output[0]] = constant_of(node, name)
            elif (domain, node.op_type) not in OPERATORS:
                obstacles.append(_no_operator(name, domain, node.op_type))
            elif any(a.type in _SUBGRAPHS for a in node.attribute):
                obstacles.append(f"{name}: a graph within the graph has no exact hardware here")
            else:
                attributes = {a.name: _plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}
                self._nodes.append(
                    Node(name, domain, node.op_type, tuple(node.input), tuple(node.output), attributes,
                         opsets.get(domain, 0))
                )  # fmt: skip
        if obstacles:
            known = ", ".join(sorted({op for domain, op in OPERATORS if domain in (STANDARD, QONNX, CODESIGN)}))
            raise UnsupportedError(f"{'; '.join(dict.fromkeys(obstacles))}; supported: {known}")
        declared = [i for i in graph.input if i.name not in self._stored]
        if not declared or not graph.output:
            raise UnsupportedError(f"the graph has {len(declared)} inputs and {len(graph.output)} outputs")
        self.inputs = tuple(_block(i) for i in declared)
        self.outputs = tuple(o.name for o in graph.output)
        self._batch = _batch(declared)

    @property
    def input(self) -> str:
        """Name of the first input."""
        return self.inputs[0].name

    @property
    def output(self) -> str:
        """Name of the first output."""
        return str(self.outputs[0])

    @cached_property
    def constants(self) -> dict[str, Array]:
        """Every tensor of the graph that does not depend on its input, by name: given, or folded exactly."""
        found: dict[str, Array] = {name: stored.values for name, stored in self._stored.items()}
        for node in self._nodes:
            if all(i in found for i in node.inputs if i):
                operands = tuple(self._constant(i, found) if i else None for i in node.inputs)
                results = result_of(Call(node, operands, _EXACT, folding=True))
                found |= {name: np.asarray(v) for name, v in zip(node.outputs, results, strict=False) if name}
        return found

    def _constant(self, name: str, found: dict[str, Array]) -> Operand[Any]:
        stored = self._stored.get(name)
        return Operand(name, found[name], True, stored.kind if stored else None)

    @cached_property
    def layers(self) -> tuple[Weighted, ...]:
        """The products of a signal with a constant matrix, in order of execution."""
        found = []
        for node in self._nodes:
            if node.op not in ("MatMul", "Gemm") or node.outputs[0] in self.constants:
                continue
            first, second = node.inputs[:2]
            if second in self.constants and first not in self.constants:
                weights = self.constants[second]
                turned = node.op == "Gemm" and node.attributes.get("transB", 0)
                found.append(Weighted(first, weights.T if turned else weights))
        return tuple(w for w in found if w.weights.ndim == 2)

    def run(self, x: S, domain: Domain[S]) -> S:
        """Run a flat signal (events, n), the blocks one after another; the heads (events, m) in the same way.

        UnsupportedError names the node that has no exact form in this domain.
        """
        values = self.signals(x, domain)
        heads = []
        for name in self.outputs:
            if name in self.constants or name not in values:
                raise UnsupportedError(f"the output '{name}' does not depend on the input")
            head = values[name]
            shape = tuple(head.shape)
            heads.append(head if len(shape) == 2 else domain.reshape(head, (prod(shape[1:]),)))
        return heads[0] if len(heads) == 1 else domain.concat(heads, 1)

    def signals(self, x: S, domain: Domain[S]) -> dict[str, Any]:
        """Every tensor of the graph by name, constants included, where its input is the flat ``x`` (events, n)."""
        values: dict[str, Any] = {**self.constants, **self._blocks(x, domain)}
        for _ in self._steps(values, domain):
            pass
        return values

    def steps(self, x: S, domain: Domain[S]) -> Iterator[Node]:
        """The nodes that depend on the input, each when the domain has done it, where the input is ``x``."""
        return self._steps({**self.constants, **self._blocks(x, domain)}, domain)

    def _steps(self, values: dict[str, Any], domain: Domain[S]) -> Iterator[Node]:
        for node in self._nodes:
            if all(name in self.constants for name in node.outputs if name):
                continue
            missing = [i for i in node.inputs if i and i not in values]
            if missing:
                raise InputError(
                    f"{node.name}: input '{missing[0]}' comes from no earlier node: the graph is not sorted"
                )
            operands = tuple(
                None if not i
                else self._constant(i, self.constants) if i in self.constants
                else Operand(i, values[i], False)
                for i in node.inputs
            )  # fmt: skip
            results = result_of(Call(node, operands, domain, batch=self._batch))
            values |= {name: value for name, value in zip(node.outputs, results, strict=False) if name}
            yield node

    def _blocks(self, x: S, domain: Domain[S]) -> dict[str, S]:
        """The inputs by name, each in its own shape."""
        given = int(x.shape[1])
        shapes = [b.shape if b.size >= 0 else (given,) for b in self.inputs]
        if len(shapes) == 1 and shapes[0] == (given,):
            return {self.input: x}
        sizes = [prod(shape) for shape in shapes]
        if sum(sizes) != given:
            raise UnsupportedError(f"the graph takes {sum(sizes)} numbers an event, not {given}")
        ends = np.cumsum([0, *sizes])
        found = {}
        for block, shape, low, high in zip(self.inputs, shapes, ends[:-1], ends[1:], strict=True):
            part = x if len(shapes) == 1 else domain.take(x, np.arange(low, high), 1)
            found[block.name] = part if shape == (int(high - low),) else domain.reshape(part, shape)
        return found


_EXACT = Exact()


def read_graph(content: bytes, source: str = "the QONNX model") -> Graph:
    """Parse and check a serialised QONNX model; InputError if it is not one, UnsupportedError for what is not exact."""
    model = onnx_model(content, source, functions=True)
    if not model.graph.node:
        raise InputError(f"{source}: the graph is empty")
    return Graph(model)


def _no_operator(name: str, domain: str, op: str) -> str:
    whose = f" of domain '{domain}'" if domain not in (STANDARD, QONNX, CODESIGN) else ""
    return f"{name}: operator '{op}'{whose} has no exact hardware here"


def _block(tensor: onnx.ValueInfoProto) -> Block:
    """An input as it is declared; of length -1 where its one axis is open: then it is as long as it comes."""
    if not tensor.type.HasField("tensor_type"):
        raise UnsupportedError(f"input '{tensor.name}' is no tensor")
    dims = tensor.type.tensor_type.shape.dim
    lengths = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims[1:])
    if -1 in lengths and lengths != (-1,):
        raise UnsupportedError(
            f"input '{tensor.name}' has axes of open length ({', '.join(d.dim_param or '?' for d in dims)}); only the "
            "events' axis, the first, may be open: export with fixed lengths"
        )
    if any(n == 0 for n in lengths):
        raise UnsupportedError(f"input '{tensor.name}' has an axis of length 0")
    return Block(tensor.name, lengths)


def _batch(inputs: list[onnx.ValueInfoProto]) -> int | None:
    """Number of events with which the graph was exported; None where that is open."""
    dims = [i.type.tensor_type.shape.dim for i in inputs]
    fixed = {d[0].dim_value for d in dims if d and d[0].HasField("dim_value")}
    return fixed.pop() if len(fixed) == 1 else None


def _plain(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
