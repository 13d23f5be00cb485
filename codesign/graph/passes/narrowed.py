"""Quantisers with the bits alone that something needs: of lanes that are wider than what can come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.interval import Interval
from codesign.graph.nodes import CODESIGN, QONNX
from codesign.graph.passes.base import GraphPass
from codesign.graph.passes.open_graph import OpenGraph, domain_of

__all__ = ("Narrowed",)

Whole = NDArray[np.int64]


class Narrowed(GraphPass):
    """A quantiser that nothing exceeds, or on one side only, has no more bits than what comes out of it."""

    name: ClassVar[str] = "narrowed"

    def change(self, graph: OpenGraph) -> Iterator[str]:
        """Narrow."""
        for node in graph.working():
            if node.op_type == "FixedPoint" and domain_of(node) == CODESIGN:
                yield from self._fixed_point(graph, node)
            elif node.op_type in ("Quant", "IntQuant") and domain_of(node) == QONNX:
                yield from self._quant(graph, node)

    def _fixed_point(self, graph: OpenGraph, node: onnx.NodeProto) -> Iterator[str]:
        y = graph.signals[node.output[0]]
        k, i, f = (np.broadcast_to(graph.constants[name], y.shape).astype(np.int64) for name in node.input[1:4])
        if (str(graph.read(node).attributes.get("overflow", "WRAP"))) == "SAT_SYM":
            return
        bits = np.maximum(k + i + f, 0)
        signed, width = _least(y, np.exp2(-f.astype(np.float64)), k == 1, bits)
        gained = int((bits - width).sum())
        if gained <= 0:
            return
        names = [
            graph.constant(_short(v), "narrow")
            for v in (signed.astype(np.float64), (width - signed - f).astype(np.float64), f.astype(np.float64))
        ]
        node.input[1:4] = names
        yield f"{node.name}: {gained} bits fewer in {int((bits > width).sum())} of {bits.size} lanes"

    def _quant(self, graph: OpenGraph, node: onnx.NodeProto) -> Iterator[str]:
        read = graph.read(node).attributes
        scale, zero, given = (graph.constants[name] for name in node.input[1:4])
        if zero.any() or read.get("narrow", 0) or given.size != 1:
            return
        y, signed, before = graph.signals[node.output[0]], bool(read.get("signed", 1)), int(given.ravel()[0])
        if signed and before == 1:
            return
        lsb = np.broadcast_to(scale, y.shape)
        signs, widths = _least(y, lsb, np.full(y.shape, signed), np.full(y.shape, before))
        sign = bool(signs.any())
        # one type for all: an element without a sign needs one more bit where others have one
        width = int((widths + (~signs & sign)).max())
        bounded = _bound(y, lsb, np.full(y.shape, signed), np.full(y.shape, before))
        if (
            (sign != signed and not signed)
            or width >= before
            or width < (2 if sign else 1)
            or (sign == signed and bounded)
        ):
            return
        try:
            node.input[3] = graph.constant(np.full(given.shape, float(width)), "narrow")
        except UnsupportedError:
            return
        for attribute in node.attribute:
            if attribute.name == "signed":
                attribute.i = int(sign)
        yield f"{node.name}: {width} bits{'' if sign else ' without a sign'} in place of {before}"


def _bound(y: Interval, lsb: NDArray[np.float64], signed: NDArray[np.bool_], bits: Whole) -> bool:
    """Whether the largest code comes, so that a lower bound might cut it off."""
    return bool((np.rint(y.high / lsb) >= np.exp2(bits - signed.astype(np.int64)) - 1).any())


def _least(
    y: Interval, lsb: NDArray[np.float64], signed: NDArray[np.bool_], bits: Whole
) -> tuple[NDArray[np.bool_], Whole]:
    """Sign and bits of each element's narrowest type whose bounds, where anything is bounded, are those it has.

    A bound is the type's end, which comes out where it bounds: a type that ends there still ends there, and one end
    without a bound may be anywhere.
    """
    low, high = np.rint(y.low / lsb).astype(np.int64), np.rint(y.high / lsb).astype(np.int64)
    negative = low < 0
    above = np.frexp(np.maximum(high, 0).astype(np.float64))[1]
    below = np.where(negative, np.frexp(np.maximum(-low - 1, 0).astype(np.float64))[1], 0)
    width = np.maximum(above, below).astype(np.int64) + negative
    highest = np.where(bits > 0, (1 << np.maximum(bits - signed, 0)) - 1, 0)
    lowest = np.where(signed & (bits > 0), -(1 << np.maximum(bits - 1, 0)), 0)
    ends = np.where(bits > 0, (1 << np.maximum(width - negative, 0)) - 1, 0)
    starts = np.where(negative, -(1 << np.maximum(width - 1, 0)), 0)
    # the new type has the same end where the old one is reached, and it may be what bounds
    same = ((high < highest) | (ends == highest)) & ((low > lowest) | (starts == lowest))
    fits = same & (width <= bits)
    return np.where(fits, negative, signed), np.where(fits, width, bits)


def _short(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """With length 1 along each axis on which nothing changes."""
    for axis in range(values.ndim):
        first = np.take(values, [0], axis=axis)
        values = first if (values == first).all() else values
    return values
