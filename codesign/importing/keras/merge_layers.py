"""Several signals into one, and sums over axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.importing.keras.graph_writer import GraphWriter, WrittenSignal
from codesign.importing.keras.layer_reader import LayerCall, LayerReader

__all__ = ("READERS",)

_PAIRS: dict[str, Callable[[GraphWriter, WrittenSignal, WrittenSignal], WrittenSignal]] = {
    "Add": GraphWriter.add,
    "AveragePow2": GraphWriter.add,
    "Subtract": GraphWriter.subtract,
    "Multiply": GraphWriter.multiply,
    "Maximum": GraphWriter.maximum,
    "Minimum": GraphWriter.minimum,
}


class Merge(LayerReader):
    """Elementwise, of two or more signals."""

    handles = (*_PAIRS, *(f"Q{name}" for name in _PAIRS))
    libraries = ("hgq", "qkeras")

    def read(self, call: LayerCall) -> WrittenSignal:
        """One after the other."""
        first, *rest = call.quantised()
        join = _PAIRS[type(call.layer).__name__.removeprefix("Q")]
        for other in rest:
            first = join(call.graph, first, other)
        scale = float(getattr(call.layer, "_scale", 1.0))
        return first if scale == 1 else call.graph.multiply(first, np.array(scale))


class Sum(LayerReader):
    """QSum and QMeanPow2: over axes, times a power of two."""

    handles = ("QSum", "QMeanPow2")

    def read(self, call: LayerCall) -> WrittenSignal:
        """The layer counts its axes with the events'."""
        (x,) = call.quantised()
        rank = len(x.shape) + 1
        axes = [int(a) % rank for a in call.layer.axes]
        if 0 in axes:
            raise UnsupportedError("a sum over events")
        out = call.graph.total(x, axes, bool(call.layer.keepdims))
        scale = float(call.layer.scale)
        return out if scale == 1 else call.graph.multiply(out, np.array(scale))


class Einsum(LayerReader):
    """QEinsum of two signals."""

    handles = ("QEinsum",)

    def read(self, call: LayerCall) -> WrittenSignal:
        """One product of matrices for each event."""
        signals = call.quantised()
        if len(signals) != 2:
            raise UnsupportedError(f"an einsum of {len(signals)} signals; two are read")
        return call.graph.einsum_of_signals(call.layer.equation, *signals)


class Concatenate(LayerReader):
    """Along an axis other than the events'."""

    handles = ("Concatenate",)
    libraries = ("hgq", "qkeras")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Negative axes count from the end."""
        rank = len(call.inputs[0].shape) + 1
        axis = int(call.layer.axis) % rank
        if axis == 0:
            raise UnsupportedError("joins events")
        return call.graph.concatenate(call.inputs, axis - 1)


READERS: tuple[type[LayerReader], ...] = (Merge, Sum, Einsum, Concatenate)
