"""Read a QONNX graph and run it over a domain. The heart of the toolchain: what is not exact is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, cast

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.errors import InputError, UnsupportedError
from codesign.graph.exact import Exact
from codesign.graph.quantiser import QuantSpec, RoundingMode, exponents
from codesign.reading.onnx import onnx_model

__all__ = ("Domain", "Graph", "Weighted", "read_graph")

Array = NDArray[np.float64]


class Domain(Protocol):
    """The arithmetic a graph is run over. Signals have the events as their first axis; constants are arrays."""

    def add(self, a: Any, b: Any) -> Any:
        """Elementwise sum of two signals, or of a signal and a constant."""

    def multiply(self, a: Any, b: Any) -> Any:
        """Elementwise product."""

    def square(self, x: Any) -> Any:
        """Elementwise square of a signal."""

    def matmul(self, a: Any, b: Any) -> Any:
        """Matrix product."""

    def relu(self, x: Any) -> Any:
        """max(x, 0)."""

    def quantise(self, x: Any, spec: QuantSpec) -> Any:
        """Apply a quantiser."""

    def sign(self, x: Any, scale: Array) -> Any:
        """``scale`` where x >= 0, else ``-scale``."""

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        """Join along an axis other than the first."""

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Reshape all axes but the first."""

    def transpose(self, x: Any, order: tuple[int, ...]) -> Any:
        """Permute the axes; the first stays first."""


@dataclass(frozen=True)
class _Node:
    name: str
    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Weighted:
    """A layer with weights: the name of the signal that enters it, and its matrix (inputs, outputs)."""

    signal: str
    weights: Array


class Graph:
    """A checked QONNX graph with one input and one output, both with the events as their first axis."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self._given: dict[str, Array] = {
            i.name: np.asarray(onnx.numpy_helper.to_array(i), dtype=np.float64) for i in graph.initializer
        }
        inputs = [i for i in graph.input if i.name not in self._given]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise UnsupportedError(
                f"the graph has {len(inputs)} inputs and {len(graph.output)} outputs; one of each is supported "
                "(join several with Concat)"
            )
        self.input, self.output = inputs[0].name, graph.output[0].name
        self._nodes: list[_Node] = []
        for index, node in enumerate(graph.node):
            name = node.name or f"{node.op_type} number {index}"
            attributes = {a.name: _plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}
            if node.op_type == "Constant":
                self._given[node.output[0]] = np.asarray(
                    onnx.numpy_helper.to_array(attributes["value"]), dtype=np.float64
                )
                continue
            if node.op_type not in _OPERATORS:
                raise UnsupportedError(
                    f"{name}: operator '{node.op_type}' has no exact hardware here; supported: "
                    f"{', '.join(sorted(_OPERATORS))}"
                )
            self._nodes.append(_Node(name, node.op_type, tuple(node.input), node.output[0], attributes))

    @cached_property
    def constants(self) -> dict[str, Array]:
        """Every tensor of the graph that does not depend on its input, by name: given, or folded exactly."""
        found: dict[str, Array] = dict(self._given)
        for node in self._nodes:
            if all(i in found for i in node.inputs if i):
                operands = [_Operand(found[i], True) if i else None for i in node.inputs]
                found[node.output] = _OPERATORS[node.op](node, operands, cast(Domain, _CONSTANTS))
        return found

    @cached_property
    def layers(self) -> tuple[Weighted, ...]:
        """The products of a signal with a constant matrix, in order of execution."""
        found = []
        for node in self._nodes:
            if node.op not in ("MatMul", "Gemm") or node.output in self.constants:
                continue
            first, second = node.inputs[:2]
            if second in self.constants and first not in self.constants:
                weights = self.constants[second]
                turned = node.op == "Gemm" and node.attributes.get("transB", 0)
                found.append(Weighted(first, weights.T if turned else weights))
        return tuple(w for w in found if w.weights.ndim == 2)

    def run(self, x: Any, domain: Domain) -> Any:
        """Run a signal (events, ...) through the graph."""
        values = self.signals(x, domain)
        if self.output in self.constants or self.output not in values:
            raise UnsupportedError(f"the output '{self.output}' does not depend on the input")
        return values[self.output]

    def signals(self, x: Any, domain: Domain) -> dict[str, Any]:
        """Every tensor of the graph by name, constants included, where its input is ``x`` (events, ...)."""
        values: dict[str, Any] = {**self.constants, self.input: x}
        for node in self._nodes:
            if node.output in self.constants:
                continue
            missing = [i for i in node.inputs if i and i not in values]
            if missing:
                raise InputError(
                    f"{node.name}: input '{missing[0]}' comes from no earlier node: the graph is not sorted"
                )
            operands = [_Operand(values[i], i in self.constants) if i else None for i in node.inputs]
            values[node.output] = _OPERATORS[node.op](node, operands, domain)
        return values


def read_graph(content: bytes, source: str = "the QONNX model") -> Graph:
    """Parse and check a serialised QONNX model; InputError if it is not one, UnsupportedError for what is not exact."""
    model = onnx_model(content, source)
    if not model.graph.node:
        raise InputError(f"{source}: the graph is empty")
    return Graph(model)


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


@dataclass(frozen=True)
class _Operand:
    value: Any
    constant: bool


Operands = list[_Operand | None]
_CONSTANTS = Exact()


def _signal(operands: Operands, index: int) -> Any:
    operand = operands[index]
    assert operand is not None
    return operand.value


def _constant(node: _Node, operands: Operands, index: int, what: str) -> Array:
    operand = operands[index] if index < len(operands) else None
    if operand is None or not operand.constant:
        raise UnsupportedError(f"{node.name}: {what} must be constant")
    return np.asarray(operand.value, dtype=np.float64)


def _quant(node: _Node, operands: Operands, domain: Domain) -> Any:
    scale = _constant(node, operands, 1, "the scale")
    if (_constant(node, operands, 2, "the zero point") != 0).any():
        raise UnsupportedError(
            f"{node.name}: a zero point other than 0 has no exact hardware here; quantise symmetrically"
        )
    bits = _constant(node, operands, 3, "the bit width")
    if (bits != np.floor(bits)).any() or (bits < 1).any() or (bits > 32).any():
        raise UnsupportedError(f"{node.name}: bit width {bits.ravel()[0]:g} is not a whole number from 1 to 32")
    signed = bool(node.attributes.get("signed", 1))
    exponent = exponents(scale, node.name)
    if signed and (bits == 1).any():
        if not (bits == 1).all():
            raise UnsupportedError(f"{node.name}: mixes bipolar (1 bit) and wider channels in one Quant")
        return domain.sign(_signal(operands, 0), scale)  # QONNX reads a signed single bit as bipolar
    spec = QuantSpec(
        exponent=exponent,
        bits=bits.astype(np.int64),
        signed=signed,
        narrow=bool(node.attributes.get("narrow", 0)),
        mode=RoundingMode.named(str(node.attributes.get("rounding_mode", "ROUND"))),
    )
    return domain.quantise(_signal(operands, 0), spec)


def _bipolar(node: _Node, operands: Operands, domain: Domain) -> Any:
    scale = _constant(node, operands, 1, "the scale")
    exponents(scale, node.name)
    return domain.sign(_signal(operands, 0), scale)


def _matmul(node: _Node, operands: Operands, domain: Domain) -> Any:
    a, b = operands
    assert a is not None
    assert b is not None
    if not a.constant and not b.constant:
        raise UnsupportedError(
            f"{node.name}: MatMul of two signals has no exact hardware here; one factor must be constant"
        )
    return domain.matmul(a.value, b.value)


def _gemm(node: _Node, operands: Operands, domain: Domain) -> Any:
    attributes = node.attributes
    if attributes.get("transA", 0):
        raise UnsupportedError(f"{node.name}: Gemm with transA would mix events")
    weight = _constant(node, operands, 1, "the weight of Gemm")
    if attributes.get("transB", 0):
        weight = weight.T
    product = domain.matmul(_signal(operands, 0), weight * float(attributes.get("alpha", 1.0)))
    if len(operands) < 3 or operands[2] is None:
        return product
    bias = _constant(node, operands, 2, "the bias of Gemm")
    return domain.add(product, bias * float(attributes.get("beta", 1.0)))


def _add(node: _Node, operands: Operands, domain: Domain) -> Any:
    return domain.add(_signal(operands, 0), _signal(operands, 1))


def _sub(node: _Node, operands: Operands, domain: Domain) -> Any:
    a, b = operands
    assert a is not None
    assert b is not None
    negative = -b.value if b.constant else domain.multiply(b.value, np.array(-1.0))
    return domain.add(a.value, negative)


def _mul(node: _Node, operands: Operands, domain: Domain) -> Any:
    if node.inputs[0] == node.inputs[1]:
        return domain.square(_signal(operands, 0))
    return domain.multiply(_signal(operands, 0), _signal(operands, 1))


def _pow(node: _Node, operands: Operands, domain: Domain) -> Any:
    exponent = _constant(node, operands, 1, "the exponent")
    if (exponent != 2).any():
        raise UnsupportedError(
            f"{node.name}: power {exponent.ravel()[0]:g} has no exact hardware here; only squares have"
        )
    return domain.square(_signal(operands, 0))


def _reduce_sum(node: _Node, operands: Operands, domain: Domain) -> Any:
    x = _signal(operands, 0)
    if len(operands) > 1 and operands[1] is not None:
        axes = [int(a) % _rank(x) for a in _constant(node, operands, 1, "the axes")]
    else:
        axes = [int(a) % _rank(x) for a in node.attributes.get("axes", ())]
    if axes != [_rank(x) - 1] or _rank(x) < 2:
        raise UnsupportedError(f"{node.name}: ReduceSum over axes {axes}; only a sum over the last axis is supported")
    total = domain.matmul(x, np.ones((_shape(x)[-1], 1)))
    if node.attributes.get("keepdims", 1):
        return total
    return total[..., 0] if domain is _CONSTANTS else domain.reshape(total, _shape(x)[1:-1])


def _relu(node: _Node, operands: Operands, domain: Domain) -> Any:
    return domain.relu(_signal(operands, 0))


def _identity(node: _Node, operands: Operands, domain: Domain) -> Any:
    return _signal(operands, 0)


def _rank(x: Any) -> int:
    return len(x.shape) if hasattr(x, "shape") else len(x.low.shape)


def _shape(x: Any) -> tuple[int, ...]:
    return tuple(x.shape) if hasattr(x, "shape") else tuple(x.low.shape)


def _concat(node: _Node, operands: Operands, domain: Domain) -> Any:
    parts = [o.value for o in operands if o is not None]
    axis = int(node.attributes["axis"]) % _rank(parts[0])
    if axis == 0 and domain is not _CONSTANTS:
        raise UnsupportedError(f"{node.name}: Concat along the events' axis")
    return domain.concat(parts, axis)


def _reshape(node: _Node, operands: Operands, domain: Domain) -> Any:
    x = _signal(operands, 0)
    target = [int(v) for v in _constant(node, operands, 1, "the shape")]
    if domain is _CONSTANTS:
        return x.reshape([x.shape[i] if v == 0 else v for i, v in enumerate(target)])
    old = _shape(x)
    # the first axis holds the events, whatever number the export was traced with
    rest = [old[i + 1] if v == 0 else v for i, v in enumerate(target[1:])]
    size = int(np.prod(old[1:]))
    if rest.count(-1) == 1:
        rest[rest.index(-1)] = size // max(1, int(np.prod([v for v in rest if v != -1])))
    if not rest or int(np.prod(rest)) != size:
        raise UnsupportedError(f"{node.name}: Reshape of {old[1:]} to {target} would mix events")
    return domain.reshape(x, tuple(rest))


def _flatten(node: _Node, operands: Operands, domain: Domain) -> Any:
    x = _signal(operands, 0)
    if int(node.attributes.get("axis", 1)) != 1:
        raise UnsupportedError(f"{node.name}: Flatten along axis {node.attributes['axis']} would mix events")
    return domain.reshape(x, (int(np.prod(_shape(x)[1:])),))


def _transpose(node: _Node, operands: Operands, domain: Domain) -> Any:
    x = _signal(operands, 0)
    order = tuple(int(v) for v in node.attributes.get("perm", range(_rank(x))[::-1]))
    if order[0] != 0 and domain is not _CONSTANTS:
        raise UnsupportedError(f"{node.name}: Transpose with order {order} would mix events")
    return domain.transpose(x, order)


#: operator -> how it is applied; convolution and pooling enter here
_OPERATORS: dict[str, Callable[[_Node, Operands, Domain], Any]] = {
    "Add": _add,
    "BipolarQuant": _bipolar,
    "Concat": _concat,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "Identity": _identity,
    "IntQuant": _quant,
    "MatMul": _matmul,
    "Mul": _mul,
    "Pow": _pow,
    "Quant": _quant,
    "ReduceSum": _reduce_sum,
    "Relu": _relu,
    "Reshape": _reshape,
    "Sub": _sub,
    "Transpose": _transpose,
}
