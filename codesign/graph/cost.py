"""Effective bit operations: the one measure of how much there is to multiply, of a graph and of what may be trained.

Counted as HGQ does (arXiv:2405.00645): every multiplication that hardware does, all of them in parallel, costs the bits
of one operand times the bits of the other.

- A constant has the bits that its ones enclose, without a sign: 3/8 has 2, -4 has 1, 0 has none and is no operation.
- A signal has the bits of the narrowest fixed-point type that holds what it can be, its sign included (HGQ leaves the
  sign out, and takes the range that it saw in training; this range is proven, by intervals). One that is always the
  same has none: it is a constant, which is folded.
- A product with a matrix, a convolution among them, is one multiplication for each weight and place. Elementwise, a
  power of two is a shift and costs nothing. A product of two signals costs both widths, a square the width squared.
- In an ensemble of decision trees a comparator, which stands once for all decisions that share it, costs the bits of
  its signal, and each choice the bits of the largest leaf: what stands for operations there, since nothing is
  multiplied (a measure of our own; Yosys' look-up tables follow it, see :mod:`codesign.calibration.tree_fits`).
- Sums, biases, other comparisons, choices and tables cost nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.fixedpoint import Port
from codesign.graph.domain import Array
from codesign.graph.forest import Forest
from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals, grid
from codesign.graph.reader import Graph, read_graph

__all__ = (
    "Cost",
    "NodeCost",
    "constant_bits",
    "cost_of",
    "expected_operations",
    "graph_cost",
    "products",
    "signal_bits",
    "squares",
)


@dataclass(frozen=True)
class NodeCost:
    """Effective bit operations of one node."""

    node: str
    operator: str
    bit_operations: float


@dataclass(frozen=True)
class Cost:
    """What a graph costs: its nodes that multiply, in order of execution."""

    nodes: tuple[NodeCost, ...]

    @property
    def bit_operations(self) -> float:
        """Effective bit operations of the whole graph."""
        return sum(n.bit_operations for n in self.nodes)


def constant_bits(values: Array) -> NDArray[np.int64]:
    """Bits of each constant, from its first one to its last."""
    size = np.abs(np.asarray(values, dtype=np.float64))
    finest = grid(size)
    odd = np.divide(size, finest, out=np.zeros_like(size), where=finest > 0)
    return np.frexp(odd)[1].astype(np.int64)


def signal_bits(x: Interval) -> NDArray[np.int64]:
    """Bits of each signal's narrowest type, the sign included; 0 of one that is always the same."""
    step = np.where(x.step == 0, 1.0, x.step)
    above = np.frexp(np.maximum(np.rint(x.high / step), 0.0))[1]
    below = np.frexp(np.maximum(-np.rint(x.low / step) - 1, 0.0))[1]
    bits = np.maximum(above, below) + (x.low < 0)
    return np.where(x.low == x.high, 0, bits).astype(np.int64)


def products(weights: Array, operands: NDArray[np.integer]) -> float:
    """Bit operations of a product with a constant matrix (inputs, outputs), whose inputs have ``operands`` bits."""
    return float(np.asarray(operands, dtype=np.float64) @ constant_bits(weights).sum(axis=-1))


def squares(number: int, bits: int) -> float:
    """Bit operations of so many squares of signals with so many bits."""
    return float(number * bits**2)


def expected_operations(
    sizes: Sequence[int], weight_bits: Sequence[int], operand_bits: Sequence[int], sparsity: float = 0.0
) -> float:
    """Bit operations to expect of fully connected layers before they are trained.

    ``sizes``: of the input and of each layer's output; ``weight_bits`` and ``operand_bits``: of each layer, the widths
    of the types, a weight's sign included. Of the weights a share ``sparsity`` is zero, all others are taken as evenly
    spread over their codes: training leaves more small ones, so that this is rather too much.
    """
    layers = zip(sizes[:-1], sizes[1:], weight_bits, operand_bits, strict=True)
    return (1 - sparsity) * sum(n * m * _mean_bits(weight - 1) * operand for n, m, weight, operand in layers)


@cache
def _mean_bits(bits: int) -> float:
    """Mean of :func:`constant_bits` over all codes with so many bits and a sign, -2**bits left out.

    Of the odd numbers that span s bits there are 2**(s - 2), one for s = 1, each with bits - s + 1 shifts and two
    signs.
    """
    total: int = sum(s * (bits - s + 1) * (1 << max(0, s - 2)) for s in range(1, bits + 1))
    return 2 * total / ((1 << (bits + 1)) - 1)


class _Counting(Intervals):
    """Intervals that count what they multiply."""

    def __init__(self) -> None:
        super().__init__(FLOAT64_EXACT)
        self.counted = 0.0

    def multiply(self, a: Interval | Array, b: Interval | Array) -> Interval:
        """Elementwise product; a power of two costs nothing."""
        first, second = (self._bits(v) for v in (a, b))
        self.counted += float(np.multiply(first, second, dtype=np.float64).sum())
        return super().multiply(a, b)

    @staticmethod
    def _bits(x: Interval | Array) -> NDArray[np.int64]:
        if isinstance(x, Interval):
            return signal_bits(x)
        bits = constant_bits(x)
        return np.where(bits == 1, 0, bits)

    def square(self, x: Interval) -> Interval:
        """Elementwise square."""
        self.counted += float(np.square(signal_bits(x)).sum())
        return super().square(x)

    def matmul(self, a: Interval, b: Array) -> Interval:
        """Matrix product."""
        each = constant_bits(b).sum(axis=-1)  # (..., n), a matrix for each place of some axes or one for all
        self.counted += float(np.multiply(signal_bits(a), each[..., None, :], dtype=np.float64).sum())
        return super().matmul(a, b)

    def decide(self, x: Interval, forest: Forest) -> Interval:
        """Comparators and choices."""
        before = self.counted
        found = super().decide(x, forest)
        self.counted = before  # of the choices one by one
        compared = signal_bits(x).reshape(-1)[forest.features].sum()
        self.counted += float(compared + len(forest.comparator) * signal_bits(found).max(initial=0))
        return found

    def negative(self, x: Interval) -> Interval:
        """A sign costs nothing."""
        return super().multiply(x, np.array(-1.0))

    def total(self, x: Interval) -> Interval:
        """Additions cost nothing."""
        return super().matmul(x, np.ones((x.shape[-1], 1)))


def graph_cost(design: Design) -> Cost:
    """Effective bit operations of a design's graph, node by node; UnsupportedError names a node that is not exact."""
    return cost_of(read_graph(design.onnx), design.inputs)


def cost_of(graph: Graph, inputs: Port) -> Cost:
    """The same of a graph that was read, with inputs of these types."""
    domain, found, before = _Counting(), [], 0.0
    for node in graph.steps(Interval.of_port(inputs), domain):
        if domain.counted > before:
            found.append(NodeCost(node.name, node.op, domain.counted - before))
            before = domain.counted
    return Cost(tuple(found))
