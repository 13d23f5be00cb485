"""A problem that says once how its metrics are measured with weights: errors and paired differences follow."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric
from codesign.data.sample import Part
from codesign.statistics.replicas import Replicas
from codesign.tasks.problem import Problem, Scores
from codesign.tasks.weighting import replicas_of

__all__ = ("Measure", "MeasuredProblem", "measured_rows")

#: weights of the events, (events,), and the working points, to each metric; NaN, or none, where it has no value
Measure: TypeAlias = Callable[[NDArray[np.float64], Mapping[str, float]], Mapping[str, float]]


class MeasuredProblem(Problem):
    """Says once how its metrics are measured, with weights of events: :meth:`measure`.

    Errors are those of the bootstrap over events, or over collisions where the sample knows them.
    """

    #: replicas from which errors come
    drawn: int = 100

    @abstractmethod
    def measure(self, scores: Scores, part: Part) -> Measure:
        """What gives every metric of these scores for any weights; all that needs no weights is done before."""

    def judge(self, scores: Scores, part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """Every metric that has a value, with its spread over the replicas."""
        found = self.replicate(scores, part, points, self.replicas(part))
        return {
            name: Metric(value=float(rows[0]), error=float(np.nanstd(rows[1:])) if np.isfinite(rows[1:]).any() else 0.0)
            for name, rows in found.items()
            if np.isfinite(rows[0])
        }

    def replicate(
        self, scores: Scores, part: Part, points: Mapping[str, float], replicas: Replicas
    ) -> dict[str, NDArray[np.float64]]:
        """Every metric in all replicas."""
        return measured_rows(self.measure(scores, part), points, replicas)

    def replicas(self, part: Part) -> Replicas:
        """Those in which it is measured."""
        return replicas_of(part, self.drawn)


def measured_rows(measure: Measure, points: Mapping[str, float], replicas: Replicas) -> dict[str, NDArray[np.float64]]:
    """What is measured in all replicas, (1 + replicas,) each, the events as they are first; NaN where nothing is."""
    found: dict[str, NDArray[np.float64]] = {}
    for rows in replicas.blocks():
        at = {name: rows.point(points, name) for name in points}
        for row, number in enumerate(range(rows.place.start, rows.place.stop)):
            if not rows.weights[row].any():
                continue
            values = measure(rows.weights[row], {name: float(spread[row]) for name, spread in at.items()})
            for name, value in values.items():
                found.setdefault(name, np.full(1 + replicas.number, np.nan))[number] = value
    return found
