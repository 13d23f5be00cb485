"""Convolutions, pooling and padding, over channels last or first."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2, prod
from typing import ClassVar

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.importing.keras.graph_writer import Array, WrittenSignal
from codesign.importing.keras.layer_reader import LayerCall, LayerReader, Library, numbers

__all__ = ("READERS", "GlobalPooling", "Pooling", "convolve")


def _channels_first(call: LayerCall, x: WrittenSignal) -> WrittenSignal:
    if call.layer.data_format == "channels_first":
        return x
    return call.graph.transpose(x, [len(x.shape) - 1, *range(len(x.shape) - 1)])


def _as_it_came(call: LayerCall, x: WrittenSignal) -> WrittenSignal:
    if call.layer.data_format == "channels_first":
        return x
    return call.graph.transpose(x, [*range(1, len(x.shape)), 0])


def _whole(values: int | Sequence[int], rank: int) -> list[int]:
    return [int(values)] * rank if isinstance(values, int) else [int(v) for v in values]


def _pads(
    padding: str, lengths: Sequence[int], kernel: Sequence[int], strides: Sequence[int], spread: Sequence[int]
) -> list[int]:
    """Elements before each axis, then behind each, as Keras pads."""
    before, behind = [], []
    for length, size, step, gap in zip(lengths, kernel, strides, spread, strict=True):
        reach = gap * (size - 1) + 1
        match padding:
            case "valid":
                total, first = 0, 0
            case "causal":
                total = first = reach - 1
            case "same":
                total = max(0, (-(-length // step) - 1) * step + reach - length)
                first = total // 2
            case _:
                raise UnsupportedError(f"padding '{padding}'; valid, same and causal are read")
        before.append(first)
        behind.append(total - first)
    return before + behind


class Convolution(LayerReader):
    """QConv1D and QConv2D, with groups, strides, dilation and any padding."""

    handles = ("QConv1D", "QConv2D")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Kernels (..., channels / groups, filters)."""
        layer = call.layer
        (x,) = call.quantised()
        bias = None if layer.qbias is None else numbers(layer.qbias)
        return call.activated(convolve(call, x, numbers(layer.qkernel), int(layer.groups), bias=bias), layer.activation)


def convolve(
    call: LayerCall,
    x: WrittenSignal,
    kernel: Array,
    groups: int,
    factor: Array | None = None,
    bias: Array | None = None,
    point: bool = False,
) -> WrittenSignal:
    """A layer's convolution with a kernel (..., channels / groups, filters), then a factor and a bias, (filters,) each.

    ``point``: of one position each, whatever strides, padding and dilation the layer has.
    """
    layer, graph = call.layer, call.graph
    x = _channels_first(call, x)
    rank = kernel.ndim - 2
    strides, spread = ([1] * rank,) * 2 if point else (_whole(v, rank) for v in (layer.strides, layer.dilation_rate))
    pads = _pads("valid" if point else layer.padding, x.shape[1:], kernel.shape[:rank], strides, spread)
    weights = kernel.transpose(rank + 1, rank, *range(rank))
    out = graph.convolution(x, weights, strides, spread, pads, groups)
    if factor is not None:
        out = graph.multiply(out, factor.reshape(-1, *[1] * rank))
    if bias is not None and bias.any():
        out = graph.add(out, bias.reshape(-1, *[1] * rank))
    return _as_it_came(call, out)


class Pooling(LayerReader):
    """Largest or mean of windows."""

    handles = tuple(f"{q}{kind}Pooling{n}D" for q in ("", "Q") for kind in ("Max", "Average") for n in (1, 2))
    libraries: ClassVar[tuple[Library, ...]] = ("hgq", "qkeras")

    def read(self, call: LayerCall) -> WrittenSignal:
        """UnsupportedError for a mean whose windows differ in size, or are no power of two."""
        layer, graph = call.layer, call.graph
        (x,) = call.quantised()
        x = _channels_first(call, x)
        rank = len(x.shape) - 1
        kernel = _whole(layer.pool_size, rank)
        strides = _whole(layer.strides if layer.strides is not None else kernel, rank)
        pads = _pads(layer.padding, x.shape[1:], kernel, strides, [1] * rank)
        if "Max" in type(layer).__name__:
            return _as_it_came(call, graph.pool("MaxPool", x, kernel, strides, pads))
        if any(pads):
            raise UnsupportedError("a mean with padding 'same', whose windows differ in size; use 'valid'")
        self.check_mean(prod(kernel))
        return _as_it_came(call, graph.pool("AveragePool", x, kernel, strides, pads))

    def check_mean(self, number: int) -> None:
        """UnsupportedError for a mean that nothing after it makes exact."""
        _power_of_two(number)


class GlobalPooling(LayerReader):
    """Largest or mean of all positions."""

    handles = tuple(f"{q}Global{kind}Pooling{n}D" for q in ("", "Q") for kind in ("Max", "Average") for n in (1, 2))
    libraries: ClassVar[tuple[Library, ...]] = ("hgq", "qkeras")

    def read(self, call: LayerCall) -> WrittenSignal:
        """UnsupportedError for a mean of a number that is no power of two."""
        layer, graph = call.layer, call.graph
        (x,) = call.quantised()
        first = layer.data_format == "channels_first"
        axes = [a + 1 for a in range(len(x.shape)) if a != (0 if first else len(x.shape) - 1)]
        if "Max" in type(layer).__name__:
            return graph.largest(x, axes, bool(layer.keepdims))
        return self.mean(call, x, axes)

    def mean(self, call: LayerCall, x: WrittenSignal, axes: list[int]) -> WrittenSignal:
        """Over axes, counted with the events' as 0; UnsupportedError where nothing makes it exact."""
        number = prod(x.shape[a - 1] for a in axes)
        _power_of_two(number)
        return call.graph.multiply(call.graph.total(x, axes, bool(call.layer.keepdims)), np.array(1.0 / number))


def _power_of_two(number: int) -> None:
    if not log2(number).is_integer():
        raise UnsupportedError(f"a mean over {number}, which is no power of two; use QSum, or another size")


class ZeroPadding(LayerReader):
    """Zeros at the borders, channels last."""

    handles = ("ZeroPadding1D", "ZeroPadding2D")
    libraries: ClassVar[tuple[Library, ...]] = ("hgq", "qkeras")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Axis by axis."""
        layer, x = call.layer, call.x
        if layer.data_format == "channels_first":
            raise UnsupportedError("padding with channels first; use channels last")
        padding = layer.padding if isinstance(layer.padding[0], tuple | list) else (layer.padding,)
        for axis, ends in enumerate(padding):
            zeros = [np.zeros((*x.shape[:axis], int(n), *x.shape[axis + 1 :])) for n in ends]
            parts = [p for p in (zeros[0], x, zeros[1]) if p.shape[axis]]
            x = call.graph.concatenate(parts, axis) if len(parts) > 1 else x
        return x


READERS: tuple[type[LayerReader], ...] = (Convolution, Pooling, GlobalPooling, ZeroPadding)
