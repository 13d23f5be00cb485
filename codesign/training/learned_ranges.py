"""Ranges that are learned of weights, and followed of activations that wrap: what HGQ2 has beside learned fractions.

A weight with a range of its own saturates at +-(2**i - 2**-f): its total width i + f is what is priced, and i has a
gradient where it saturates. An activation that wraps drops the bits above its range, which costs no logic where
saturation takes a comparison and a choice for every bit. So its range has to hold all that reaches it: in training it
follows the largest number of a step, from which it sinks slowly; in the end it is that of all training events. What
another event gives beyond it comes in again from below, in every model alike.
"""

from __future__ import annotations

from math import log
from typing import Any

import torch
from torch import Tensor

from codesign.graph.nodes import CODESIGN

__all__ = ("SINK", "needed_integers", "ranged_weights", "wrapped")

_LN2 = log(2.0)
#: by how much an integer bit that nothing needs sinks in a step
SINK = 0.01


class _RangedWeight(torch.autograd.Function):
    """Weights to nearest, between -(2**i - 2**-f) and 2**i - 2**-f. Gradients as of an activation: straight through
    inside; outside that of the bound."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, fraction: Tensor, integer: Tensor) -> Tensor:
        grid, bound = torch.exp2(fraction), torch.exp2(integer)
        top = (bound * grid - 1).clamp_min(0)
        code = torch.round(weight * grid)
        clipped = torch.minimum(torch.maximum(code, -top), top)
        ctx.save_for_backward(weight - clipped / grid, (code - clipped).sign(), grid, bound * (top > 0))
        return clipped / grid

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (gradient,) = gradients
        error, side, grid, bound = ctx.saved_tensors
        inside, beyond = gradient * (side == 0), gradient * side
        return inside, _LN2 * (inside * error + beyond / grid), _LN2 * beyond * torch.where(bound > 0, bound, 1 / grid)


class _Wrap(torch.autograd.Function):
    """FLOOR and wrap; exported as ``FixedPoint`` of the project's own domain."""

    @staticmethod
    def symbolic(g: Any, x: Any, keep: Any, integer: Any, fraction: Any) -> Any:
        found = g.op(f"{CODESIGN}::FixedPoint", x, keep, integer, fraction, overflow_s="WRAP", rounding_mode_s="FLOOR")
        found.setType(x.type())
        return found

    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Tensor, integer: Tensor, fraction: Tensor) -> Tensor:
        bits = keep + integer + fraction
        scale, size = torch.exp2(fraction), torch.exp2(bits)
        low = -keep * size / 2
        code = torch.remainder(torch.floor(x * scale) - low, size) + low
        return torch.where(bits > 0, code, 0.0) / scale


def ranged_weights(weight: Tensor, fraction: Tensor, integer: Tensor) -> Tensor:
    """Weights on their grids of ``fraction`` bits, saturated at their ranges of ``integer`` bits."""
    found: Tensor = _RangedWeight.apply(weight, fraction, integer)
    return found


def wrapped(x: Tensor, keep: Tensor, integer: Tensor, fraction: Tensor) -> Tensor:
    """FLOOR and wrap; ``keep``: 1 of signed channels; all of a shape that broadcasts. A type without bits gives 0."""
    found: Tensor = _Wrap.apply(x, keep, integer, fraction)
    return found


def needed_integers(given: Tensor, fraction: Tensor, signed: bool, least: float) -> Tensor:
    """Integer bits, without a sign, of each channel (1, channels, 1, ...) of what ``given`` (events, channels, ...)
    has; ``fraction``: bits behind the point, in that shape without the events; ``least``: of a channel that is 0."""
    code = torch.floor(given.detach() * torch.exp2(fraction))
    size = torch.maximum(code, -code - 1) if signed else code
    channel = given.dim() - fraction.dim()
    axes = [axis for axis in range(given.dim()) if axis != channel]
    top = size.amax(dim=axes).clamp_min(0)
    return torch.where(top > 0, torch.floor(torch.log2(top.clamp_min(1))) + 1 - fraction.flatten(), least)
