"""A QONNX graph written node by node: what the readers of Keras' layers speak. It knows nothing of Keras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codesign.core.errors import UnsupportedError
from codesign.graph.nodes import CODESIGN, QONNX
from codesign.graph.quantiser import Overflow, RoundingMode

__all__ = ("Array", "FixedPoints", "GraphWriter", "WrittenSignal")

Array = NDArray[np.float64]
_OPSET = 17


@dataclass(frozen=True)
class FixedPoints:
    """A quantiser's types: k (1: signed), i (integer bits without the sign) and f (fraction bits), of equal shape."""

    k: NDArray[np.int64]
    i: NDArray[np.int64]
    f: NDArray[np.int64]
    overflow: Overflow
    rounding: RoundingMode

    @property
    def bits(self) -> NDArray[np.int64]:
        """Bits in all of each, the sign included; none where it is always 0."""
        return np.asarray(np.maximum(self.k + self.i + self.f, 0))

    def clean(self) -> FixedPoints:
        """With k = i = f = 0 where there are no bits."""
        alive = self.bits > 0
        k, i, f = (np.where(alive, v, 0) for v in (self.k, self.i, self.f))
        return FixedPoints(k, i, f, self.overflow, self.rounding)


@dataclass(frozen=True)
class WrittenSignal:
    """A tensor of the graph: its name, its shape without the events' axis, and, while only its structure was changed,
    which element of the flat input each is."""

    name: str
    shape: tuple[int, ...]
    origin: NDArray[np.int64] | None = None

    @property
    def size(self) -> int:
        """Elements of an event."""
        return prod(self.shape)


@dataclass
class GraphWriter:
    """Collects the nodes; each method writes a few and gives what comes out."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    inputs: list[WrittenSignal] = field(default_factory=list)
    #: element of the flat input -> the types (k, i, f) as which quantisers read it
    read_as: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    #: elements that something else than a quantiser reads
    read_bare: set[int] = field(default_factory=set)
    #: the layer that is being written, in front of its nodes' names where it is given
    within: str = ""
    #: weights of products so far, and those that are not 0
    weights: int = 0
    nonzero: int = 0

    def input(self, shape: Sequence[int]) -> WrittenSignal:
        """One more input."""
        start = sum(s.size for s in self.inputs)
        shape = tuple(int(n) for n in shape)
        signal = WrittenSignal(f"in{len(self.inputs)}", shape, np.arange(start, start + prod(shape)).reshape(shape))
        self.inputs.append(signal)
        return signal

    def constant(self, value: Any, kind: type = np.float32) -> str:
        """An initialiser; UnsupportedError for a number that float32 does not hold."""
        given = np.asarray(value)
        stored: NDArray[Any] = given.astype(kind)
        if not np.array_equal(stored, given):
            raise UnsupportedError("a constant of more than 24 bits has no exact float32; quantise it")
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(stored), name))
        return name

    def node(
        self, op: str, inputs: Sequence[WrittenSignal | str], shape: Sequence[int], domain: str = "", **attributes: Any
    ) -> WrittenSignal:
        """One node; inputs that are signals are read as they are, and not through a quantiser."""
        for given in inputs:
            if isinstance(given, WrittenSignal) and given.origin is not None and op != "FixedPoint":
                self.read_bare.update(given.origin.ravel().tolist())
        names = [i.name if isinstance(i, WrittenSignal) else i for i in inputs]
        out = f"t{len(self.nodes)}"
        name = f"{self.within}/{op}" if self.within else f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, [out], name, domain=domain, **attributes))
        return WrittenSignal(out, tuple(int(n) for n in shape))

    # ------------------------------------------------------------------------------------------------------ arithmetic
    def fixed(self, x: WrittenSignal, types: FixedPoints) -> WrittenSignal:
        """A quantiser with types of x's shape."""
        types = types.clean()
        k, i, f = (np.broadcast_to(v, x.shape) for v in (types.k, types.i, types.f))
        if x.origin is not None:
            for place, kind in zip(x.origin.ravel(), zip(k.ravel(), i.ravel(), f.ravel(), strict=True), strict=True):
                self.read_as.setdefault(int(place), []).append((int(kind[0]), int(kind[1]), int(kind[2])))
        parameters = [self.constant(_shared_value(v)[None]) for v in (k, i, f)]
        return self.node(
            "FixedPoint", [x, *parameters], x.shape, CODESIGN,
            overflow=types.overflow.value, rounding_mode=types.rounding.value,
        )  # fmt: skip

    def quant(
        self, x: WrittenSignal, step: float, bits: int, signed: bool, narrow: bool = False, rounding: str = "ROUND"
    ) -> WrittenSignal:
        """QONNX' quantiser: codes of ``bits`` bits times ``step``, saturated."""
        given = [self.constant(np.array(v)) for v in (step, 0.0, bits)]
        return self.node(
            "Quant", [x, *given], x.shape, QONNX, signed=int(signed), narrow=int(narrow), rounding_mode=rounding
        )

    def table(self, x: WrittenSignal, kind: tuple[int, int, int], values: Array) -> WrittenSignal:
        """A function of codes of type (k, i, f): ``values`` (entries,) or (..., entries), which broadcasts to x."""
        k, i, f = kind
        lead = values.shape[:-1]
        if lead:
            values = values.reshape(1, *lead, values.shape[-1])
        return self.node("Table", [x, self.constant(values)], x.shape, CODESIGN, k=int(k), i=int(i), f=int(f))

    def add(self, a: WrittenSignal, b: WrittenSignal | Array) -> WrittenSignal:
        """Sum."""
        return self._both("Add", a, b)

    def subtract(self, a: WrittenSignal, b: WrittenSignal | Array) -> WrittenSignal:
        """Difference."""
        return self._both("Sub", a, b)

    def multiply(self, a: WrittenSignal, b: WrittenSignal | Array) -> WrittenSignal:
        """Product."""
        return self._both("Mul", a, b)

    def maximum(self, a: WrittenSignal, b: WrittenSignal | Array) -> WrittenSignal:
        """The larger."""
        return self._both("Max", a, b)

    def minimum(self, a: WrittenSignal, b: WrittenSignal | Array) -> WrittenSignal:
        """The smaller."""
        return self._both("Min", a, b)

    def _both(self, op: str, a: WrittenSignal, b: WrittenSignal | Array) -> WrittenSignal:
        shape = np.broadcast_shapes(a.shape, b.shape)
        if isinstance(b, WrittenSignal):
            rank = len(shape)
            a, b = (
                s if len(s.shape) == rank else self.reshape(s, (1,) * (rank - len(s.shape)) + s.shape) for s in (a, b)
            )
            return self.node(op, [a, b], shape)
        return self.node(op, [a, self.constant(np.asarray(b).reshape((1,) * (len(shape) - b.ndim) + b.shape))], shape)

    def relu(self, x: WrittenSignal) -> WrittenSignal:
        """max(x, 0)."""
        return self.node("Relu", [x], x.shape)

    def total(self, x: WrittenSignal, axes: Sequence[int], keep: bool = False) -> WrittenSignal:
        """Sum over axes, counted with the events' as 0."""
        where = self.constant(np.array(axes), np.int64)
        return self.node("ReduceSum", [x, where], _reduced(x.shape, axes, keep), keepdims=int(keep))

    def largest(self, x: WrittenSignal, axes: Sequence[int], keep: bool = False) -> WrittenSignal:
        """Maximum over axes, counted with the events' as 0."""
        axes = [int(a) for a in axes]
        return self.node("ReduceMax", [x], _reduced(x.shape, axes, keep), axes=axes, keepdims=int(keep))

    def convolution(
        self,
        x: WrittenSignal,
        weights: Array,
        strides: Sequence[int],
        dilation: Sequence[int],
        pads: Sequence[int],
        groups: int,
    ) -> WrittenSignal:
        """Of x (channels, ...), weights (filters, channels / groups, ...); pads before all axes, then behind all."""
        self._count(weights)
        lengths = [
            (n + pads[a] + pads[a + len(strides)] - dilation[a] * (weights.shape[2 + a] - 1) - 1) // strides[a] + 1
            for a, n in enumerate(x.shape[1:])
        ]
        return self.node(
            "Conv", [x, self.constant(weights)], (weights.shape[0], *lengths), kernel_shape=list(weights.shape[2:]),
            strides=list(strides), dilations=list(dilation), pads=list(pads), group=groups,
        )  # fmt: skip

    def pool(
        self, op: str, x: WrittenSignal, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int]
    ) -> WrittenSignal:
        """MaxPool or AveragePool of x (channels, ...)."""
        n = len(kernel)
        lengths = [(x.shape[1 + a] + pads[a] + pads[a + n] - kernel[a]) // strides[a] + 1 for a in range(n)]
        return self.node(
            op, [x], (x.shape[0], *lengths), kernel_shape=list(kernel), strides=list(strides), pads=list(pads)
        )

    def _count(self, weights: Array) -> None:
        self.weights += weights.size
        self.nonzero += int(np.count_nonzero(weights))

    def einsum(self, equation: str, x: WrittenSignal, weights: Array) -> WrittenSignal:
        """Of a signal, whose first index is the events', and constant weights: one product of matrices."""
        self._count(weights)
        left, right, out = _indices(equation)
        lengths = dict(zip(left[1:], x.shape, strict=True)) | dict(zip(right, weights.shape, strict=True))
        if left[0] in right or out[:1] != left[0]:
            raise UnsupportedError(f"einsum '{equation}' mixes events")
        # what only one of them has and the result has not is summed: over the weights now, over the signal as a product
        alone = [c for c in right if c not in out and c not in left]
        if alone:
            weights = weights.sum(axis=tuple(right.index(c) for c in alone))
            right = "".join(c for c in right if c not in alone)
        for c in left[1:]:
            if c not in right and c not in out:
                weights, right = np.broadcast_to(weights[..., None], (*weights.shape, lengths[c])), right + c
        summed = [c for c in left[1:] if c in right and c not in out]
        shared = [c for c in left[1:] if c in right and c in out]
        free = [c for c in left[1:] if c not in right]
        new = [c for c in right if c not in left]
        size = {name: prod(lengths[c] for c in group) for name, group in (("n", new), ("s", summed))}
        order = [*free, *shared, *summed]
        x = self.transpose(x, [left.index(c) - 1 for c in order])
        matrix = weights.transpose([right.index(c) for c in (*shared, *summed, *new)])
        lead = [lengths[c] for c in free]
        if shared:
            heads = [lengths[c] for c in shared]
            x = self.reshape(x, (*lead, *heads, 1, size["s"]))
            matrix = matrix.reshape(*heads, size["s"], size["n"])
            product = self.node("MatMul", [x, self.constant(matrix)], (*lead, *heads, 1, size["n"]))
        else:
            x = self.reshape(x, (*lead, size["s"]))
            matrix = matrix.reshape(size["s"], size["n"])
            product = self.node("MatMul", [x, self.constant(matrix)], (*lead, size["n"]))
        found = [*free, *shared, *new]
        product = self.reshape(product, [lengths[c] for c in found])
        return self.transpose(product, [found.index(c) for c in out[1:]])

    def einsum_of_signals(self, equation: str, a: WrittenSignal, b: WrittenSignal) -> WrittenSignal:
        """Of two signals, whose first index is the events': one product of matrices for each event."""
        left, right, out = _indices(equation)
        if not left[:1] == right[:1] == out[:1]:
            raise UnsupportedError(f"einsum '{equation}' mixes events")
        lengths = dict(zip(left[1:], a.shape, strict=True)) | dict(zip(right[1:], b.shape, strict=True))
        shared = [c for c in left[1:] if c in right and c in out]
        summed = [c for c in left[1:] if c in right and c not in out]
        rows, columns = ([c for c in one[1:] if c not in other] for one, other in ((left, right), (right, left)))
        if not set(rows + columns) <= set(out):
            raise UnsupportedError(f"einsum '{equation}' sums what one of its signals alone has")
        h, s, n, m = (prod(lengths[c] for c in group) for group in (shared, summed, rows, columns))
        a = self.reshape(self.transpose(a, [left.index(c) - 1 for c in (*shared, *rows, *summed)]), (h, n, s))
        b = self.reshape(self.transpose(b, [right.index(c) - 1 for c in (*shared, *summed, *columns)]), (h, s, m))
        found = [*shared, *rows, *columns]
        product = self.reshape(self.node("MatMul", [a, b], (h, n, m)), [lengths[c] for c in found])
        return self.transpose(product, [found.index(c) for c in out[1:]])

    # ------------------------------------------------------------------------------------------------------- structure
    def reshape(self, x: WrittenSignal, shape: Sequence[int]) -> WrittenSignal:
        """Of an event's elements."""
        shape = tuple(int(n) for n in shape)
        if shape == x.shape:
            return x
        target = self.constant(np.array([0, *shape]), np.int64)  # 0: as many events as come
        return self._move("Reshape", [x, target], x, None if x.origin is None else x.origin.reshape(shape), shape)

    def transpose(self, x: WrittenSignal, order: Sequence[int]) -> WrittenSignal:
        """Of an event's axes, the first of them 0."""
        order = [int(a) for a in order]
        if order == list(range(len(x.shape))):
            return x
        shape = tuple(x.shape[a] for a in order)
        origin = None if x.origin is None else x.origin.transpose(order)
        return self._move("Transpose", [x], x, origin, shape, perm=[0, *(a + 1 for a in order)])

    def take(self, x: WrittenSignal, places: NDArray[np.int64], axis: int) -> WrittenSignal:
        """Elements of an event's axis."""
        if np.array_equal(places, np.arange(x.shape[axis])):
            return x
        shape = (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
        origin = None if x.origin is None else np.take(x.origin, places, axis)
        return self._move("Gather", [x, self.constant(places, np.int64)], x, origin, shape, axis=axis + 1)

    def concatenate(self, parts: Sequence[WrittenSignal | Array], axis: int) -> WrittenSignal:
        """Along an event's axis; constants of an event's shape among them."""
        shape = list(parts[0].shape)
        shape[axis] = sum(p.shape[axis] for p in parts)
        given = [p if isinstance(p, WrittenSignal) else self.constant(p[None]) for p in parts]
        known = [p.origin for p in parts if isinstance(p, WrittenSignal) and p.origin is not None]
        if len(known) == len(parts):
            signal = next(p for p in parts if isinstance(p, WrittenSignal))
            return self._move("Concat", given, signal, np.concatenate(known, axis), tuple(shape), axis=axis + 1)
        return self.node("Concat", given, shape, axis=axis + 1)

    def _move(
        self, op: str, inputs: Sequence[WrittenSignal | str], x: WrittenSignal, origin: NDArray[np.int64] | None,
        shape: tuple[int, ...], **attributes: Any,
    ) -> WrittenSignal:  # fmt: skip
        names = [i.name if isinstance(i, WrittenSignal) else i for i in inputs]
        out = self.node(op, names, shape, **attributes)
        return WrittenSignal(out.name, shape, origin)

    # ---------------------------------------------------------------------------------------------------------- ending
    def finish(self, outputs: Sequence[WrittenSignal]) -> bytes:
        """The graph as serialised QONNX."""
        ends = [self.node("Identity", [o], o.shape) if o.origin is not None else o for o in outputs]
        graph = helper.make_graph(
            self.nodes,
            "codesign",
            [helper.make_tensor_value_info(s.name, TensorProto.FLOAT, ["events", *s.shape]) for s in self.inputs],
            [helper.make_tensor_value_info(s.name, TensorProto.FLOAT, ["events", *s.shape]) for s in ends],
            self.constants,
        )
        domains = [helper.make_opsetid("", _OPSET), helper.make_opsetid(CODESIGN, 1)]
        if any(node.domain == QONNX for node in self.nodes):
            domains.append(helper.make_opsetid(QONNX, 1))
        model = helper.make_model(graph, opset_imports=domains)
        model.ir_version, model.producer_name = 8, "codesign"
        return bytes(model.SerializeToString(deterministic=True))


def _indices(equation: str) -> tuple[str, str, str]:
    inputs, _, out = equation.replace(" ", "").partition("->")
    left, _, right = inputs.partition(",")
    for one in (left, right, out):
        if not one.isalpha() or len(set(one)) != len(one):
            raise UnsupportedError(f"einsum '{equation}': only letters, each once, have exact hardware here")
    return left, right, out


def _shared_value(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """With length 1 along each axis on which nothing changes."""
    for axis in range(values.ndim):
        first = np.take(values, [0], axis=axis)
        if np.array_equal(np.broadcast_to(first, values.shape), values):
            values = first
    return values


def _reduced(shape: tuple[int, ...], axes: Sequence[int], keep: bool) -> tuple[int, ...]:
    gone = {int(a) - 1 for a in axes}
    return tuple(1 if a in gone else n for a, n in enumerate(shape) if keep or a not in gone)
