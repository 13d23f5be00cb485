"""Small networks that FINN takes."""

from __future__ import annotations

import numpy as np

from codesign.core.fixedpoint import FixedPoint
from tests.graph.graphs import GraphBuilder, design_of

KIND = FixedPoint(signed=True, integer_bits=2, fraction_bits=3)


def small(seed=0, mode="FLOOR", bits=3, signed=0, kind=KIND, narrow=0, bias=True):
    rng = np.random.default_rng(seed)
    build = GraphBuilder(4)
    x = build.quant("x", kind.lsb, kind.width, int(kind.signed))
    x = build.node("MatMul", x, build.constant(rng.integers(-7, 8, (4, 6)) / 4))
    if bias:
        x = build.node("Add", x, build.constant(rng.integers(-9, 10, 6) / 64))
    if not signed:
        x = build.node("Relu", x)
    x = build.quant(x, 2.0 ** rng.integers(-3, 2), bits, signed, narrow, mode)
    x = build.node("MatMul", x, build.constant(rng.integers(-3, 4, (6, 2)) / 8))
    x = build.node("Add", x, build.constant([0.375, -1.0]))
    return design_of(build.finish(x, 2), kind, 4)
