"""What a family is given of a problem and its data: all that a training may look at, and nothing of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.fixedpoint import InputQuantisation, Port
from codesign.core.layout import Layout
from codesign.tasks.heads import Head, LossObjective, require_heads
from codesign.training.coded import Coded
from codesign.training.nuisance import Decorrelation

__all__ = (
    "OPTIMISERS",
    "SCHEDULES",
    "Budget",
    "Fold",
    "FoldTarget",
    "Lesson",
    "Progress",
    "StepSettings",
    "Subject",
    "quiet",
)

#: what moves the parameters of a network, and how the learning rate goes, by the names that studies have
OPTIMISERS = ("adam", "nadam", "rmsprop", "sgd")
SCHEDULES = ("one-cycle", "cosine", "exponential", "constant")

#: what the objective of a head is given, (events,) or (events, t)
FoldTarget: TypeAlias = NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int64]
#: told how many epochs, rounds or the like are done, and of how many
Progress: TypeAlias = Callable[[int, int], None]


def part_of(progress: Progress, before: int, total: int) -> Progress:
    """Of a part that ``before`` epochs came before: what tells how many are done in all."""

    def tell(done: int, of: int) -> None:
        progress(before + done, total)

    return tell


def quiet(done: int, total: int) -> None:
    """A progress that nobody looks at."""


#: of a model that is only opened again
_LEARNED = LossObjective("learned")
_SQUARED = LossObjective("squared")


@dataclass(frozen=True)
class Subject:
    """What there is to learn, told before any data: names of the inputs, and the heads with their objectives.

    ``trigger``: the output that the firmware compares with a threshold. ``weighted``: whether events have weights.
    ``blocks``: what the inputs are, one after another in flat order; empty for plain features.
    """

    inputs: tuple[str, ...]
    heads: tuple[Head, ...]
    trigger: str | None = None
    weighted: bool = False
    blocks: tuple[Layout, ...] = ()

    def __post_init__(self) -> None:
        """ValueError for heads that cannot be told apart."""
        require_heads(self.heads)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Name of each output: those of the heads, one after another."""
        return tuple(output for head in self.heads for output in head.outputs)

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of inputs and of outputs."""
        return len(self.inputs), len(self.outputs)

    @classmethod
    def of_sizes(cls, inputs: int, outputs: int, objective: LossObjective = _SQUARED) -> Self:
        """So many inputs and outputs without names of their own, one head."""
        names = tuple(f"x{i}" for i in range(inputs)), tuple(f"y{i}" for i in range(outputs))
        return cls(names[0], (Head("scores", names[1], objective),))

    @classmethod
    def of_design(cls, design: Design) -> Self:
        """What a model that is there has learned: its blocks and heads by name, no objectives."""
        heads = tuple(Head(block.name, block.labels, _LEARNED) for block in design.outputs.blocks)
        blocks = () if design.inputs.is_flat else tuple(design.inputs.blocks)
        return cls(design.inputs.labels, heads, design.trigger, blocks=blocks)


@dataclass(frozen=True)
class Fold:
    """Events of one split. ``inputs``: (events, n) float64, values on the inputs' grid, or the codes that stand for
    them; ``target``: by the name of each head, (events,) or (events, t), what its objective is given; ``weights``:
    (events,) float64, 0 or more, of a channel of their own, or None; ``beside``: (events, 2) float32, what a
    decorrelated training knows of each event (:meth:`codesign.training.nuisance.Decorrelation.beside`), or None."""

    inputs: NDArray[np.float64] | Coded
    target: Mapping[str, FoldTarget]
    weights: NDArray[np.float64] | None = None
    beside: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """ValueError where the arrays are not of the same events, or a weight is negative or not finite."""
        for name, target in self.target.items():
            if len(self.shape) != 2 or len(target) != len(self):
                raise ValueError(f"events {self.shape} and targets {name} {target.shape} are not of the same events")
        weights = self.weights
        if weights is None:
            return
        if weights.shape != (len(self),):
            raise ValueError(f"weights {weights.shape} are not one for each of {len(self)} events")
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
            raise ValueError("weights must be finite, none below 0, and not all 0")

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def shape(self) -> tuple[int, ...]:
        """Events and inputs."""
        return (self.inputs.codes if isinstance(self.inputs, Coded) else self.inputs).shape

    @property
    def x(self) -> NDArray[np.float64]:
        """All values, (events, n) float64."""
        return self.inputs.values if isinstance(self.inputs, Coded) else self.inputs


@dataclass(frozen=True)
class Lesson:
    """All that a family is given to train on. ``quantisation`` is how physical features become the inputs' integers."""

    subject: Subject
    quantisation: InputQuantisation
    train: Fold
    validation: Fold
    decorrelate: Decorrelation | None = field(default=None, kw_only=True)

    @property
    def inputs(self) -> Port:
        """What the columns of the folds' ``x`` are."""
        return self.quantisation.port


@dataclass(frozen=True)
class StepSettings:
    """How the parameters of a network are moved: the optimiser, how the learning rate goes, and by how much of the rate
    weights decay in each step."""

    optimiser: str = "adam"
    schedule: str = "one-cycle"
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Budget:
    """How long to train: ``epochs`` (or rounds), events a ``batch``, and the largest learning rate.

    ``patience``: epochs without a smaller validation loss after which training ends, and the best network is taken;
    None: all epochs, and the last network.
    """

    epochs: int
    batch: int
    learning_rate: float
    steps: StepSettings = StepSettings()
    patience: int | None = None
