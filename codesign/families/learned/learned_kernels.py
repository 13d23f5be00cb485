"""Compiled loops of learned precision: each reads its arrays once, where PyTorch would once per operation.

The networks are so small that the calls of operations and the traffic between them, not the arithmetic, are most of a
step. All arrays are NumPy views of PyTorch's own memory. A signal is an input or a hidden neuron, inputs first.
"""

import math
from typing import Any

import numpy as np

from codesign.core.compiled import compile_kernel

__all__ = ("prepare", "quantise", "through_parameters")

_LN2 = math.log(2.0)


@compile_kernel
def _whole(value: float, limits: tuple[int, int]) -> int:
    return min(max(int(np.rint(value)), limits[0]), limits[1])


@compile_kernel
def prepare(
    parameters: Any,
    shapes: Any,
    which: Any,
    fraction_limits: tuple[int, int],
    integer_limits: tuple[int, int],
    powers: Any,
    signals: Any,
    weights: Any,
    exponents: Any,
    biases: Any,
) -> float:
    """What the parameters mean, all layers at once; returns the effective bit operations.

    ``parameters``: weights, their fraction bits, biases, fraction and integer bits of the signals, each flat.
    ``shapes``: (out, in) of each layer; ``which``: for each weight the fraction bits that are its own; ``powers``: 2**f
    for the allowed fraction bits. Written, rows of ``signals``: codes per unit (of the outputs, too: 1), width with the
    sign, smallest code, largest code, 2**(f + i), 1 where there are bits; of ``weights``: quantised, matrix from codes
    to codes, bits without the sign; ``biases``: in codes, with half an LSB. ``exponents``: the memory of
    the bits as integers, the bits of a float's mantissa, and the exponent of 1/2 as it is stored.
    """
    weight, fraction, bias, f, i = parameters
    scale, width, low, top, above, live = signals
    quantised, matrix, bits = weights
    raw, mantissa, half = exponents
    inputs = shapes[0, 1]
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
    for j in range(len(weight)):
        grid = powers[_whole(fraction[which[j]], fraction_limits) - fraction_limits[0]]
        code = np.rint(weight[j] * grid)
        quantised[j] = code / grid
        bits[j] = abs(code)
    for j in range(len(weight)):
        bits[j] = max((raw[j] >> mantissa) - half, 0)  # the length of a whole number is its float's exponent
    total, first, reads = 0.0, 0, 0
    for layer in range(len(shapes)):
        out, inn = shapes[layer]
        unit, used = 1 / scale[reads : reads + inn], np.zeros(inn, weight.dtype)
        for r in range(out):
            outer = scale[reads + inn + r]
            for c in range(inn):
                matrix[first + c] = quantised[first + c] * (outer * unit[c])
                used[c] += bits[first + c]
            first += inn
        for c in range(inn):
            total += used[c] * width[reads + c]
        reads += inn
    return total


@compile_kernel
def quantise(residual: Any, low: Any, top: Any, code: Any) -> None:
    """Codes (events, n) of a layer, saturated between ``low`` and ``top``; of ``residual`` remains what is left."""
    for e in range(residual.shape[0]):
        for j in range(residual.shape[1]):
            value = min(max(np.floor(residual[e, j]), low[j]), top[j])
            code[e, j] = value
            residual[e, j] -= value


@compile_kernel
def through_parameters(
    weight: Any, shapes: Any, which: Any, price: float, bit_price: float, signals: Any, weights: Any, gradients: Any
) -> None:
    """Take the gradients of matrices, biases, and of what ``through_learned`` gave, back to the parameters, in place.

    ``price``: the gradient of the effective bit operations; ``bit_price``: added to that of every kind of bits. A
    weight's integer bits follow its magnitude: d log2 |w| / d w, where it is not quantised to 0 and so half an LSB or
    more.
    """
    scale, width, _, _, above, live = signals
    quantised, _, bits = weights
    own, fraction, bias, f, i = gradients
    number = weight.dtype.type
    ln2, none = number(_LN2), number(0)
    inputs = shapes[0, 1]
    for k in range(len(bias)):
        bias[k] *= scale[inputs + k]
    for k in range(len(f)):
        f[k] = ln2 * f[k] + bit_price
        i[k] = ln2 * i[k] * above[k] + bit_price
    for j in range(len(fraction)):
        fraction[j] = bit_price
    each = len(fraction) == len(weight)
    first, reads = 0, 0
    for layer in range(len(shapes)):
        out, inn = shapes[layer]
        unit, used = 1 / scale[reads : reads + inn], np.zeros(inn, weight.dtype)
        of_bits = np.empty(inn, weight.dtype)
        cost = number(price) * width[reads : reads + inn]
        for r in range(out):
            outer = scale[reads + inn + r]
            for c in range(inn):
                j = first + c
                gradient = own[j] * (outer * unit[c])
                counts = quantised[j] != 0
                of_bits[c] = gradient * (weight[j] - quantised[j]) * ln2 + (cost[c] if counts else none)
                own[j] = gradient + (cost[c] / weight[j] / ln2 if counts else none)
                used[c] += bits[j]
            if each:
                for c in range(inn):
                    fraction[first + c] += of_bits[c]
            else:
                for c in range(inn):
                    fraction[which[first + c]] += of_bits[c]
            first += inn
        for c in range(inn):
            push = number(price) * used[c] * live[reads + c]
            f[reads + c] += push
            i[reads + c] += push
        reads += inn
