"""The domain of standard ONNX operators: running a graph over it writes a network that plain onnxruntime runs.

Quant nodes, which only QONNX knows, become division, rounding, clipping and multiplication. Everything is float32;
that is exact where the graph's intervals stay below 2**24 steps; else everything is float64
(:func:`codesign.handoff.inference.model.number_kind`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codesign.graph.domain import Array, Domain, Taken
from codesign.graph.quantiser import QuantSpec, RoundingMode
from codesign.graph.tables import Table

__all__ = ("OPSET", "StandardOperators", "Wire")

#: Clip, Floor, Round and Sign of float32 and float64 are all there
OPSET = 17


@dataclass(frozen=True)
class Wire:
    """A tensor of the graph that is written: its name, and its shape with 1 for the events."""

    name: str
    shape: tuple[int, ...]


@dataclass
class StandardOperators(Domain[Wire]):
    """Arithmetic that writes one or a few ONNX nodes for each operation; ``nodes`` and ``constants`` collect them.

    ``kind``: float32, or float64 where an accumulator may need more than 24 bits.
    """

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    kind: type[np.floating[Any]] = np.float32

    def emit(self, operator: str, inputs: Sequence[Wire | Array], shape: tuple[int, ...], **attributes: object) -> Wire:
        """Write one node; constants among its inputs become initialisers of its kind."""
        names = [i.name if isinstance(i, Wire) else self.constant(np.asarray(i, dtype=self.kind)) for i in inputs]
        return self._node(operator, names, shape, **attributes)

    def _node(self, operator: str, inputs: Sequence[str], shape: tuple[int, ...], **attributes: object) -> Wire:
        output = Wire(f"t{len(self.nodes)}", shape)
        self.nodes.append(helper.make_node(operator, inputs, [output.name], f"n{len(self.nodes)}", **attributes))
        return output

    def constant(self, value: NDArray[np.generic]) -> str:
        """Write an initialiser and return its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, a: Wire | Array, b: Wire | Array) -> Wire:
        """Elementwise sum."""
        return self.emit("Add", (a, b), _broadcast(a, b))

    def multiply(self, a: Wire | Array, b: Wire | Array) -> Wire:
        """Elementwise product."""
        return self.emit("Mul", (a, b), _broadcast(a, b))

    def square(self, x: Wire) -> Wire:
        """Elementwise square."""
        return self.multiply(x, x)

    def matmul(self, a: Wire | Array, b: Wire | Array) -> Wire:
        """Matrix product."""
        if self.kind is np.float64 and isinstance(a, Wire) and self._is_transposed(a):
            # onnxruntime would fuse both to an operator that it has for float32 only, and refuse the file
            found = self._product(self.reshape(a, (1, *a.shape[1:])), b)
            return self.reshape(found, found.shape[2:])
        return self._product(a, b)

    def _product(self, a: Wire | Array, b: Wire | Array) -> Wire:
        shape = np.matmul(np.empty(a.shape, dtype=np.bool_), np.empty(b.shape, dtype=np.bool_)).shape
        return self.emit("MatMul", (a, b), shape)

    def _is_transposed(self, x: Wire) -> bool:
        return any(node.op_type == "Transpose" and x.name in node.output for node in self.nodes)

    def relu(self, x: Wire) -> Wire:
        """max(x, 0)."""
        return self.emit("Relu", (x,), x.shape)

    def maximum(self, a: Wire, b: Wire | Array) -> Wire:
        """The larger of two."""
        return self.emit("Max", (a, b), _broadcast(a, b))

    def minimum(self, a: Wire, b: Wire | Array) -> Wire:
        """The smaller of two."""
        return self.emit("Min", (a, b), _broadcast(a, b))

    def absolute(self, x: Wire) -> Wire:
        """|x|."""
        return self.emit("Abs", (x,), x.shape)

    def reaches(self, x: Wire, threshold: Array) -> Wire:
        """1 where x >= a constant, rounded up to a number of float32: x is one."""
        single = np.asarray(threshold, dtype=np.float32)
        single = np.where(single < threshold, np.nextafter(single, np.float32(np.inf)), single)
        tiny = np.finfo(np.float32).tiny  # some runtimes take what is smaller for 0
        single = np.where(np.abs(single) < tiny, np.where(single > 0, tiny, np.float32(0)), single)
        shape = _broadcast(x, threshold)
        reached = self.emit("GreaterOrEqual", (x, single.astype(np.float64)), shape)
        return self.emit("Cast", (reached,), shape, to=TensorProto.FLOAT)

    def select(self, choice: Wire, a: Wire | Array, b: Wire | Array) -> Wire:
        """``a`` where ``choice`` is 1."""
        chosen = self.emit("Greater", (choice, np.array(0.5)), choice.shape)
        shape = np.broadcast_shapes(choice.shape, _broadcast(a, b))
        return self.emit("Where", (chosen, a, b), shape)

    def largest(self, x: Wire) -> Wire:
        """Maximum over the last axis."""
        return self.emit("ReduceMax", (x,), (*x.shape[:-1], 1), axes=[len(x.shape) - 1], keepdims=1)

    def take(self, x: Wire, places: Taken, axis: int) -> Wire:
        """Elements of an axis."""
        index = self.constant(np.asarray(places, dtype=np.int64))
        shape = (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
        return self._node("Gather", (x.name, index), shape, axis=axis)

    def quantise(self, x: Wire, spec: QuantSpec) -> Wire:
        """A Quant node in standard operators, whatever its rounding mode."""
        scaled = self.multiply(x, 1 / spec.lsb)  # the scale is a power of two: the same as dividing by it
        rounded = self._round(scaled, spec.mode)
        if spec.wraps:
            size = np.exp2(spec.bits.astype(np.float64))
            turns = self.emit("Floor", (self.multiply(self.add(rounded, -spec.low), 1 / size),), rounded.shape)
            return self.multiply(self.add(rounded, self.multiply(turns, -size)), spec.lsb)
        bounded = self.emit("Min", (self.emit("Max", (rounded, spec.low), rounded.shape), spec.high), rounded.shape)
        return self.multiply(bounded, spec.lsb)

    def _round(self, x: Wire, mode: RoundingMode) -> Wire:
        match mode:
            case RoundingMode.FLOOR:
                return self.emit("Floor", (x,), x.shape)
            case RoundingMode.CEIL:
                return self.emit("Ceil", (x,), x.shape)
            case RoundingMode.ROUND | RoundingMode.HALF_EVEN:
                return self.emit("Round", (x,), x.shape)  # ONNX defines it as half to even
            case RoundingMode.RND:
                return self.emit("Floor", (self.add(x, np.array(0.5)),), x.shape)
        size = self.emit("Abs", (x,), x.shape)
        half = np.array(0.5)
        match mode:
            case RoundingMode.UP:
                size = self.emit("Ceil", (size,), x.shape)
            case RoundingMode.DOWN:
                size = self.emit("Floor", (size,), x.shape)
            case RoundingMode.HALF_UP:
                size = self.emit("Floor", (self.add(size, half),), x.shape)
            case RoundingMode.HALF_DOWN:
                size = self.emit("Ceil", (self.add(size, -half),), x.shape)
        return self.multiply(self.emit("Sign", (x,), x.shape), size)

    def sign(self, x: Wire, scale: Array) -> Wire:
        """``scale`` where x >= 0, else ``-scale``."""
        positive = self.emit("GreaterOrEqual", (x, np.array(0.0)), x.shape)
        return self.emit("Where", (positive, scale, -scale), _broadcast(x, scale))

    def table(self, x: Wire, table: Table) -> Wire:
        """Gather, from one row of all tables; each element from its own on."""
        rows, which = table.rows(x.shape)
        code = self.multiply(x, np.array(1 / table.lsb)) if table.exponent else x
        place = self.emit("Cast", (code,), x.shape, to=TensorProto.INT64)
        starts = np.asarray(which * table.entries - table.low, dtype=np.int64)
        if starts.any():
            shift = self.constant(starts if len(rows) > 1 else starts.ravel()[:1])
            place = self._node("Add", [place.name, shift], x.shape)
        return self._node("Gather", [self.constant(rows.astype(self.kind).ravel()), place.name], x.shape, axis=0)

    def concat(self, parts: Sequence[Wire | Array], axis: int) -> Wire:
        """Join along an axis other than the events'."""
        shape = list(parts[0].shape)
        shape[axis] = sum(p.shape[axis] for p in parts)
        events = next(p for p in parts if isinstance(p, Wire))
        return self.emit("Concat", [self._for_every_event(p, events) for p in parts], tuple(shape), axis=axis)

    def _for_every_event(self, part: Wire | Array, events: Wire) -> Wire:
        """A constant, repeated for as many events as ``events`` has."""
        if isinstance(part, Wire):
            return part
        zeros = self.multiply(self._one_each(events, len(part.shape)), np.array(0.0))
        return self.add(zeros, part)

    def _one_each(self, x: Wire, rank: int) -> Wire:
        """Any one number of each event, with ``rank`` axes, all but the events' of length 1."""
        index = self.constant(np.array([0], dtype=np.int64))
        flat = self.reshape(x, (int(np.prod(x.shape[1:])),))
        one = self._node("Gather", (flat.name, index), (1, 1), axis=1)
        return self.reshape(one, (1,) * (rank - 1))

    def reshape(self, x: Wire, shape: tuple[int, ...]) -> Wire:
        """Reshape all but the first axis."""
        target = self.constant(np.array([-1, *shape], dtype=np.int64))
        return self._node("Reshape", (x.name, target), (1, *shape))

    def transpose(self, x: Wire, order: tuple[int, ...]) -> Wire:
        """Permute the axes; the first stays."""
        return self.emit("Transpose", (x,), tuple(x.shape[i] for i in order), perm=list(order))


def _broadcast(a: Wire | Array, b: Wire | Array) -> tuple[int, ...]:
    return np.broadcast_shapes(a.shape, b.shape)
