"""Sums, means and maxima over axes, and pooling. No reduction reaches over events."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from codesign.graph.nodes import CHANNELS_LAST, Call, operator
from codesign.graph.operators.linear import Windows
from codesign.graph.operators.shape import channels_last, reshape
from codesign.graph.reals import as_reals

__all__ = ()


def _gather(call: Call[Any], x: Any) -> tuple[Any, tuple[int, ...]]:
    """``x`` with the axes to reduce as one last axis, and the shape that is left."""
    rank = len(x.shape)
    given = call.whole(1, "the axes") if call.given(1) else [int(a) for a in call.attribute("axes", ())]
    if not given:
        if call.attribute("noop_with_empty_axes", 0):
            return reshape(call, x, (*x.shape, 1)), tuple(x.shape)
        raise call.refuse(f"{call.node.op} over all axes would mix events; name the axes")
    axes = call.axes(given, rank)
    keep = bool(call.attribute("keepdims", 1))
    left = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keep or i not in axes)
    others = [i for i in range(rank) if i not in axes]
    number = prod(x.shape[i] for i in axes)
    if others + axes != list(range(rank)):
        x = call.domain.transpose(x, (*others, *axes))
    if len(axes) != 1:
        x = reshape(call, x, (*(x.shape[i] for i in range(len(others))), number))
    return x, left


def _reduce(call: Call[Any], x: Any, function: Callable[[Any], Any]) -> Any:
    """``function`` of the elements to reduce, in the shape that is left."""
    gathered, shape = _gather(call, x)
    found = function(gathered)
    return found if tuple(found.shape) == shape else reshape(call, found, shape)


def _mean(call: Call[Any], x: Any) -> Any:
    """Over the last axis."""
    total, number = call.domain.total(x), x.shape[-1]
    if call.domain.rational and number & (number - 1):
        return call.domain.scale(total, np.array(Fraction(1, number)), np.array(Fraction(0)))
    return call.domain.multiply(total, _mean_factor(call, number))


def _mean_factor(call: Call[Any], number: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    if number & (number - 1):
        raise call.refuse(
            f"a mean over {number} divides by {number}, which is no power of two, and has no exact hardware here; take "
            "the sum and let the next quantiser's scale hold the factor, or a power of two of elements"
        )
    return np.array(1.0 / number)


@operator("ReduceSum")
def _reduce_sum(call: Call[Any]) -> Any:
    return _reduce(call, call.value(0), call.domain.total)


@operator("ReduceMean")
def _reduce_mean(call: Call[Any]) -> Any:
    return _reduce(call, call.value(0), lambda x: _mean(call, x))


@operator("ReduceMax")
def _reduce_max(call: Call[Any]) -> Any:
    return _reduce(call, call.value(0), call.domain.largest)


@operator("ReduceMin")
def _reduce_min(call: Call[Any]) -> Any:
    domain = call.domain
    return _reduce(call, call.value(0), lambda x: domain.negative(domain.largest(domain.negative(x))))


@operator("ReduceL1")
def _reduce_l1(call: Call[Any]) -> Any:
    return _reduce(call, call.domain.absolute(call.value(0)), call.domain.total)


@operator("ReduceSumSquare")
def _reduce_squares(call: Call[Any]) -> Any:
    return _reduce(call, call.domain.square(call.value(0)), call.domain.total)


def _pool(call: Call[Any], kernel: list[int] | None, given: Any = None) -> tuple[Any, Windows]:
    """The flattened axes behind the channels' (events, channels, size), and the windows; None: one window of all."""
    x = call.signal(0) if given is None else given
    if len(x.shape) < 3:
        raise call.refuse(f"{call.node.op} of a signal with {len(x.shape)} axes; (events, channels, ...) is needed")
    if len(call.node.outputs) > 1 and any(call.node.outputs[1:]):
        raise call.refuse(f"{call.node.op} with indices has no exact hardware here")
    lengths = list(x.shape[2:])
    windows = Windows(call, lengths, kernel or lengths)
    return reshape(call, x, (*x.shape[:2], prod(lengths))), windows


def _kernel(call: Call[Any]) -> list[int]:
    kernel = call.attribute("kernel_shape")
    if kernel is None:
        raise call.refuse(f"{call.node.op} without kernel_shape")
    return [int(k) for k in kernel]


def _maxima(call: Call[Any], kernel: list[int] | None, given: Any = None) -> Any:
    x, windows = _pool(call, kernel, given)
    where = windows.places
    # a window that reaches over the border: the smallest number there changes nothing, nor does another of its elements
    inside = where.max(axis=1, keepdims=True)
    if (inside < 0).any():
        raise call.refuse(f"{call.node.op}: a window lies outside of the signal")
    out = call.domain.largest(call.domain.take(x, np.where(where < 0, inside, where), 2))
    return reshape(call, out, (*x.shape[:2], *windows.shape))


def _means(call: Call[Any], kernel: list[int] | None) -> Any:
    x, windows = _pool(call, kernel)
    where, size = windows.places, x.shape[2]
    counts = None
    if (where < 0).any():
        if not call.attribute("count_include_pad", 0):
            counts = (where >= 0).sum(axis=1)[:, None]
            if not call.domain.rational:
                raise call.refuse("AveragePool whose windows differ in what they count (count_include_pad=0 with pads)")
        x = call.domain.concat([x, np.zeros((x.shape[0] if call.folding else 1, x.shape[1], 1))], 2)
        where = np.where(where < 0, size, where)
    seen = call.domain.take(x, where, 2)
    if counts is None:
        out = _mean(call, seen)
    else:
        factor = 1 / as_reals(counts)
        out = call.domain.scale(call.domain.total(seen), factor, factor * 0)
    return reshape(call, out, (*x.shape[:2], *windows.shape))


@operator("MaxPool")
def _max_pool(call: Call[Any]) -> Any:
    return _maxima(call, _kernel(call))


@operator("MaxPool", domain=CHANNELS_LAST)
def _max_pool_channels_last(call: Call[Any]) -> Any:
    return channels_last(call, lambda x: _maxima(call, _kernel(call), x))


@operator("GlobalMaxPool")
def _global_max(call: Call[Any]) -> Any:
    return _maxima(call, None)


@operator("AveragePool")
def _average_pool(call: Call[Any]) -> Any:
    return _means(call, _kernel(call))


@operator("GlobalAveragePool")
def _global_average(call: Call[Any]) -> Any:
    return _means(call, None)
