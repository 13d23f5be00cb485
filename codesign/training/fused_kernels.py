"""Compiled loops of fake quantisation: each reads its arrays once, where PyTorch would once per operation.

All arrays are NumPy views of PyTorch's own memory. Scales are powers of two, so that a product with the inverse of one
is the quotient, exactly.
"""

import math
from typing import Any

import numpy as np

from codesign.core.compiled import compile_kernel

__all__ = (
    "extremes", "quantise", "quantise_columns", "quantise_learned", "quantise_rows", "through", "through_columns",
    "through_learned", "through_rows",
)  # fmt: skip

#: sums that run side by side, so that the loop over a flat array is vectorised
_LANES = 64


@compile_kernel
def quantise(x: Any, scale: float, half: float, low: int, top: int, nearest: bool, out: Any) -> None:
    """``clamp(floor(x / scale + half), low, top) * scale`` of a flat array; ``nearest``: half-even instead of floor."""
    number = x.dtype.type
    unit, one, shift, least, most = number(1 / scale), number(scale), number(half), number(low), number(top)
    if nearest:
        for k in range(len(x)):
            out[k] = min(max(np.rint(x[k] * unit + shift), least), most) * one
    else:
        for k in range(len(x)):
            out[k] = min(max(np.floor(x[k] * unit + shift), least), most) * one


@compile_kernel
def through(
    gradient: Any, x: Any, scale: float, half: float, low: int, top: int, nearest: bool, rectified: bool, back: Any
) -> float:
    """Take a gradient back through :func:`quantise`, into ``back``; returns that of ``scale``.

    What is clipped has no gradient; what is ``rectified`` has none at 0 either.
    """
    number = x.dtype.type
    unit, shift, least, most = number(1 / scale), number(half), number(low), number(top)
    under = number(0) if rectified else number(-np.inf)
    moved = np.zeros(_LANES, x.dtype)
    whole = len(x) - len(x) % _LANES
    for start in range(0, whole, _LANES):
        for j in range(_LANES):
            k = start + j
            ratio = x[k] * unit
            shifted = ratio + shift
            code = np.rint(shifted) if nearest else np.floor(shifted)
            # products instead of branches, which would keep the loop from being vectorised
            inside = number(code >= least) * number(code <= most) * number(shifted > under)
            moved[j] += gradient[k] * (min(max(code, least), most) - ratio * inside)
            back[k] = gradient[k] * inside
    for k in range(whole, len(x)):
        ratio = x[k] * unit
        shifted = ratio + shift
        code = np.rint(shifted) if nearest else np.floor(shifted)
        inside = number(code >= least) * number(code <= most) * number(shifted > under)
        moved[0] += gradient[k] * (min(max(code, least), most) - ratio * inside)
        back[k] = gradient[k] * inside
    return float(moved.sum())


@compile_kernel
def quantise_columns(x: Any, scale: Any, half: float, low: Any, top: Any, nearest: bool, out: Any) -> None:
    """:func:`quantise` of (rows, columns), each column with a scale and limits of its own."""
    shift, unit = x.dtype.type(half), 1 / scale
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            shifted = x[r, j] * unit[j] + shift
            code = np.rint(shifted) if nearest else np.floor(shifted)
            out[r, j] = min(max(code, low[j]), top[j]) * scale[j]


@compile_kernel
def through_columns(
    gradient: Any, x: Any, scale: Any, half: float, low: Any, top: Any, nearest: bool, rectified: bool, back: Any,
    of_scale: Any,
) -> None:  # fmt: skip
    """Take a gradient back through :func:`quantise_columns`, into ``back``, and that of each column's scale."""
    number = x.dtype.type
    shift, unit, moved = number(half), 1 / scale, np.zeros_like(scale)
    under = number(0) if rectified else number(-np.inf)
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            ratio = x[r, j] * unit[j]
            shifted = ratio + shift
            code = np.rint(shifted) if nearest else np.floor(shifted)
            inside = number(code >= low[j]) * number(code <= top[j]) * number(shifted > under)
            moved[j] += gradient[r, j] * (min(max(code, low[j]), top[j]) - ratio * inside)
            back[r, j] = gradient[r, j] * inside
    of_scale[:] = moved


@compile_kernel
def quantise_learned(x: Any, scale: Any, low: Any, top: Any, out: Any, residual: Any) -> None:
    """Floor (rows, columns) to multiples of each column's ``1 / scale``, saturated; ``residual``: what is left, in
    codes."""
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            ratio = x[r, j] * scale[j]
            code = min(max(np.floor(ratio), low[j]), top[j])
            residual[r, j] = ratio - code
            out[r, j] = code / scale[j]


@compile_kernel
def through_learned(
    gradient: Any, residual: Any, edge: float, signed: bool, total: Any, fraction: Any, bound: Any
) -> None:
    """Take a gradient (events, n) back through a quantiser of learned bits, in place, with sums over the events.

    It passes where ``residual`` is between 0 and 1 (with ``edge`` as tolerance; below 0 where ``signed``). Written:
    ``total``, of what passes; ``fraction``, times ln 2 the gradient of f; ``bound``, times ln 2 and 2**(f + i) that of
    i. In codes, x - x_q is residual - 1/2 inside, and the largest code moves by 1 (f) and 2**(f + i) (i); so does the
    smallest.
    """
    number = gradient.dtype.type
    most, least, half = number(1 - edge), number(-edge if signed else 0.0), number(0.5)
    has_sign = number(signed)
    passes, finer, wider = np.zeros_like(total), np.zeros_like(total), np.zeros_like(total)
    for e in range(gradient.shape[0]):
        back, rest = gradient[e], residual[e]
        for j in range(gradient.shape[1]):
            # products instead of branches, which would keep the loop from being vectorised
            over = back[j] * number(rest[j] > most)
            under = back[j] * (number(rest[j] <= least) * has_sign)
            back[j] *= number(rest[j] > least) * number(rest[j] < most)
            passes[j] += back[j]
            finer[j] += back[j] * (rest[j] - half) + over
            wider[j] += over - under
    total[:] = passes
    fraction[:] = finer
    bound[:] = wider


@compile_kernel
def extremes(weight: Any, starts: Any, tops: Any, places: Any) -> None:
    """Largest magnitude of each row of ``weight``, and where it is first; row r begins at ``starts[r]``."""
    for r in range(len(tops)):
        row = np.abs(weight[starts[r] : starts[r + 1]])
        top = row[0]
        for k in range(1, len(row)):
            top = max(top, row[k])
        place = 0
        while place < len(row) - 1 and row[place] != top:
            place += 1
        tops[r] = top
        places[r] = starts[r] + place


@compile_kernel
def quantise_rows(weight: Any, starts: Any, exponents: Any, halves: Any, out: Any, residual: Any, scale: Any) -> None:
    """Weights to the nearest multiple of ``2**exponent / half`` of their row, symmetric; row r begins at ``starts[r]``.

    ``halves``: half the number of a row's codes. Written: ``scale`` of each row; ``residual``, the codes less what was
    rounded to them.
    """
    number = weight.dtype.type
    for r in range(len(scale)):
        one, limit = number(math.ldexp(1.0, int(exponents[r])) / halves[r]), number(halves[r] - 1)
        scale[r], unit = one, number(1) / one
        for k in range(starts[r], starts[r + 1]):
            ratio = weight[k] * unit
            code = min(max(np.rint(ratio), -limit), limit)
            residual[k] = code - ratio
            out[k] = code * one


@compile_kernel
def through_rows(gradient: Any, weight: Any, starts: Any, residual: Any, scale: Any, tops: Any, places: Any) -> None:
    """Take a gradient back through :func:`quantise_rows`, in place: straight, and through the scale to each row's
    largest: ``tops``, its magnitude, and ``places``, where it is."""
    for r in range(len(scale)):
        through_scale = weight.dtype.type(0)
        for k in range(starts[r], starts[r + 1]):
            through_scale += gradient[k] * residual[k]
        place = places[r]
        gradient[place] += through_scale * np.sign(weight[place]) * scale[r] / tops[r]
