"""Functions of one number as tables, evaluated by Keras for every code that can come; softmax; layers of tables."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.graph.tables import MOST_ENTRIES
from codesign.importing.keras.graph_writer import Array, FixedPoints, WrittenSignal
from codesign.importing.keras.layer_reader import LayerCall, LayerReader, numbers, types_of

__all__ = ("READERS",)


def tabulate(
    call: LayerCall, x: WrittenSignal, types: FixedPoints, function: Callable[[Any], Any]
) -> WrittenSignal | Array:
    """A function of a quantised signal, elementwise: (entries, ...) to (entries, ...), as Keras evaluates it.

    Each element has the codes of its own type; the table knows those of the widest. A constant, of x's shape, where no
    element has any bits. UnsupportedError for more than 16 bits.
    """
    from keras import ops

    types = types.clean()
    alive = types.bits > 0
    if not alive.any():
        return np.broadcast_to(
            numbers(function(ops.convert_to_tensor(np.zeros((1, *x.shape), np.float32))))[0], x.shape
        )
    k = int(types.k.max())
    f = int(types.f[alive].max())
    i = int(types.i[alive].max())
    width = k + i + f
    if width > MOST_ENTRIES.bit_length() - 1:
        raise UnsupportedError(f"a table of {width} bits has no exact hardware; at most 16: quantise its input")
    codes = np.arange(1 << width, dtype=np.float64) - ((1 << (i + f)) if k else 0)
    given = np.broadcast_to((codes * 2.0**-f).reshape(-1, *[1] * len(x.shape)), (len(codes), *x.shape))
    found = numbers(function(ops.convert_to_tensor(given.astype(np.float32))))
    values = np.moveaxis(np.broadcast_to(found, given.shape), 0, -1)
    for axis in range(values.ndim - 1):  # the same function along an axis is one table
        first = np.take(values, [0], axis=axis)
        if np.array_equal(np.broadcast_to(first, values.shape), values):
            values = first
    return call.graph.table(x, (k, i, f), values)


class UnaryFunction(LayerReader):
    """QUnaryFunctionLUT and QAffinedUnaryFunctionLUT."""

    handles = ("QUnaryFunctionLUT", "QAffinedUnaryFunctionLUT")

    def read(self, call: LayerCall) -> WrittenSignal:
        """The whole layer, quantisers included, is the function."""
        out = table_of(call)
        if not isinstance(out, WrittenSignal):
            raise UnsupportedError("a function of a signal without bits is a constant; leave the layer out")
        return out


def table_of(call: LayerCall) -> WrittenSignal | Array:
    """A function's layer as a table, or as a constant where what enters has no bits."""
    layer, x = call.layer, call.x
    if not layer.enable_iq or not layer.enable_oq:
        raise UnsupportedError("a function without a quantiser before and behind it; enable both")
    types = types_of(layer.iq, x.shape)
    if types is None:
        raise UnsupportedError("a function of numbers that are not quantised; give it a quantiser")
    return tabulate(call, call.graph.fixed(x, types), types, layer)


class Softmax(LayerReader):
    """QSoftmax: two tables, a sum and a product."""

    handles = ("QSoftmax",)

    def read(self, call: LayerCall) -> WrittenSignal:
        """As the layer computes it; without a mask."""
        layer, graph = call.layer, call.graph
        (x,) = call.quantised()
        axes = [int(a) % (len(x.shape) + 1) for a in layer.axes]
        if layer.stable:
            x = graph.subtract(graph.largest(x, axes, keep=True), x)
        elif not layer.exp_table.enable_iq:
            raise UnsupportedError("a softmax that is not stable, whose exponential has no quantiser of its own")
        exponential = call.of(layer.exp_table, x)
        total = graph.total(exponential, axes, keep=True)
        return graph.multiply(exponential, table_of(LayerCall(layer.inv_table, (total,), graph, call.readers)))


class DenseTable(LayerReader):
    """QDenseT: a table for each pair of an input and an output, and their sum."""

    handles = ("QDenseT",)

    def read(self, call: LayerCall) -> WrittenSignal:
        """The small networks inside are evaluated for every code."""
        layer, graph, x = call.layer, call.graph, call.x
        if not layer.enable_iq:
            raise UnsupportedError("tables of numbers that are not quantised; enable the input quantiser")
        outputs = int(layer.n_out)
        wide = graph.take(graph.reshape(x, (*x.shape, 1)), np.zeros(outputs, np.int64), len(x.shape))
        types = types_of(layer.iq, wide.shape)
        if types is None:
            raise UnsupportedError("tables of numbers that are not quantised; enable the input quantiser")

        def values(entries: Any) -> Any:
            found = layer.module(layer.iq(entries)[..., None], training=False)
            if layer.enable_bn:
                found = layer.bn_module(found, training=False) / sqrt(layer.n_in)
            return layer.toq(found)

        read = tabulate(call, graph.fixed(wide, types), types, values)
        if not isinstance(read, WrittenSignal):
            raise UnsupportedError("no input has any bits: the layer is a constant; leave it out")
        return call.activated(graph.total(read, [len(x.shape)]), layer.activation)


class EinsumDenseTable(LayerReader):
    """QEinsumDenseT: a table for each product of an einsum, and their sum."""

    handles = ("QEinsumDenseT",)

    def read(self, call: LayerCall) -> WrittenSignal:
        """The small networks inside are evaluated for every code."""
        layer, graph, x = call.layer, call.graph, call.x
        if not layer.enable_iq:
            raise UnsupportedError("tables of numbers that are not quantised; enable the input quantiser")
        reshaped, broadcast, _ = layer._bcast
        wide = graph.reshape(x, [int(n) for n in reshaped[1:]])
        for axis, length in enumerate(int(n) for n in broadcast[1:]):
            if wide.shape[axis] != length:
                wide = graph.take(wide, np.zeros(length, np.int64), axis)
        types = types_of(layer.iq, wide.shape)
        if types is None:
            raise UnsupportedError("tables of numbers that are not quantised; enable the input quantiser")

        def values(entries: Any) -> Any:
            found = layer.module(layer.iq(entries)[..., None], training=False)
            return layer.toq(layer._apply_batch_norm(found, training=False))

        read = tabulate(call, graph.fixed(wide, types), types, values)
        if not isinstance(read, WrittenSignal):
            raise UnsupportedError("no input has any bits: the layer is a constant; leave it out")
        out = graph.total(read, [int(a) for a in layer._contract_axes]) if layer._contract_axes else read
        out = graph.transpose(out, [int(a) - 1 for a in layer._output_transpose[1:]])
        return call.activated(out, layer.activation)


READERS: tuple[type[LayerReader], ...] = (UnaryFunction, Softmax, DenseTable, EinsumDenseTable)
