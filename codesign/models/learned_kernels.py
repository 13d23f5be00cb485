"""Compiled loops of learned precision: each reads its arrays once, where PyTorch would once per operation.

The networks are so small that the calls of operations and the traffic between them, not the arithmetic, are most of a
step. All arrays are NumPy views of PyTorch's own memory. A signal is an input or a hidden neuron, inputs first.
"""

import math
from typing import Any

import numpy as np

from codesign.compiled import compiled

__all__ = ("prepare", "quantise", "through", "through_parameters")

_LN2 = math.log(2.0)


@compiled
def _whole(value: float, limits: tuple[int, int]) -> int:
    return min(max(int(np.rint(value)), limits[0]), limits[1])


@compiled
def prepare(
    parameters: Any,
    places: Any,
    inputs: int,
    fraction_limits: tuple[int, int],
    integer_limits: tuple[int, int],
    powers: Any,
    signals: Any,
    weights: Any,
    biases: Any,
) -> float:
    """What the parameters mean, all layers at once; returns the effective bit operations.

    ``parameters``: weights, their fraction bits, biases, fraction and integer bits of the signals, each flat.
    ``places``: for each weight the signal that it feeds (or an output), the signal that it reads, and the fraction bits
    that are its own. ``powers``: 2**f for the allowed fraction bits. Written, rows of ``signals``: codes per unit (of
    the outputs, too: 1), width with the sign, smallest code, largest code, 2**(f + i), 1 where there are bits; of
    ``weights``: quantised, matrix from codes to codes, bits without the sign; ``biases``: in codes, with half an LSB.
    """
    weight, fraction, bias, f, i = parameters
    row, column, which = places
    scale, width, low, top, above, live = signals
    quantised, matrix, bits = weights
    for k in range(len(scale)):
        scale[k] = 1
    for k in range(len(f)):
        whole = _whole(f[k], fraction_limits)
        size = whole + _whole(i[k], integer_limits)
        scale[k] = math.ldexp(1.0, whole)
        above[k] = math.ldexp(1.0, size)
        signed = k < inputs
        live[k] = size >= 1
        width[k] = (size + signed) * live[k]
        low[k] = -above[k] * live[k] * signed
        top[k] = (above[k] - 1) * live[k]
    for k in range(len(bias)):
        hidden = inputs + k < len(f)
        biases[k] = bias[k] * scale[inputs + k] + (0.5 if hidden else 0.0)
    total = 0.0
    for j in range(len(weight)):
        grid = powers[_whole(fraction[which[j]], fraction_limits) - fraction_limits[0]]
        code = np.rint(weight[j] * grid)
        quantised[j] = code / grid
        matrix[j] = quantised[j] * (scale[row[j]] / scale[column[j]])
        length, rest = 0, abs(code)
        while rest >= 1:
            rest *= 0.5
            length += 1
        bits[j] = length
        total += length * width[column[j]]
    return total


@compiled
def quantise(residual: Any, low: Any, top: Any, code: Any) -> None:
    """Codes (events, n) of a layer, saturated between ``low`` and ``top``; of ``residual`` remains what is left."""
    for e in range(residual.shape[0]):
        for j in range(residual.shape[1]):
            value = min(max(np.floor(residual[e, j]), low[j]), top[j])
            code[e, j] = value
            residual[e, j] -= value


@compiled
def through(gradient: Any, residual: Any, edge: float, signed: bool, total: Any, fraction: Any, bound: Any) -> None:
    """Take a gradient (events, n) back through a quantiser, in place, with sums over the events.

    It passes where ``residual`` is between 0 and 1 (with ``edge`` as tolerance; below 0 where ``signed``). Written:
    ``total``, of what passes; ``fraction``, times ln 2 the gradient of f; ``bound``, times ln 2 and 2**(f + i) that of
    i. In codes, x - x_q is residual - 1/2 inside, and the largest code moves by 1 (f) and 2**(f + i) (i); so does the
    smallest.
    """
    most, least = gradient.dtype.type(1 - edge), gradient.dtype.type(-edge if signed else 0.0)
    none = gradient.dtype.type(0)
    fraction[:] = 0
    bound[:] = 0
    total[:] = 0
    everything = np.zeros_like(total)
    for e in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            value, rest = gradient[e, j], residual[e, j]
            passed = value if least < rest < most else none
            gradient[e, j] = passed
            everything[j] += value
            bound[j] += value if rest > most else none
            fraction[j] += passed * rest
            total[j] += passed
    for j in range(len(total)):
        fraction[j] += bound[j] - total[j] / 2
        if signed:
            bound[j] -= everything[j] - total[j] - bound[j]


@compiled
def through_parameters(
    weight: Any, places: Any, inputs: int, price: float, bit_price: float, signals: Any, weights: Any, gradients: Any
) -> None:
    """Take the gradients of matrices, biases, and of what :func:`through` gave, back to the parameters, in place.

    ``price``: the gradient of the effective bit operations; ``bit_price``: added to that of every kind of bits. A
    weight's integer bits follow its magnitude: d log2 |w| / d w, where it is not quantised to 0 and so half an LSB or
    more.
    """
    row, column, which = places
    scale, width, _, _, above, live = signals
    quantised, _, bits = weights
    own, fraction, bias, f, i = gradients
    ln2 = weight.dtype.type(_LN2)
    cost = weight.dtype.type(price)
    for k in range(len(bias)):
        bias[k] *= scale[inputs + k]
    for k in range(len(f)):
        f[k] = ln2 * f[k] + bit_price
        i[k] = ln2 * i[k] * above[k] + bit_price
    for j in range(len(fraction)):
        fraction[j] = bit_price
    for j in range(len(weight)):
        reads = column[j]
        gradient = own[j] * (scale[row[j]] / scale[reads])
        of_bits = gradient * (weight[j] - quantised[j]) * ln2
        if quantised[j] != 0:
            of_bits += cost * width[reads]
            gradient += cost * width[reads] / weight[j] / ln2
            push = cost * bits[j] * live[reads]
            f[reads] += push
            i[reads] += push
        own[j] = gradient
        fraction[which[j]] += of_bits
