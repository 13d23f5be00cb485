"""Products with matrices, and convolutions as such products of the windows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from codesign.graph.domain import Array
from codesign.graph.nodes import CHANNELS_LAST, Call, operator
from codesign.graph.operators.shape import channels_last, reshape

__all__ = ("Windows",)


@operator("MatMul")
def _matmul(call: Call[Any]) -> Any:
    a, b = call.value(0), call.value(1)
    if call.folding:
        return np.asarray(a) @ np.asarray(b)
    if call.is_constant(0):
        return _from_the_left(call, a, b)
    if not call.is_constant(1):
        return _of_signals(call, a, b)
    matrix = np.asarray(b, dtype=np.float64)
    if len(a.shape) < 2:
        raise call.refuse("MatMul of one number an event; use Mul")
    if matrix.ndim == 1:
        out = call.domain.matmul(a, matrix[:, None]) if _fits(call, a, matrix[:, None]) else None
        assert out is not None
        return call.domain.reshape(out, tuple(out.shape[1:-1]))
    _fits(call, a, matrix)
    return call.domain.matmul(a, matrix)


def _fits(call: Call[Any], a: Any, matrix: Array) -> bool:
    """Check a signal and matrices (..., n, m): each event by itself, and matrices of the right size."""
    if not matrix.ndim or a.shape[-1] != matrix.shape[-2]:
        raise call.refuse(f"MatMul of shapes {tuple(a.shape)} and {matrix.shape} does not fit")
    batch = matrix.shape[:-2]
    if len(batch) > len(a.shape) - 2 or (len(batch) == len(a.shape) - 2 and batch and batch[0] != 1):
        raise call.refuse(
            f"MatMul of a signal with {len(a.shape)} axes and a constant of shape {matrix.shape} would mix events, "
            "which are along the signal's first axis"
        )
    axes = tuple(a.shape[len(a.shape) - 2 - len(batch) : -2]) if batch else ()
    if any(n not in (1, m) and m != 1 for n, m in zip(batch, axes, strict=True)):
        raise call.refuse(f"MatMul of shapes {tuple(a.shape)} and {matrix.shape} does not fit")
    return True


def _swap(call: Call[Any], x: Any) -> Any:
    order = list(range(len(x.shape)))
    order[-1], order[-2] = order[-2], order[-1]
    return call.domain.transpose(x, tuple(order))


def _from_the_left(call: Call[Any], a: Any, b: Any) -> Any:
    matrix = np.asarray(a, dtype=np.float64)
    if len(b.shape) < 3:
        raise call.refuse("MatMul with the constant on the left of a signal (events, n) would mix events; transpose it")
    if matrix.ndim == 1:
        turned = _swap(call, b)
        _fits(call, turned, matrix[:, None])
        out = call.domain.matmul(turned, matrix[:, None])
        return call.domain.reshape(out, tuple(out.shape[1:-1]))
    turned, swapped = _swap(call, b), np.swapaxes(matrix, -1, -2)
    _fits(call, turned, swapped)
    return _swap(call, call.domain.matmul(turned, swapped))


def _of_signals(call: Call[Any], a: Any, b: Any) -> Any:
    """Two signals (events, ..., n, k) and (events, ..., k, m): products, and their sums."""
    if len(a.shape) != len(b.shape) or len(a.shape) < 3:
        raise call.refuse(
            "MatMul of two signals that would mix events; each must have the events' axis and a matrix for each event"
        )
    if a.shape[-1] != b.shape[-2] or tuple(a.shape[:-2]) != tuple(b.shape[:-2]):
        raise call.refuse(f"MatMul of shapes {tuple(a.shape)} and {tuple(b.shape)} does not fit")
    n, k, m = a.shape[-2], a.shape[-1], b.shape[-1]
    lead = tuple(a.shape[1:-2])
    rows = call.domain.reshape(a, (*lead, n, 1, k))
    columns = call.domain.reshape(_swap(call, b), (*lead, 1, m, k))
    # every row with every column, both written out: a product of two signals repeats neither
    axis = len(lead) + 1
    rows = call.domain.take(rows, np.zeros(m, dtype=np.int64), axis + 1)
    columns = call.domain.take(columns, np.zeros(n, dtype=np.int64), axis)
    out = call.domain.total(call.domain.multiply(rows, columns))
    return call.domain.reshape(out, (*lead, n, m))


@operator("Gemm")
def _gemm(call: Call[Any]) -> Any:
    if call.attribute("transA", 0) and not call.folding:
        raise call.refuse("Gemm with transA would mix events")
    weight = call.constant(1, "the weight of Gemm")
    if call.attribute("transB", 0):
        weight = weight.T
    scaled = weight * float(call.attribute("alpha", 1.0))
    x = call.signal(0)
    if call.folding:
        first = np.asarray(x)
        out = (first.T if call.attribute("transA", 0) else first) @ scaled
    else:
        if len(x.shape) != 2 or scaled.ndim != 2:
            raise call.refuse(f"Gemm of shapes {tuple(x.shape)} and {scaled.shape} does not fit")
        _fits(call, x, scaled)
        out = call.domain.matmul(x, scaled)
    if not call.given(2):
        return out
    bias = call.constant(2, "the bias of Gemm") * float(call.attribute("beta", 1.0))
    if bias.ndim > 2 or (bias.ndim == 2 and bias.shape[0] != 1 and not call.folding):
        raise call.refuse(f"a bias of shape {bias.shape} would mix events")
    return call.domain.add(out, bias)


class Windows:
    """The windows of a convolution or a pooling over all axes behind the channels', and the shape of what comes out.

    ``places``: (positions, elements of a window) in the flattened axes; -1 where a window reaches over the border.
    """

    def __init__(self, call: Call[Any], lengths: Sequence[int], kernel: Sequence[int]) -> None:
        n = len(lengths)
        steps = [int(v) for v in call.attribute("strides", [1] * n)]
        spread = [int(v) for v in call.attribute("dilations", [1] * n)]
        pads = [int(v) for v in call.attribute("pads", [0] * (2 * n))]
        mode = str(call.attribute("auto_pad", "NOTSET"))
        if not len(kernel) == len(steps) == len(spread) == n or len(pads) != 2 * n:
            raise call.refuse(f"{call.node.op}: kernel, strides, dilations and pads do not fit {n} axes")
        if min([*steps, *spread, *kernel], default=1) < 1 or min(pads, default=0) < 0:
            raise call.refuse(f"{call.node.op}: strides, dilations and kernel start at 1, pads at 0")
        along: list[list[list[int]]] = []
        for axis in range(n):
            reach = spread[axis] * (kernel[axis] - 1) + 1
            before, after = pads[axis], pads[axis + n]
            if mode in ("SAME_UPPER", "SAME_LOWER"):
                missing = max(0, (-(-lengths[axis] // steps[axis]) - 1) * steps[axis] + reach - lengths[axis])
                before = missing // 2 if mode == "SAME_UPPER" else missing - missing // 2
                after = missing - before
            elif mode not in ("NOTSET", "VALID", ""):
                raise call.refuse(f"auto_pad '{mode}'")
            room = lengths[axis] + before + after - reach
            if room < 0:
                raise call.refuse(f"{call.node.op}: a window of {reach} on an axis of {lengths[axis]} with its pads")
            if call.attribute("ceil_mode", 0) and room % steps[axis]:
                raise call.refuse(f"{call.node.op} with ceil_mode, where a last window is not full; pad instead")
            starts = range(-before, -before + room + 1, steps[axis])
            along.append([[s + k * spread[axis] for k in range(kernel[axis])] for s in starts])
        self.shape = tuple(len(a) for a in along)
        rows = []
        for position in product(*(range(s) for s in self.shape)):
            window = product(*(along[axis][p] for axis, p in enumerate(position)))
            rows.append([_flat(place, lengths) for place in window])
        self.places = np.array(rows, dtype=np.int64).reshape(prod(self.shape), prod(kernel))


def _flat(place: Sequence[int], lengths: Sequence[int]) -> int:
    flat = 0
    for index, length in zip(place, lengths, strict=True):
        if not 0 <= index < length:
            return -1
        flat = flat * length + index
    return flat


@operator("Conv")
def _conv(call: Call[Any]) -> Any:
    return _convolve(call, call.signal(0), call.constant(1, "the weight of Conv"))


@operator("Conv", domain=CHANNELS_LAST)
def _conv_channels_last(call: Call[Any]) -> Any:
    """The same of (events, ..., channels) and a weight (filters, ..., channels)."""
    weight = call.constant(1, "the weight of Conv")
    if weight.ndim < 3:
        raise call.refuse(f"Conv with a weight of shape {weight.shape}")
    return channels_last(call, lambda x: _convolve(call, x, np.moveaxis(weight, -1, 1)))


def _convolve(call: Call[Any], x: Any, weight: Array) -> Any:
    rank, groups = len(x.shape), int(call.attribute("group", 1))
    if rank < 3 or weight.ndim != rank:
        raise call.refuse(f"Conv of shapes {tuple(x.shape)} and {weight.shape} does not fit")
    events, channels, *lengths = x.shape
    filters, taken, *kernel = weight.shape
    if groups < 1 or channels % groups or filters % groups or taken * groups != channels:
        raise call.refuse(f"Conv of {channels} channels in {groups} groups with a weight of shape {weight.shape}")
    windows = Windows(call, lengths, kernel)
    size = prod(lengths)
    flat = reshape(call, x, (events, channels, size))
    where = windows.places
    if (where < 0).any():
        flat = call.domain.concat([flat, np.zeros((events if call.folding else 1, channels, 1))], 2)
        where = np.where(where < 0, size, where)
    seen = call.domain.take(flat, where, 2)  # (events, channels, positions, window)
    seen = call.domain.transpose(seen, (0, 2, 1, 3))
    positions, window = where.shape
    parts = []
    for group in range(groups):
        own = seen
        if groups > 1:
            own = call.domain.take(seen, np.arange(group * taken, (group + 1) * taken), 2)
        rows = reshape(call, own, (events, positions, taken * window))
        kernels = weight[group * filters // groups : (group + 1) * filters // groups]
        parts.append(call.domain.matmul(rows, kernels.reshape(len(kernels), -1).T))
    out = parts[0] if len(parts) == 1 else call.domain.concat(parts, 2)
    if call.given(2):
        out = call.domain.add(out, call.constant(2, "the bias of Conv").reshape(-1))
    return reshape(call, call.domain.transpose(out, (0, 2, 1)), (events, filters, *windows.shape))
