"""Networks on the front of one training in which the price of a bit operation rises, and the course of such a one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import cos, pi
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.training.batches import Truths
from codesign.training.loop import Course
from codesign.training.network import Network, Tensors, Twin
from codesign.training.objectives import HeadsLoss

__all__ = ("NEXT_SEED", "BudgetFront", "Checkpoint", "PassedNetwork", "PriceClimb", "Score", "accuracy", "quality")

#: learning rate of the bits relative to the weights': they have further to go
_BITS_RATE = 2.0
#: between the seeds of two starts of one training: a prime, so that neighbouring seeds share none
NEXT_SEED = 7919

#: of scores (events, outputs) and targets; larger is better
Score: TypeAlias = Callable[[Tensor, Tensors], float]


@dataclass(frozen=True)
class Checkpoint:
    """A network on the front of one training, folded and ready for export.

    ``ebops`` counts the folded network; ``score`` is on the validation events, in float32 and before folding.
    """

    network: Network
    ebops: float
    score: float
    epoch: int


@dataclass(frozen=True)
class PassedNetwork:
    """A network that a training passed through: what it costs, how good it is, when, and its parameters."""

    cost: float
    score: float
    epoch: int
    parameters: list[Tensor]


class BudgetFront:
    """Points non-dominated in (cost, score), by rising cost: each costs more than the one before and is better."""

    def __init__(self) -> None:
        self.points: list[PassedNetwork] = []

    def offers(self, cost: float, score: float) -> bool:
        """Whether such a point would be on the front."""
        place = bisect_left(self.points, cost, key=lambda p: p.cost)
        if place < len(self.points) and self.points[place].cost == cost and self.points[place].score >= score:
            return False
        return place == 0 or self.points[place - 1].score < score

    def add(self, cost: float, score: float, epoch: int, parameters: list[Tensor]) -> None:
        """Take a point in, and those that it dominates out."""
        if self.offers(cost, score):
            kept = [p for p in self.points if p.cost < cost or p.score > score]
            kept.append(PassedNetwork(cost, score, epoch, parameters))
            self.points = sorted(kept, key=lambda p: p.cost)

    def thinned(self, limit: int) -> list[PassedNetwork]:
        """At most ``limit`` points: the best of each of as many equal steps in log cost."""
        points = [p for p in self.points if p.cost > 0]
        if len(points) <= limit:
            return points
        place = np.log([p.cost for p in points])
        cell = np.minimum(((place - place[0]) / (place[-1] - place[0]) * limit).astype(int), limit - 1)
        # the score rises along the front, so the last point of a cell is its best
        return [points[int(np.flatnonzero(cell == c)[-1])] for c in np.unique(cell)]


def accuracy(scores: Tensor, targets: Tensors, weights: Tensor | None = None) -> float:
    """Share of events, by their weights (events,), whose largest score is at the target's index."""
    assert isinstance(targets, Tensor)
    right = (scores.argmax(dim=1) == targets).float()
    return float(right.mean() if weights is None else (weights * right).sum() / weights.sum())


def quality(loss: HeadsLoss, truths: Truths, weights: NDArray[np.float64] | None) -> Score:
    """How networks are judged on events with these targets and weights: by the accuracy where they are classes, else
    by the loss, the smaller the better."""
    each = None if weights is None else torch.as_tensor(weights, dtype=torch.float32)
    if not isinstance(truths, tuple) and truths.ndim == 1 and truths.dtype.kind in "iu":
        return partial(accuracy, weights=each)
    return lambda scores, targets: -float(loss(scores, targets, each))


class PriceClimb(Course):
    """Weights and bits each with their rate, and a price that stays low for the share ``warm`` and then rises; what
    there is after each epoch goes to ``visit``."""

    def __init__(
        self, epochs: int, learning_rate: float, warm: float, bits: Sequence[Tensor], visit: Callable[[int], None]
    ) -> None:
        super().__init__(epochs, learning_rate)
        self._warm, self._bits, self._visit = warm, list(bits), visit

    def begin(self, twin: Twin, steps: int) -> torch.optim.Optimizer:
        """Adam, with a rate for the bits and one for all else."""
        bits = {id(b) for b in self._bits}
        weights = [p for p in twin.parameters if id(p) not in bits]
        groups = [{"params": weights, "rate": 1.0}, {"params": self._bits, "rate": _BITS_RATE}]
        self._optimiser = torch.optim.Adam(groups, lr=self.learning_rate, fused=True)
        return self._optimiser

    def progress(self, epoch: int, step: int) -> float:
        """By the epochs, once the price rises."""
        return max(0.0, (epoch / max(1, self.epochs - 1) - self._warm) / (1 - self._warm))

    def before(self, epoch: int) -> None:
        """Set the rates."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.learning_rate * group["rate"] * _rate(epoch / self.epochs)

    def after(self, epoch: int) -> None:
        """Look at what there is."""
        self._visit(epoch)


def _rate(progress: float) -> float:
    """Learning rate, relative: a short rise, then a slow cosine down to a fifth."""
    rise = min(1.0, progress / 0.02 + 0.05)
    return rise * (0.2 + 0.4 * (1 + cos(pi * progress)))
