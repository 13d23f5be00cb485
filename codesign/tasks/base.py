"""What a task must offer: inputs, target and loss, metrics with uncertainties, classical baselines, and its plots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from codesign.physics.sample import Part, Sample
from codesign.records import Metric, Plot

if TYPE_CHECKING:
    import awkward as ak
    import torch

__all__ = ("Baseline", "Inputs", "Task")

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Inputs:
    """What a trained network is given of a chunk of events: one row per event, or per object of it.

    ``features``: (rows, n) float32, in the sample's units; ``event``: (rows,) int64, the place of each row's event in
    the chunk; ``object``: (rows,) int64, the index of the object in its collection, -1 where a row is a whole event.
    """

    features: NDArray[np.float32]
    event: NDArray[np.int64]
    object: NDArray[np.int64]


class Baseline(Protocol):
    """A classical method, fitted on the training split."""

    name: str

    def __call__(self, part: Part) -> Scores:
        """Scores of a part's events, (events, outputs), as the network's are."""


class Task(Protocol):
    """A physics task. ``scores`` are always the network's raw outputs as values, (events, outputs) float64.

    More is used where a task has it:

    - ``trigger: str``, the output that the firmware compares with a programmable threshold; the threshold that
      ``working_points`` names ``"threshold"`` is the one that the simulation of the RTL applies;
    - ``working_points(scores, validation) -> dict[str, float]``: what has to be fixed before a design is judged, such
      as a threshold. It is called with the validation split only and recorded with the trial, and ``judge`` and
      ``plots`` get it as their argument ``points``, on every split;
    - ``input_quantisation(x, features, units, bits) -> InputQuantisation``: how the training split's features (events,
      n) become integers, where the default, standardised features, is not what is wanted;
    - ``collections: tuple[str, ...]`` and ``inputs(events) -> Inputs``: how the features are computed from a chunk of
      :func:`codesign.physics.events.read_events`. ``sample`` uses the same function, so that training and
      ``codesign apply`` cannot differ;
    - ``most_events(settings) -> int | None``: at most so many events a sample of these settings will have, where that
      is known before it is made: too few for the study's proofs are then told at once;
    - ``outcome(scores, part, points) -> Outcome`` and ``table(scores, part) -> Tabulated``
      (:mod:`codesign.tasks.outcome`): what a bundle's tables for generator-level work are fitted to.
    """

    name: str
    #: metric -> "maximise" or "minimise"
    metrics: dict[str, str]

    def sample(self, settings: dict[str, Any], seed: int, progress: Any = None) -> Sample:
        """Make or read the sample that the study's ``sample`` section describes (validated by the task)."""

    def outputs(self, sample: Sample) -> tuple[str, ...]:
        """Name of each output of the network."""

    def target(self, part: Part) -> NDArray[Any]:
        """What the loss is given of each event of a part: (events,) or (events, t)."""

    def loss(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Training loss of a batch, a scalar; not called for a network that brings its own objective."""

    def judge(self, scores: Scores, part: Part) -> dict[str, Metric]:
        """Every metric on this part, each with its statistical uncertainty."""

    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        """Fit the classical baselines on the training split; the first is the primary one, which the report's band
        shows. May be empty."""

    def plots(self, scores: Scores, part: Part, baselines: Mapping[str, Scores] | None = None) -> list[Plot]:
        """What the report draws for a design, with the scores of the baselines by name, the primary one first."""


if TYPE_CHECKING:

    class ReadsEvents(Protocol):
        """A task that computes its inputs from event files."""

        #: what ``inputs`` needs, as :func:`codesign.physics.events.read_events` names it
        collections: tuple[str, ...]

        def inputs(self, events: ak.Array) -> Inputs:
            """Features of a chunk of events; BadEvent (:mod:`codesign.physics.events`) where one cannot have any."""
