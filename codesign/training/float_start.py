"""A start in floating point: a network is trained without quantisers, and normalised, before it learns to do with few
bits.

An epoch of it costs a third of one with quantisers, and normalisation lets a network of several layers learn in few
epochs what it does not learn without. In the end the normalisation is in the weights, so that the training with
quantisers begins where this one ends.
"""

from __future__ import annotations

from math import cos, pi

import torch
from torch import Tensor

from codesign.training.batches import Events
from codesign.training.layered_network import LayeredNetwork
from codesign.training.lesson import Progress, quiet
from codesign.training.loop import Course, run_course
from codesign.training.network import Loss, Tensors, Twin
from codesign.training.objectives import HeadsLoss

__all__ = ("begin_floating",)

#: steps over which the rate rises, and its end, relative
_RISE, _END = 50, 0.04


class _FloatTwin(Twin):
    """The weights, biases and gains of the network, moved by PyTorch's differentiation."""

    def __init__(self, network: LayeredNetwork) -> None:
        self._network = network
        self.parameters = network.float_parameters()
        self.prunable = [w.detach() for w in network.prunable]

    def gradients(self, x: Tensor, target: Tensors, loss: Loss, progress: float) -> float:
        """One step; nothing has a price yet."""
        for parameter in self.parameters:
            parameter.grad = None
        value = loss(self._network.of_flat(x), target)
        value.backward()
        return value.item()

    def finish(self) -> None:
        """The parameters are the network's own."""


class _Start(Course):
    """Adam; the rate rises for a few steps and then falls, a cosine by the step."""

    def begin(self, twin: Twin, steps: int) -> torch.optim.Optimizer:
        """The optimiser."""
        self._optimiser = torch.optim.Adam(twin.parameters, lr=self.learning_rate, fused=True)
        self._all, self._done = max(1, self.epochs * steps), 0
        self._set_rate()
        return self._optimiser

    def progress(self, epoch: int, step: int) -> float:
        """Nothing goes by it."""
        return 0.0

    def stepped(self) -> None:
        """The next rate."""
        self._done += 1
        self._set_rate()

    def _set_rate(self) -> None:
        falls = _END + (1 - _END) * 0.5 * (1 + cos(pi * self._done / self._all))
        for group in self._optimiser.param_groups:
            group["lr"] = self.learning_rate * falls * min(1.0, (self._done + 1) / _RISE)


def begin_floating(
    network: LayeredNetwork, events: Events, loss: HeadsLoss, epochs: int, rate: float, batch: int,
    generator: torch.Generator, progress: Progress = quiet,
) -> None:  # fmt: skip
    """Train ``network`` in place for so many epochs without quantisers, normalised; then put that into its weights."""
    network.train()
    with network.floating():
        run_course(_FloatTwin(network), events, loss, _Start(epochs, rate), batch, generator, progress)
