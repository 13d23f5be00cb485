"""Batch normalisation of what enters an activation, and its way into the weights in front of it.

For a training in floating point alone (Ioffe and Szegedy, arXiv:1502.03167): afterwards nothing of it is left.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ("Normalisation",)

_MOMENTUM, _SMALL = 0.1, 1e-5


class Normalisation:
    """Of the channels of an activation whose bias is (channels, 1, ...), which is what is added behind."""

    def __init__(self, bias: Tensor) -> None:
        count = len(bias)
        #: the factor of each channel that is learned
        self.gain = torch.ones(count, device=bias.device, requires_grad=True)
        self._mean, self._variance = torch.zeros(count, device=bias.device), torch.ones(count, device=bias.device)
        self._makers: tuple[Tensor, ...] = ()

    def normalised(self, x: Tensor, bias: Tensor, makers: tuple[Tensor, ...], training: bool) -> Tensor:
        """(events, ..., channels, ...) with the mean ``bias`` and the deviation of the gain; as it is, the bias added,
        where no weights made it, into which this could go."""
        if not makers:
            return x + bias
        self._makers = makers
        axis = x.dim() - bias.dim()
        rows = x.movedim(axis, -1)
        flat = rows.reshape(-1, len(bias))
        found = nn.functional.batch_norm(
            flat, self._mean, self._variance, self.gain, bias.flatten(), training, _MOMENTUM, _SMALL
        )
        return found.view(rows.shape).movedim(-1, axis)

    @torch.no_grad()
    def fold(self, bias: Tensor) -> None:
        """Put it into the weights that made what it was given, and into the bias."""
        if not self._makers:
            return
        factor = self.gain * torch.rsqrt(self._variance + _SMALL)
        for weight in self._makers:
            weight.mul_(factor.view(-1, *(1,) * (weight.dim() - 1)))
        bias.sub_((self._mean * factor).view(bias.shape))
