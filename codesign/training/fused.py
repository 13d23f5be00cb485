"""Fused fake quantisation: what the Brevitas quantisers compute, forward and backward, as one operation each.

Brevitas builds every quantiser from a dozen small modules; for networks as small as a trigger's their overhead is most
of a training step. One function for activations and one for weights give the same numbers, and the same gradients to
the rounding of their sums (the tests compare them): on the processor as compiled loops
(:mod:`codesign.training.fused_kernels`), elsewhere as PyTorch's operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, ldexp, log, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ("CodeRange", "WeightRows", "lsb", "quantised_activation", "quantised_weights")

#: Brevitas' bound on the largest magnitude of a row of weights
_LEAST = 1e-10
_LN2 = log(2.0)


@dataclass(frozen=True)
class CodeRange:
    """How an activation becomes a code: between ``low`` and ``top``, down, or to the ``nearest``, half to even.

    ``codes``: what its power of two is divided into; ``rectified``: a ReLU comes first.
    """

    codes: int
    low: int
    top: int
    nearest: bool = False
    rectified: bool = False


def _compiles(x: Tensor) -> bool:
    """Whether the compiled loops can work on it."""
    return x.device.type == "cpu"


class _Activation(torch.autograd.Function):
    """``clamp(floor(x / s + half), low, top) * s`` with straight-through gradients, of ``x`` and of ``log2 s``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, log2_range: Tensor, half: float, how: CodeRange) -> Tensor:
        ctx.half, ctx.how, ctx.shape = half, how, log2_range.shape
        if not _compiles(x):
            scale = torch.exp2(torch.ceil(log2_range)).div_(how.codes)
            ratio = x / scale
            code = (torch.round if how.nearest else torch.floor)(ratio + half).clamp_(how.low, how.top)
            ctx.save_for_backward(ratio, scale)
            return torch.mul(code, scale)
        from codesign.training import fused_kernels as kernels

        x = x.contiguous()
        ctx.save_for_backward(x)
        out = torch.empty_like(x)
        if log2_range.numel() == 1:
            ctx.scale = ldexp(1.0, ceil(log2_range.item())) / how.codes
            values = x.detach().view(-1).numpy()
            kernels.quantise(values, ctx.scale, half, how.low, how.top, how.nearest, out.view(-1).numpy())
        else:
            ctx.scale = each = _columns(x, torch.exp2(torch.ceil(log2_range.detach())).div_(how.codes))
            values, limits = x.detach().view(-1, len(each)).numpy(), _limits(each, how)
            kernels.quantise_columns(values, each, half, *limits, how.nearest, out.view(values.shape).numpy())
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (gradient,), (x, *more), half, how = gradients, ctx.saved_tensors, ctx.half, ctx.how
        if not _compiles(x):
            back, moved = _through(gradient, x, half, how)
            (scale,) = more
            return back, moved.sum_to_size(scale.shape) * scale * _LN2, None, None
        from codesign.training import fused_kernels as kernels

        gradient, back, scale = gradient.contiguous(), torch.empty_like(x), ctx.scale
        if isinstance(scale, float):
            whole = kernels.through(
                gradient.view(-1).numpy(), x.view(-1).numpy(), scale, half, how.low, how.top, how.nearest,
                how.rectified, back.view(-1).numpy(),
            )  # fmt: skip
            return back, torch.full(ctx.shape, whole * scale * _LN2, dtype=x.dtype), None, None
        values, of_scale = x.view(-1, len(scale)).numpy(), np.empty_like(scale)
        kernels.through_columns(
            gradient.view(values.shape).numpy(), values, scale, half, *_limits(scale, how), how.nearest, how.rectified,
            back.view(values.shape).numpy(), of_scale,
        )  # fmt: skip
        each = torch.from_numpy(of_scale * scale * _LN2).view(ctx.shape.numel(), -1).sum(dim=1)
        return back, each.to(x.dtype).view(ctx.shape), None, None


def _through(gradient: Tensor, ratio: Tensor, half: float, how: CodeRange) -> tuple[Tensor, Tensor]:
    """Gradients of each value and, still to be summed, of the scale, by PyTorch's operations."""
    shifted = ratio + half
    code = (torch.round if how.nearest else torch.floor)(shifted)
    inside = (code >= how.low) & (code <= how.top)
    if how.rectified:  # no gradient at 0 itself
        inside &= shifted > 0
    return gradient * inside, gradient * (code.clamp(how.low, how.top) - ratio * inside)


def _columns(x: Tensor, scale: Tensor) -> NDArray[Any]:
    """The scale of each column of ``x`` as a matrix, of channels on any one axis but the events'."""
    behind = scale.dim() - 1 - max(i for i, size in enumerate(scale.shape) if size > 1)
    each = scale.flatten().repeat_interleave(prod(x.shape[x.dim() - behind :]))
    return each.to(x.dtype).numpy()


def _limits(scale: NDArray[Any], how: CodeRange) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.full_like(scale, how.low), np.full_like(scale, how.top)


class WeightRows:
    """Rows of several layers' weights: each row has a power-of-two scale of its own, and its layer's bits."""

    def __init__(self, shapes: Sequence[torch.Size], bits: Sequence[int], rows: Sequence[int]) -> None:
        self.shapes = shapes
        self.sizes = [shape.numel() for shape in shapes]
        self.rows, self.bits = list(rows), list(bits)
        columns = np.repeat([size // n for size, n in zip(self.sizes, rows, strict=True)], rows)
        #: where each row begins, and the last one ends; and half the number of its codes
        self.starts: NDArray[np.int64] = np.concatenate([[0], np.cumsum(columns)])
        self.halves: NDArray[np.float64] = np.repeat([2.0 ** (b - 1) for b in bits], rows)


class _Weights(torch.autograd.Function):
    """Nearest multiple of a power-of-two scale per row, symmetric saturation, gradient through the row's maximum."""

    @staticmethod
    def forward(ctx: Any, layout: WeightRows, *weights: Tensor) -> tuple[Tensor, ...]:
        from codesign.training import fused_kernels as kernels

        ctx.layout = layout
        flat = torch.cat([w.flatten() for w in weights])
        values, top, place = flat.numpy(), flat.new_empty(len(layout.halves)), np.empty(len(layout.halves), np.int64)
        kernels.extremes(values, layout.starts, top.numpy(), place)
        # the logarithm by PyTorch, as in Brevitas: another one may round to another integer
        exponents = torch.log2(top.clamp_min_(_LEAST)).ceil_().numpy()
        out, residual, scale = torch.empty_like(flat), np.empty_like(values), np.empty_like(exponents)
        kernels.quantise_rows(values, layout.starts, exponents, layout.halves, out.numpy(), residual, scale)
        ctx.saved = (values, layout.starts, residual, scale, top.numpy(), place)
        return tuple(part.view(s) for part, s in zip(out.split(layout.sizes), layout.shapes, strict=True))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from codesign.training import fused_kernels as kernels

        layout = ctx.layout
        together = torch.cat([g.flatten() for g in gradients])
        kernels.through_rows(together.numpy(), *ctx.saved)
        parts = zip(together.split(layout.sizes), layout.shapes, strict=True)
        return None, *(part.view(shape) for part, shape in parts)


def _weight(weight: Tensor, bits: int, rows: int) -> Tensor:
    """The same by PyTorch's operations and differentiation."""
    matrix = weight.reshape(rows, -1)
    top = matrix.abs().max(dim=1, keepdim=True).values
    exponent = torch.log2(top.clamp_min(_LEAST))
    scale = torch.exp2(exponent + (torch.ceil(exponent) - exponent).detach()) / 2 ** (bits - 1)
    ratio, limit = matrix / scale, 2 ** (bits - 1) - 1
    code = ratio + (torch.round(ratio).clamp(-limit, limit) - ratio).detach()
    values: Tensor = code * scale
    return values.view(weight.shape)


def quantised_activation(x: Tensor, log2_range: Tensor, half: float, how: CodeRange) -> Tensor:
    """Codes of ``x`` times an LSB: of the next power of two above ``2**log2_range``, divided into ``how.codes``.

    ``log2_range``: a scalar, or one for each channel that broadcasts against ``x``. ``half``: what is added in front of
    the rounding, in LSBs: 0, or 1/2, which makes FLOOR round half up.
    """
    return _Activation.apply(x, log2_range, half, how)  # type: ignore[no-any-return]


def lsb(log2_range: Tensor, codes: int) -> Tensor:
    """The LSB itself, with the gradient of ``log2_range``."""
    return torch.exp2(log2_range + (torch.ceil(log2_range) - log2_range).detach()) / codes


def quantised_weights(weights: Sequence[Tensor], layout: WeightRows) -> tuple[Tensor, ...]:
    """Quantise all weights of a network as :class:`codesign.training.brevitas_quantisers.WeightQuantiser` does."""
    if not _compiles(weights[0]):
        return tuple(map(_weight, weights, layout.bits, layout.rows))
    return _Weights.apply(layout, *weights)  # type: ignore[no-any-return]
