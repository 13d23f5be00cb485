"""One training that walks along a front: the price of a bit operation rises, the best networks on the way are kept."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import cos, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.learned_fused import learned_forward
from codesign.families.learned.network import LearnedMLP, LearnedTwin
from codesign.tasks.heads import TorchLoss
from codesign.training.lesson import Progress, quiet
from codesign.training.loop import Course, Events, Truths, first_events, run_course
from codesign.training.network import Tensors, Twin
from codesign.training.objectives import HeadsLoss

__all__ = ("BudgetFront", "Checkpoint", "accuracy", "checkpoints", "quality")

#: learning rate of the bits relative to the weights': they have further to go
_BITS_RATE = 2.0
#: between the seeds of two starts of one training: a prime, so that neighbouring seeds share none
_NEXT_SEED = 7919

#: of scores (events, outputs) and targets, of several heads one for each; larger is better
Score = Callable[[Tensor, Tensors], float]


@dataclass(frozen=True)
class Checkpoint:
    """A network on the front of one training, folded and ready for export.

    ``ebops`` counts the folded network; ``score`` is on the validation events, in float32 and before folding.
    """

    network: LearnedMLP
    ebops: float
    score: float
    epoch: int


@dataclass(frozen=True)
class _Point:
    cost: float
    score: float
    epoch: int
    parameters: list[Tensor]


class BudgetFront:
    """Points non-dominated in (cost, score), by rising cost: each costs more than the one before and is better."""

    def __init__(self) -> None:
        self.points: list[_Point] = []

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
            kept.append(_Point(cost, score, epoch, parameters))
            self.points = sorted(kept, key=lambda p: p.cost)

    def thinned(self, limit: int) -> list[_Point]:
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


def checkpoints(
    config: LearnedMLPConfig,
    x_train: NDArray[np.floating],
    y_train: Truths,
    x_val: NDArray[np.floating],
    y_val: Truths,
    loss: HeadsLoss | TorchLoss,
    *,
    outputs: int,
    epochs: int,
    batch: int = 1024,
    learning_rate: float = 1e-2,
    seed: int = 0,
    score: Score = accuracy,
    limit: int = 32,
    warm: float = 0.1,
    starts: int = 1,
    prepare: Callable[[LearnedMLP], None] | None = None,
    weights: NDArray[np.float64] | None = None,
    progress: Progress = quiet,
) -> list[Checkpoint]:
    """Train and return the front, by rising EBOPs: at most ``limit`` networks, non-dominated on validation.

    ``x_*``: (events, n) values on the base grid of the inputs (``config.input_bits``); ``y_*``: (events,) or (events,
    targets), of several heads one for each; ``loss``: theirs, or a function of the outputs and ``y_*``. For the share
    ``warm`` of the epochs beta stays at ``beta_low``, then it rises logarithmically to ``beta_high`` (HGQ, arXiv
    2405.00645). The network of each epoch is judged on the validation events. With several ``starts`` the epochs are
    shared out among as many trainings from other weights, and their fronts are one: what was pruned early, by chance,
    does not come back. ``prepare`` may set the weights that a start begins with; its ranges are fitted after that.
    ``weights``: (events,), of the loss of the training events; those of the validation events are ``score``'s.
    Deterministic for a seed and one torch thread.
    """
    total = loss if isinstance(loss, HeadsLoss) else HeadsLoss.of_function(loss)
    events, validation = Events.of(x_train, y_train, weights), Events.of(x_val, y_val)
    front = BudgetFront()

    def visit(network: LearnedMLP, first: int, epoch: int, flat: list[Tensor]) -> None:
        with torch.no_grad():
            scores, ebops = learned_forward(validation.inputs, flat, network.layout)
            cost, quality = float(ebops), score(scores, validation.targets)
            constant = bool((scores == scores[:1]).all())  # pruned to nothing: no firmware can be made of it
            if not constant and front.offers(cost, quality):
                front.add(cost, quality, first + epoch, [p.detach().clone() for p in flat])

    for start in range(starts):
        first, share = epochs * start // starts, epochs * (start + 1) // starts - epochs * start // starts
        torch.manual_seed(seed + _NEXT_SEED * start)
        network = LearnedMLP(config, events.inputs.shape[1], outputs)
        generator = torch.Generator().manual_seed(seed + _NEXT_SEED * start)
        if prepare is not None:
            prepare(network)
        network.calibrate(first_events(events, generator))
        size = min(batch, len(events))
        course = _Climb(share, learning_rate, warm, partial(visit, network, first))
        run_course(network.twin(size), events, total, course, size, generator, progress)
    sizes = (events.inputs.shape[1], *config.widths, outputs)
    found = [_checkpoint(config, point, sizes) for point in front.thinned(limit)]
    return [c for c in found if c.ebops > 0]


class _Climb(Course):
    """Weights and bits each with their rate, and a price that stays low for the share ``warm`` and then rises; what
    there is after each epoch goes to ``visit``."""

    def __init__(
        self, epochs: int, learning_rate: float, warm: float, visit: Callable[[int, list[Tensor]], None]
    ) -> None:
        super().__init__(epochs, learning_rate)
        self._warm, self._visit = warm, visit

    def begin(self, twin: Twin, steps: int) -> torch.optim.Optimizer:
        assert isinstance(twin, LearnedTwin)
        self._flat = twin.flat
        weights, bits = twin.parameters
        groups = [{"params": [weights], "rate": 1.0}, {"params": [bits], "rate": _BITS_RATE}]
        self._optimiser = torch.optim.Adam(groups, lr=self.learning_rate, fused=True)
        return self._optimiser

    def progress(self, epoch: int, step: int) -> float:
        return max(0.0, (epoch / max(1, self.epochs - 1) - self._warm) / (1 - self._warm))

    def before(self, epoch: int) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self.learning_rate * group["rate"] * _rate(epoch / self.epochs)

    def after(self, epoch: int) -> None:
        self._visit(epoch, self._flat)


def _checkpoint(config: LearnedMLPConfig, point: _Point, sizes: tuple[int, ...]) -> Checkpoint:
    network = LearnedMLP(config, sizes[0], sizes[-1])
    network.set_flat_parameters(point.parameters)
    network.eval()
    network.fold()
    return Checkpoint(network, network.ebops(), point.score, point.epoch)


def _rate(progress: float) -> float:
    """Learning rate, relative: a short rise, then a slow cosine down to a fifth."""
    rise = min(1.0, progress / 0.02 + 0.05)
    return rise * (0.2 + 0.4 * (1 + cos(pi * progress)))
