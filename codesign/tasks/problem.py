"""What is learned and judged in one study: its sample, targets, objective, metrics, baselines and plots."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from codesign.core.fixedpoint import InputQuantisation
from codesign.core.layout import Layout
from codesign.core.records import Metric, PairedDifference, Plot
from codesign.data.sample import Part, Sample, Splits
from codesign.statistics.comparison import differences
from codesign.statistics.replicas import Replicas, WorkingPoints
from codesign.tasks.heads import Head
from codesign.tasks.outcome import Outcome, Tabulated
from codesign.tasks.weighting import replicas_of

__all__ = ("Baseline", "Problem", "Progress", "Scores", "Settings", "Target", "working_points")

#: replicas in which a task without a :meth:`Problem.replicate` of its own is judged, one after another
_ONE_BY_ONE = 100

#: the network's outputs as values, (events, outputs)
Scores: TypeAlias = NDArray[np.float64]
#: what the loss of a head is given of each event, (events,) or (events, t)
Target: TypeAlias = NDArray[np.float32] | NDArray[np.int64]
#: a section of a study
Settings: TypeAlias = Mapping[str, JsonValue]
#: told, while a sample is made, how many events there are of how many
Progress: TypeAlias = Callable[[int, int], None]


class Baseline(Protocol):
    """A classical method, fitted on the training split."""

    name: str

    def __call__(self, part: Part) -> Scores:
        """Scores of a part's events, (events, outputs), as the network's are."""


class Problem(ABC):
    """A physics task with the settings of a study. ``scores`` are always the network's raw outputs as values.

    It is opened before there is a sample, and where there is none: whoever trains has the parts of one. So it makes its
    :attr:`sample` when it is asked for. What has a body here is used where a problem has it: it may stay as it is.
    """

    #: metric -> "maximise" or "minimise"
    metrics: Mapping[str, str]
    #: the output that the firmware compares with a programmable threshold; the threshold that :meth:`working_points`
    #: names "threshold" is the one that the simulation of the RTL applies
    trigger: str | None = None
    #: whether it has an :meth:`outcome` or a :meth:`table`
    tabulates: bool = False

    # -------------------------------------------------------------------------------------------------- what it must do
    @property
    @abstractmethod
    def sample(self) -> Sample:
        """The sample of the study's settings and seed, made or read when it is first asked for."""

    @abstractmethod
    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """What is learned: outputs of the network, each head's with its objective and weight, in the order in which
        scores have them.

        They follow from the settings and the sample's names: a process that trains asks with a sample without events.
        """

    @abstractmethod
    def target(self, part: Part) -> Mapping[str, Target]:
        """By the name of each head, what its objective is given of each event of a part: (events,) or (events, t)."""

    @abstractmethod
    def judge(self, scores: Scores, part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """Every metric on this part at the working ``points``, each with its statistical uncertainty."""

    @abstractmethod
    def baselines(self, train: Part, seed: int) -> Sequence[Baseline]:
        """Fit the classical baselines on the training split; the first is the primary one, which the report's band
        shows. May be empty."""

    @abstractmethod
    def plots(
        self, scores: Scores, part: Part, baselines: Mapping[str, Scores], points: Mapping[str, float]
    ) -> list[Plot]:
        """What the report draws for a design, with the scores of the baselines by name, the primary one first."""

    # ------------------------------------------------------------------------------------------- what it may have more
    @property
    def settings(self) -> Settings:
        """What beside the sample's events decides what is learned and how it is judged: it enters every key."""
        return {}

    def completed(self, sample: Sample, splits: Splits) -> Sample:
        """The sample with what can only be said once it is known how it is split: missing values."""
        return sample.filled(splits)

    def made_of(self) -> tuple[Problem, ...]:
        """This problem, and those that it stands for: the code of all decides what is learned."""
        return (self,)

    def must_read(self) -> None:  # noqa: B027 - nothing to look at is the default
        """See, before anything runs, that the files of the settings are there and hold what those name; InputError says
        what is wrong. Cheap: nothing is made, and no file is read in full."""

    def remarks(self, sample: Sample, splits: Splits) -> Iterable[str]:
        """What is worth knowing of the sample before anything is trained, a line each; InputError where nothing can be
        learned of it."""
        return ()

    def most_events(self) -> int | None:
        """At most so many events the sample will have, where that is known before it is made: too few for the study's
        proofs are then told at once."""
        return None

    def blocks(self, sample: Sample) -> tuple[Layout, ...]:
        """What a network may be given of an event: the blocks that a study's ``view`` chooses from."""
        return sample.layouts

    def outputs(self, sample: Sample) -> tuple[str, ...]:
        """Name of each output of the network: those of the heads, one after another."""
        return tuple(output for head in self.heads(sample) for output in head.outputs)

    def meanings(self, sample: Sample) -> Mapping[str, str]:
        """By the name of an output, what its value means to who uses it, in words: it stands in bundles and scores."""
        return {}

    def weights(self, part: Part) -> NDArray[np.float32] | None:
        """By how much each event of a part counts in the losses, (events,), at least 0; None where all count alike."""
        return part.weights

    def undisturbed(self, part: Part) -> NDArray[np.bool_]:
        """Which events of a part, (events,), are as a detector sends them where nothing is wrong: what a stream is
        compared with. By default all; a task that simulates signals leaves those out."""
        return np.ones(len(part), dtype=np.bool_)

    def genuine(self, part: Part) -> Part:
        """Those of a part's events that were not made for the training: what grids of inputs, and baselines, are
        fitted to. By default all."""
        return part

    def exposures(self, train: Part, events: int, seed: int) -> Part | None:
        """So many events that are unlike those of the training split, and made of these alone: a teacher is asked about
        them, and nobody knows a truth of theirs. By default None: the task makes none."""
        return None

    def working_points(self, scores: Scores, validation: Part) -> dict[str, float]:
        """What has to be fixed before a design is judged, such as a threshold, from scores of the validation split.

        It is recorded with the trial; :meth:`judge` and :meth:`plots` get it on every split.
        """
        return {}

    def replicate(
        self, scores: Scores, part: Part, points: Mapping[str, float], replicas: Replicas
    ) -> dict[str, NDArray[np.float64]]:
        """Every metric in all replicas of a part, (1 + replicas,) each, the part itself first; NaN where one has none.

        From it come the errors of differences, and of whatever judges by it. By default :meth:`judge` is asked for its
        values, one replica after another: an event that a replica has twice has twice its weight.
        """

        found: dict[str, NDArray[np.float64]] = {}

        def keep(number: int, scores: Scores, some: Part, at: Mapping[str, float]) -> None:
            for name, metric in self.judge(scores, some, at).items():
                found.setdefault(name, np.full(1 + replicas.number, np.nan))[number] = metric.value

        keep(0, scores, part, points)
        for rows in replicas.blocks():
            for row, number in enumerate(range(rows.place.start, rows.place.stop)):
                there = np.flatnonzero(rows.weights[row])
                if not number or not there.size:
                    continue
                some = replace(part.taken(there), weights=rows.weights[row][there].astype(np.float32))
                keep(number, scores[there], some, {name: float(rows.point(points, name)[row]) for name in points})
        return found

    def ceilings(self, train: Part, validation: Part, seed: int) -> Sequence[Baseline]:
        """What is told more than a design is: classical methods that are fitted to, or chosen by, labels of the
        validation split, as a search chooses designs. They are shown behind the baselines. By default none."""
        return ()

    def values(self, scores: Scores, part: Part, points: Mapping[str, float]) -> dict[str, float]:
        """Every metric without its error, which takes much longer."""
        found = self.replicate(scores, part, points, replicas_of(part, 0))
        return {name: float(rows[0]) for name, rows in found.items() if np.isfinite(rows[0])}

    def compare(
        self, one: Scores, other: Scores, part: Part, points: tuple[Mapping[str, float], Mapping[str, float]]
    ) -> dict[str, PairedDifference]:
        """By how much ``one`` has more of each metric than ``other``, each judged at its own working points.

        The error is that of the difference on the same events, which is smaller than that of two independent values.
        """
        replicas = self.replicas(part)
        found = [self.replicate(scores, part, at, replicas) for scores, at in zip((one, other), points, strict=True)]
        return differences(found[0], found[1], self.metrics)

    def replicas(self, part: Part) -> Replicas:
        """Those in which designs are compared: fewer where the task is judged in one after another."""
        return replicas_of(part, _ONE_BY_ONE if type(self).replicate is Problem.replicate else None)

    def input_quantisation(self, x: NDArray[np.float32], blocks: tuple[Layout, ...], bits: int) -> InputQuantisation:
        """How the training split's flat view ``x`` (events, n) of ``blocks`` becomes integers of ``bits`` bits: by
        default standardised, field by field."""
        return InputQuantisation.of_blocks(x, blocks, bits)

    def outcome(self, scores: Scores, part: Part, points: Mapping[str, float]) -> Outcome | None:
        """What a bundle's parametrisation of the trigger for generator-level work is fitted to; None: there is none."""
        return None

    def table(self, scores: Scores, part: Part) -> Tabulated | None:
        """What a bundle's table of a correction is fitted to; None: there is none."""
        return None


def working_points(problem: Problem, scores: Scores, validation: Part) -> WorkingPoints:
    """The working points of these scores, with what they are in each replica of the validation split where the task
    says that; ValueError where the part is another."""
    if validation.name != "validation":
        raise ValueError(f"working points are fixed on the validation split, not on {validation.name}")
    found = problem.working_points(scores, validation)
    return found if isinstance(found, WorkingPoints) else WorkingPoints(found)
