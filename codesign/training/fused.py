"""Fused fake quantisation: what the Brevitas quantisers compute, forward and backward, as one operation each.

Brevitas builds every quantiser from a dozen small modules; for networks as small as a trigger's their overhead is most
of a training step. These two functions give the same numbers and the same gradients (the tests compare them).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ("quantised_activation", "quantised_signed", "quantised_weight")


class _Activation(torch.autograd.Function):
    """``clamp(floor(x / s + 1/2), low, high) * s`` with straight-through gradients, learned ``s``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
        ratio = x / scale
        shifted = ratio + 0.5
        code = torch.floor(shifted).clamp_(low, high)
        # what is rectified has no gradient at 0 itself; what is clipped at a code below has
        inside = ((shifted > 0) if low == 0 else (shifted >= low)) & (shifted < high + 1)
        ctx.save_for_backward(inside, code - ratio * inside)
        return torch.mul(code, scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (gradient,) = gradients
        inside, residual = ctx.saved_tensors
        return gradient * inside, torch.dot(gradient.flatten(), residual.flatten()), None, None


class _Weight(torch.autograd.Function):
    """Nearest multiple of a power-of-two scale per row, symmetric saturation, gradient through the row's maximum."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bits: int) -> Tensor:
        top, where = weight.abs().max(dim=1, keepdim=True)
        top = top.clamp_min(1e-10)
        scale = torch.exp2(torch.ceil(torch.log2(top))) / 2 ** (bits - 1)
        ratio = weight / scale
        limit = 2 ** (bits - 1) - 1
        code = torch.round(ratio).clamp_(-limit, limit)
        slope = torch.sign(weight.gather(1, where)) * scale / top
        ctx.save_for_backward(code - ratio, slope, where)
        return torch.mul(code, scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        residual, slope, where = ctx.saved_tensors
        through_scale = (gradient * residual).sum(dim=1, keepdim=True) * slope
        return torch.scatter_add(gradient, 1, where, through_scale), None


def quantised_activation(x: Tensor, log2_range: Tensor, bits: int) -> Tensor:
    """Rectify and quantise (events, n) to ``bits`` unsigned bits, rounding half up.

    ``log2_range`` is the learned parameter of :class:`codesign.training.brevitas_quantisers.ActivationQuantiser`.
    """
    return _Activation.apply(x, _power(log2_range) / 2**bits, 0, 2**bits - 1)  # type: ignore[no-any-return]


def quantised_signed(x: Tensor, log2_range: Tensor, bits: int) -> Tensor:
    """Quantise (events, n) to ``bits`` bits with the sign, rounding half up.

    ``log2_range`` is the learned parameter of :class:`codesign.training.brevitas_quantisers.SignedActivationQuantiser`.
    """
    half = 2 ** (bits - 1)
    return _Activation.apply(x, _power(log2_range) / half, -half, half - 1)  # type: ignore[no-any-return]


def _power(log2_range: Tensor) -> Tensor:
    """The range: the next power of two, with the gradient of the parameter itself."""
    return torch.exp2(log2_range + (torch.ceil(log2_range) - log2_range).detach())


def quantised_weight(weight: Tensor, bits: int) -> Tensor:
    """Quantise weights (out, in) as :class:`codesign.training.brevitas_quantisers.WeightQuantiser` does."""
    return _Weight.apply(weight, bits)  # type: ignore[no-any-return]
