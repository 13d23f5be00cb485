"""Forward and backward of a network with learned precision as one operation, and its effective bit operations.

Signals travel as integer codes (in float32): every power-of-two scale is moved into the weights, where it is exact, so
a hidden layer is one matrix product, one floor and one clamp. The backward is written out by hand for the same reason.

Gradients are those of HGQ (arXiv 2405.00645): straight through the rounding for values, and for fraction bits ``f``
``d x_q / d f = ln 2 * (x - x_q)``; where an activation saturates, it is the derivative of the bound ``2**i - 2**-f``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any

import torch
from torch import Tensor

__all__ = ("EDGE", "FRACTION_LIMITS", "INTEGER_LIMITS", "Layout", "Precision", "learned_forward")

#: smallest and largest fraction bits of a weight or an activation
FRACTION_LIMITS = (-8, 10)
#: smallest and largest integer bits of an activation (the sign not counted)
INTEGER_LIMITS = (-8, 6)

#: tolerance, in LSBs, with which a number counts as saturated: exact ties lie inside below, and saturate above
EDGE = 1e-6

_LN2 = log(2.0)
_HALF = torch.tensor(0.5)


class Layout:
    """Sizes of a fully connected network, inputs first; says where each layer lies in the flat tensors.

    A signal is an input or a hidden neuron. ``row`` and ``column`` give, for each weight, the index of the signal that
    it feeds (one past the last where that is an output) and of the signal that it reads.
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.sizes = sizes
        self.layers = len(sizes) - 1
        self.signal_sizes, self.bias_sizes = list(sizes[:-1]), list(sizes[1:])
        self.shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
        self.weight_sizes = [a * b for a, b in self.shapes]
        first = [sum(sizes[:k]) for k in range(len(sizes))]
        rows, columns = [], []
        for k, (out, inn) in enumerate(self.shapes):
            target = torch.arange(out) + first[k + 1] if k + 1 < self.layers else torch.full((out,), first[-1])
            rows.append(target.repeat_interleave(inn))
            columns.append((torch.arange(inn) + first[k]).repeat(out))
        self.row, self.column = torch.cat(rows), torch.cat(columns)
        #: half an LSB in front of each hidden neuron, none in front of the outputs
        self.half = torch.full((sum(sizes[1:]),), 0.5)
        self.half[-sizes[-1] :] = 0.0

    def weights(self, flat: Tensor) -> list[Tensor]:
        """Views (out, in) of each layer's part of a flat tensor over all weights."""
        return [p.view(shape) for p, shape in zip(flat.split(self.weight_sizes), self.shapes, strict=True)]


@dataclass(frozen=True)
class Precision:
    """What learned fraction and integer bits mean: whole numbers, widths, and bounds in codes.

    Of the inputs (the first ``inputs`` elements), signed, a width of less than 2 bits is none; of the others, unsigned,
    less than 1. A signal without bits is always 0.
    """

    scale: Tensor  # codes per unit, 2**f
    width: Tensor  # bits, the sign included
    low: Tensor  # smallest code
    top: Tensor  # largest code
    above: Tensor  # 2**(f + i): one more than the largest code
    live: Tensor  # 1 where there are bits, else 0

    @classmethod
    def of(cls, fraction: Tensor, integer: Tensor, inputs: int) -> Precision:
        """Round the learned bits, (signals,) each."""
        f = fraction.round().clamp_(*FRACTION_LIMITS)
        bits = integer.round().clamp_(*INTEGER_LIMITS).add_(f)
        live = (bits >= 1).to(f.dtype)
        above = torch.exp2(bits)
        low = torch.zeros_like(f)
        low[:inputs] = -above[:inputs] * live[:inputs]
        width = bits * live
        width[:inputs] += live[:inputs]
        return cls(torch.exp2(f), width, low, (above - 1) * live, above, live)


class _Learned(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, fraction: Tensor, bias: Tensor, f: Tensor, i: Tensor, layout: Layout
    ) -> tuple[Tensor, Tensor]:
        p = Precision.of(f, i, layout.sizes[0])
        # an output is no signal: its scale is 1
        padded = torch.nn.functional.pad(p.scale, (0, layout.sizes[-1]), value=1.0)
        factor = padded.index_select(0, layout.row).div_(p.scale.index_select(0, layout.column))
        grid = torch.exp2(fraction.round().clamp_(*FRACTION_LIMITS))
        codes = torch.round(weight * grid)
        quantised = codes / grid
        # bit length of an integer in float32: its exponent's field less 126; 0 for 0
        bits = codes.abs().view(torch.int32).bitwise_right_shift_(23).sub_(126).clamp_min_(0).to(weight.dtype)
        widths = p.width.index_select(0, layout.column)
        row_scale = padded[layout.sizes[0] :]
        biases = torch.addcmul(layout.half, bias, row_scale).split(layout.bias_sizes)
        matrices = layout.weights(quantised * factor)
        lows, tops = p.low.split(layout.signal_sizes), p.top.split(layout.signal_sizes)

        residual = torch.addcmul(_HALF, x, p.scale[: layout.sizes[0]])
        residuals, hidden = [], []
        for index, matrix in enumerate(matrices):
            code = residual.floor()
            torch.clamp(code, lows[index], tops[index], out=code)
            residuals.append(residual.sub_(code))
            hidden.append(code)
            residual = torch.addmm(biases[index], code, matrix.t())

        ctx.layout, ctx.precision, ctx.residuals, ctx.hidden, ctx.matrices = layout, p, residuals, hidden, matrices
        ctx.save_for_backward(weight, quantised, bits, widths, factor, row_scale)
        return residual, torch.dot(bits, widths)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient, penalty = gradients
        weight, quantised, bits, widths, factor, row_scale = ctx.saved_tensors
        layout: Layout = ctx.layout
        p: Precision = ctx.precision
        grad_weight, grad_bias = torch.empty_like(weight), torch.empty_like(row_scale)
        grad_f, grad_over = torch.empty_like(p.scale), torch.empty_like(p.scale)
        weights, biases = layout.weights(grad_weight), grad_bias.split(layout.bias_sizes)
        fs, overs = grad_f.split(layout.signal_sizes), grad_over.split(layout.signal_sizes)
        total = torch.sum(gradient, 0, out=biases[-1])
        for index in reversed(range(layout.layers)):
            torch.mm(gradient.t(), ctx.hidden[index], out=weights[index])
            upstream = gradient @ ctx.matrices[index]
            residual = ctx.residuals[index]
            over = torch.sum(torch.ops.aten.threshold_backward(upstream, residual, 1.0 - EDGE), 0, out=overs[index])
            gradient = torch.ops.aten.hardtanh_backward(upstream, residual, 0.0 if index else -EDGE, 1.0 - EDGE)
            # in codes: x - x_q is residual - 1/2 inside, and the largest code moves by 1 (f) and 2**(f+i) (i)
            torch.sum(residual * gradient, 0, out=fs[index]).add_(over)
            if index:
                total = torch.sum(gradient, 0, out=biases[index - 1])
            else:
                total = gradient.sum(0)
                under = upstream.sum(0).sub_(total).sub_(over)
                over -= under  # the smallest code moves too
            fs[index].sub_(total, alpha=0.5)
        push = torch.zeros_like(p.live).index_add_(0, layout.column, bits).mul_(p.live).mul_(penalty)
        torch.add(push, grad_f, alpha=_LN2, out=grad_f)
        grad_i = torch.addcmul(push, grad_over, p.above, value=_LN2)
        grad_weight.mul_(factor)
        grad_bits = torch.where(quantised != 0, widths, 0.0).mul_(penalty)
        # integer bits follow the magnitude: d log2 |w| / d w, where w is not quantised to 0 and so half an LSB or more
        pull = grad_bits / weight
        grad_bits.addcmul_(grad_weight, weight - quantised, value=_LN2)
        grad_weight.add_(torch.where(quantised != 0, pull, 0.0), alpha=1 / _LN2)
        return None, grad_weight, grad_bits, grad_bias.mul_(row_scale), grad_f, grad_i, None


def learned_forward(x: Tensor, parameters: list[Tensor], layout: Layout) -> tuple[Tensor, Tensor]:
    """Scores (events, outputs) of values ``x`` (events, inputs), and the effective bit operations (a scalar).

    ``parameters``, each flat over all layers: weights; fraction bits of each; biases; fraction bits and integer bits of
    the inputs and of each hidden neuron. EBOPs (arXiv 2405.00645): the sum over the multiplications of the weight's
    bits (without sign) times the signal's. All but ``x`` carry gradients.
    """
    return _Learned.apply(x, *parameters, layout)  # type: ignore[no-any-return]
