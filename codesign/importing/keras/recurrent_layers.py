"""Recurrent layers, unrolled: the cell once for each step, with the same weights and quantisers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.importing.keras.graph_writer import Array, GraphWriter, WrittenSignal
from codesign.importing.keras.layer_reader import LayerCall, LayerReader, numbers, quantise

__all__ = ("READERS",)


class GRUReader(LayerReader):
    """QGRU from a state of zeros, reset before or after the product; activations are their quantisers, or ReLU."""

    handles = ("QGRU",)

    def read(self, call: LayerCall) -> WrittenSignal:
        """The last state, or that of every step."""
        layer, graph, x = call.layer, call.graph, call.x
        named = {name for name, given in (call.named or {}).items() if given is not None and given is not False}
        if layer.return_state or layer.stateful or named - {"sequences", "training"}:
            raise UnsupportedError("a recurrent layer with a mask, or with its state as input or output")
        if layer.cell.enable_oq:
            raise UnsupportedError("a recurrent cell with a quantiser behind its state; use the state's own (sq_conf)")
        steps = list(range(x.shape[0]))
        state: WrittenSignal | None = None
        found = []
        for step in reversed(steps) if layer.go_backwards else steps:
            now = graph.reshape(graph.take(x, np.array([step]), 0), x.shape[1:])
            state = _step(call, now, state)
            found.append(graph.reshape(state, (1, *state.shape)))
        assert state is not None
        return graph.concatenate(found, 0) if layer.return_sequences else state


def _step(call: LayerCall, x: WrittenSignal, state: WrittenSignal | None) -> WrittenSignal:
    """The state after a step; before the first it is 0, and what comes of it alone is constant."""
    cell, graph = call.layer.cell, call.graph
    units = int(cell.units)
    gates, rest = np.arange(2 * units), np.arange(2 * units, 3 * units)
    weights, inner = numbers(cell.qkernel), numbers(cell.qrecurrent_kernel)
    bias = numbers(cell.qbias) if cell.use_bias else np.zeros((2, 3 * units) if cell.reset_after else 3 * units)
    of_input, of_state = (bias[0], bias[1]) if cell.reset_after else (bias, np.zeros(3 * units))
    if cell.enable_iq:
        x = quantise(graph, x, cell.iq)
    before = None if state is None else quantise(graph, state, cell.sq)
    mixed = graph.add(graph.einsum("bc,cC->bC", x, weights), of_input)
    projected = _project(graph, before, inner, of_state)
    both = graph.add(graph.take(mixed, gates, 0), _part(graph, projected, gates))
    opened = quantise(graph, call.activated(both, cell.recurrent_activation), cell.praq)
    update, reset = graph.take(opened, np.arange(units), 0), graph.take(opened, np.arange(units, 2 * units), 0)
    candidate = graph.take(mixed, rest, 0)
    if cell.reset_after:
        kept = _fix(graph, _part(graph, projected, rest), cell.rhq)
        candidate = graph.add(candidate, graph.multiply(reset, kept))
    elif before is not None:
        kept = quantise(graph, graph.multiply(reset, before), cell.rhq)
        candidate = graph.add(candidate, graph.einsum("bc,cC->bC", kept, inner[:, rest]))
    new = quantise(graph, call.activated(candidate, cell.activation), cell.paq)
    left = graph.multiply(graph.add(graph.multiply(update, np.array(-1.0)), np.array(1.0)), new)
    return left if before is None else graph.add(graph.multiply(update, before), left)


def _project(graph: GraphWriter, state: WrittenSignal | None, weights: Array, bias: Array) -> WrittenSignal | Array:
    return bias if state is None else graph.add(graph.einsum("bc,cC->bC", state, weights), bias)


def _part(graph: GraphWriter, x: WrittenSignal | Array, places: NDArray[np.int64]) -> WrittenSignal | Array:
    if isinstance(x, WrittenSignal):
        return graph.take(x, places, 0)
    constant: Array = x[places]
    return constant


def _fix(graph: GraphWriter, x: WrittenSignal | Array, quantiser: Any) -> WrittenSignal | Array:
    """Through a quantiser, which Keras evaluates for a constant."""
    if isinstance(x, WrittenSignal):
        return quantise(graph, x, quantiser)
    fixed: Array = numbers(quantiser(x[None].astype(np.float32)))[0]
    return fixed


READERS: tuple[type[LayerReader], ...] = (GRUReader,)
