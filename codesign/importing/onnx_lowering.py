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
            bare = GraphSignal(signal.name, signal.interval)
            factors = [p[0] for p in parts if p is not None]
            if (steps := _powers_of_two(factors)) is not None:  # outputs in steps of one another stay comparable
                bare = self._domain.emit("Mul", bare, np.array(steps).reshape(shape)) if len(set(steps)) > 1 else bare
                factors = [factors[steps.index(1.0)]] * len(factors) if len(set(steps)) > 1 else factors
            factor = np.array([_float(f) for f in factors]).reshape(shape)
            offset = np.array([_float(p[1]) for p in parts if p is not None]).reshape(shape)
            self.heads[name] = factor, offset, signal.origin
            return bare
        self.heads[name] = np.ones(shape), np.zeros(shape), ""
        return plain


def _powers_of_two(factors: list[Real]) -> list[float] | None:
    """Each factor over the smallest, where all these are powers of two; None where one is not."""
    rational = [f for f in factors if isinstance(f, Fraction) and f > 0]
    if not rational or len(rational) < len(factors):
        return None
    ratios = [f / min(rational) for f in rational]
    whole = all(r.denominator == 1 and r.numerator & (r.numerator - 1) == 0 for r in ratios)
    return [float(r) for r in ratios] if whole else None


def _float(value: Real | Any) -> float:
    if isinstance(value, Fraction):
        return float(value)
    return float(value.coefficient) * sqrt(float(value.radicand))
