"""The domain of integer circuits: running a graph over it gives integer code whose every range is proven.

Each element of a signal is a :class:`CircuitNode`, an integer with exact bounds, and the power of two that it counts.
Scaling by a power of two costs nothing, constants fold, and a clip that cannot bite is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import count
from math import ceil, floor, gcd, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint
from codesign.graph.arrays import Arrays
from codesign.graph.domain import Array
from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals, grid
from codesign.graph.quantiser import QuantSpec, Rounding
from codesign.graph.reader import read_graph
from codesign.graph.tables import Table
from codesign.handoff.emulator.integer_nodes import (
    CircuitNode,
    Clip,
    Floor,
    Input,
    Linear,
    Lookup,
    Op,
    Product,
    Selected,
    Sign,
    Signal,
)

__all__ = (
    "Circuit",
    "CircuitNode",
    "Clip",
    "Floor",
    "Input",
    "Integers",
    "Linear",
    "Lookup",
    "Op",
    "Product",
    "Selected",
    "Sign",
    "Signal",
)  # fmt: skip

#: (1, ...) of Signal, or of float where a constant was joined in
Signals = NDArray[np.object_]


@dataclass(frozen=True)
class Circuit:
    """A design as integers: the nodes that the outputs need, operands first, and the outputs in their ports' codes."""

    nodes: tuple[CircuitNode, ...]
    outputs: tuple[CircuitNode, ...]

    @classmethod
    def of(cls, design: Design) -> Circuit:
        """Trace a design; UnsupportedError where an output's code is not a whole number."""
        domain = Integers()
        signals = np.array([[domain.input(i, kind) for i, kind in enumerate(design.inputs.types)]], dtype=object)
        graph = read_graph(design.onnx)
        found = graph.run(signals, domain).ravel()
        outputs = []
        for place, (x, kind, label) in enumerate(zip(found, design.outputs.types, design.outputs.labels, strict=True)):
            signal = domain.lift(x)
            shift = signal.exponent + kind.fraction_bits
            if (signal.node.low, signal.node.high) == (0, 0):
                shift = 0
            if shift < 0:
                # intervals may know more than this circuit: that the bits that are dropped are always 0
                known = graph.run(Interval.of_port(design.inputs), Intervals(FLOAT64_EXACT))
                low, high, step = (float(v.ravel()[place]) for v in (known.low, known.high, known.step))
                if low == high == 0:
                    outputs.append(domain.linear_node((), 0))
                    continue
                if step % kind.lsb:
                    raise UnsupportedError(f"output '{label}' is finer than its type {kind}")
                outputs.append(domain.halve(signal.node, -shift))
                continue
            outputs.append(domain.linear_node(((signal.node, 1 << shift),), 0) if shift else signal.node)
        needed: dict[int, CircuitNode] = {}
        waiting = list(outputs)
        while waiting:
            node = waiting.pop()
            if node.number not in needed:
                needed[node.number] = node
                waiting += node.operands
        return cls(tuple(needed[number] for number in sorted(needed)), tuple(outputs))


def _binary(value: float) -> tuple[int, int]:
    """The odd integer and the exponent of two whose product is ``value``; (0, 0) for 0."""
    ratio = Fraction(float(value))
    if not ratio:
        return 0, 0
    zeros = (ratio.numerator & -ratio.numerator).bit_length() - 1
    return ratio.numerator >> zeros, zeros - (ratio.denominator.bit_length() - 1)


class Integers(Arrays):
    """Arithmetic on arrays of :class:`Signal`, (1, ...)."""

    def __init__(self) -> None:
        self._numbers = count()

    def input(self, index: int, kind: FixedPoint) -> Signal:
        """Input number ``index``."""
        return Signal(self._node(Input(index, kind), kind.minimum, kind.maximum), -kind.fraction_bits)

    def lift(self, x: Signal | float) -> Signal:
        """A constant as a signal."""
        if isinstance(x, Signal):
            return x
        mantissa, exponent = _binary(x)
        return Signal(self._node(Linear((), mantissa), mantissa, mantissa), exponent)

    def _node(self, op: Op, low: int, high: int) -> CircuitNode:
        """A node; one that has a single value is that constant, however it came about."""
        return CircuitNode(next(self._numbers), Linear((), low) if low == high else op, low, high)

    def halve(self, x: CircuitNode, shift: int) -> CircuitNode:
        """``floor(x / 2**shift)``."""
        return self._node(Floor(x, shift, 0, 0, "none"), x.low >> shift, x.high >> shift)

    def linear_node(self, terms: tuple[tuple[CircuitNode, int], ...], constant: int) -> CircuitNode:
        """``constant + sum(coefficient * node)`` with its bounds."""
        low = constant + sum(min(n.low * c, n.high * c) for n, c in terms)
        high = constant + sum(max(n.low * c, n.high * c) for n, c in terms)
        return self._node(Linear(terms, constant), low, high)

    def _sum(self, parts: Iterable[tuple[Signal, int, int]]) -> Signal:
        """Sum of ``signal * mantissa * 2**exponent``, on the coarsest grid that holds all of it."""
        variable: list[tuple[CircuitNode, int, int]] = []
        constants: list[tuple[int, int]] = []
        for signal, mantissa, exponent in parts:
            node, power = signal.node, signal.exponent + exponent
            if node.low == node.high:
                constants.append((node.low * mantissa, power))
            elif mantissa:
                variable.append((node, mantissa, power))
        constants = [(value, power) for value, power in constants if value]
        finest = min([p for *_, p in variable] + [p for _, p in constants], default=0)
        merged: dict[CircuitNode, int] = {}
        for node, mantissa, power in variable:
            merged[node] = merged.get(node, 0) + (mantissa << (power - finest))
        terms = [(node, c) for node, c in merged.items() if c]
        constant = sum(value << (power - finest) for value, power in constants)
        common = reduce(gcd, (abs(c) for _, c in terms), abs(constant))
        zeros = (common & -common).bit_length() - 1 if common else 0
        terms = [(node, c >> zeros) for node, c in terms]
        if constant == 0 and len(terms) == 1 and terms[0][1] == 1:
            return Signal(terms[0][0], finest + zeros)
        return Signal(self.linear_node(tuple(terms), constant >> zeros), finest + zeros)

    def _multiplied(self, a: Signal | float, b: Signal | float) -> Signal:
        a, b = self.lift(a), self.lift(b)
        for x, y in ((a, b), (b, a)):
            if y.node.low == y.node.high:
                return self._sum([(x, y.node.low, y.exponent)])
        corners = [p * q for p in (a.node.low, a.node.high) for q in (b.node.low, b.node.high)]
        return Signal(self._node(Product(a.node, b.node), min(corners), max(corners)), a.exponent + b.exponent)

    def _dot(self, a: Iterable[Any], b: Iterable[Any]) -> Signal:
        parts = []
        for x, y in zip(a, b, strict=True):
            signal, factor = (x, y) if isinstance(x, Signal) else (y, x)
            parts.append((self.lift(signal), *_binary(factor)))
        return self._sum(parts)

    def _clipped(self, x: CircuitNode, low: int | None, high: int | None) -> CircuitNode:
        low = None if low is None or x.low >= low else low
        high = None if high is None or x.high <= high else high
        if low is None and high is None:
            return x
        ends = [e if low is None else max(e, low) for e in (x.low, x.high)]
        ends = [e if high is None else min(e, high) for e in ends]
        return self._node(Clip(x, low, high), ends[0], ends[1])

    def _fitted(self, x: CircuitNode, low: int, high: int, spec: QuantSpec) -> CircuitNode:
        """A code in [low, high]: the nearest there, or modulo."""
        if not spec.wraps or (low <= x.low and x.high <= high):
            return self._clipped(x, low, high)
        size = high - low + 1
        # x - size * floor((x - low) / size), which needs no more than the type's own range
        shifted = self.linear_node(((x, 1),), -low)
        bits = size.bit_length() - 1
        turns = self.halve(shifted, bits)
        whole = self.linear_node(((x, 1), (turns, -size)), 0)
        return self._clipped(whole, low, high)

    def _quantised(self, x: Any, exponent: int, low: float, high: float, spec: QuantSpec) -> Signal:
        signal = self.lift(x)
        node, shift = signal.node, int(exponent) - signal.exponent
        low, high = int(low), int(high)
        if shift <= 0 and low <= node.low << -shift and node.high << -shift <= high:
            return signal  # it is on the grid and in range
        if shift <= 0:
            scaled = self.linear_node(((node, 1 << -shift),), 0) if shift else node
            return Signal(self._fitted(scaled, low, high, spec), int(exponent))
        if shift > 61:
            raise UnsupportedError(f"a quantiser drops {shift} bits at once: 61 can be emulated")
        rounding = Rounding.of(spec.mode, np.array(2.0**-shift))
        constant, coefficient = (int(v * 2.0**shift) for v in (rounding.constant, rounding.coefficient))
        bit = rounding.bit if coefficient else "none"
        if bit == "negative" and node.low >= 0:
            bit, coefficient = "none", 0
        # the codes that a rounding mode can reach: exact ends, for every mode is monotone
        ends = [
            (e + constant + coefficient * {"none": 0, "negative": int(e < 0), "odd": e >> shift & 1}[bit]) >> shift
            for e in (node.low, node.high)
        ]
        floor = self._node(Floor(node, shift, constant, coefficient, bit), ends[0], ends[1])
        return Signal(self._fitted(floor, low, high, spec), int(exponent))

    def add(self, a: Any, b: Any) -> Signals:
        """Elementwise sum."""
        return _each(lambda x, y: self._sum([(self.lift(x), 1, 0), (self.lift(y), 1, 0)]), a, b)

    def multiply(self, a: Any, b: Any) -> Signals:
        """Elementwise product."""
        return _each(self._multiplied, a, b)

    def square(self, x: Any) -> Signals:
        """Elementwise square: never negative."""

        def one(value: Any) -> Signal:
            signal = self.lift(value)
            node = signal.node
            ends = (node.low**2, node.high**2)
            low = 0 if node.low < 0 < node.high else min(ends)
            return Signal(self._node(Product(node, node), low, max(ends)), 2 * signal.exponent)

        return _each(one, x)

    def reaches(self, x: Any, threshold: Array) -> Signals:
        """1 where x >= a constant, which is rounded up to the grid of x."""

        def one(value: Any, constant: float) -> Signal:
            signal = self.lift(value)
            least = ceil(Fraction(float(constant)) / Fraction(2) ** signal.exponent)
            node = signal.node
            shifted = self._node(Linear(((node, 1),), -least), node.low - least, node.high - least)
            ends = [1 if end >= 0 else -1 for end in (shifted.low, shifted.high)]
            bit = Signal(self._node(Sign(shifted), ends[0], ends[1]), 0)
            return self._sum([(bit, 1, -1), (self.lift(0.5), 1, 0)])

        return _each(one, x, threshold)

    def select(self, choice: Any, a: Any, b: Any) -> Signals:
        """``a`` where ``choice`` is not 0, else ``b``: of two constants, a multiple of the choice."""

        def one(bit: Any, chosen: Any, other: Any) -> Signal:
            if not isinstance(chosen, Signal) and not isinstance(other, Signal):
                return self._sum([(self.lift(bit), *_binary(chosen - other)), (self.lift(other), 1, 0)])
            condition, first, second = self.lift(bit).node, self.lift(chosen), self.lift(other)
            if condition.low == condition.high:
                return first if condition.low else second
            finest = min((s.exponent for s in (first, second) if s.node.low or s.node.high), default=0)
            nodes = [
                self.linear_node(((s.node, 1 << (s.exponent - finest)),), 0) if s.exponent > finest else s.node
                for s in (first, second)
            ]
            low, high = min(n.low for n in nodes), max(n.high for n in nodes)
            return Signal(self._node(Selected(condition, nodes[0], nodes[1]), low, high), finest)

        return _each(one, choice, a, b)

    def matmul(self, a: Any, b: Any) -> Signals:
        """Matrix product with a constant."""
        if a.ndim < 2 or b.ndim < 2:
            raise UnsupportedError("MatMul with a vector instead of a matrix: reshape it to two axes")
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        left = np.broadcast_to(a, (*batch, *a.shape[-2:])).reshape(prod(batch), *a.shape[-2:])
        right = np.broadcast_to(b, (*batch, *b.shape[-2:])).reshape(prod(batch), *b.shape[-2:])
        out = np.empty((len(left), left.shape[1], right.shape[2]), dtype=object)
        for k, i, j in np.ndindex(*out.shape):
            out[k, i, j] = self._dot(left[k, i], right[k, :, j])
        return out.reshape(*batch, *out.shape[1:])

    def relu(self, x: Any) -> Signals:
        """max(x, 0)."""

        def one(value: Any) -> Signal:
            signal = self.lift(value)
            return Signal(self._clipped(signal.node, 0, None), signal.exponent)

        return _each(one, x)

    def _within(self, x: Signal, low: Fraction, high: Fraction) -> Signal:
        """The same signal, of which more is known than its operands' bounds say."""
        unit = Fraction(2) ** x.exponent
        ends = max(x.node.low, ceil(low / unit)), min(x.node.high, floor(high / unit))
        return x if ends == (x.node.low, x.node.high) else Signal(self._node(x.node.op, *ends), x.exponent)

    def _larger(self, a: Signal | float, b: Signal | float, sign: int = 1) -> Signal:
        """The larger of two; the smaller with ``sign`` -1. Beside a constant it is a bound."""
        x, y = self.lift(a), self.lift(b)
        if x.node.low == x.node.high:
            x, y = y, x
        if y.node.low == y.node.high:
            exponent = min(x.exponent, y.exponent)
            scale, bound = 1 << (x.exponent - exponent), y.node.low << (y.exponent - exponent)
            node = x.node if scale == 1 else self.linear_node(((x.node, scale),), 0)
            return Signal(self._clipped(node, *((bound, None) if sign > 0 else (None, bound))), exponent)
        difference = self._sum([(x, sign, 0), (y, -sign, 0)])
        above = Signal(self._clipped(difference.node, 0, None), difference.exponent)
        ends = map(max if sign > 0 else min, x.ends, y.ends)
        return self._within(self._sum([(above, sign, 0), (y, 1, 0)]), *ends)

    def maximum(self, a: Any, b: Any) -> Signals:
        """The larger of two."""
        return _each(self._larger, a, b)

    def minimum(self, a: Any, b: Any) -> Signals:
        """The smaller of two."""
        return _each(lambda x, y: self._larger(x, y, -1), a, b)

    def absolute(self, x: Any) -> Signals:
        """|x|."""
        larger = _each(lambda v: self._larger(v, self._sum([(self.lift(v), -1, 0)])), x)
        return _each(lambda v: self._within(v, Fraction(0), v.ends[1]), larger)

    def quantise(self, x: Any, spec: QuantSpec) -> Signals:
        """Apply a quantiser: a shift with its rounding, then a clip."""
        shape = np.broadcast_shapes(x.shape, spec.exponent.shape, spec.bits.shape)
        parameters = (np.broadcast_to(v, shape).astype(object) for v in (spec.exponent, spec.low, spec.high))
        return _each(
            lambda v, e, low, high: self._quantised(v, e, low, high, spec), np.broadcast_to(x, shape), *parameters
        )

    def sign(self, x: Any, scale: Array) -> Signals:
        """``scale`` where x >= 0, else ``-scale``."""

        def one(value: Any, size: float) -> Signal:
            node = self.lift(value).node
            low, high = (1 if end >= 0 else -1 for end in (node.low, node.high))
            mantissa, exponent = _binary(size)
            return self._sum([(Signal(self._node(Sign(node), low, high), 0), mantissa, exponent)])

        return _each(one, x, scale)

    def table(self, x: Any, table: Table) -> Signals:
        """An array of integers, from the smallest code that can come to the largest."""
        rows, which = table.rows(x.shape)
        return _each(lambda v, row: self._looked_up(v, rows[row], table), x, which)

    def _looked_up(self, x: Any, row: Array, table: Table) -> Signal:
        signal = self.lift(x)
        shift = signal.exponent - table.exponent
        node = signal.node if shift >= 0 else self.halve(signal.node, -shift)
        shift = max(0, shift)
        last = table.low + table.entries - 1
        # what intervals know to be a code of the table may be wider here
        node = self._clipped(node, -(-table.low >> shift), last >> shift)
        values = row[(node.low << shift) - table.low : (node.high << shift) - table.low + 1 : 1 << shift]
        steps = grid(values)
        lsb = float(steps[steps > 0].min()) if steps.any() else 1.0
        codes = tuple(int(v) for v in np.rint(values / lsb))
        return Signal(self._node(Lookup(node, node.low, codes), min(codes), max(codes)), _binary(lsb)[1])

    def concat(self, parts: Sequence[Any], axis: int) -> Signals:
        """Join along an axis."""
        return np.concatenate([p.astype(object) for p in parts], axis=axis)


def _each(function: Any, *arrays: Any) -> Signals:
    """Apply a function elementwise, by broadcasting."""
    whole = np.broadcast_arrays(*(np.asarray(a, dtype=object) for a in arrays))
    out = np.empty(whole[0].shape, dtype=object)
    for index in np.ndindex(*out.shape):
        out[index] = function(*(a[index] for a in whole))
    return out
