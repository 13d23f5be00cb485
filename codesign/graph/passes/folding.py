"""Constants among themselves, and a whole source in rationals: what it means, whatever its runtime rounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.core.reading.onnx import onnx_model
from codesign.graph.domain import Array
from codesign.graph.exact import Exact
from codesign.graph.nodes import Call, Known, Node, result_of
from codesign.graph.rational import Rational, as_floats
from codesign.graph.reader import Graph, Operands
from codesign.graph.reals import Reals, as_reals

__all__ = ("fold_constants", "real_values")

_EXACT = Exact()


def fold_constants(node: Node, operands: Operands, batch: int | None) -> tuple[tuple[Any, ...], bool]:
    """Of constants alone: in float64 where that holds all of it, which is told; else in rationals, rounded last."""
    call: Call[Any] = Call(node, operands, _EXACT, True, batch)
    try:
        return result_of(call), True
    except UnsupportedError:
        found = result_of(replace(call, domain=Rational()))
        return tuple(v if isinstance(v, Known) else as_floats(v) for v in found), False


def real_values(content: bytes, values: Array, source: str = "the ONNX model") -> Reals:
    """Outputs (events, m) as rationals of a graph for values (events, n), by real arithmetic; slow.

    A last Softmax or the like is no rational: cut it off. Roots and functions are as near as rounding asks.
    """
    graph, domain = Graph(onnx_model(content, source, functions=True)), Rational()
    graph.require_known()

    def step(node: Node, operands: Operands, folding: bool) -> tuple[Any, ...]:
        if folding:
            return fold_constants(node, operands, graph.batch)[0]
        return result_of(Call(node, operands, domain, batch=graph.batch))

    found = graph.walk(graph.blocks(as_reals(values), domain), graph.given, step)
    heads: list[Any] = [found[name].reshape(len(values), -1) for name in graph.outputs]
    return np.concatenate(heads, axis=1)
