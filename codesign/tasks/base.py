"""What a task must offer: inputs, target and loss, metrics with uncertainties, classical baselines, and its plots."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.fixedpoint import InputQuantisation
from codesign.layout import FEATURES, Layout, fitted
from codesign.physics.sample import Part, Sample
from codesign.records import Metric, Plot
from codesign.tasks.outcome import Outcome, Tabulated

if TYPE_CHECKING:
    import awkward as ak
    import torch

__all__ = ("Baseline", "Inputs", "Progress", "Task", "working_points")

Scores = NDArray[np.float64]
#: told, while a sample is made, how many events there are of how many
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True)
class Inputs:
    """What a trained network is given of a chunk of events: one row per event, or per object of it.

    ``features``: (rows, n) float32, in the sample's units; ``event``: (rows,) int64, the place of each row's event in
    the chunk; ``object``: (rows,) int64, the index of the object in its collection, -1 where a row is a whole event;
    ``blocks``: what else is computed of each row, by name, (rows, ...) float32.
    """

    features: NDArray[np.float32]
    event: NDArray[np.int64]
    object: NDArray[np.int64]
    blocks: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def flat(self, blocks: Sequence[Layout]) -> NDArray[np.float32]:
        """What a network of these blocks is given, (rows, n); InputError for a block that is not computed."""
        computed = {FEATURES: self.features, **self.blocks}
        for block in blocks:
            if block.name not in computed:
                raise InputError(f"the task does not compute the block '{block.name}' of events: give a table of it")
        pieces = [computed[block.name].reshape(len(self.event), -1) for block in blocks]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)


class Baseline(Protocol):
    """A classical method, fitted on the training split."""

    name: str

    def __call__(self, part: Part) -> Scores:
        """Scores of a part's events, (events, outputs), as the network's are."""


class Task(ABC):
    """A physics task. ``scores`` are always the network's raw outputs as values, (events, outputs) float64.

    What has a body here is used where a task has it: it may stay as it is.
    """

    name: str
    #: metric -> "maximise" or "minimise"
    metrics: dict[str, str]
    #: the output that the firmware compares with a programmable threshold; the threshold that :meth:`working_points`
    #: names "threshold" is the one that the simulation of the RTL applies
    trigger: str | None = None

    #: whether it has an :meth:`outcome` or a :meth:`table`
    tabulates: bool = False

    # -------------------------------------------------------------------------------------------------- what it must do
    @abstractmethod
    def sample(self, settings: dict[str, Any], seed: int, progress: Progress | None = None) -> Sample:
        """Make or read the sample that the study's ``sample`` section describes (validated by the task)."""

    @abstractmethod
    def outputs(self, sample: Sample) -> tuple[str, ...]:
        """Name of each output of the network."""

    @abstractmethod
    def target(self, part: Part) -> NDArray[Any]:
        """What the loss is given of each event of a part: (events,) or (events, t)."""

    @abstractmethod
    def loss(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Training loss of a batch, a scalar; not called for a network that brings its own objective."""

    @abstractmethod
    def judge(self, scores: Scores, part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """Every metric on this part at the working ``points``, each with its statistical uncertainty."""

    @abstractmethod
    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        """Fit the classical baselines on the training split; the first is the primary one, which the report's band
        shows. May be empty."""

    @abstractmethod
    def plots(
        self, scores: Scores, part: Part, baselines: Mapping[str, Scores], points: Mapping[str, float]
    ) -> list[Plot]:
        """What the report draws for a design, with the scores of the baselines by name, the primary one first."""

    # ------------------------------------------------------------------------------------------- what it may have more
    def working_points(self, scores: Scores, validation: Part) -> dict[str, float]:
        """What has to be fixed before a design is judged, such as a threshold, from scores of the validation split.

        It is recorded with the trial; :meth:`judge` and :meth:`plots` get it on every split.
        """
        return {}

    def input_quantisation(self, x: NDArray[np.float32], blocks: tuple[Layout, ...], bits: int) -> InputQuantisation:
        """How the training split's flat view ``x`` (events, n) of ``blocks`` becomes integers of ``bits`` bits: by
        default standardised, field by field."""
        return InputQuantisation.of_blocks(x, blocks, bits)

    @property
    def collections(self) -> tuple[str, ...]:
        """What :meth:`inputs` needs, as :func:`codesign.physics.events.read_events` names it.

        Empty for a task whose inputs are not computed from events.
        """
        return ()

    def inputs(self, events: ak.Array) -> Inputs:
        """The features of a chunk of :func:`codesign.physics.events.read_events`, for a task with ``collections``.

        ``sample`` uses the same function, so that training and ``codesign apply`` cannot differ. BadEvent
        (:mod:`codesign.physics.events`) where an event cannot have any.
        """
        raise InputError(f"the task '{self.name}' does not compute its inputs from events: give tables of its features")

    def arrange(self, block: Layout, items: NDArray[np.float32]) -> NDArray[np.float32]:
        """A block of the sample (rows, *shape) of a table's items (rows, k, fields), zero padded, in any number.

        A ``sample`` with a block of items uses the same function. By default items stay in their order.
        """
        return fitted(block, items)

    def most_events(self, settings: dict[str, Any]) -> int | None:
        """At most so many events a sample of these settings will have, where that is known before it is made: too few
        for the study's proofs are then told at once."""
        return None

    def outcome(self, scores: Scores, part: Part, points: Mapping[str, float]) -> Outcome | None:
        """What a bundle's parametrisation of the trigger for generator-level work is fitted to; None: there is none."""
        return None

    def table(self, scores: Scores, part: Part) -> Tabulated | None:
        """What a bundle's table of a correction is fitted to; None: there is none."""
        return None


def working_points(task: Task, scores: Scores, validation: Part) -> dict[str, float]:
    """The working points of these scores; ValueError where the part is not the validation split."""
    if validation.name != "validation":
        raise ValueError(f"working points are fixed on the validation split, not on {validation.name}")
    return dict(task.working_points(scores, validation))
