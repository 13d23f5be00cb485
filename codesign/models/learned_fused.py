"""Forward and backward of a network with learned precision as one operation, and its effective bit operations.

Signals travel as integer codes (in float32): every power-of-two scale is moved into the weights, where it is exact, so
a hidden layer is one matrix product, one floor and one clamp. The backward is written out by hand for the same reason.

Gradients are those of HGQ (arXiv 2405.00645): straight through the rounding for values, and for fraction bits ``f``
``d x_q / d f = ln 2 * (x - x_q)``. Where an activation saturates, at ``2**i - 2**-f``, the derivatives of that bound hold.
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


@dataclass(frozen=True)
class Layout:
    """Sizes of a fully connected network, inputs first; says where each layer lies in the flat tensors."""

    sizes: tuple[int, ...]

    @property
    def layers(self) -> int:
        """Number of linear layers, the head included."""
        return len(self.sizes) - 1

    def weights(self, flat: Tensor) -> list[Tensor]:
        """Views (out, in) of each layer's part of a flat tensor over all weights."""
        shapes = list(zip(self.sizes[1:], self.sizes[:-1], strict=True))
        parts = flat.split([a * b for a, b in shapes])
        return [p.view(shape) for p, shape in zip(parts, shapes, strict=True)]

    def biases(self, flat: Tensor) -> tuple[Tensor, ...]:
        """Views of each layer's biases."""
        return flat.split(list(self.sizes[1:]))

    def signals(self, flat: Tensor) -> tuple[Tensor, ...]:
        """Views of what belongs to the inputs and to each hidden layer's neurons."""
        return flat.split(list(self.sizes[:-1]))


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
        precision = Precision.of(f, i, layout.sizes[0])
        scales = layout.signals(precision.scale)
        tops, lows = layout.signals(precision.top), layout.signals(precision.low)
        grid = torch.exp2(fraction.round().clamp_(*FRACTION_LIMITS))
        codes = torch.round(weight * grid)
        quantised = codes / grid
        bits = torch.frexp(codes)[1].to(weight.dtype)  # bit length of the code, 0 for 0
        column = torch.cat([b.sum(0) for b in layout.weights(bits)])

        h = x * scales[0]
        h += 0.5
        residuals, hidden, matrices = [], [], []
        biases = layout.biases(bias)
        residual = h
        for index, matrix in enumerate(layout.weights(quantised)):
            if index:
                hidden_scale = scales[index]
                residual = torch.addmm(biases[index - 1] * hidden_scale + 0.5, hidden[-1], matrices[-1].t())
            code = torch.floor(residual)
            torch.clamp(code, lows[index], tops[index], out=code)
            residual -= code
            residuals.append(residual)
            hidden.append(code)
            scaled = matrix / scales[index]
            if index + 1 < layout.layers:
                scaled *= scales[index + 1][:, None]
            matrices.append(scaled)
        out = torch.addmm(biases[-1], hidden[-1], matrices[-1].t())

        ctx.layout, ctx.precision = layout, precision
        ctx.residuals, ctx.hidden, ctx.matrices = residuals, hidden, matrices
        ctx.save_for_backward(weight, quantised, column)
        return out, torch.dot(column, precision.width)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient, penalty = gradients
        weight, quantised, column = ctx.saved_tensors
        layout: Layout = ctx.layout
        p: Precision = ctx.precision
        scales, above = layout.signals(p.scale), layout.signals(p.above)
        widths = layout.signals(p.width)
        grad_weight, grad_bits = torch.empty_like(weight), torch.empty_like(weight)
        grad_bias = gradient.new_empty(sum(layout.sizes[1:]))
        grad_f, grad_i = torch.empty_like(p.scale), torch.empty_like(p.scale)
        weights, bits, biases = layout.weights(grad_weight), layout.weights(grad_bits), layout.biases(grad_bias)
        fs, integers = layout.signals(grad_f), layout.signals(grad_i)
        total = gradient.sum(0)
        for index in reversed(range(layout.layers)):
            torch.mm(gradient.t(), ctx.hidden[index], out=weights[index])
            weights[index].div_(scales[index])
            biases[index].copy_(total)
            if index + 1 < layout.layers:
                weights[index].mul_(scales[index + 1][:, None])
                biases[index].mul_(scales[index + 1])
            bits[index].copy_(widths[index].expand_as(bits[index]))
            upstream = gradient @ ctx.matrices[index]
            residual = ctx.residuals[index]
            over = torch.ops.aten.threshold_backward(upstream, residual, 1.0 - EDGE).sum(0)
            gradient = torch.ops.aten.hardtanh_backward(upstream, residual, 0.0 if index else -EDGE, 1.0 - EDGE)
            total = gradient.sum(0)
            # in codes: x - x_q is residual - 1/2 inside, and the largest code moves by 1 (f) and 2**(f+i) (i)
            torch.sub((gradient * residual).sum(0), total, alpha=0.5, out=fs[index]).add_(over)
            if index:
                torch.mul(over, above[index], out=integers[index])
            else:
                under = upstream.sum(0) - total - over
                torch.mul(over - under, above[0], out=integers[0])
        push = penalty * column * p.live
        grad_f.mul_(_LN2).add_(push)
        grad_i.mul_(_LN2).add_(push)
        grad_bits.mul_(penalty).mul_(quantised != 0)
        grad_bits.addcmul_(grad_weight, weight - quantised, value=_LN2)
        return None, grad_weight, grad_bits, grad_bias, grad_f, grad_i, None


def learned_forward(
    x: Tensor, weight: Tensor, fraction: Tensor, bias: Tensor, f: Tensor, i: Tensor, layout: Layout
) -> tuple[Tensor, Tensor]:
    """Scores (events, outputs) of values ``x`` (events, inputs), and the effective bit operations (a scalar).

    Flat tensors over all layers: ``weight`` and its ``fraction`` bits; ``bias``; fraction bits ``f`` and integer bits ``i``
    of the inputs and of each hidden neuron. EBOPs (arXiv 2405.00645): the sum over the multiplications of the
    weight's bits (without sign) times the signal's. All but ``x`` carry gradients.
    """
    return _Learned.apply(x, weight, fraction, bias, f, i, layout)  # type: ignore[no-any-return]
