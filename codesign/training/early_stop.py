"""The network of the epoch with the smallest validation loss, and whether training goes on without a smaller one."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from codesign.training.batches import Events
from codesign.training.network import Network, Twin
from codesign.training.objectives import HeadsLoss

__all__ = ("EarlyStop",)


class EarlyStop:
    """Looks at the validation events ``held`` after each epoch."""

    def __init__(self, network: Network, loss: HeadsLoss, patience: int, held: Events) -> None:
        self._network, self._loss, self._patience, self._held = network, loss, patience, held
        self._best, self._since = float("inf"), 0
        self._kept: list[Tensor] = []

    @property
    def ended(self) -> bool:
        """Whether so many epochs brought nothing."""
        return self._since >= self._patience

    @torch.no_grad()
    def look(self, twin: Twin) -> None:
        """Judge what the twin has learned so far, and keep it where it is the best."""
        twin.finish()
        found = self._value()
        if found < self._best or not self._kept:
            self._best, self._since = found, 0
            self._kept = [p.detach().clone() for p in twin.parameters]
        else:
            self._since += 1

    @torch.no_grad()
    def restore(self, twin: Twin) -> None:
        """Give the twin back the best parameters."""
        for parameter, best in zip(twin.parameters, self._kept, strict=False):
            parameter.copy_(best)

    def _value(self) -> float:
        """The loss of all validation events, by their weights."""
        total, weight, start = 0.0, 0.0, 0
        targets, weights = self._held.targets, self._held.weights
        for inputs in self._held.pieces():
            some = slice(start, start := start + len(inputs))
            own = None if weights is None else weights[some]
            share = float(len(inputs)) if own is None else float(own.sum())
            wanted = tuple(t[some] for t in targets) if isinstance(targets, tuple) else targets[some]
            loss = self._loss if own is None else partial(self._loss, weights=own)
            value = self._network.objective(inputs, wanted, loss)
            if share > 0:
                total += share * float(value)
                weight += share
        return total / weight
