"""Metrics under a study's variations: the systematic error of each, and the worst of those that a study asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import hypot, isfinite

import numpy as np
from numpy.typing import NDArray

from codesign.core.layout import Layout
from codesign.core.records import Metric, PairedDifference
from codesign.data.sample import Part
from codesign.data.variations import Variation
from codesign.pipeline.decorrelation import divergence_of, divergence_rows
from codesign.study.definition import WORST, Study
from codesign.tasks.problem import Problem, Scores

__all__ = (
    "Varied",
    "differences_with_systematics",
    "judge_varied",
    "judged_rows",
    "values_under",
    "with_systematics",
    "worst_wanted",
)

#: scores of the events of a part
Scored = Callable[[Part], Scores]
#: by the way of each variation, by metric
Under = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Varied:
    """Metrics with both errors, and their values under each way of each variation."""

    metrics: dict[str, Metric]
    under: Under = field(default_factory=dict)


def worst_wanted(study: Study, known: Iterable[str]) -> tuple[str, ...]:
    """Metrics whose worst the study's objectives and constraints name."""
    if not study.systematics:
        return ()
    named = [goal.name for goal in study.objectives] + [bound.name for bound in study.constraints]
    names = {name.removeprefix(WORST) for name in named if name.startswith(WORST)}
    return tuple(sorted(names & set(known)))


def values_under(
    variations: Sequence[Variation], problem: Problem, scored: Scored, part: Part, points: Mapping[str, float],
    blocks: Sequence[Layout], wanted: Iterable[str] = (),
) -> Under:  # fmt: skip
    """Every metric under each way of each variation, at the same working points."""
    found = {}
    for variation in variations:
        for name, way in variation.ways.items():
            varied = variation.of(part, blocks, way)
            scores = scored(varied)
            found[name] = problem.values(scores, varied, points)
            if set(wanted) - found[name].keys():  # what a task judges beside its replicas
                judged = problem.judge(scores, varied, points)
                found[name] |= {of: judged[of].value for of in wanted if of in judged}
    return found


def judge_varied(
    study: Study, problem: Problem, scored: Scored, part: Part, metrics: Mapping[str, Metric],
    points: Mapping[str, float], blocks: Sequence[Layout], outputs: Sequence[str],
) -> Varied:  # fmt: skip
    """The metrics of a part, that of a decorrelated training among them, with their systematic errors: the sum in
    quadrature, over variations, of the larger change upwards or downwards. What a study asks for as the worst stands
    beside them, with the error of counting there."""

    def more(part: Part, replicas: int | None = None) -> dict[str, Metric]:
        if study.training.decorrelate is None:
            return {}
        return divergence_of(study, scored(part), part, outputs, blocks[0].fields, replicas)

    usual = dict(metrics) | more(part)
    if not study.systematics:
        return Varied(usual)
    under = values_under(study.systematics, problem, scored, part, points, blocks, metrics)
    ways = {name: (variation, way) for variation in study.systematics for name, way in variation.ways.items()}
    for name, (variation, way) in ways.items():
        under[name] |= {of: metric.value for of, metric in more(variation.of(part, blocks, way), 0).items()}
    found, directions = with_systematics(usual, study.systematics, under), study.judged(problem.metrics)
    for name in worst_wanted(study, directions):
        if name not in usual:
            continue
        least = min if directions[name] == "maximise" else max
        values = {way: values[name] for way, values in under.items() if name in values}
        worst = least(values, key=values.__getitem__, default="")
        if not worst or least(values[worst], usual[name].value) == usual[name].value:
            found[WORST + name] = usual[name]
            continue
        variation, way = ways[worst]
        varied = variation.of(part, blocks, way)
        found[WORST + name] = (problem.judge(scored(varied), varied, points) | more(varied))[name]
    return Varied(found, under)


def judged_rows(
    study: Study, problem: Problem, scored: Scored, part: Part, points: Mapping[str, float],
    blocks: Sequence[Layout], outputs: Sequence[str],
) -> dict[str, NDArray[np.float64]]:  # fmt: skip
    """Every metric in the replicas in which designs are compared, (1 + replicas,) each: the task's, that of a
    decorrelated training, and the worst that the study asks for, under the variation that is the worst of the sample
    itself."""

    def rows_of(part: Part) -> dict[str, NDArray[np.float64]]:
        scores, replicas = scored(part), problem.replicas(part)
        found = problem.replicate(scores, part, points, replicas)
        return found | divergence_rows(study, scores, part, outputs, blocks[0].fields, replicas)

    found, directions = rows_of(part), study.judged(problem.metrics)
    if not (wanted := worst_wanted(study, directions)):
        return found
    ways = [variation.of(part, blocks, way) for variation in study.systematics for way in variation.ways.values()]
    under = [found, *(rows_of(varied) for varied in ways)]
    for name in wanted:
        known = [rows[name] for rows in under if name in rows and isfinite(rows[name][0])]
        if known:
            least = min if directions[name] == "maximise" else max
            found[WORST + name] = least(known, key=lambda rows: float(rows[0]))
    return found


def with_systematics(
    metrics: Mapping[str, Metric], variations: Sequence[Variation], under: Mapping[str, Mapping[str, float]]
) -> dict[str, Metric]:
    """The metrics with their systematic errors, by their values under the ways of each variation."""
    return {name: metric.model_copy(update={"systematic": _error(name, metric.value, variations, under)})
            for name, metric in metrics.items()}  # fmt: skip


def differences_with_systematics(
    gaps: Mapping[str, PairedDifference], variations: Sequence[Variation],
    one: Mapping[str, Mapping[str, float]], other: Mapping[str, Mapping[str, float]],
) -> dict[str, PairedDifference]:  # fmt: skip
    """Differences with theirs: by how much the difference itself moves, which is less than each of the two does."""
    under = {
        way: {name: values[name] - other[way][name] for name in values if name in other[way]}
        for way, values in one.items() if way in other
    }  # fmt: skip
    return {name: gap.model_copy(update={"systematic": _error(name, gap.value, variations, under)})
            for name, gap in gaps.items()}  # fmt: skip


def _error(
    name: str, usual: float, variations: Sequence[Variation], under: Mapping[str, Mapping[str, float]]
) -> float | None:
    """None where a variation leaves nothing to judge it by."""
    total = 0.0
    for variation in variations:
        moved = [abs(under[way][name] - usual) for way in variation.ways if way in under and name in under[way]]
        if len(moved) < len(variation.ways) or not all(isfinite(size) for size in moved):
            return None
        total = hypot(total, max(moved))
    return total
