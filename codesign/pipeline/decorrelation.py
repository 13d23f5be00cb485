"""The figure of a decorrelated training: how much a quantity's distribution tells whether an event passed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric
from codesign.data.sample import Part
from codesign.statistics import rowwise
from codesign.statistics.comparison import summary
from codesign.statistics.divergence import divergences
from codesign.statistics.replicas import DrawnRows, Replicas
from codesign.study.definition import Study
from codesign.tasks.weighting import replicas_of
from codesign.training.nuisance import EFFICIENCY, Decorrelation

__all__ = ("divergence_of", "divergence_rows")

_BINS = 20


def divergence_of(
    study: Study, scores: NDArray[np.float64], part: Part, outputs: Sequence[str], features: Sequence[str],
    replicas: int | None = None,
) -> dict[str, Metric]:  # fmt: skip
    """What :func:`divergence_rows` gives, with its error from so many replicas."""
    return summary(divergence_rows(study, scores, part, outputs, features, replicas_of(part, replicas)))


def divergence_rows(
    study: Study, scores: NDArray[np.float64], part: Part, outputs: Sequence[str], features: Sequence[str],
    replicas: Replicas,
) -> dict[str, NDArray[np.float64]]:  # fmt: skip
    """By its name, the Jensen-Shannon divergence of the quantity between the events of other classes that pass and that
    do not, at the threshold that keeps half of the output's class, in 20 bins of equally many, in every replica; empty
    where the study decorrelates nothing, or the part lacks either."""
    wanted = study.training.decorrelate
    if wanted is None or wanted.output not in outputs:
        return {}
    score = _score(scores, outputs, wanted, part)
    signal = np.zeros(len(part), bool)
    if wanted.output in part.class_names:
        signal = part.y == part.class_names.index(wanted.output)
    signal = signal if signal.any() else ~wanted.chosen(part)
    others = wanted.chosen(part) & ~signal
    if not signal.any() or not others.any():
        return {}
    along = wanted.values(part, features)[others]
    edges = np.unique(np.quantile(along, np.linspace(0, 1, _BINS + 1)[1:-1]))
    places = np.searchsorted(edges, along, side="right")

    def measure(rows: DrawnRows) -> dict[str, NDArray[np.float64]]:
        cuts = rowwise.quantiles(score[signal], [1 - EFFICIENCY], rows.some(signal).weights)
        passed = score[others][None, :] >= cuts
        return {wanted.metric: divergences(places, passed, rows.some(others).weights, len(edges) + 1)}

    return replicas.collect(measure)


def _score(
    scores: NDArray[np.float64], outputs: Sequence[str], wanted: Decorrelation, part: Part
) -> NDArray[np.float64]:
    """What is cut on: of classes the logarithm of the odds of the output's; else the output."""
    place = list(outputs).index(wanted.output)
    if wanted.output not in part.class_names:
        return scores[:, place]
    rivals = [k for k, name in enumerate(outputs) if name in part.class_names and k != place]
    if not rivals:
        return scores[:, place]
    return np.asarray(scores[:, place] - np.logaddexp.reduce(scores[:, rivals], axis=1))
