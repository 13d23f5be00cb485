"""How a design compares with others on the events that they share: every metric with one group of events left out.

The metrics of two methods on the same events rise and fall together, so that the error of their difference is far
smaller than that of either. Leaving out one of g groups of events in turn gives g values of each metric; the error of
a difference is the scatter of the g differences times (g - 1) / sqrt(g) (grouped jackknife; Efron and Stein 1981,
Ann. Statist. 9, 586). What comes from one collision is in one group. The groups follow from the split alone, so that
the lists of all designs of a run belong together.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric, Paired, PairedBaseline
from codesign.data.sample import Part
from codesign.tasks.problem import Problem, Scores

__all__ = ("GROUPS", "difference", "pair")

#: enough for an error that is itself known to 16 %
GROUPS = 20
_LEAST_EVENTS = 10 * GROUPS

Points = Mapping[str, float]


def pair(
    problem: Problem,
    scores: Scores,
    points: Points,
    baselines: Mapping[str, tuple[Scores, Points]],
    part: Part,
    sample: str | None,
) -> Paired | None:
    """Compare scores (events, outputs) of the test split, at their working points, with those of the baselines at
    theirs; None of a split that is too small, or that the task cannot judge in part.

    A task that compares two scores by itself (:meth:`Problem.compare`) has the last word on their differences.
    """
    own = _left_out(problem, scores, part, points)
    if not own:
        return None
    against = []
    for name, (theirs, at) in baselines.items():
        other = _left_out(problem, theirs, part, at)
        whole, base = (problem.judge(s, part, p) for s, p in ((scores, points), (theirs, at)))
        found = {
            metric: difference(whole[metric].value - base[metric].value, values, other[metric])
            for metric, values in own.items()
            if metric in other and metric in whole and metric in base
        }
        found |= problem.compare(scores, theirs, part, (points, at))
        against.append(PairedBaseline(name=name, differences=found))
    return Paired(
        split="test",
        events=len(part),
        sample=sample,
        directions={name: way for name, way in problem.metrics.items() if name in own},
        left_out=own,
        baselines=against,
    )


def difference(value: float, one: list[float], other: list[float]) -> Metric:
    """A difference with the error that two lists of values with a group left out give it."""
    gaps = np.subtract(one, other)
    return Metric(value=value, error=float(gaps.std() * np.sqrt(len(gaps) - 1)))


def _left_out(problem: Problem, scores: Scores, part: Part, points: Points) -> dict[str, list[float]]:
    """Of each metric its values with one group left out; without those that not every remainder tells."""
    if len(part) < _LEAST_EVENTS:
        return {}
    groups = _groups(part)
    found: list[dict[str, Metric]] = []
    for group in range(GROUPS):
        rest = np.flatnonzero(groups != group)
        try:
            found.append(problem.judge(scores[rest], part.taken(rest), points))
        except (ArithmeticError, ValueError, IndexError):  # a task that cannot judge so few events
            return {}
    return {name: [each[name].value for each in found] for name in found[0] if all(name in each for each in found)}


def _groups(part: Part) -> NDArray[np.int64]:
    """The group of each event, (events,): collisions in turn, or events class by class as a sample may be sorted."""
    if part.collisions is not None:
        return np.asarray(np.unique(part.collisions, return_inverse=True)[1] % GROUPS, dtype=np.int64)
    groups = np.empty(len(part), dtype=np.int64)
    dealt = 0
    for label in np.unique(part.y):
        mine = np.flatnonzero(part.y == label)
        groups[mine] = (np.arange(len(mine)) + dealt) % GROUPS
        dealt += len(mine)
    return groups
