"""A graph lowered to exact hardware, with what its last step does to each output kept apart: a scale and an offset.

Integer accumulators come out of the firmware where the source multiplies them by a number that is no power of two; the
number stands in the report, for whoever needs the source's units.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import Port
from codesign.core.reading.onnx import onnx_model
from codesign.graph.expressions import affine
from codesign.graph.lowering import Lowered, Lowering
from codesign.graph.reals import Real
from codesign.graph.signals import GraphSignal
from codesign.importing.import_report import Change

__all__ = ("Scaled", "scaled_graph")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scaled:
    """The graph, what was done node by node, and per flat output ``source = value * factor + offset``."""

    content: bytes
    changes: tuple[Change, ...]
    factor: Array
    offset: Array


def scaled_graph(content: bytes, inputs: Port, source: str) -> Scaled:
    """Lower a graph whose inputs are codes of these types; Obstacles: all that has no exact hardware."""
    lowering = _Scaling(onnx_model(content, source, functions=True), inputs, False)
    lowered: Lowered = lowering.run()
    if missing := [o.name for o in onnx.load_from_string(content).graph.output if o.name not in lowering.heads]:
        raise UnsupportedError(f"{source}: no node makes the output '{missing[0]}' out of the inputs")
    changes = [_change(text) for text in lowered.done]
    factors, offsets = [], []
    for name in lowering.heads:
        factor, offset, origin = lowering.heads[name]
        factors.append(factor.ravel())
        offsets.append(offset.ravel())
        if origin:
            changes.append(Change(what="dropped", where=origin, how=_in_words(name, factor, offset)))
    return Scaled(lowered.content, tuple(changes), np.concatenate(factors), np.concatenate(offsets))


def _change(text: str) -> Change:
    where, _, how = text.rpartition(": ")
    return Change(what="table" if "table" in how else "thresholds", where=where or "a node", how=how)


def _in_words(name: str, factor: Array, offset: Array) -> str:
    if (factor > 0).all() and len(np.unique(factor)) == len(np.unique(offset)) == 1:
        more = f" and an offset of {offset.ravel()[0]:.9g}" if offset.any() else ""
        return f"of output '{name}' a factor of {factor.ravel()[0]:.9g}{more} is left out: the order stays"
    return (
        f"output '{name}' comes out as integers; factors from {factor.min():.6g} to {factor.max():.6g} and offsets "
        f"from {offset.min():.6g} to {offset.max():.6g} turn them into the source's values, and are to be applied "
        "before outputs are compared with one another (output_scale, output_offset)"
    )


class _Scaling(Lowering):
    """Takes an affine function that is the last of an output off it."""

    def __init__(self, model: onnx.ModelProto, inputs: Port, order_only: bool) -> None:
        super().__init__(model, inputs, order_only)
        #: of each output, in order: factor and offset of its elements, and the node that they come from, if any
        self.heads: dict[str, tuple[Array, Array, str]] = {}

    def _output(self, name: str, signal: GraphSignal) -> GraphSignal:
        shape = signal.shape
        try:
            plain = super()._output(name, signal)
        except UnsupportedError:
            parts = [affine(f) for f in signal.functions().ravel()]
            if any(p is None or _float(p[0]) == 0 for p in parts):
                raise
            factor, offset = (np.array([_float(p[i]) for p in parts if p is not None]).reshape(shape) for i in (0, 1))
            self.heads[name] = factor, offset, signal.origin
            return GraphSignal(signal.name, signal.interval)
        self.heads[name] = np.ones(shape), np.zeros(shape), ""
        return plain


def _float(value: Real | Any) -> float:
    if isinstance(value, Fraction):
        return float(value)
    return float(value.coefficient) * sqrt(float(value.radicand))
