"""A difference between two designs as it may be said: rounded to its error, better or worse, not by sign alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from codesign.core.records import Metric
from codesign.report import words
from codesign.report.collect import BaselineBand, Point, Run

__all__ = ("Difference", "against", "spoken", "unpaired")

#: from so many standard deviations on a difference is told, and from so many on it is taken for sure
_TOLD, _SURE = 2.0, 3.0


@dataclass(frozen=True)
class Difference:
    """What a design has more of a metric than another one.

    ``tone``: better, worse, or same where it is not told apart; empty where nobody said which way is better.
    """

    metric: Metric
    tone: str
    text: str
    verdict: str
    paired: bool


def spoken(metric: Metric, maximise: bool | None, paired: bool) -> Difference:
    """A difference in words; ``maximise``: whether more is better, None where that is not known."""
    pull = abs(metric.value) / metric.error if metric.error > 0 else math.inf if metric.value else 0.0
    if pull < _TOLD:
        tone, verdict = "same", "not told apart"
    elif maximise is None:
        tone, verdict = "", "different" if pull >= _SURE else "probably different"
    else:
        tone = "better" if (metric.value > 0) == maximise else "worse"
        verdict = tone if pull >= _SURE else f"probably {tone}"
    return Difference(metric, tone, words.signed_measurement(metric), verdict, paired)


def unpaired(one: Metric, other: Metric) -> Metric:
    """The difference of two values as if they shared nothing: its error is too large where they share events."""
    return Metric(value=one.value - other.value, error=math.hypot(one.error, other.error))


def against(run: Run, point: Point, name: str, baseline: BaselineBand | None = None) -> Difference | None:
    """A metric of a point less that of a baseline, by default the primary one; None where either was not measured.

    On the test split, or on the validation split before there is a front; paired where the record of the proof says so.
    """
    base = baseline or run.baseline
    if base is None:
        return None
    if point.compared is not None and not run.provisional:
        found = next((b.metrics for b in point.compared.compared if b.other == base.name), {})
        if name in found:
            gap = Metric(value=found[name].value, error=found[name].error, systematic=found[name].systematic)
            return spoken(gap, better_when_more(run, point, name), True)
    own, theirs = (point.trial.metrics, base.validation) if run.provisional else (point.test, base.test)
    if name not in own or name not in theirs:
        return None
    return spoken(unpaired(own[name], theirs[name]), better_when_more(run, point, name), False)


def better_when_more(run: Run, point: Point, name: str) -> bool | None:
    """Whether more of a metric is better, by the study's objectives, the task's word, or what its name is known for."""
    for axis in run.objectives:
        if axis.name == name:
            return axis.maximise
    directions: Mapping[str, str] = point.compared.directions if point.compared else {}
    if name in directions:
        return directions[name] == "maximise"
    return True if name.startswith(("accuracy", "auc_", "rejection_", "tpr_")) else None
