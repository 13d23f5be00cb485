"""Compiled loops of fixed precision: each reads its arrays once, where PyTorch would once per operation.

The networks are so small that the calls of operations and the traffic between them, not the arithmetic, are most of a
step. All arrays are NumPy views of PyTorch's own memory. A row is the weights that one neuron or output reads; rows
lie one behind the other, all layers in one array.
"""

import math
from typing import Any

import numpy as np

from codesign.core.compiled import compile_kernel

__all__ = ("prepare", "quantise", "through", "through_weights")

_LN2 = math.log(2.0)


@compile_kernel
def prepare(weight: Any, bias: Any, rows: Any, grids: Any, lsbs: Any, written: Any) -> None:
    """Quantise all layers' weights, and move the scales of their inputs and outputs into them, exactly.

    ``rows``: where each begins, its layer, its largest code; ``grids``: the value of a code of each row; ``lsbs``: of
    each layer's inputs and, last, of the outputs. Written: the matrix from codes to codes; code less what was rounded
    to it; biases in codes.
    """
    starts, layers, limits = rows
    matrix, residual, shifts = written
    for r in range(len(bias)):
        grid, limit, outer = grids[r], limits[r], lsbs[layers[r] + 1]
        factor = grid * (lsbs[layers[r]] / outer)
        shifts[r] = bias[r] / outer
        for k in range(starts[r], starts[r + 1]):
            ratio = weight[k] / grid
            code = min(max(np.rint(ratio), -limit), limit)
            residual[k] = code - ratio
            matrix[k] = code * factor


@compile_kernel
def quantise(value: Any, low: int, top: int, code: Any) -> None:
    """Codes (events, n) between ``low`` and ``top`` of a layer's sums in units of the LSB, rounding half up."""
    values, codes = value.ravel(), code.ravel()
    half, least, most = value.dtype.type(0.5), value.dtype.type(low), value.dtype.type(top)
    for k in range(len(values)):
        codes[k] = min(max(np.floor(values[k] + half), least), most)


@compile_kernel
def through(gradient: Any, value: Any, low: int, top: int, total: Any) -> float:
    """Take a gradient (events, n) back through :func:`quantise`, in place; returns that of the range's logarithm.

    What is rectified, ``low`` being 0, has no gradient at 0 itself; what is clipped at a ``low`` below has, and so has
    what is clipped at ``top``, below the next code. Written: ``total``, the sums over the events.
    """
    half, least = value.dtype.type(0.5), value.dtype.type(low)
    most, over = value.dtype.type(top), value.dtype.type(top + 1)
    # the last number without a gradient: one comparison in the loop then serves both kinds
    under = least if low == 0 else np.nextafter(least, value.dtype.type(-np.inf))
    n = gradient.shape[1]
    passes, moved = np.zeros_like(total), np.zeros_like(total)
    for e in range(gradient.shape[0]):
        ahead, back = value[e], gradient[e]
        for j in range(n):
            shifted = ahead[j] + half
            code = min(max(np.floor(shifted), least), most)
            # products instead of branches, which would keep the loop from being vectorised
            inside = value.dtype.type(shifted > under) * value.dtype.type(shifted < over)
            moved[j] += back[j] * (code - ahead[j] * inside)
            back[j] *= inside
            passes[j] += back[j]
    total[:] = passes
    return float(moved.sum() * _LN2)


@compile_kernel
def through_weights(
    gradient: Any, bias: Any, weight: Any, rows: Any, grids: Any, lsbs: Any, residual: Any, largest: Any
) -> None:
    """Take the gradients of matrix and biases, as :func:`prepare` wrote them, back to the parameters, in place.

    Straight through the rounding, and through the scale to the largest weight of each row: ``largest``, its magnitude
    and its place.
    """
    starts, layers, _ = rows
    tops, places = largest
    for r in range(len(bias)):
        outer = lsbs[layers[r] + 1]
        factor = lsbs[layers[r]] / outer
        bias[r] /= outer
        through_scale = weight.dtype.type(0)
        for k in range(starts[r], starts[r + 1]):
            gradient[k] *= factor
            through_scale += gradient[k] * residual[k]
        place = places[r]
        gradient[place] += through_scale * np.sign(weight[place]) * grids[r] / tops[r]
