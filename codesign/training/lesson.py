"""What a family is given of a problem and its data: all that a training may look at, and nothing of torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import InputQuantisation, Port
from codesign.core.layout import Layout

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ("Budget", "Fold", "Lesson", "LossObjective", "Progress", "Subject", "TorchLoss", "quiet")

#: outputs (events, m) and target of a batch to a scalar, the mean over its events
TorchLoss: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
#: told how many epochs, rounds or the like are done, and of how many
Progress: TypeAlias = Callable[[int, int], None]


def quiet(done: int, total: int) -> None:
    """A progress that nobody looks at."""


@dataclass(frozen=True)
class LossObjective:
    """What is made smaller: a name that any family can read, and the task's own function for those of torch.

    ``name``: ``cross-entropy`` (target: the index of the output that shall be largest), ``squared`` (a number per
    output), ``reconstruction`` (a number per input, which the network reproduces), or ``own``: then only ``function``
    says what it is. A family that cannot do with a name says so in :meth:`codesign.families.base.Family.can`.
    """

    name: str
    function: TorchLoss | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Subject:
    """What there is to learn, told before any data: names of inputs and outputs, and the objective.

    ``trigger``: the output that the firmware compares with a threshold. ``weighted``: whether events have weights.
    ``blocks``: what the inputs are, one after another in flat order; empty for plain features.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    objective: LossObjective
    trigger: str | None = None
    weighted: bool = False
    blocks: tuple[Layout, ...] = ()


@dataclass(frozen=True)
class Fold:
    """Events of one split. ``x``: (events, n) float64, values on the inputs' grid; ``target``: (events,) or (events,
    t), what the objective is given; ``weights``: (events,) float64, 0 or more, of a channel of their own, or None."""

    x: NDArray[np.float64]
    target: NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int64]
    weights: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """ValueError where the arrays are not of the same events, or a weight is negative or not finite."""
        if self.x.ndim != 2 or len(self.target) != len(self.x):
            raise ValueError(f"events {self.x.shape} and targets {self.target.shape} are not of the same events")
        weights = self.weights
        if weights is None:
            return
        if weights.shape != (len(self.x),):
            raise ValueError(f"weights {weights.shape} are not one for each of {len(self.x)} events")
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
            raise ValueError("weights must be finite, none below 0, and not all 0")

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Lesson:
    """All that a family is given to train on. ``quantisation`` is how physical features become the inputs' integers."""

    subject: Subject
    quantisation: InputQuantisation
    train: Fold
    validation: Fold

    @property
    def inputs(self) -> Port:
        """What the columns of the folds' ``x`` are."""
        return self.quantisation.port


@dataclass(frozen=True)
class Budget:
    """How long to train: ``epochs`` (or rounds), events a ``batch``, and the largest learning rate."""

    epochs: int
    batch: int
    learning_rate: float
