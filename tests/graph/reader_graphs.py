"""Graphs of a few nodes with an operator each."""

from __future__ import annotations

import numpy as np

from codesign.core.fixedpoint import FixedPoint
from tests.graph.graphs import GraphBuilder

KIND = FixedPoint(signed=True, integer_bits=3, fraction_bits=2)


def everything(rng):
    """A graph with every supported operator."""
    b = GraphBuilder(6)
    w1 = b.quant(b.constant(rng.normal(size=(6, 8))), 0.25, 4, 1, 1, "ROUND")
    x = b.node("MatMul", "x", w1)
    x = b.node("Add", x, b.constant(rng.integers(-8, 8, 8) / 16))
    x = b.quant(b.node("Relu", x), 0.25, 4, 0)
    w2 = b.constant(rng.integers(-7, 8, (4, 8)) / 8)
    left = b.node("Gemm", x, w2, b.constant(rng.integers(-8, 8, 4) / 32), transB=1, alpha=0.5, beta=2.0)
    right = b.node("Sub", b.constant(np.full(6, 1.25)), b.node("Mul", "x", b.constant(rng.integers(-3, 4, 6) / 2)))
    joined = b.node("Concat", left, right, axis=1)
    cube = b.node("Reshape", joined, b.constant([1, 5, 2], np.int64))
    flat = b.node("Flatten", b.node("Transpose", cube, perm=[0, 2, 1]))
    ends = b.node("Sub", flat, b.node("BipolarQuant", flat, b.constant(0.5)))
    return b.finish(ends, 10)


def squares(rng):
    """Squares as Mul and as Pow, their sums, a product of two signals, signals of mixed widths and a dead one."""
    b = GraphBuilder(6)
    x = b.node("MatMul", "x", b.constant(rng.integers(-7, 8, (6, 5)) * (np.arange(5) != 2) / 8))
    bits = float(rng.integers(2, 9))
    signed = b.quant(x, 2.0 ** rng.integers(-3, 2, 5), bits)
    unsigned = b.quant(b.node("Relu", x), 0.5, 4, 0)
    parts = [b.node("Mul", signed, signed), b.node("Pow", unsigned, b.constant(2.0)), b.node("Mul", unsigned, signed)]
    parts.append(b.node("ReduceSum", parts[0], b.constant([1], np.int64), keepdims=1))
    score = b.node("MatMul", parts[0], b.constant(np.ones((5, 1))))
    parts += [b.quant(score, 2.0, 4, 0), b.node("Pow", "x", b.constant(2.0))]
    return b.finish(b.node("Concat", *parts, axis=1), 15 + 2 + 6)
